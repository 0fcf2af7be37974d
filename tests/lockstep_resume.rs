//! A run in lockstep that is killed and resumed ends as one that was not.

use std::{
    thread,
    time::{Duration, Instant},
};

use learner::{checkpoint, metrics};
use replay::DiskStorage;
use wire::{EpisodeKind, Record, RecordBody};

use crate::{
    imitation::hg_dagger,
    support::{Process, RunFolder, Workplace, run_file},
};

const PATIENCE: Duration = Duration::from_secs(240);
const ENV_STEPS: u64 = 120;
/// Nobody listens there; it is part of the configuration, and so of a checkpoint.
const ENDPOINT: &str = "tcp/127.0.0.1:7701";

/// What a run leaves, without what clocks and viewers wrote.
#[derive(PartialEq)]
struct Left {
    journal: Vec<(String, Vec<u8>)>,
    checkpoints: Vec<(String, Vec<u8>)>,
    policy: Vec<u8>,
    metrics: Vec<metrics::MetricsLine>,
}

impl Left {
    fn by(run: &RunFolder) -> Self {
        let mut metrics = metrics::read(&run.file("metrics.jsonl")).unwrap();
        for line in &mut metrics {
            line.metrics.minutes = 0.0;
            line.metrics.updates_per_s = 0.0;
            line.metrics.timings = metrics::UpdateTimings::default();
        }
        Self {
            journal: run.bytes("journal").into_iter().collect(),
            checkpoints: run.bytes("checkpoints").into_iter().collect(),
            policy: std::fs::read(run.file("policy.bin")).unwrap(),
            metrics,
        }
    }

    fn assert_is(&self, other: &Self) {
        let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
            files.iter().map(|(name, _)| name.clone()).collect()
        };
        assert!(self.journal == other.journal, "the journals differ");
        assert_eq!(names(&self.checkpoints), names(&other.checkpoints));
        assert!(self.checkpoints == other.checkpoints, "the training states differ");
        assert!(self.policy == other.policy, "the policies differ");
        assert_eq!(self.metrics, other.metrics);
    }
}

/// Whether a run has come to where it is to be killed.
type There = fn(&RunFolder) -> bool;

fn train(workplace: &Workplace) -> std::process::Command {
    workplace.reins_on_run(&["train", "--lockstep"], "lockstep")
}

fn workplace() -> Workplace {
    Workplace::with_run(&run_file(ENV_STEPS, ENDPOINT))
}

/// Runs until `there`, then kills; `false` when the run ended before.
#[expect(clippy::disallowed_methods, reason = "a limit on how long a test waits")]
fn kill_when(workplace: &Workplace, there: impl Fn(&RunFolder) -> bool) -> bool {
    let mut process = Process::start(train(workplace));
    let began = Instant::now();
    while process.is_running() {
        if there(&workplace.run("lockstep")) {
            process.kill();
            return true;
        }
        assert!(began.elapsed() < PATIENCE, "it did not come to that within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
    false
}

fn last_checkpoint(run: &RunFolder) -> u64 {
    let found = checkpoint::newest(&DiskStorage, &run.file("checkpoints"));
    found.ok().and_then(|f| f.newest).map_or(0, |(_, checkpoint)| checkpoint.learner_step.0)
}

#[test]
fn killed_and_resumed_is_the_same_as_never_killed() {
    let untouched = workplace();
    untouched.must(train(&untouched));
    let expected = Left::by(&untouched.run("lockstep"));

    let killed = workplace();
    // In a demonstration; in training before the first checkpoint; while one is being written or
    // right after it; and again before the next.
    let kills: [(&str, There); 4] = [
        ("in a demonstration", |run| run.try_records().is_ok_and(|r| r.len() > 20)),
        ("before a checkpoint", |run| run.env_steps_so_far() >= 25),
        ("at a checkpoint", |run| last_checkpoint(run) >= 40),
        ("after a checkpoint", |run| run.env_steps_so_far() >= 105),
    ];
    for (place, there) in kills {
        assert!(kill_when(&killed, there), "the run ended before it was killed {place}");
    }
    let said = killed.must(killed.reins(&["resume", "lockstep", "--json"]));
    assert!(!said.is_empty());
    Left::by(&killed.run("lockstep")).assert_is(&expected);
}

#[test]
fn imitation_that_was_killed_is_resumed_exactly_too() {
    let workplace = || Workplace::with_run(&hg_dagger(&run_file(ENV_STEPS, ENDPOINT)));
    let untouched = workplace();
    untouched.must(train(&untouched));
    let killed = workplace();
    assert!(kill_when(&killed, |run| last_checkpoint(run) >= 80), "it ended before");
    killed.must(killed.reins(&["resume", "lockstep"]));
    let [expected, resumed] = [&untouched, &killed].map(|w| Left::by(&w.run("lockstep")));
    assert!(expected.journal == resumed.journal, "the journals differ");
    assert!(expected.checkpoints == resumed.checkpoints, "the training states differ");
    assert!(expected.policy == resumed.policy, "the policies differ");
}

/// The same with a gripper whose commands are learned.
fn gripping() -> Workplace {
    let workplace = workplace();
    workplace.write("cell.toml", include_str!("../configs/cells/sim-pick-cube.toml"));
    let task = include_str!("../configs/tasks/pick-cube.toml");
    workplace.write("task.toml", &task.replace("[\"front\", \"wrist\"]", "[\"wrist\"]"));
    workplace
}

#[test]
fn a_run_that_learns_to_grip_goes_on_the_same_too() {
    let untouched = gripping();
    untouched.must(train(&untouched));
    let expected = Left::by(&untouched.run("lockstep"));
    assert!(expected.metrics.iter().all(|line| line.metrics.grasp_critic_loss.is_some()));
    check_grips(&untouched.run("lockstep").records());

    let killed = gripping();
    assert!(kill_when(&killed, |run| last_checkpoint(run) >= 40), "the run ended before");
    killed.must(killed.reins(&["resume", "lockstep", "--json"]));
    Left::by(&killed.run("lockstep")).assert_is(&expected);
}

/// The person closed the gripper in each demonstration, and the policy commanded it in training.
fn check_grips(records: &[Record]) {
    let (mut demonstrations, mut closed, mut proposed) = (0, 0, 0);
    let mut kind = EpisodeKind::Evaluation;
    let mut closed_in = None;
    for record in records {
        match &record.body {
            RecordBody::EpisodeStart(start) => {
                kind = start.kind;
                demonstrations += usize::from(kind == EpisodeKind::Demonstration);
            }
            RecordBody::Step(step) => {
                let entry = |action: &wire::Action| action.as_slice()[3];
                assert_eq!(step.executed_action.dim(), 4);
                assert!([-1.0, 0.0, 1.0].contains(&entry(&step.executed_action)));
                let closes = entry(&step.executed_action) < 0.0;
                let episode = record.position.episode;
                if kind == EpisodeKind::Demonstration && closes && closed_in != Some(episode) {
                    closed += 1;
                    closed_in = Some(episode);
                }
                if let Some(action) = &step.policy_action {
                    assert!([-1.0, 0.0, 1.0].contains(&entry(action)));
                    proposed += 1;
                }
            }
            RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => {}
        }
    }
    assert!(demonstrations > 0 && closed == demonstrations, "{closed} of {demonstrations}");
    assert!(proposed >= ENV_STEPS, "{proposed} steps");
}

/// Flips a bit in the middle of a checkpoint.
fn damage(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Resumes the run; what it said on stderr.
fn resume(workplace: &Workplace) -> String {
    let output = workplace.reins(&["resume", "lockstep"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn broken_checkpoints_are_named_and_learning_goes_on_from_what_is_sound() {
    let workplace = workplace();
    workplace.must(train(&workplace));
    let run = workplace.run("lockstep");
    let expected = Left::by(&run);
    let mut names: Vec<String> = run.bytes("checkpoints").into_keys().collect();
    names.sort();
    let newest = names.pop().unwrap();

    damage(&run.file("checkpoints").join(&newest));
    let said = resume(&workplace);
    assert!(said.contains(&newest), "{said}");
    assert!(said.contains(names.last().unwrap()), "{said}");
    Left::by(&run).assert_is(&expected);

    names.iter().chain([&newest]).for_each(|n| damage(&run.file("checkpoints").join(n)));
    let said = resume(&workplace);
    assert!(said.contains("NO CHECKPOINT CAN BE READ"), "{said}");
    Left::by(&run).assert_is(&expected);
}

#[test]
fn a_run_stays_as_it_was_begun() {
    let workplace = workplace();
    workplace.must(train(&workplace));
    let output = workplace.reins_on_run(&["learner"], "lockstep").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("reins resume"), "{said}");
}
