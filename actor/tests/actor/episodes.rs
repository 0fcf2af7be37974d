//! Episodes from beginning to end: who drives, when they end, what is recorded.

use wire::{EpisodeKind, Record, RecordBody};

use crate::{
    cell::Cell,
    rig::{Rig, demonstrate, evaluate, train},
};

#[test]
fn a_demonstration_is_driven_by_the_person_alone() {
    Rig::new(demonstrate(1)).check(&["HH.S"], "D:HHhH+");
}

#[test]
fn demonstrations_go_on_until_enough_have_succeeded() {
    Rig::new(demonstrate(2)).check(&["HHS", "H.", "S"], "D:HHH+ D:HhhhhL D:H+");
}

#[test]
fn a_training_episode_ends_with_success() {
    Rig::new(train(3)).check(&["..s"], "T:ppp+");
}

#[test]
fn the_time_limit_truncates() {
    let mut rig = Rig::new(train(5));
    rig.check(&["."], "T:pppppL");
    let state = rig.learner.state();
    let last = *state.steps().last().unwrap();
    assert!(last.truncated && !last.terminated);
}

#[test]
fn a_person_takes_over_and_hands_back_in_the_middle() {
    let mut rig = Rig::new(train(5));
    rig.check(&[".HH.."], "T:pHHhpL");
    let state = rig.learner.state();
    let Some(Record { body: RecordBody::EpisodeEnd(end), .. }) = state.records.values().last()
    else {
        panic!("no end");
    };
    assert_eq!((end.steps, end.human_steps, end.interventions), (5, 3, 1));
}

#[test]
fn every_episode_begins_with_the_policy() {
    Rig::new(train(10)).check(&["....H", "....."], "T:ppppHL T:pppppL");
}

#[test]
fn a_takeover_starts_from_where_the_arm_is_and_not_from_where_it_was_sent() {
    let mut rig = Rig::new(train(5));
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), &["...HH"]);
    cell.soften(0.035);
    rig.policy_x = -0.5;
    rig.run_in(&cell).expect("a run");
    let commands = cell.commands();
    // Ten targets in each step: from where the arm was to where it was sent in the end.
    let ahead: Vec<f64> = commands[commands.len() - 50..]
        .chunks(10)
        .map(|step| step[9][1].translation.x - step[0][0].translation.x)
        .collect();
    // Target after target the policy gets ahead of the soft arm. The person moves half a
    // centimetre from where the arm is.
    assert!(ahead[2] < -0.01, "{ahead:?}");
    assert!((ahead[3] - 0.005).abs() < 1e-9, "{ahead:?}");
}

#[test]
fn policy_and_person_are_both_recorded() {
    let mut rig = Rig::new(train(5));
    rig.check(&["H...."], "T:HhpppL");
    let state = rig.learner.state();
    let steps = state.steps();
    assert!(steps.iter().all(|step| step.policy_action.is_some()));
    let human: Vec<bool> = steps.iter().map(|step| step.human_action.is_some()).collect();
    assert_eq!(human, [true, false, false, false, false]);
}

#[test]
fn a_lost_device_holds_the_arm() {
    Rig::new(train(5)).check(&[".Hxx."], "T:pHhhhL");
}

#[test]
fn a_hand_ends_a_measured_episode_and_it_is_measured_again() {
    Rig::new(evaluate(1)).check(&["..H", "..s"], "E:ppHO E:ppp+");
}

#[test]
fn a_measured_policy_acts_without_noise() {
    let mut rig = Rig::new(evaluate(1));
    rig.check(&["."], "E:pppppL");
    let state = rig.learner.state();
    assert!(state.steps().iter().all(|s| s.policy_action.as_ref().unwrap().as_slice()[1] == 0.0));
}

#[test]
fn what_is_stored_is_what_the_gate_let_through() {
    let mut rig = Rig::new(train(5));
    // 1 cm a step from 3 cm before the end of the workspace, give or take one.
    rig.policy_x = -1.0;
    rig.check(&["."], "T:pppppL");
    let state = rig.learner.state();
    let positions = state.records.values().filter_map(Record::observation);
    let positions: Vec<f32> = positions.map(|seen| seen.proprio[0] * 0.03).collect();
    let mut limited = 0;
    for (step, moved) in state.steps().iter().zip(positions.windows(2)) {
        let (commanded, executed) = (step.commanded_action.0[0], step.executed_action.0[0]);
        assert_eq!(commanded, -1.0);
        assert!((executed * 0.01 - (moved[1] - moved[0])).abs() < 1e-5, "{executed} {moved:?}");
        let free = step.gate_events.is_empty();
        limited += u32::from(!free);
        assert_eq!(free, (executed - commanded).abs() < 1e-4, "{executed}");
    }
    assert!((1..5).contains(&limited), "{limited} of 5 steps met the end of the workspace");
}

#[test]
fn the_program_runs_demonstrations_training_and_evaluation() {
    let mut rig = Rig::new(train(2));
    rig.config.program.demonstrations = 1;
    rig.config.program.evaluations = 1;
    let cell = rig.check(&["S", "s", "s", "."], "D:H+ T:p+ T:p+ E:pppppL");
    let kinds: Vec<EpisodeKind> = cell.briefs().iter().map(|brief| brief.kind).collect();
    use EpisodeKind::{Demonstration, Evaluation, Training};
    assert_eq!(kinds, [Demonstration, Training, Training, Evaluation]);
    assert_eq!(cell.briefs(), cell.prepared());
    let seeds: std::collections::BTreeSet<u64> = cell.briefs().iter().map(|b| b.seed).collect();
    assert_eq!(seeds.len(), 4, "every episode has a seed of its own");
}

#[test]
fn the_same_seed_gives_the_same_records() {
    let records = |seed| {
        let mut rig = Rig::new(train(12));
        rig.config.seed = seed;
        rig.run(&[".H...", "..s"]).1.unwrap();
        let state = rig.learner.state();
        state.records.values().cloned().collect::<Vec<_>>()
    };
    assert_eq!(records(1), records(1));
    assert_ne!(records(1), records(2));
}

#[test]
fn the_arm_is_stopped_at_the_end() {
    let cell = Rig::new(train(5)).check(&["."], "T:pppppL");
    assert_eq!(cell.last_stop(), Some(drivers::StopKind::Controlled));
}
