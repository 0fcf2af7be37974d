//! A bad file gives one line that names file, line, key and value, and ends with the remedy.

use tasks::{CellConfig, ConfigError, RunConfig, TaskConfig};

const CELL: &str = r#"name = "cell"
[limits]
workspace_min_m = [0.0, 0.0, 0.0]
workspace_max_m = [1.0, 1.0, 1.0]
[[camera]]
name = "wrist"
"#;

const TASK: &str = r#"name = "task"
cameras = ["wrist"]
[reset]
position_m = [0.5, 0.0, 0.07]
travel_z_m = 0.1
"#;

fn check<T: std::fmt::Debug>(result: Result<T, ConfigError>, expected: &str) {
    let error = result.expect_err("the file is bad").to_string();
    assert_eq!(error, expected);
    assert_eq!(error.lines().count(), 1);
}

/// `change` is replaced by `to` in a good cell file.
fn cell(change: &str, to: &str, expected: &str) {
    assert!(CELL.contains(change));
    check(CellConfig::from_toml(&CELL.replacen(change, to, 1), "cell.toml"), expected);
}

fn task(change: &str, to: &str, expected: &str) {
    assert!(TASK.contains(change));
    check(TaskConfig::from_toml(&TASK.replacen(change, to, 1), "task.toml"), expected);
}

fn run(text: &str, expected: &str) {
    check(RunConfig::from_toml(text, "run.toml"), expected);
}

#[test]
fn the_files_that_the_cases_change_are_good() {
    CellConfig::from_toml(CELL, "cell.toml").expect("good");
    TaskConfig::from_toml(TASK, "task.toml").expect("good");
}

#[test]
fn keys_that_nobody_knows() {
    cell(
        "[[camera]]",
        "lease_s = 0.25\n[[camera]]",
        "cell.toml:5: limits.lease_s = 0.25 is not a key that reins knows. Did you mean \
         limits.lease_ms?",
    );
    cell(
        "name = \"wrist\"",
        "name = \"wrist\"\nwidht = 64",
        "cell.toml:7: camera[0].widht = 64 is not a key that reins knows. Did you mean \
         camera[0].width?",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\"]\ncollision = true",
        "task.toml:3: collision = true is not a key that reins knows. Leave it out; known here \
         are name, step_rate_hz, episode_steps, cameras, observation, action, reset, second, reward",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\"]\ndiscount = 0.9",
        "task.toml:3: discount = 0.9 is not a key that reins knows. Move it to the run file, as \
         learner.discount",
    );
    task(
        "[reset]",
        "[rest]",
        "task.toml:3: rest is not a key that reins knows. Did you mean reset?",
    );
    run(
        "[learner]\nbach = 64",
        "run.toml:2: learner.bach = 64 is not a key that reins knows. Did you mean learner.batch?",
    );
    run(
        "[lerner]\nbatch = 64",
        "run.toml:1: lerner is not a key that reins knows. Did you mean learner?",
    );
    run(
        "batch = 64",
        "run.toml:1: batch = 64 is not a key that reins knows. Did you mean learner.batch?",
    );
}

#[test]
fn limits_that_contradict_each_other() {
    let limits = |more: &str, expected: &str| {
        let corner = "workspace_max_m = [1.0, 1.0, 1.0]\n";
        cell(corner, &format!("{corner}{more}\n"), expected);
    };
    limits(
        "acceleration_max_mps2 = 20.0",
        "cell.toml:2: limits.jerk_max_mps3 lets an acceleration of 20 grow too slowly (10 per s). \
         Raise it to the acceleration or more, ten times that is usual",
    );
    limits(
        "condition_slow = 40.0",
        "cell.toml:2: limits.condition_stop is not above condition_slow (30 against 40). Give the \
         milder answer the lower value",
    );
}

#[test]
fn keys_that_are_missing() {
    cell(
        "workspace_max_m = [1.0, 1.0, 1.0]\n",
        "",
        "cell.toml:2: limits.workspace_max_m is missing and has no default: upper corner of the \
         box that targets are kept in; base frame. Add it: a list of 3, each a number from -10 \
         to 10 (m)",
    );
    cell(
        "name = \"cell\"",
        "",
        "cell.toml: name is missing and has no default: what people call the cell. Add it: text \
         in quotes",
    );
    cell(
        "name = \"wrist\"",
        "width = 64",
        "cell.toml:5: camera[0].name is missing and has no default: name that task files use. \
         Add it: text in quotes",
    );
    cell(
        "name = \"wrist\"",
        "name = \"wrist\"\ncrop = { left = 0, top = 0, width = 64 }",
        "cell.toml:7: camera[0].crop.height is missing and has no default: height of what is \
         kept. Add it: a whole number from 8 to 8192 (px)",
    );
    task(
        "cameras = [\"wrist\"]\n",
        "",
        "task.toml: cameras is missing and has no default: cameras of the cell that the policy \
         sees, in this order; may be empty. Add it: a list, each text in quotes",
    );
}

#[test]
fn values_in_another_unit() {
    cell(
        "[[camera]]",
        "lease_ms = 0.25\n[[camera]]",
        "cell.toml:5: limits.lease_ms = 0.25 must be a whole number from 10 to 2000 (ms). \
         limits.lease_ms is in ms: if seconds were meant, write 250",
    );
    cell(
        "[[camera]]",
        "lease_ms = \"250ms\"\n[[camera]]",
        "cell.toml:5: limits.lease_ms = \"250ms\" must be a whole number from 10 to 2000 (ms). \
         Write the bare number; limits.lease_ms is in ms",
    );
    cell(
        "[[camera]]",
        "tilt_max_rad = 20\n[[camera]]",
        "cell.toml:5: limits.tilt_max_rad = 20 must be a number from 0 to 3.141592653589793 \
         (rad). limits.tilt_max_rad is in rad: if degrees were meant, write 0.3491",
    );
    cell(
        "[[camera]]",
        "step_max_m = 50\n[[camera]]",
        "cell.toml:5: limits.step_max_m = 50 must be a number from 0.0001 to 0.5 (m). \
         limits.step_max_m is in m: if millimetres were meant, write 0.05",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\"]\naction.translation_m = 10",
        "task.toml:3: action.translation_m = 10 must be a number from 0.0001 to 0.2 (m). \
         action.translation_m is in m: if millimetres were meant, write 0.01",
    );
    run(
        "[learner]\nbatch = \"128\"",
        "run.toml:2: learner.batch = \"128\" must be a whole number from 2 to 65536 \
         (transitions). Write the bare number; learner.batch is in transitions",
    );
}

#[test]
fn values_that_are_not_allowed() {
    cell(
        "[[camera]]",
        "speed_max_mps = nan\n[[camera]]",
        "cell.toml:5: limits.speed_max_mps = nan must be a number from 0.001 to 2 (m/s). Correct \
         it, or leave it out for the default 0.25",
    );
    cell(
        "[1.0, 1.0, 1.0]",
        "[1.0, 1.0]",
        "cell.toml:4: limits.workspace_max_m = [1.0, 1.0] must be a list of 3, each a number \
         from -10 to 10 (m). Correct it; it has no default",
    );
    cell(
        "[1.0, 1.0, 1.0]",
        "1.0",
        "cell.toml:4: limits.workspace_max_m = 1.0 must be a list of 3, each a number from -10 \
         to 10 (m). Correct it; it has no default",
    );
    cell(
        "name = \"cell\"",
        "name = \"\"",
        "cell.toml:1: name = \"\" must be text in quotes. Correct it; it has no default",
    );
    cell(
        "name = \"cell\"",
        "name = \"cell\"\narm.driver = \"kuka\"",
        "cell.toml:2: arm.driver = \"kuka\" must be \"sim\" or \"serl-http\" or \"ur\" or \"xarm\" or \"franka\" \
         or \"so101\". Correct it, or leave it out for the default \"sim\"",
    );
    cell(
        "[[camera]]",
        "[camera]",
        "cell.toml:5: camera is a value where [[camera]] belongs. Write [[camera]] and its keys \
         below it",
    );
    cell(
        "name = \"cell\"",
        "name = ",
        "cell.toml:1: this is not TOML (string values must be quoted, expected literal string). \
         Correct that line",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = \"wrist\"",
        "task.toml:2: cameras = \"wrist\" must be a list, each text in quotes. Correct it; it \
         has no default",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\"]\nobservation.proprio = [\"velocity\"]",
        "task.toml:3: observation.proprio = [\"velocity\"] must be a list, each \"position\" or \
         \"rotation\" or \"linear-velocity\" or \"angular-velocity\" or \"force\" or \"torque\" \
         or \"position-lag\" or \"rotation-lag\" or \"gripper\". Did you mean \"linear-velocity\"?",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\"]\naction.dims = \"xyz+turn\"",
        "task.toml:3: action.dims = \"xyz+turn\" must be \"xyz\" or \"xyz+yaw\" or \"xyz+rotation\". Did you \
         mean \"xyz+rotation\"?",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\"]\nreward = 1.0",
        "task.toml:3: reward = 1.0 is a value where [reward] belongs. Write [reward] and its \
         keys below it",
    );
    run(
        "preset = \"hilserl\"",
        "run.toml:1: preset = \"hilserl\" must be \"reins\" or \"hil-serl\". Did you mean \
         \"hil-serl\"?",
    );
    run(
        "[learner]\nbatch = 0",
        "run.toml:2: learner.batch = 0 must be a whole number from 2 to 65536 (transitions). \
         Correct it, or leave it out for the default 128",
    );
    run(
        "[learner]\nq_clip = \"on\"",
        "run.toml:2: learner.q_clip = \"on\" must be \"auto\" or \"none\", or a list of 2, each \
         a number from -1000000000 to 1000000000. Correct it, or leave it out for the default \
         \"auto\"",
    );
    run(
        "[learner]\ntarget_entropy = \"low\"",
        "run.toml:2: learner.target_entropy = \"low\" must be \"auto\", or a number from -1000 \
         to 1000 (nats). Correct it, or leave it out for the default \"auto\"",
    );
    run(
        "seed = -1",
        "run.toml:1: seed = -1 must be a whole number, 0 or more. Correct it, or leave it out \
         for the default 0",
    );
}

#[test]
fn text_that_is_not_toml() {}

#[test]
fn keys_that_do_not_go_together() {
    cell(
        "[1.0, 1.0, 1.0]",
        "[1.0, 0.0, 1.0]",
        "cell.toml:4: limits.workspace_max_m = [1.0, 0.0, 1.0] is not above workspace_min_m in y \
         (0 against 0). Give the lower corner as workspace_min_m and the upper as \
         workspace_max_m",
    );
    cell(
        "name = \"wrist\"",
        "name = \"wrist\"\n[[camera]]\nname = \"wrist\"",
        "cell.toml:8: camera[1].name = \"wrist\" is the name of another camera too. Give each \
         camera a name of its own",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\", \"wrist\"]",
        "task.toml:2: cameras = [\"wrist\", \"wrist\"] names a camera twice. Name each camera \
         once",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = []\nobservation.proprio = []",
        "task.toml:2: cameras = [] is empty, and so is observation.proprio: the policy would see \
         nothing. Name a camera",
    );
    task(
        "cameras = [\"wrist\"]",
        "cameras = [\"wrist\"]\naction.dims = \"xyz\"\nobservation.frame = \"hil-serl-adjoint\"",
        "task.toml:4: observation.frame = \"hil-serl-adjoint\" needs six action dimensions. Set \
         action.dims to \"xyz+rotation\", or observation.frame to \"rotation\"",
    );
    task(
        "travel_z_m = 0.1",
        "travel_z_m = 0.05",
        "task.toml:5: reset.travel_z_m = 0.05 is below the highest start pose (0.0700 m). Set it \
         to 0.0700 or higher",
    );
    run(
        "[learner]\nbatch = 127",
        "run.toml:2: learner.batch = 127 is odd, but half of a batch comes from each view. Set \
         it to 128",
    );
    run(
        "[learner]\nsubsample = 3",
        "run.toml:2: learner.subsample = 3 is more than the ensemble of 2. Set it to 2 or less",
    );
    run(
        "[learner]\nq_clip = [1, 0]",
        "run.toml:2: learner.q_clip = [1, 0] begins at or above its end. Write [low, high], or \
         \"auto\" for what the reward allows",
    );
    run(
        "[link]\nendpoint = \"127.0.0.1:7447\"",
        "run.toml:2: link.endpoint = \"127.0.0.1:7447\" is not of the form tcp/<address>:<port> \
         or tls/<host>:<port>. Write for example \"tcp/127.0.0.1:7447\"",
    );
    run(
        "[link]\nendpoint = \"tcp/0.0.0.0:7447\"",
        "run.toml:2: link.endpoint = \"tcp/0.0.0.0:7447\" can be reached from other machines, \
         without certificates. Use 127.0.0.1, or make certificates with `reins certs` and write \
         tls/, or set link.insecure = true if everybody on the network may send steps",
    );
    run(
        "[link]\nendpoint = \"tls/10.0.0.7:7447\"",
        "run.toml:2: link.endpoint = \"tls/10.0.0.7:7447\" needs certificates. Make them with \
         `reins certs DIR` and set link.certificates = \"DIR\"",
    );
    run(
        "[link]\ncertificates = \"certs\"\nendpoint = \"tcp/127.0.0.1:7447\"",
        "run.toml:3: link.endpoint = \"tcp/127.0.0.1:7447\" makes no use of link.certificates. \
         Write tls/ instead of tcp/, or leave link.certificates out",
    );
    run(
        "[link]\nactors = []",
        "run.toml:2: link.actors = [] lets nobody in. Name the actors, [0] for a single one",
    );
}

#[test]
fn a_file_that_is_not_there() {
    let error = RunConfig::load("configs/runs/no-such-file.toml").expect_err("no such file");
    let text = error.to_string();
    assert!(
        text.starts_with("configs/runs/no-such-file.toml: the run file cannot be read ("),
        "{text}"
    );
    assert!(text.ends_with("Name an existing file; examples are in configs/"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn several_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = "seed = -1\n[learner]\ntau = 2\nbatch = 0\n";
    let error = RunConfig::from_toml(text, "run.toml").expect_err("three faults");
    let ConfigError::Keys(problems) = error else { panic!("{error}") };
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["seed", "learner.tau", "learner.batch"]);
    assert_eq!(
        problems.iter().map(|problem| problem.line).collect::<Vec<_>>(),
        [Some(1), Some(3), Some(4)]
    );
}

#[test]
fn a_classifier_that_is_not_there() {
    task(
        "[reset]",
        "[reward]\nkind = \"classifier\"\n[reset]",
        "task.toml:4: reward.kind = \"classifier\" needs a classifier. Add [reward.classifier] with \
         `file`, see `reins classifier --help`",
    );
    task(
        "[reset]",
        "[reward.classifier]\ndebounce_frames = 3\n[reset]",
        "task.toml:3: reward.classifier.file is missing and has no default: what `reins classifier \
         train` wrote; a run keeps a copy of its own. Add it: text in quotes",
    );
    task(
        "[reset]",
        "[reward.classifier]\nfile = \"c.bin\"\ndebounce_frames = 0\n[reset]",
        "task.toml:5: reward.classifier.debounce_frames = 0 must be a whole number from 1 to 100 \
         (frames). Correct it, or leave it out for the default 2",
    );
}
