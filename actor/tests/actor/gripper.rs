//! Gripper commands: who gives them, what is sent, what is recorded.

use std::time::Duration;

use wire::{Action, GateEvents, Step};

use crate::{
    cell::Cell,
    rig::{Rig, demonstrate, train},
};

fn rig(program: actor::Program, change_min: Duration) -> Rig {
    let mut rig = Rig::new(program);
    rig.gripper = Some(change_min);
    rig
}

/// The gripper's entry of each action of a step: what the policy proposed, what the person
/// commanded, what went into the gate and what was executed; `-` close, `0` stay, `+` open, `.` none.
fn entries(step: &Step) -> String {
    let letter = |action: Option<&Action>| match action.map(|a| a.as_slice()[6]) {
        None => '.',
        Some(entry) if entry < 0.0 => '-',
        Some(entry) if entry > 0.0 => '+',
        Some(_) => '0',
    };
    let (policy, human) = (step.policy_action.as_ref(), step.human_action.as_ref());
    [policy, human, Some(&step.commanded_action), Some(&step.executed_action)]
        .map(letter)
        .iter()
        .collect()
}

#[track_caller]
fn check(rig: &mut Rig, script: &str, expected: &[&str]) -> Cell {
    let (cell, outcome) = rig.run(&[script]);
    outcome.expect("a run");
    let state = rig.learner.state();
    assert_eq!(state.steps().into_iter().map(entries).collect::<Vec<_>>(), expected);
    drop(state);
    cell
}

#[test]
fn what_was_proposed_wanted_commanded_and_executed_is_recorded() {
    let mut rig = rig(train(5), Duration::ZERO);
    let cell = check(&mut rig, ".C..", &["+.++", "+---", "+.00", "+.++", "+.++"]);
    assert!(cell.opening() > 0.9, "the policy had it last");
    rig.check_successors();
}

#[test]
fn a_person_closes_and_holds_in_a_demonstration() {
    let mut rig = rig(demonstrate(1), Duration::ZERO);
    let cell = check(&mut rig, "HCHS", &[".000", ".---", ".000", ".000"]);
    assert!(cell.opening() < 0.1);
}

#[test]
fn a_command_that_the_gate_holds_back_was_not_executed() {
    let mut rig = rig(train(5), Duration::from_secs(60));
    check(&mut rig, ".C", &["+.++", "+--0", "+--0", "+--0", "+--0"]);
    let state = rig.learner.state();
    assert!(state.steps().last().unwrap().gate_events.contains(GateEvents::GRIPPER));
}

#[test]
fn an_episode_begins_with_an_open_gripper_and_sees_it() {
    let mut rig = rig(demonstrate(1), Duration::ZERO);
    rig.run(&["CS"]).1.expect("a run");
    let state = rig.learner.state();
    let seen: Vec<f32> = state
        .records
        .values()
        .filter_map(|record| record.observation())
        .map(|observation| observation.proprio[3])
        .collect();
    assert_eq!(seen, [1.0, 0.0, 0.0]);
}

#[test]
fn a_gripper_that_does_not_open_is_told_of_before_an_episode_begins() {
    let mut rig = rig(demonstrate(1), Duration::ZERO);
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), &["S"]);
    cell.block_gripper();
    let error = rig.run_in(&cell).unwrap_err();
    let said = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(said.contains("the gripper did not open in 200 steps"), "{said}");
    assert_eq!(rig.recorded(), "");
}
