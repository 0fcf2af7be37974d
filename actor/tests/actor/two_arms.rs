//! A pair of arms: both sensed, commanded, reset, handed over and held as one.

use std::{collections::BTreeSet, error::Error, time::Duration};

use actor::{Activity, ActorError, OperatorCommand, ViewEvent};
use drivers::StopKind;
use wire::{Action, GateEvents, GripperCommand, RecordBody, Step, Timestamp};

use crate::{
    cell::Cell,
    rig::{Rig, demonstrate, train},
};

/// A rig whose second arm has these scripts.
fn rig(program: actor::Program, second: &[&str]) -> Rig {
    let mut rig = Rig::new(program);
    rig.second = Some(Cell::new(rig.clock.clone(), rig.shutdown.clone(), second));
    rig
}

fn second(rig: &Rig) -> Cell {
    rig.second.clone().expect("it has two arms")
}

fn steps(rig: &Rig) -> Vec<Step> {
    rig.learner.state().steps().into_iter().cloned().collect()
}

/// The two parts of an action that is not a learned gripper's.
fn parts(action: &Action) -> (&[f32], &[f32]) {
    assert_eq!(action.dim(), 12);
    action.as_slice().split_at(6)
}

fn first_of(part: &[f32]) -> f32 {
    let [x, others @ ..] = part else { panic!("an arm's part is empty") };
    assert!(others.len() == 5 || others.len() == 6);
    *x
}

#[test]
fn both_arms_move_and_a_step_holds_both_parts() {
    let mut rig = rig(train(5), &["."]);
    let cell = rig.check(&["."], "T:pppppL");
    for step in steps(&rig) {
        for action in [&step.commanded_action, &step.executed_action] {
            let (first, second) = parts(action);
            assert!((first_of(first) + 0.1).abs() < 0.02, "{action:?}");
            assert!((first_of(second) + 0.05).abs() < 0.02, "{action:?}");
        }
        let proprio = &step.next_observation.proprio;
        assert_eq!(proprio.len(), rig.task().proprio_dim());
        // Each arm's place is counted from where it began: 1 mm and half of it in each step.
        let (first, second) = proprio.split_at(proprio.len() / 2);
        assert!(first[0] < 0.0 && second[0] < 0.0 && first[0] < second[0], "{proprio:?}");
    }
    let x = |cell: &Cell| cell.moves().last().expect("it moved").1[1].translation.x;
    let [at, of_second] = [x(&cell), x(&second(&rig))];
    assert!((0.48..0.51).contains(&at) && (0.50..0.53).contains(&of_second), "{at} {of_second}");
}

#[test]
fn two_arms_begin_at_places_of_their_own() {
    let mut rig = rig(train(5), &["."]);
    let cell = rig.check(&["."], "T:pppppL");
    let began = steps(&rig)[0].started_at;
    let offset = |cell: &Cell, middle: f64| {
        let moves = cell.moves();
        let (_, [_, start]) =
            moves.iter().rfind(|(at, _)| *at < began).expect("it was brought there");
        start.translation.x - middle
    };
    let [first, second] = [offset(&cell, 0.5), offset(&second(&rig), 0.52)];
    assert!(first.abs() <= 0.0121 && second.abs() <= 0.0121, "{first} {second}");
    assert!((first - second).abs() > 1e-4, "{first} {second}");
}

/// When an arm went to the side or down before the first step.
fn on_its_way(cell: &Cell, until: Timestamp) -> BTreeSet<u64> {
    cell.moves()
        .iter()
        .filter(|(at, [from, to])| {
            let way = to.translation.vector - from.translation.vector;
            *at < until && (way.xy().norm() > 1e-5 || way.z < -1e-5)
        })
        .map(|(at, _)| at.0)
        .collect()
}

#[test]
fn one_arm_at_a_time_goes_over_to_its_start() {
    let mut rig = rig(train(5), &["."]);
    let cell = rig.check(&["."], "T:pppppL");
    let began = steps(&rig)[0].started_at;
    let [first, second] = [&cell, &second(&rig)].map(|cell| on_its_way(cell, began));
    let (Some(first_begin), Some(first_end), Some(second_begin)) =
        (first.first(), first.last(), second.first())
    else {
        panic!("an arm did not move: {first:?} {second:?}");
    };
    // The last two millimetres of the first may go on meanwhile.
    assert!(*first_end < second_begin + 200_000_000, "{first_end} {second_begin}");
    assert!(*second_begin > first_begin + 500_000_000, "{first_begin} {second_begin}");
    assert_eq!(cell.prepared().len(), 1);
}

#[test]
fn a_hand_on_one_device_takes_the_step_over_and_the_other_arm_stands_still() {
    let mut rig = rig(train(5), &[".H.."]);
    // The policy drives again when the hand has rested.
    rig.check(&["."], "T:pHhppL");
    let steps = steps(&rig);
    let human = steps[1].human_action.as_ref().expect("a hand was engaged");
    let (first, second) = parts(human);
    assert_eq!(first, [0.0; 6]);
    assert!((first_of(second) - 0.5).abs() < 1e-6, "{human:?}");
    assert_eq!(&steps[1].commanded_action, human);
    let (policy, _) = parts(steps[1].policy_action.as_ref().expect("it proposed"));
    assert!(first_of(policy) < 0.0, "the policy would have moved the first arm");
    let (executed, _) = parts(&steps[1].executed_action);
    assert!(executed.iter().all(|x| x.abs() < 0.02), "{executed:?}");
}

#[test]
fn a_hand_on_each_device_drives_both() {
    let mut rig = rig(demonstrate(1), &["HHH"]);
    rig.check(&["HHS"], "D:HHH+");
    for step in steps(&rig) {
        let (first, second) = parts(&step.executed_action);
        assert!(first_of(first) > 0.3 && first_of(second) > 0.3, "{:?}", step.executed_action);
    }
}

#[test]
fn a_device_that_is_lost_while_its_person_drives_holds_both_arms() {
    let mut rig = rig(train(5), &[".Hx"]);
    rig.check(&["."], "T:pHhhhL");
    assert!(rig.status.get().faults.teleop_lost >= 3);
}

#[test]
fn a_person_may_mark_on_either_device() {
    let mut rig = rig(train(3), &[".+", "-"]);
    rig.check(&["."], "T:pp+ T:p-");
}

#[test]
fn each_arm_has_its_own_gripper() {
    let mut rig = rig(train(5), &[".C.."]);
    rig.gripper = Some(Duration::ZERO);
    let cell = rig.check(&["."], "T:pHhppL");
    let grips = |action: &Action| {
        assert_eq!(action.dim(), 14);
        [6, 13].map(|entry| GripperCommand::from_entry(action.as_slice()[entry]))
    };
    use GripperCommand::{Close, Open, Stay};
    let executed: Vec<_> = steps(&rig).iter().map(|step| grips(&step.executed_action)).collect();
    let both_open = [Open, Open];
    assert_eq!(executed, [both_open, [Stay, Close], [Stay, Stay], both_open, both_open]);
    assert!(cell.opening() > 0.9 && second(&rig).opening() > 0.9);
    let seen: Vec<f32> = steps(&rig)
        .iter()
        .map(|step| *step.next_observation.proprio.last().expect("the second's gripper"))
        .collect();
    assert_eq!(seen, [1.0, 0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn an_arm_that_stops_by_itself_ends_the_episode_of_both_and_both_go_on_in_the_next() {
    let mut rig = rig(train(7), &["..R", "."]);
    rig.check(&["."], "T:ppF T:pppppL");
    assert_eq!(rig.status.get().faults.recoveries, 1);
}

/// Stops of an arm when the loop ends and its gate with it.
const AT_THE_END: usize = 2;

fn controlled_stops(cell: &Cell) -> usize {
    cell.stops().iter().filter(|how| **how == StopKind::Controlled).count()
}

#[test]
fn a_contact_of_one_arm_stops_the_other_within_the_step() {
    let mut rig = rig(train(8), &["..F", "."]);
    rig.policy_x = -0.5;
    let cell = rig.check(&["."], "T:pppF T:pppppL");
    let steps = steps(&rig);
    assert!(steps[2].gate_events.contains(GateEvents::FORCE));
    let (first, _) = parts(&steps[2].executed_action);
    assert!(first_of(first).abs() < 0.45, "the motion was over before the step: {first:?}");
    assert!(parts(&steps[1].executed_action).0[0] < -0.48, "the step before was whole");
    // With the contact; then the loop and its gate end.
    assert_eq!(controlled_stops(&cell), 1 + AT_THE_END);
    assert_eq!(rig.status.get().faults.recoveries, 1);
    assert_eq!(rig.status.get().gate.of(GateEvents::FORCE), 1);
}

/// What the operator is told when one arm stops again and again: which, and why.
fn told(first: &[&str], second: &[&str]) -> String {
    let mut rig = rig(train(100), second);
    let (views, seen) = crossbeam_channel::bounded(1000);
    rig.views = Some(views);
    let status = rig.status.clone();
    let (say, heard) = crossbeam_channel::bounded(1);
    rig.operator = Some(heard);
    let shutdown = rig.shutdown.clone();
    let person = std::thread::Builder::new().name("operator".into()).spawn(move || {
        while status.get().activity != Activity::WaitingForOperator {
            std::thread::yield_now();
        }
        let told = status.get().troubles.iter().map(ToString::to_string).collect::<String>();
        shutdown.store(true, std::sync::atomic::Ordering::SeqCst);
        drop(say);
        told
    });
    let ended = rig.run(first).1;
    // The operator who is gone may be noticed before the word to end.
    assert!(!matches!(ended, Err(ref e) if !matches!(e, ActorError::ArmNeedsOperator { .. })));
    let views: Vec<ViewEvent> = seen.try_iter().collect();
    assert!(views.iter().any(|view| matches!(view, ViewEvent::EpisodeEnd { .. })));
    person.expect("a thread").join().expect("the operator was told")
}

#[test]
fn it_is_said_which_of_two_arms_stopped() {
    let of_second = told(&["."], &["R"]);
    assert!(of_second.contains("the second arm was stopped: by itself"), "{of_second}");
    let of_first = told(&["..F"], &["."]);
    assert!(of_first.contains("the first arm was stopped: it met more force"), "{of_first}");
    let lost = told(&["."], &["..E"]);
    assert!(lost.contains("the second arm was stopped"), "{lost}");
}

#[test]
fn an_emergency_stop_is_one_of_both_and_so_is_the_recovery() {
    let mut rig = rig(train(6), &["."]);
    let (say, heard) = crossbeam_channel::bounded(4);
    rig.operator = Some(heard);
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), &["..w", "."]);
    cell.give_word(say.clone(), OperatorCommand::EmergencyStop);
    let status = rig.status.clone();
    let person = std::thread::Builder::new().name("operator".into()).spawn(move || {
        while status.get().activity != Activity::WaitingForOperator {
            std::thread::yield_now();
        }
        say.send(OperatorCommand::Recover).expect("the actor waits");
        while status.get().activity != Activity::Ended {
            std::thread::yield_now();
        }
    });
    rig.run_in(&cell).expect("a run");
    person.expect("a thread").join().expect("the operator stays to the end");
    assert_eq!(rig.recorded(), "T:pppF T:pppppL");
    for cell in [cell, second(&rig)] {
        assert!(controlled_stops(&cell) > AT_THE_END, "{:?}", cell.stops());
    }
}

#[test]
fn a_task_for_two_arms_is_not_driven_with_one() {
    let mut rig = rig(train(5), &["."]);
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), &["."]);
    let task = rig.task();
    rig.second = None;
    let (config, mut parts) = rig.parts(&cell);
    parts.task = task;
    let error = actor::run(config, parts, rig.shutdown.clone()).unwrap_err();
    assert!(error.to_string().contains("the task moves 2 arms, the cell has 1"), "{error}");
    assert!(error.source().is_none());
    let records = rig.learner.state().records.len();
    assert!(records == 0 && cell.commands().is_empty());
}

#[test]
fn both_arms_are_held_when_the_actor_ends() {
    let mut rig = rig(train(100), &["."]);
    let cell = rig.check(&["..Q"], "T:pppI");
    for cell in [cell, second(&rig)] {
        assert_eq!(cell.last_stop(), Some(StopKind::Controlled));
    }
    let is_step = |body: &RecordBody| matches!(body, RecordBody::Step(_));
    assert_eq!(rig.learner.state().records.values().filter(|r| is_step(&r.body)).count(), 3);
}
