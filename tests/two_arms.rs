//! A cell of two simulated arms, from its files to the journal: demonstrations by both scripted hands,
//! training, and what a fault of one arm does to both.

use serde_json::Value;
use wire::{EpisodeKind, Outcome, Record, RecordBody, Step, TruncationCause};

use crate::support::{DEMONSTRATIONS, Ledger, Workplace, run_file};

const CELL: &str = include_str!("../configs/cells/sim-ram-pair.toml");
const TASK: &str = include_str!("../configs/tasks/ram-insert-pair.toml");
const ENV_STEPS: u64 = 40;

fn workplace() -> Workplace {
    let workplace = Workplace::with_run(&run_file(ENV_STEPS, "tcp/127.0.0.1:7721"));
    workplace.write("cell.toml", CELL);
    workplace.write("task.toml", TASK);
    workplace
}

/// The records of a run in lockstep, and what it said on stderr.
fn trained(workplace: &Workplace, more: &[&str]) -> (Vec<Record>, String) {
    let mut train = workplace.reins_on_run(&["train", "--lockstep"], "pair");
    train.args(more);
    let output = train.output().unwrap();
    crate::support::assert_success(&train, &output);
    let records = workplace.run("pair").records();
    assert!(Ledger::of(&records).training_steps >= ENV_STEPS);
    (records, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn steps(records: &[Record]) -> impl Iterator<Item = &Step> {
    records.iter().filter_map(|record| match &record.body {
        RecordBody::Step(step) => Some(step),
        _ => None,
    })
}

/// How many of these parts are not the same as the one before.
fn changes<'a>(mut parts: impl Iterator<Item = &'a [f32]>) -> usize {
    let mut last = parts.next();
    let is_new = |part: &'a [f32]| last.replace(part) != Some(part);
    parts.map(is_new).filter(|is_new| *is_new).count()
}

#[test]
fn two_arms_are_demonstrated_trained_and_measured() {
    let workplace = workplace();
    let (records, _) = trained(&workplace, &[]);
    assert_eq!(Ledger::of(&records).demonstrations, DEMONSTRATIONS);
    for step in steps(&records) {
        assert_eq!((step.executed_action.dim(), step.commanded_action.dim()), (6, 6));
        let seen = &step.next_observation;
        assert_eq!((seen.proprio.len(), seen.frames.len(), seen.features.len()), (34, 2, 2));
        assert!(seen.frames[0] != seen.frames[1], "each arm has a wrist of its own");
    }
    let moved: [usize; 4] = [
        changes(steps(&records).map(|step| &step.executed_action.as_slice()[..3])),
        changes(steps(&records).map(|step| &step.executed_action.as_slice()[3..])),
        changes(steps(&records).map(|step| &step.next_observation.proprio[..17])),
        changes(steps(&records).map(|step| &step.next_observation.proprio[17..])),
    ];
    // An arm whose hand rests while the other one is driven stands still.
    let many = steps(&records).count() / 4;
    assert!(moved.iter().all(|moved| *moved > many), "{moved:?} of {many}");
    // Done is what both have done: the last step of a demonstration terminates, and no other does.
    let terminal = steps(&records).filter(|step| step.terminated).count();
    let successes = records.iter().filter(|record| {
        matches!(&record.body, RecordBody::EpisodeEnd(end) if end.outcome == Outcome::Success)
    });
    assert_eq!(terminal, successes.count());

    let eval = ["eval", "runs/pair", "--episodes", "1", "--json"];
    let measured: Value = serde_json::from_str(&workplace.must(workplace.reins(&eval))).unwrap();
    assert_eq!(measured["episodes"], 1);
    let export = workplace.reins(&["export", "lerobot", "runs/pair", "dataset"]);
    workplace.must(export);
    let info = std::fs::read_to_string(workplace.path("dataset/meta/info.json")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    let names: Vec<&str> = info["features"]["action"]["names"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(names, ["x", "y", "z", "second.x", "second.y", "second.z"]);
    assert!(info["features"].get("observation.images.second-wrist").is_some(), "{info:#}");
}

#[test]
fn a_run_of_two_arms_is_the_same_bytes_again() {
    let [(first, _), (second, _)] = [0, 1].map(|_| trained(&workplace(), &["--seed", "4"]));
    assert!(first == second, "the same seed gives other records");
}

#[test]
fn a_fault_of_one_arm_cuts_the_episode_of_both_and_the_run_says_which() {
    let workplace = workplace();
    workplace.write("faults.toml", "[[fault]]\nkind = \"arm_reflex\"\nat_step = 20\n");
    let (records, said) = trained(&workplace, &["--faults", "faults.toml"]);
    let cut = records.iter().filter(|record| {
        matches!(&record.body,
            RecordBody::EpisodeEnd(end) if end.truncation == Some(TruncationCause::Fault))
    });
    assert_eq!(cut.count(), 1);
    assert!(said.contains("the first arm was stopped"), "{said}");
    assert!(!said.contains("the second arm was stopped"), "{said}");
    // Both go on after it.
    let last = records.iter().rev().find_map(|record| match &record.body {
        RecordBody::EpisodeStart(start) => Some(start.kind),
        _ => None,
    });
    assert_eq!(last, Some(EpisodeKind::Training));
}

#[track_caller]
fn refused(cell: &str, task: &str, words: &[&str]) {
    let workplace = workplace();
    workplace.write("cell.toml", cell);
    workplace.write("task.toml", task);
    let output = workplace.reins_on_run(&["train", "--lockstep"], "pair").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
}

#[test]
fn a_cell_and_a_task_for_another_number_of_arms_are_refused_by_name() {
    let one = include_str!("../configs/cells/sim-ram-easy.toml");
    refused(
        one,
        TASK,
        &["cell.toml and task.toml: task ram-insert-pair is for two arms", "[second.arm]"],
    );
    let one = include_str!("../configs/tasks/ram-insert-easy.toml");
    refused(CELL, one, &["cell sim-ram-pair has two arms", "Add [second.reset] to the task file"]);
    let (first, second) = CELL.split_once("[second.limits]\n").unwrap();
    let without =
        format!("{first}[second.limits]\n{}", second.replacen("workspace_min_m", "# ", 1));
    refused(&without, TASK, &["cell.toml:", "second.limits.workspace_min_m is missing"]);
}

#[test]
fn what_serves_one_arm_refuses_two() {
    let workplace = workplace();
    for command in [["device", "device.sock"], ["serve-cell", "serve.sock"]] {
        let mut serve =
            workplace.reins(&[command[0], "--cell", "cell.toml", "--task", "task.toml"]);
        serve.args(["--socket", command[1]]);
        let output = serve.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("has two arms"), "{said}");
        assert!(said.contains("take [second] out"), "{said}");
    }
}
