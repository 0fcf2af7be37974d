//! Files of runs on the wall clock whose records can be compared with what the cell saw.

use std::path::Path;

use super::run_file;

const SIDE: u32 = 64;

/// `cell` on the wall clock with small pictures. It writes down what happens into `truth_log`.
pub fn cell(cell: &str, truth_log: &Path) -> String {
    let small = format!("[[camera]]\nwidth = {SIDE}\nheight = {SIDE}");
    let cell = cell.replace("\"simulated\"", "\"real\"").replace("[[camera]]", &small);
    format!("{cell}truth_log = {truth_log:?}\n")
}

/// `task` as such a cell needs it. What the arm did and measured must follow from what the cell
/// wrote: no lag of the target, and actions from the measured pose.
pub fn task(task: &str, step_rate_hz: u32) -> String {
    let proprio =
        "[\"position\", \"rotation\", \"linear-velocity\", \"angular-velocity\", \"force\"]";
    let observation = format!(
        "[observation]\nimage_width = {SIDE}\nimage_height = {SIDE}\nproprio = {proprio}\n\n"
    );
    let task =
        task.replace("[action]\n", &format!("{observation}[action]\ndelta_from = \"measured\"\n"));
    format!("step_rate_hz = {step_rate_hz}.0\n{task}")
}

/// A learner that never makes an arm wait and leaves most of the processor to it.
pub fn run(env_steps: u64, endpoint: &str) -> String {
    format!("{}[coupling]\nmode = \"free\"\nutd_cap = 0.5\n", run_file(env_steps, endpoint))
}
