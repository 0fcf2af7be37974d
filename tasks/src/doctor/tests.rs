use super::*;

const CELL: &str = r#"
name = "cell"
camera = [{ name = "wrist" }]
teleop = { driver = "scripted" }
[limits]
workspace_min_m = [0.44, -0.06, 0.0]
workspace_max_m = [0.56, 0.06, 0.12]
yaw_max_rad = 0.5
"#;

const TASK: &str = r#"
name = "task"
cameras = ["wrist"]
[reset]
position_m = [0.5, 0.0, 0.07]
random_m = [0.03, 0.03, 0.015]
random_yaw_rad = 0.1
travel_z_m = 0.1
"#;

/// What is found when `change` is replaced by `to` in the files; `None` for nothing.
fn check(change: &str, to: &str, run: &str, expected: Option<(Severity, &str)>) {
    assert!(change.is_empty() || CELL.contains(change) || TASK.contains(change));
    let edited =
        |text: &str| if change.is_empty() { text.to_owned() } else { text.replace(change, to) };
    let cell = CellConfig::from_toml(&edited(CELL), "cell").expect("a valid cell");
    let task = TaskConfig::from_toml(&edited(TASK), "task").expect("a valid task");
    let run = RunConfig::from_toml(run, "run").expect("a valid run");
    let findings = examine(&cell, &task, &run);
    match (&findings[..], expected) {
        ([], None) => {}
        ([found], Some((severity, what))) if found.severity == severity => {
            assert!(found.to_string().contains(what), "{found}");
            assert!(!found.remedy.is_empty());
        }
        _ => panic!("{findings:#?} instead of {expected:?}"),
    }
}

fn files(change: &str, to: &str, severity: Severity, what: &str) {
    check(change, to, "", Some((severity, what)));
}

fn run(text: &str, severity: Severity, what: &str) {
    check("", "", text, Some((severity, what)));
}

#[test]
fn files_that_fit_together_give_no_finding() {
    check("", "", "", None);
}

#[test]
fn a_gripper_that_the_cell_lacks_or_the_task_does_not_use() {
    let cameras = "cameras = [\"wrist\"]";
    let learned = format!("{cameras}\naction.gripper = \"discrete\"");
    files(cameras, &learned, Severity::Error, "needs a gripper, which cell cell lacks");
    let seen = format!("{cameras}\nobservation.proprio = [\"gripper\"]");
    files(cameras, &seen, Severity::Error, "needs a gripper");
    let camera = "camera = [{ name = \"wrist\" }]";
    let sim = format!("{camera}\ngripper.driver = \"sim\"");
    files(camera, &sim, Severity::Note, "the gripper is not used");
}

#[test]
fn a_camera_that_the_cell_lacks() {
    files(
        "[\"wrist\"]",
        "[\"wrist\", \"side\"]",
        Severity::Error,
        "task task wants camera \"side\", which cell cell lacks. Add a [[camera]] of that name; \
         the cell has: wrist",
    );
}

#[test]
fn a_camera_of_another_size() {
    let what = "camera \"wrist\" gives 64x128 pixels, task task wants 128x128";
    files("{ name = \"wrist\" }", "{ name = \"wrist\", width = 64 }", Severity::Error, what);
}

#[test]
fn a_camera_that_is_not_used() {
    let two = "{ name = \"wrist\" }, { name = \"side\" }";
    files("{ name = \"wrist\" }", two, Severity::Note, "camera \"side\" is not used");
}

#[test]
fn start_poses_outside_the_workspace() {
    let what = "start positions reach y -0.0700 to 0.0700 m, the workspace -0.06 to 0.06";
    files("0.03, 0.015]", "0.07, 0.015]", Severity::Error, what);
    files(
        "travel_z_m = 0.1",
        "travel_z_m = 0.13",
        Severity::Error,
        "Choose a height from 0 to 0.12",
    );
    let what = "start orientations turn 0.600 rad away";
    files("random_yaw_rad = 0.1", "random_yaw_rad = 0.6", Severity::Error, what);
}

#[test]
fn actions_beyond_the_gates_limits() {
    let with = |line: &str| format!("[limits]\n{line}");
    let limit = |line: &str, what: &str| files("[limits]", &with(line), Severity::Warning, what);
    limit("step_max_m = 0.01", "limits.step_max_m = 0.01 will often shorten it");
    limit("speed_max_mps = 0.15", "the largest speed of an action (m/s) is 0.1732");
    limit("lead_max_m = 0.005", "limits.lead_max_m = 0.005");
    limit("step_max_rad = 0.05", "limits.step_max_rad = 0.05");
    limit("speed_max_radps = 0.6", "the fastest turn of an action (rad/s) is 0.8660");
    limit("lead_max_rad = 0.01", "limits.lead_max_rad = 0.01");
    let reset = |line: &str, what: &str| {
        files("travel_z_m = 0.1", &format!("travel_z_m = 0.1\n{line}"), Severity::Warning, what);
    };
    reset("speed_mps = 0.4", "the speed of a reset");
    reset("speed_radps = 1.5", "the turn of a reset");
    reset("timeout_steps = 10", "a reset across the whole workspace takes 41 steps");
}

#[test]
fn a_lease_that_does_not_fit_the_period() {
    let lease = |ms: u32, severity, what: &str| {
        files("[limits]", &format!("[limits]\nlease_ms = {ms}"), severity, what);
    };
    lease(100, Severity::Error, "ends before the next step, after 100 ms");
    lease(150, Severity::Warning, "does not survive one late step. Set limits.lease_ms to 250");
    lease(2000, Severity::Warning, "lets the arm go on for 20 lost steps");
    let old = "{ name = \"wrist\", age_max_ms = 600 }";
    files("{ name = \"wrist\" }", old, Severity::Warning, "may be 600 ms old");
}

#[test]
fn an_episode_too_short_to_cross_the_start_box() {
    let short = "name = \"task\"\nepisode_steps = 5";
    let what = "crossing the start box takes 9 steps of full actions, an episode has 5";
    let run = "budget.demo_episodes = 50";
    check("name = \"task\"", short, run, Some((Severity::Warning, what)));
}

#[test]
fn budgets_that_cannot_work() {
    run("budget.env_steps = 50", Severity::Error, "training starts after 50 steps");
    run("budget.demo_episodes = 1", Severity::Error, "components cannot be fitted on at most 100");
    let none = "budget.demo_episodes = 0\nhead.kind = \"spatial-embedding\"";
    run(none, Severity::Warning, "no demonstrations");
    files("\"scripted\"", "\"none\"", Severity::Error, "20 demonstrations are asked for");
}

#[test]
fn a_clip_that_cuts_off_what_the_reward_allows() {
    run("learner.q_clip = [0, 0.5]", Severity::Warning, "(0.000 to 1.000). Set learner.q_clip");
    check("", "", "learner.q_clip = [0, 2]", None);
}

#[test]
fn a_free_run_is_worth_a_note() {
    run("coupling.mode = \"free\"", Severity::Note, "depends on how fast this machine is");
}

#[test]
fn weights_that_must_be_there_are_named() {
    let run = |text: &str| RunConfig::from_toml(text, "run").expect("a valid run");
    assert!(needed_files(&run("backbone.weights = \"random\"")).is_empty());
    let shipped = needed_files(&run(""));
    assert_eq!(shipped, [Path::new("third_party/weights/efficientnet-lite0.pth")]);
    let named = needed_files(&run("backbone.weights = \"weights/lite0.safetensors\""));
    assert_eq!(named, [Path::new("weights/lite0.safetensors")]);
}

/// What is found in a pair of the arms of these files, with `change` replaced by `to` in what is said of
/// the second.
fn pair(change: &str, to: &str) -> Vec<String> {
    let limits = "{ workspace_min_m = [0.44, -0.06, 0.0], workspace_max_m = [0.56, 0.06, 0.12] }";
    let reset = "{ position_m = [0.5, 0.0, 0.07], travel_z_m = 0.1 }";
    let cell = format!("{CELL}[second]\nlimits = {limits}\nteleop = {{ driver = \"scripted\" }}\n");
    let task = format!("{TASK}[second]\nreset = {reset}\n");
    assert!(cell.contains(change) || task.contains(change));
    let cell = CellConfig::from_toml(&cell.replace(change, to), "cell").expect("a valid cell");
    let task = TaskConfig::from_toml(&task.replace(change, to), "task").expect("a valid task");
    let run = RunConfig::from_toml("", "run").expect("a valid run");
    examine(&cell, &task, &run).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn found_in_pair(change: &str, to: &str, what: &str) {
    let found = pair(change, to);
    assert!(found.iter().any(|found| found.contains(what)), "{what}: {found:#?}");
}

#[test]
fn each_arm_of_a_pair_is_held_against_its_own_limits() {
    assert_eq!(pair("", ""), [""; 0]);
    let second = "position_m = [0.5, 0.0, 0.07], travel_z_m = 0.1";
    found_in_pair(
        second,
        "position_m = [0.9, 0.0, 0.07], travel_z_m = 0.1",
        "error: second arm: start positions reach x 0.9000",
    );
    found_in_pair(
        second,
        "position_m = [0.5, 0.0, 0.07], travel_z_m = 0.1, speed_mps = 0.9",
        "warning: second arm: the speed of a reset",
    );
    let handless = "teleop = { driver = \"scripted\" }\n";
    found_in_pair(&format!("{handless}[limits]"), "[limits]", "one of the two arms has no teleop");
}

#[test]
fn a_pair_of_arms_needs_a_task_for_two_and_the_other_way_round() {
    found_in_pair(
        "[second]\nreset = { position_m = [0.5, 0.0, 0.07], travel_z_m = 0.1 }\n",
        "",
        "error: cell cell has two arms, and task task is for one: it lacks [second.reset]. Add",
    );
    let limits = "{ workspace_min_m = [0.44, -0.06, 0.0], workspace_max_m = [0.56, 0.06, 0.12] }";
    found_in_pair(
        &format!("[second]\nlimits = {limits}\nteleop = {{ driver = \"scripted\" }}\n"),
        "",
        "error: task task is for two arms, and cell cell has one: it lacks [second.arm]. Add",
    );
}
