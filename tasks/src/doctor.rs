//! Do a cell, a task and a run fit together? Pure; checks of the machine are the root's.

use std::{
    f64::consts::PI,
    fmt,
    path::{Path, PathBuf},
};

use nalgebra::Vector3;

use crate::{
    cell::{CellConfig, GripperDriver, SuccessDriver, TeleopDriver},
    reward::RewardKind,
    run::{CouplingMode, HeadKind, QClip, RunConfig},
    task::TaskConfig,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It will run, and probably not as intended.
    Warning,
    /// It must not run.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub what: String,
    pub remedy: String,
}

impl Finding {
    pub fn new(severity: Severity, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.severity, self.what, self.remedy)
    }
}

/// Everything found, the worst first.
pub fn examine(cell: &CellConfig, task: &TaskConfig, run: &RunConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(arms(cell, task));
    let each = EachArm { cells: cell.arm_cells(), tasks: task.arm_tasks() };
    cameras(cell, task, &mut findings);
    each.examine(gripper, &mut findings);
    success(cell, task, &mut findings);
    each.examine(workspace, &mut findings);
    each.examine(motion, &mut findings);
    each.examine(lease, &mut findings);
    picture_ages(cell, task, &mut findings);
    each.examine(reset, &mut findings);
    learning(cell, task, run, &mut findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// A cell of two arms needs a task for two, and the other way round.
pub fn arms(cell: &CellConfig, task: &TaskConfig) -> Option<Finding> {
    let (cell_name, task_name) = (&cell.name, &task.name);
    match (cell.second.is_some(), task.second.is_some()) {
        (false, false) | (true, true) => None,
        (false, true) => Some(error(
            format!(
                "task {task_name} is for two arms, and cell {cell_name} has one: it lacks [second.arm]"
            ),
            "Add [second.arm] and [second.limits] to the cell file, or take a task without \
             [second.reset]",
        )),
        (true, false) => Some(error(
            format!(
                "cell {cell_name} has two arms, and task {task_name} is for one: it lacks [second.reset]"
            ),
            "Add [second.reset] to the task file, or take a cell without [second]",
        )),
    }
}

/// Cell and task as each arm has them.
struct EachArm {
    cells: Vec<CellConfig>,
    tasks: Vec<TaskConfig>,
}

impl EachArm {
    /// Where there are two, what is found says of which.
    fn examine(
        &self,
        look: fn(&CellConfig, &TaskConfig, &mut Vec<Finding>),
        findings: &mut Vec<Finding>,
    ) {
        for (name, (cell, task)) in
            ["first", "second"].iter().zip(self.cells.iter().zip(&self.tasks))
        {
            let mut found = Vec::new();
            look(cell, task, &mut found);
            findings.extend(found.into_iter().map(|finding| match self.cells.len() {
                1 => finding,
                _ => Finding { what: format!("{name} arm: {}", finding.what), ..finding },
            }));
        }
    }
}

/// Files that the configuration names and that must be there, for the root to look at.
pub fn needed_files(run: &RunConfig) -> Vec<PathBuf> {
    run.backbone.weights_file().map(Path::to_owned).into_iter().collect()
}

fn error(what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding::new(Severity::Error, what, remedy)
}

fn warning(what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding::new(Severity::Warning, what, remedy)
}

fn cameras(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    let (width, height) = (task.observation.image_width, task.observation.image_height);
    for name in &task.cameras {
        let Some(camera) = cell.camera(name) else {
            let known: Vec<&str> = cell.cameras.iter().map(|camera| camera.name.as_str()).collect();
            findings.push(error(
                format!(
                    "task {} wants camera \"{name}\", which cell {} lacks",
                    task.name, cell.name
                ),
                format!("Add a [[camera]] of that name; the cell has: {}", listed(&known)),
            ));
            continue;
        };
        if (camera.width, camera.height) != (width, height) {
            findings.push(error(
                format!(
                    "camera \"{name}\" gives {}x{} pixels, task {} wants {width}x{height}",
                    camera.width, camera.height, task.name
                ),
                "Make width and height of the [[camera]] equal to observation.image_width and \
                 image_height",
            ));
        }
    }
    for camera in cell.cameras.iter().filter(|camera| !task.cameras.contains(&camera.name)) {
        findings.push(Finding::new(
            Severity::Note,
            format!("camera \"{}\" is not used by task {}", camera.name, task.name),
            "Nothing need be done",
        ));
    }
}

fn gripper(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    let has_one = cell.gripper.driver != GripperDriver::None;
    match (has_one, task.needs_gripper()) {
        (false, true) => findings.push(error(
            format!("task {} needs a gripper, which cell {} lacks", task.name, cell.name),
            "Set gripper.driver in the cell file, or action.gripper = \"none\" and no \"gripper\" in \
             observation.proprio",
        )),
        (true, false) => findings.push(Finding::new(
            Severity::Note,
            format!("the gripper is not used by task {}", task.name),
            "Nothing need be done; it keeps its grip",
        )),
        (false, false) | (true, true) => {}
    }
}

fn success(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    if cell.success.driver == SuccessDriver::None && task.reward.kind == RewardKind::Sensor {
        findings.push(warning(
            format!(
                "cell {} has nothing that sees success: only a person's mark ends an episode well",
                cell.name
            ),
            "Set reward.kind = \"classifier\" in the task file, or success.driver in the cell file",
        ));
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn workspace(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    let (limits, reset) = (&cell.limits, &task.reset);
    for (i, axis) in ["x", "y", "z"].into_iter().enumerate() {
        let (middle, spread) = (reset.position_m[i], reset.random_m[i]);
        let (min, max) = (limits.workspace_min_m[i], limits.workspace_max_m[i]);
        if middle - spread < min || middle + spread > max {
            findings.push(error(
                format!(
                    "start positions reach {axis} {:.4} to {:.4} m, the workspace {min} to {max}",
                    middle - spread,
                    middle + spread
                ),
                "Move reset.position_m, lower reset.random_m or widen limits.workspace_*",
            ));
        }
    }
    let (min_z, max_z) = (limits.workspace_min_m[2], limits.workspace_max_m[2]);
    if !(min_z..=max_z).contains(&reset.travel_z_m) {
        findings.push(error(
            format!("reset.travel_z_m = {} is outside the workspace", reset.travel_z_m),
            format!("Choose a height from {min_z} to {max_z} m"),
        ));
    }
    let (tilt, yaw) = widest_turn(cell, task);
    for (key, what, widest, allowed) in [
        ("tilt_max_rad", "lean", tilt, limits.tilt_max_rad),
        ("yaw_max_rad", "turn", yaw, limits.yaw_max_rad),
    ] {
        if widest > allowed {
            findings.push(error(
                format!(
                    "start orientations {what} {widest:.3} rad away from \
                     limits.orientation_rpy_rad, {allowed} are allowed"
                ),
                format!(
                    "Make reset.rpy_rad equal to limits.orientation_rpy_rad, lower \
                     reset.random_yaw_rad, or raise limits.{key}"
                ),
            ));
        }
    }
}

/// How far start orientations lean from the gate's reference, and how far they are turned about
/// the tool's z axis.
fn widest_turn(cell: &CellConfig, task: &TaskConfig) -> (f64, f64) {
    let turn = cell.limits.orientation().inverse() * task.reset.orientation();
    let z = turn * Vector3::z();
    let yaw = 2.0 * turn.k.atan2(turn.w).abs();
    (z.angle(&Vector3::z()), yaw.min(2.0 * PI - yaw) + task.reset.random_yaw_rad)
}

fn motion(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    let (limits, action) = (&cell.limits, &task.action);
    let rate = task.step_rate_hz;
    let mut compare = |what: &str, full: f64, key: &str, limit: f64, lower: &str| {
        if full > limit {
            findings.push(warning(
                format!("{what} is {full:.4}, and {key} = {limit} will often shorten it"),
                format!("Lower {lower} or raise {key}"),
            ));
        }
    };
    // All axes of an action may be full at once.
    let step = action.translation_m * 3f64.sqrt();
    let lower = "action.translation_m";
    compare(
        "the largest move of an action (m)",
        step,
        "limits.step_max_m",
        limits.step_max_m,
        lower,
    );
    let speed = step * rate;
    let max = limits.speed_max_mps;
    compare("the largest speed of an action (m/s)", speed, "limits.speed_max_mps", max, lower);
    let one_axis = action.translation_m;
    compare("the move of one axis (m)", one_axis, "limits.lead_max_m", limits.lead_max_m, lower);
    let axes = action.dims.count() - 3;
    if axes > 0 {
        let turn = action.rotation_rad * (axes as f64).sqrt();
        let lower = "action.rotation_rad";
        let max = limits.step_max_rad;
        compare("the largest turn of an action (rad)", turn, "limits.step_max_rad", max, lower);
        let speed = turn * rate;
        let max = limits.speed_max_radps;
        compare(
            "the fastest turn of an action (rad/s)",
            speed,
            "limits.speed_max_radps",
            max,
            lower,
        );
        let one_axis = action.rotation_rad;
        let max = limits.lead_max_rad;
        compare("the turn about one axis (rad)", one_axis, "limits.lead_max_rad", max, lower);
    }
    let reset = &task.reset;
    let (max, lower) = (limits.speed_max_mps, "reset.speed_mps");
    compare("the speed of a reset (m/s)", reset.speed_mps, "limits.speed_max_mps", max, lower);
    let (max, lower) = (limits.speed_max_radps, "reset.speed_radps");
    compare("the turn of a reset (rad/s)", reset.speed_radps, "limits.speed_max_radps", max, lower);
}

fn lease(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    let period_ms = 1e3 / task.step_rate_hz;
    let lease_ms = cell.limits.lease_ms as f64;
    if lease_ms <= period_ms {
        findings.push(error(
            format!(
                "the lease of {lease_ms} ms ends before the next step, after {period_ms:.0} ms: \
                 the arm would hold in every step"
            ),
            format!("Set limits.lease_ms to {:.0}", 2.0 * period_ms + 50.0),
        ));
    } else if lease_ms < 2.0 * period_ms {
        findings.push(warning(
            format!("the lease of {lease_ms} ms does not survive one late step"),
            format!("Set limits.lease_ms to {:.0}", 2.0 * period_ms + 50.0),
        ));
    } else if lease_ms > 10.0 * period_ms {
        findings.push(warning(
            format!(
                "the lease of {lease_ms} ms lets the arm go on for {:.0} lost steps",
                lease_ms / period_ms
            ),
            format!("Set limits.lease_ms to {:.0}", 2.0 * period_ms + 50.0),
        ));
    }
}

fn picture_ages(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    let period_ms = 1e3 / task.step_rate_hz;
    let used = cell.cameras.iter().filter(|camera| task.cameras.contains(&camera.name));
    for camera in used.filter(|camera| camera.age_max_ms as f64 > 5.0 * period_ms) {
        findings.push(warning(
            format!(
                "camera \"{}\" may be {} ms old, more than five steps",
                camera.name, camera.age_max_ms
            ),
            format!("Set its age_max_ms to {:.0} or less", 2.0 * period_ms),
        ));
    }
}

fn reset(cell: &CellConfig, task: &TaskConfig, findings: &mut Vec<Finding>) {
    let (min, max) =
        (Vector3::from(cell.limits.workspace_min_m), Vector3::from(cell.limits.workspace_max_m));
    let reach_m = task.reset.speed_mps.min(cell.limits.speed_max_mps) / task.step_rate_hz;
    let size = max - min;
    // Up, across and down, each at most the whole box.
    let needed = ((size.xy().norm() + 2.0 * size.z) / reach_m).ceil();
    if f64::from(task.reset.timeout_steps) < needed {
        findings.push(warning(
            format!(
                "a reset across the whole workspace takes {needed} steps at full speed, \
                 reset.timeout_steps allows {}",
                task.reset.timeout_steps
            ),
            "Raise reset.timeout_steps or reset.speed_mps",
        ));
    }
    let spread = 2.0 * Vector3::from(task.reset.random_m).norm();
    let needed = (spread / task.action.translation_m).ceil();
    if f64::from(task.episode_steps) < needed {
        findings.push(warning(
            format!(
                "crossing the start box takes {needed} steps of full actions, an episode has {}",
                task.episode_steps
            ),
            "Raise episode_steps or action.translation_m, or lower reset.random_m",
        ));
    }
}

fn learning(cell: &CellConfig, task: &TaskConfig, run: &RunConfig, findings: &mut Vec<Finding>) {
    let (budget, learner) = (&run.budget, &run.learner);
    if budget.env_steps <= learner.training_starts {
        findings.push(error(
            format!(
                "training starts after {} steps, the budget ends after {}",
                learner.training_starts, budget.env_steps
            ),
            "Raise budget.env_steps or lower learner.training_starts",
        ));
    }
    let handless = cell.teleops().filter(|hand| hand.driver == TeleopDriver::None).count();
    if budget.demo_episodes > 0 && handless > 0 && handless < cell.arms() {
        findings.push(warning(
            "one of the two arms has no teleop: in a demonstration it stands still",
            "Set teleop.driver and second.teleop.driver in the cell file",
        ));
    }
    if budget.demo_episodes > 0 && handless == cell.arms() {
        findings.push(error(
            format!(
                "{} demonstrations are asked for, and cell {} has no teleop",
                budget.demo_episodes, cell.name
            ),
            "Set teleop.driver in the cell file, or budget.demo_episodes = 0",
        ));
    }
    if budget.demo_episodes == 0 {
        let what = format!(
            "no demonstrations: the arm moves at random for the first {} steps, and the demo half of \
             each batch begins empty",
            budget.explore_steps()
        );
        findings.push(warning(what, "Set budget.demo_episodes; 20 is the default"));
    }
    let pca = run.head.kind == HeadKind::Pca && !task.cameras.is_empty();
    let frames =
        budget.explore_steps() + u64::from(budget.demo_episodes) * u64::from(task.episode_steps);
    if pca && frames < u64::from(run.head.pca_components) {
        findings.push(error(
            format!(
                "a projection of {} components cannot be fitted on at most {frames} frames from \
                 before learning begins",
                run.head.pca_components
            ),
            "Raise budget.demo_episodes or lower head.pca_components",
        ));
    }
    let (low, high) = task.reward.return_bounds(learner.discount);
    if let QClip::Range(clip_low, clip_high) = learner.q_clip
        && (clip_low > low || clip_high < high)
    {
        findings.push(warning(
            format!(
                "learner.q_clip cuts off returns that the reward allows ({low:.3} to {high:.3})"
            ),
            "Set learner.q_clip = \"auto\"",
        ));
    }
    if run.coupling.mode == CouplingMode::Free {
        findings.push(Finding::new(
            Severity::Note,
            "actor and learner run free: the result depends on how fast this machine is",
            "In simulation set coupling.mode = \"coupled\"",
        ));
    }
}

#[cfg(test)]
mod tests;
