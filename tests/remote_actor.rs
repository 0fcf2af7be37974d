//! The real actor process in a cell that another process serves, paused and killed there, and a
//! device that is killed and comes back.

use std::{path::Path, time::Duration};

use actor::Activity;
use drivers::{ArmMode, remote::Watcher};
use tasks::TaskConfig;
use wire::{ActorId, EpisodeKind, RecordBody, TruncationCause};

use crate::{
    ground_truth::{self, Times},
    support::{
        Process, Workplace, free_endpoint,
        held_arm::{await_device, await_mode, expect_hold_then_stop},
        real_time,
        watched::WatchedActor,
    },
};

const CELL: &str = include_str!("../configs/cells/sim-ram.toml");
const TASK: &str = include_str!("../configs/tasks/ram-insert.toml");
const PATIENCE: Duration = Duration::from_secs(120);

struct Scene {
    workplace: Workplace,
    _learner: Process,
}

impl Scene {
    fn new() -> Self {
        let workplace = Workplace::with_run(&real_time::run(1_000_000, &free_endpoint()));
        let truth = workplace.path("truth.jsonl");
        workplace.write("cell.toml", &real_time::cell(CELL, &truth));
        workplace.write("task.toml", &real_time::task(TASK, 10));
        let learner = Process::start(workplace.reins_on_run(&["learner"], "remote"));
        Self { workplace, _learner: learner }
    }

    fn device(&self) -> Process {
        let words = ["device", "--cell", "cell.toml", "--task", "task.toml", "--socket", "arm"];
        let device = Process::start(self.workplace.reins(&words));
        self.watcher();
        device
    }

    fn actor(&self) -> WatchedActor {
        let words = ["actor", "--device", "arm"];
        WatchedActor::start(self.workplace.reins_on_run(&words, "remote"))
    }

    fn watcher(&self) -> Watcher {
        await_device(&self.workplace.path("arm"))
    }

    /// Waits until the actor trains and the arm moves; returns at such a moment.
    fn await_motion(&self, actor: &mut WatchedActor) {
        let steps = actor.status().env_steps;
        actor.wait_for("training", PATIENCE, |status| {
            status.kind == Some(EpisodeKind::Training)
                && status.activity == Activity::Driving
                && status.env_steps >= steps + 20
        });
        await_mode(&mut self.watcher(), ArmMode::Running);
    }
}

#[test]
fn a_paused_or_killed_actor_leaves_an_arm_that_holds_and_stops_and_nothing_is_lost() {
    let scene = Scene::new();
    let device = scene.device();
    let mut actor = scene.actor();

    scene.await_motion(&mut actor);
    actor.process.signal("STOP");
    expect_hold_then_stop("actor paused", &mut scene.watcher());
    actor.process.signal("CONT");
    // It finds a stopped arm, ends the episode, and recovers the arm for the next.
    scene.await_motion(&mut actor);
    assert!(actor.status().faults.recoveries > 0, "{:?}", actor.status());

    actor.process.kill();
    expect_hold_then_stop("actor killed", &mut scene.watcher());
    let mut actor = scene.actor();
    scene.await_motion(&mut actor);

    let ended = actor.end();
    assert_eq!(ended.outbox_depth, 0, "{ended:?}");
    compare(&scene.workplace.path("truth.jsonl"), &scene);
    drop(device);
}

#[test]
fn a_device_that_dies_is_waited_for_and_found_again() {
    let scene = Scene::new();
    let device = scene.device();
    let mut actor = scene.actor();
    scene.await_motion(&mut actor);
    device.kill();
    actor.wait_for("the device's loss", PATIENCE, |status| {
        status.activity == Activity::WaitingForDevice && !status.troubles.is_empty()
    });
    let told = actor.status().troubles[0].to_string();
    assert!(told.contains("the arm is gone"), "{told}");
    let device = scene.device();
    scene.await_motion(&mut actor);
    let ended = actor.end();
    assert_eq!(ended.outbox_depth, 0, "{ended:?}");
    let cut = scene.workplace.run("remote").records().iter().any(|record| {
        matches!(&record.body, RecordBody::EpisodeEnd(end)
            if end.truncation == Some(TruncationCause::Fault))
    });
    assert!(cut, "the episode that lost its device was cut short");
    drop(device);
}

#[test]
fn an_actor_without_its_device_says_what_to_start() {
    let workplace = Workplace::new();
    let words = ["actor", "--device", "arm"];
    let output = workplace.reins_on_run(&words, "remote").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("start `reins device`"), "{said}");
}

/// What the cell wrote down, against what the learner has.
fn compare(truth: &Path, scene: &Scene) {
    let task = TaskConfig::load(scene.workplace.path("task.toml")).unwrap();
    let records = scene.workplace.run("remote").records_of(ActorId(0));
    let killed = records.iter().find_map(|record| match &record.body {
        RecordBody::EpisodeEnd(end) if end.truncation == Some(TruncationCause::Interrupted) => {
            Some(record.position.episode)
        }
        _ => None,
    });
    let verdict = ground_truth::compare(&ground_truth::read(truth), &records, &task, Times::Real);
    println!("{} moments of the arm were to be kept: {verdict}", verdict.happened);
    // The gate goes on with the last command of an actor that is killed between a picture and its
    // record, and to the cell that looks like a command that came after the picture.
    let unseen = format!("{} lacks its last 1", killed.expect("the actor was killed"));
    let lost: Vec<_> = verdict.complaints.iter().filter(|what| **what != unseen).collect();
    assert!(lost.is_empty() && verdict.happened > 0, "{lost:#?}");
}
