//! The link is cut in the middle of training on a real clock: the arm goes on without a pause, and
//! every step arrives afterwards.

use std::{thread, time::Duration};

use actor::{Activity, Status};
use tasks::TaskConfig;
use wire::EpisodeKind;

use crate::{
    ground_truth::{self, Times},
    support::{
        Ledger, Process, Workplace, free_endpoint, proxy::Proxy, real_time, watched::WatchedActor,
    },
};

const PATIENCE: Duration = Duration::from_secs(120);
/// How long the arm is watched without a cut, to compare with.
const COMPARED: Duration = Duration::from_secs(5);
/// More than any of these tests gets to.
const ENV_STEPS: u64 = 100_000;
const TRUTH: &str = "truth.jsonl";

#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The learner's process is stopped: the connection stays and nobody reads.
    Paused,
    /// The connection is reset and the port refuses.
    PortClosed,
    /// The learner ends in good order, which closes zenoh's transport, and is started again.
    LearnerEnded,
}

/// A learner, and an actor that reaches it through a proxy.
struct Cuttable {
    workplace: Workplace,
    proxy: Proxy,
    learner: Option<Process>,
    actor: WatchedActor,
}

impl Cuttable {
    fn start() -> Self {
        let endpoint = free_endpoint();
        let proxy = Proxy::to(&endpoint);
        let file = |endpoint: &str| {
            real_time::run(ENV_STEPS, endpoint).replace("demo_episodes = 2", "demo_episodes = 1")
        };
        let workplace = Workplace::with_run(&file(&endpoint));
        let cell = include_str!("../configs/cells/sim-ram.toml");
        workplace.write("cell.toml", &real_time::cell(cell, &workplace.path(TRUTH)));
        let task = include_str!("../configs/tasks/ram-insert.toml");
        workplace.write("task.toml", &real_time::task(task, 10));
        // As on a machine of its own: a run folder of its own, and another endpoint.
        workplace.write("actor.toml", &file(&proxy.endpoint()));
        let words = ["actor", "--run", "cut", "--runs", "of-actor", "--config", "actor.toml"];
        let files = ["--cell", "cell.toml", "--task", "task.toml"];
        let actor = WatchedActor::start(workplace.reins(&[&words[..], &files].concat()));
        let learner = Some(start_learner(&workplace));
        Self { workplace, proxy, learner, actor }
    }

    fn cut(&mut self, cut: Cut) {
        match cut {
            Cut::Paused => self.learner().signal("STOP"),
            Cut::PortClosed => self.proxy.close(),
            Cut::LearnerEnded => {
                let learner = self.learner.take().unwrap();
                learner.signal("TERM");
                learner.finish();
            }
        }
    }

    fn mend(&mut self, cut: Cut) {
        match cut {
            Cut::Paused => self.learner().signal("CONT"),
            Cut::PortClosed => self.proxy.open(),
            Cut::LearnerEnded => self.learner = Some(start_learner(&self.workplace)),
        }
    }

    fn learner(&self) -> &Process {
        self.learner.as_ref().unwrap()
    }

    /// Everything that the actor says within `length`.
    fn watch(&self, length: Duration) -> Vec<Status> {
        let before = self.actor.heard().len();
        thread::sleep(length);
        self.actor.heard().split_off(before.saturating_sub(1))
    }

    /// Waits until the actor is in the first steps of a training episode and the learner has all but
    /// the newest records.
    fn wait_until_caught_up(&mut self) {
        self.actor.wait_for("training without a backlog", PATIENCE, |status| {
            status.kind == Some(EpisodeKind::Training)
                && status.activity == Activity::Driving
                && status.episode_steps < 10
                && status.outbox_depth < 10
        });
    }
}

fn start_learner(workplace: &Workplace) -> Process {
    Process::start(workplace.reins_on_run(&["learner"], "cut"))
}

/// Steps and missed deadlines between the first and the last of what was heard.
fn punctuality(heard: &[Status]) -> (u64, u64) {
    let (first, last) = (heard[0].punctuality, heard[heard.len() - 1].punctuality);
    (last.steps - first.steps, last.missed - first.missed)
}

fn check(cut: Cut, seconds: u64) {
    let length = Duration::from_secs(seconds);
    let mut cell = Cuttable::start();
    cell.wait_until_caught_up();
    let (steps_before, missed_before) = punctuality(&cell.watch(COMPARED));

    cell.wait_until_caught_up();
    cell.cut(cut);
    let heard = cell.watch(length);
    cell.mend(cut);
    let (steps, missed) = punctuality(&heard);
    println!(
        "link cut ({cut:?}) for {seconds} s: {steps} steps, {missed} deadlines missed; \
         in {COMPARED:?} before: {steps_before} steps, {missed_before} missed"
    );
    for status in &heard {
        let acting = matches!(status.activity, Activity::Driving | Activity::Resetting);
        assert!(acting, "the actor waited: {status:?}");
    }
    // An arm that waits for the link makes no step at all; a slow machine makes fewer.
    let few = 2 * seconds;
    assert!(steps >= few, "{steps} steps in {seconds} s, cut as {cut:?}");
    if seconds > 2 {
        let last = &heard[heard.len() - 1];
        assert!(last.link_trouble.is_some(), "nobody says that the link is cut: {last:?}");
        assert!(last.outbox_depth >= few, "{last:?}");
    }

    cell.wait_until_caught_up();
    let last = cell.actor.end();
    assert_eq!((last.outbox_depth, last.pace_waits), (0, 0), "{last:?}");
    let learner = cell.learner.take().unwrap();
    learner.signal("TERM");
    learner.finish();
    let records = cell.workplace.run("cut").records();
    let ledger = Ledger::of(&records);
    assert_eq!(ledger.training_steps, last.env_steps, "every step is there once");
    if last.faults.stale_frames > 0 {
        println!("SKIPPED: pictures came so late that old ones stood in, which cannot be compared");
        return;
    }
    let task = TaskConfig::load(cell.workplace.path("task.toml")).unwrap();
    let happenings = ground_truth::read(&cell.workplace.path(TRUTH));
    let verdict = ground_truth::compare(&happenings, &records, &task, Times::Real);
    println!("{} moments of the arm were to be kept: {verdict}", verdict.happened);
    assert!(verdict.is_clean() && verdict.happened > 0, "{:#?}", verdict.complaints);
}

#[test]
fn an_arm_goes_on_while_the_learner_is_paused_for_a_second() {
    check(Cut::Paused, 1);
}

#[test]
fn an_arm_goes_on_while_the_port_is_closed_for_fifteen_seconds() {
    check(Cut::PortClosed, 15);
}

/// All nine; takes about eight minutes.
#[test]
#[ignore = "takes minutes: cargo xtask torture --cuts"]
fn an_arm_goes_on_through_every_cut() {
    for seconds in [1, 15, 60] {
        for cut in [Cut::Paused, Cut::PortClosed, Cut::LearnerEnded] {
            check(cut, seconds);
        }
    }
}
