//! Every configuration that ships loads, and the ones that belong together fit.

use std::{fs, path::PathBuf};

use tasks::{CellConfig, FaultScript, RunConfig, Severity, TaskConfig, doctor, run::Preset};

fn configs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../configs")
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(configs().join(folder)).expect("the folder ships");
    let files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    assert!(!files.is_empty());
    files
}

#[test]
fn all_shipped_files_load() {
    files_in("cells").iter().for_each(|file| drop(CellConfig::load(file).expect("a valid cell")));
    files_in("tasks").iter().for_each(|file| drop(TaskConfig::load(file).expect("a valid task")));
    files_in("faults").iter().for_each(|file| drop(FaultScript::load(file).expect("a script")));
    files_in("runs").iter().for_each(|file| drop(RunConfig::load(file).expect("a valid run")));
}

fn check_pair(cell: &str, task: &str, dims: (usize, usize), cameras: &[&str]) {
    let cell = CellConfig::load(configs().join(format!("cells/{cell}.toml"))).expect("cell");
    let task = TaskConfig::load(configs().join(format!("tasks/{task}.toml"))).expect("task");
    let demo = RunConfig::load(configs().join("runs/demo.toml")).expect("run");
    assert_eq!(doctor::examine(&cell, &task, &demo), []);
    let hil_serl = doctor::examine(&cell, &task, &RunConfig::preset(Preset::HilSerl));
    assert!(hil_serl.iter().all(|finding| finding.severity == Severity::Note), "{hil_serl:?}");
    assert_eq!((task.proprio_dim(), task.action_spec().dim), dims);
    let spec = task.observation_spec();
    assert_eq!(task.cameras, cameras);
    assert!(spec.cameras.iter().all(|camera| (camera.width, camera.height) == (128, 128)));
}

#[test]
fn the_default_pair_fits() {
    check_pair("sim-ram", "ram-insert", (24, 6), &["wrist"]);
}

#[test]
fn the_easy_pair_fits() {
    check_pair("sim-ram-easy", "ram-insert-easy", (17, 3), &["wrist"]);
}

#[test]
fn the_hard_pair_fits() {
    check_pair("sim-ram-hard", "ram-insert-hard", (24, 6), &["wrist"]);
}

#[test]
fn the_pair_with_two_cameras_fits() {
    check_pair("sim-ram-two-cameras", "ram-insert-two-cameras", (24, 6), &["wrist", "side"]);
}

#[test]
fn the_pair_of_arms_fits_its_task() {
    check_pair("sim-ram-pair", "ram-insert-pair", (34, 6), &["wrist", "second-wrist"]);
}

#[test]
fn the_pairs_with_a_gripper_fit() {
    check_pair("sim-pick-cube", "pick-cube", (10, 4), &["front", "wrist"]);
    check_pair("sim-pick-cube-random", "pick-cube", (10, 4), &["front", "wrist"]);
    check_pair("sim-usb", "usb-insertion", (19, 5), &["wrist", "wrist-2"]);
}

#[test]
fn the_pair_whose_arm_is_reached_by_http_fits() {
    check_pair("serl-http-ram", "ram-insert", (24, 6), &["wrist"]);
}

#[test]
fn the_simulators_table_is_passed_on_unread() {
    let cell = CellConfig::load(configs().join("cells/sim-ram.toml")).expect("cell");
    assert_eq!(cell.sim.get("clock").and_then(|value| value.as_str()), Some("simulated"));
}
