//! What the comparison with the ground truth must see, and what it must let pass.

use nalgebra::{Translation3, UnitQuaternion};
use sim::Happening;
use tasks::{ActionMap, Measured, Observer, TaskConfig};
use wire::{
    Action, ActionSource, ActorId, EpisodeEnd, EpisodeId, EpisodeKind, EpisodeStart, Frame,
    GateEvents, GripperCommand, Observation, Outcome, PolicyVersion, Record, RecordBody,
    RecordPosition, Step, Timestamp, UnixNanos,
    geometry::{Pose, Twist, Wrench},
};

use crate::ground_truth::{Times, Verdict, compare};

const STEPS: u32 = 3;

fn task() -> TaskConfig {
    let text = "name = \"t\"\ncameras = [\"wrist\"]\n[action]\ndelta_from = \"measured\"\n\
                [observation]\nimage_width = 8\nimage_height = 8\nproprio = [\"position\"]\n\
                [reset]\nposition_m = [0.5, 0.0, 0.1]\ntravel_z_m = 0.2\n";
    TaskConfig::from_toml(text, "task.toml").unwrap()
}

fn pose(x: f64) -> Pose {
    Pose::from_parts(Translation3::new(x, 0.0, 0.1), UnitQuaternion::identity())
}

fn at(step: u32) -> Timestamp {
    Timestamp(u64::from(step) * 100_000_000)
}

fn frame(step: u32) -> Frame {
    Frame::new(8, 8, vec![step as u8; 192]).unwrap()
}

/// Two episodes of a cell, and the records of them.
fn run() -> (Vec<Happening>, Vec<Record>) {
    let (mut happenings, mut records) = (vec![Happening::Started], vec![]);
    for episode in [EpisodeId(0), EpisodeId(1)] {
        happenings.push(Happening::Prepared { episode });
        let mut observer = Observer::new(&task());
        observer.reset(pose(0.5));
        for step in 0..=STEPS {
            let x = 0.5 + 0.001 * f64::from(step);
            let measured = Measured {
                tcp_pose: pose(x),
                twist: Twist::default(),
                wrench: None,
                gripper: None,
            };
            happenings.push(Happening::Measured {
                at: at(step),
                tcp_pose: pose(x),
                twist: Twist::default(),
                wrench: Wrench::default(),
            });
            let crc32 = crc32fast::hash(&frame(step).pixels);
            happenings.push(Happening::Pictured { at: at(step), camera: "wrist".into(), crc32 });
            happenings.push(Happening::Commanded { at: at(step), target: pose(x + 0.001) });
            let observation = Observation {
                captured_at: at(step),
                proprio: observer.proprio(&measured, None),
                frames: vec![frame(step)],
                features: vec![],
            };
            let before = pose(x - 0.001);
            let stay = GripperCommand::Stay;
            let executed = ActionMap::new(&task()).action(&pose(x), stay, &before, None).clipped();
            let body = if step == 0 {
                RecordBody::EpisodeStart(EpisodeStart {
                    kind: EpisodeKind::Training,
                    seed: 0,
                    started_at: UnixNanos(0),
                    observation,
                })
            } else {
                RecordBody::Step(taken(executed, observation))
            };
            records.push(record(episode, step, body));
        }
        happenings.push(Happening::Stopped { at: at(STEPS) });
        let end = EpisodeEnd {
            steps: STEPS,
            outcome: Outcome::Success,
            truncation: None,
            human_steps: 0,
            interventions: 0,
        };
        records.push(record(episode, STEPS + 1, RecordBody::EpisodeEnd(end)));
    }
    (happenings, records)
}

fn record(episode: EpisodeId, index: u32, body: RecordBody) -> Record {
    Record { actor: ActorId(0), position: RecordPosition { episode, index }, body }
}

fn taken(executed_action: Action, next_observation: Observation) -> Step {
    Step {
        started_at: Timestamp(0),
        source: ActionSource::Policy,
        policy_version: PolicyVersion(0),
        policy_action: None,
        human_action: None,
        commanded_action: executed_action.clone(),
        executed_action,
        gate_events: GateEvents::default(),
        reward: 0.0,
        judgement: wire::Judgement::default(),
        terminated: false,
        truncated: false,
        next_observation,
    }
}

/// (lost, duplicated, altered) after `spoil`, the same on either clock.
fn judged(spoil: impl FnOnce(&mut Vec<Happening>, &mut Vec<Record>)) -> (usize, usize, usize) {
    let (mut happenings, mut records) = run();
    spoil(&mut happenings, &mut records);
    let counts = |happenings: &[Happening], times| {
        let verdict = compare(happenings, &records, &task(), times);
        (verdict.lost, verdict.duplicated, verdict.altered)
    };
    let exact = counts(&happenings, Times::Exact);
    assert_eq!(counts(&on_a_real_clock(happenings), Times::Real), exact);
    exact
}

/// Another thread has read the arm before each picture, and the actor reads it again after it.
fn on_a_real_clock(happenings: Vec<Happening>) -> Vec<Happening> {
    let mut read = None;
    let mut real = Vec::new();
    for happening in happenings {
        match &happening {
            Happening::Measured { .. } => read = Some(happening.clone()),
            Happening::Pictured { at, .. } => {
                let (tcp_pose, twist, wrench) = (pose(0.9), Twist::default(), Wrench::default());
                let other = Happening::Measured { at: *at, tcp_pose, twist, wrench };
                real.extend([other, happening]);
                real.extend(read.clone());
                continue;
            }
            _ => {}
        }
        real.push(happening);
    }
    real
}

fn step_of(record: &mut Record) -> &mut Step {
    match &mut record.body {
        RecordBody::Step(step) => step,
        other => panic!("no step: {other:?}"),
    }
}

#[test]
fn a_faithful_record_is_clean() {
    let (happenings, records) = run();
    let verdict = compare(&happenings, &records, &task(), Times::Exact);
    assert_eq!(verdict, Verdict { happened: 8, ..Verdict::default() });
    assert_eq!(judged(|_, _| {}), (0, 0, 0));
}

#[test]
fn pictures_of_one_moment_may_be_taken_one_after_the_other() {
    let later = |happenings: &mut Vec<Happening>, _: &mut Vec<Record>| {
        let with_side = |happening: Happening| {
            let side = match &happening {
                Happening::Pictured { at, crc32, .. } => Some(Happening::Pictured {
                    at: Timestamp(at.0 + 1),
                    camera: "side".into(),
                    crc32: *crc32,
                }),
                _ => None,
            };
            std::iter::once(happening).chain(side)
        };
        *happenings = happenings.drain(..).flat_map(with_side).collect();
    };
    assert_eq!(judged(later), (0, 0, 0));
}

#[test]
fn what_was_not_followed_by_a_command_need_not_be_there() {
    let cut = |happenings: &mut Vec<Happening>, records: &mut Vec<Record>| {
        happenings.truncate(happenings.len() - 2);
        records.truncate(records.len() - 2);
    };
    assert_eq!(judged(cut), (0, 0, 0));
}

/// The process was killed at the first picture, and the next one's episode begins just like it.
#[test]
fn an_episode_that_is_begun_again_need_not_be_there_twice() {
    let begin_twice = |happenings: &mut Vec<Happening>, _: &mut Vec<Record>| {
        let killed = happenings[..4].to_vec();
        happenings.splice(0..0, killed);
    };
    assert_eq!(judged(begin_twice), (0, 0, 0));
}

/// The same after one command: that moment had to be kept.
#[test]
fn an_episode_that_was_lost_and_is_done_again_is_seen() {
    let begin_twice = |happenings: &mut Vec<Happening>, _: &mut Vec<Record>| {
        let killed = happenings[..5].to_vec();
        happenings.splice(0..0, killed);
    };
    let (lost, _, altered) = judged(begin_twice);
    assert!(lost + altered > 0);
}

#[test]
fn a_lost_step_is_seen() {
    assert_eq!(judged(|_, records| records.truncate(records.len() - 2)), (1, 0, 0));
}

#[test]
fn a_lost_episode_is_seen() {
    assert_eq!(judged(|_, records| records.truncate(5)), (4, 0, 0));
}

#[test]
fn a_hole_in_the_middle_is_seen() {
    let (lost, _, altered) = judged(|_, records| drop(records.remove(2)));
    assert!(lost == 1 && altered > 0);
}

#[test]
fn a_doubled_record_is_seen() {
    assert_eq!(judged(|_, records| records.insert(3, records[2].clone())), (0, 1, 0));
}

#[test]
fn an_episode_that_nobody_saw_is_seen() {
    let invent = |happenings: &mut Vec<Happening>, _: &mut Vec<Record>| happenings.truncate(14);
    assert_eq!(judged(invent), (0, 0, 5));
}

#[test]
fn an_altered_pixel_is_seen() {
    let alter = |_: &mut Vec<Happening>, records: &mut Vec<Record>| {
        let mut pixels = vec![2; 192];
        pixels[7] ^= 1;
        let frame = Frame::new(8, 8, pixels).unwrap();
        step_of(&mut records[2]).next_observation.frames = vec![frame];
    };
    assert_eq!(judged(alter), (0, 0, 1));
}

#[test]
fn an_altered_action_is_seen() {
    let alter = |_: &mut Vec<Happening>, records: &mut Vec<Record>| {
        step_of(&mut records[2]).executed_action.0[0] += 0.01;
    };
    assert_eq!(judged(alter), (0, 0, 1));
}

#[test]
fn an_altered_measurement_is_seen() {
    let alter = |_: &mut Vec<Happening>, records: &mut Vec<Record>| {
        step_of(&mut records[2]).next_observation.proprio[0] += 0.01;
    };
    assert_eq!(judged(alter), (0, 0, 1));
}

#[test]
fn a_successor_of_another_moment_is_seen() {
    let swap = |_: &mut Vec<Happening>, records: &mut Vec<Record>| {
        let later = step_of(&mut records[3]).next_observation.clone();
        step_of(&mut records[2]).next_observation = later;
    };
    assert_eq!(judged(swap), (0, 0, 1));
}
