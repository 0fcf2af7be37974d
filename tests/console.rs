//! The operator's page of a real actor: a person takes over through it, and is lost in three ways.

use std::{
    thread,
    time::{Duration, Instant},
};

use drivers::remote::Watcher;
use wire::{ActionSource, ActorId, EpisodeKind, RecordBody, TruncationCause};

use crate::support::{
    Process, Workplace, free_endpoint,
    held_arm::await_device,
    page::{self, Page},
    real_time,
};

const CELL: &str = include_str!("../configs/cells/sim-ram.toml");
const TASK: &str = include_str!("../configs/tasks/ram-insert.toml");
pub const RUN: &str = "page";

/// A cell, a learner, and a scripted operator who demonstrates and then never lifts a hand.
pub struct Scene {
    pub workplace: Workplace,
    _learner: Process,
}

impl Scene {
    pub fn new() -> Self {
        let workplace = Workplace::with_run(&real_time::run(1_000_000, &free_endpoint()));
        let cell = real_time::cell(CELL, &workplace.path("truth.jsonl"));
        // The actor's own cell is to run in real time because a page is served.
        let cell = cell.replace("\"real\"", "\"simulated\"");
        workplace.write("cell.toml", &format!("{cell}operator = {{ reaction_steps = 1000000 }}\n"));
        workplace.write("task.toml", &real_time::task(TASK, 10));
        let learner = Process::start(workplace.reins_on_run(&["learner"], RUN));
        Self { workplace, _learner: learner }
    }

    /// The same in a device's process, whose arm can be watched.
    pub fn with_device() -> (Self, Process, Watcher) {
        let scene = Self::new();
        let cell = std::fs::read_to_string(scene.workplace.path("cell.toml")).unwrap();
        scene.workplace.write("device.toml", &cell.replace("\"simulated\"", "\"real\""));
        let words = ["device", "--cell", "device.toml", "--task", "task.toml", "--socket", "arm"];
        let device = Process::start(scene.workplace.reins(&words));
        let watcher = await_device(&scene.workplace.path("arm"));
        (scene, device, watcher)
    }

    pub fn actor(&self, more: &[&str]) -> (Process, String) {
        let words = [&["actor", "--console", "0"], more].concat();
        page::serve(self.workplace.reins_on_run(&words, RUN))
    }
}

#[test]
fn a_person_takes_over_from_the_page_and_it_is_recorded_as_such() {
    let scene = Scene::new();
    let (actor, address) = scene.actor(&[]);
    let mut page = Page::open(&address);
    page.await_training();
    let sideways = if page.arm(1) > 0.0 { -1.0 } else { 1.0 };
    page.push([0.0, sideways, 0.0, 0.0, 0.0, 0.0], Duration::from_millis(1500));
    assert_eq!(page.scene["driver"], "human");
    page.wait_for("release", |scene| scene["driver"] == "policy");

    page.say("pause");
    page.wait_for("pause", |scene| scene["paused"] == true);
    let steps = page.scene["env_steps"].clone();
    let looks = now();
    page.wait_for("a while", |_| looks.elapsed() > Duration::from_millis(500));
    assert_eq!(page.scene["env_steps"], steps, "a paused arm goes on");
    page.say("start");
    page.wait_for("more steps", |scene| scene["env_steps"].as_u64() > steps.as_u64());

    let before = page.scene["episode"]["number"].clone();
    page.say("reset");
    page.wait_for("another episode", |scene| scene["episode"]["number"] != before);
    page.await_training();
    page.say("soft_stop");
    page.wait_for("stop", |scene| scene["stopped"] == true);
    page.say("recover");
    page.wait_for("motion", |scene| scene["driver"] == "policy");
    let took = page.answers.iter().filter(|answer| answer["type"] == "took").count();
    assert_eq!(took, 5, "{:?}", page.answers);

    actor.signal("TERM");
    actor.finish();
    let records = scene.workplace.run(RUN).records_of(ActorId(0));
    let mut kind = EpisodeKind::Demonstration;
    let (mut driven, mut interventions) = (0, 0);
    let mut ends = Vec::new();
    for record in &records {
        match &record.body {
            RecordBody::EpisodeStart(start) => kind = start.kind,
            RecordBody::Step(step) if kind == EpisodeKind::Training => {
                let human = step.source == ActionSource::Human;
                assert!(human || step.human_action.is_none(), "{}", record.position);
                if let Some(action) = &step.human_action {
                    driven += 1;
                    assert!(step.policy_action.is_some(), "{}", record.position);
                    // Straight down the tool's own y axis is level and sideways.
                    assert!(action.as_slice()[1].abs() > 0.8, "{action:?}");
                }
            }
            RecordBody::EpisodeEnd(end) if kind == EpisodeKind::Training => {
                interventions += end.interventions;
                ends.extend(end.truncation);
            }
            _ => {}
        }
    }
    assert!((8..=17).contains(&driven), "{driven} steps of a push of 1.5 s");
    assert_eq!(interventions, 1);
    for cause in [TruncationCause::Operator, TruncationCause::Fault] {
        assert_eq!(ends.iter().filter(|end| **end == cause).count(), 1, "{ends:?}");
    }
}

/// How a page is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Hidden,
    Silent,
    Cut,
}

/// So much is left when an arm counts as held.
const STILL_M: f64 = 1e-3;
pub const HOLD_WITHIN: Duration = Duration::from_millis(200);
/// How late a loaded machine may be. To the tick it is shown in simulated time.
pub const SLACK: Duration = Duration::from_millis(1500);
const WATCH: Duration = Duration::from_millis(2500);

#[test]
fn a_lost_page_holds_the_arm() {
    let (scene, device, mut watcher) = Scene::with_device();
    let (actor, address) = scene.actor(&["--device", "arm"]);
    let mut page = Page::open(&address);
    let mut times = Vec::new();
    for loss in [Loss::Hidden, Loss::Silent, Loss::Cut] {
        page.await_training();
        let sideways = if page.arm(1) > 0.0 { -1.0 } else { 1.0 };
        page.push([0.0, sideways, 0.0, 0.0, 0.0, 0.0], Duration::from_millis(400));
        match loss {
            Loss::Hidden => page.hide(),
            Loss::Silent => {}
            Loss::Cut => page = Page::open(&address),
        }
        let time = time_to_hold(&mut watcher);
        println!("{loss:?}: held after {time:?}");
        assert!(time < HOLD_WITHIN + SLACK, "{loss:?}: held after {time:?}");
        times.push(time);
        page.look();
        assert_eq!(page.scene["driver"], "human", "the policy never gets the arm by a loss");
        assert_ne!(page.scene["troubles"].to_string(), "[]");
        page.say("release");
    }
    assert!(times.iter().min() < Some(&HOLD_WITHIN), "{times:?}");
    actor.signal("TERM");
    actor.finish();
    drop(device);
}

#[expect(clippy::disallowed_methods, reason = "real processes, real time")]
fn now() -> Instant {
    Instant::now()
}

/// Watches an arm that was pushed sideways a moment ago until it has long been still: when it came to
/// rest. Only sideways: an arm whose actions count from where it is sinks a little while it holds.
pub fn time_to_hold(watcher: &mut Watcher) -> Duration {
    let began = now();
    let mut seen = Vec::new();
    while began.elapsed() < WATCH {
        let sideways = watcher.state().unwrap().state.tcp_pose.translation.vector.y;
        seen.push((began.elapsed(), sideways));
        thread::sleep(Duration::from_millis(2));
    }
    let rest = seen[seen.len() - 1].1;
    let moving = seen.iter().rfind(|(_, at)| (at - rest).abs() > STILL_M);
    moving.map_or(Duration::ZERO, |(when, _)| *when)
}
