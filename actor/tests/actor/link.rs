//! The learner comes and goes, and processes die: nothing is lost and nothing counted twice.

use std::time::Duration;

use actor::{ActorError, Coupling, UplinkError};
use wire::Refusal;

use crate::rig::{Rig, demonstrate, train};

#[test]
fn lost_answers_are_no_loss() {
    let mut rig = Rig::new(train(10));
    rig.learner.state().lose_answers = 3;
    rig.check(&["."], "T:pppppL T:pppppL");
    let state = rig.learner.state();
    assert!(state.hellos >= 4, "an actor greets after every failure: {}", state.hellos);
    assert_eq!(state.goodbyes, 1);
}

#[test]
fn what_a_learner_missed_it_gets_when_it_is_back() {
    let mut rig = Rig::new(train(10));
    rig.learner.state().gone_after = Some(4);
    rig.config.drain_timeout = Duration::ZERO;
    let summary = rig.run(&["."]).1.unwrap();
    assert_eq!(rig.recorded(), "T:ppp");
    assert_eq!(summary.unsent, 14 - 4);
    assert_eq!(rig.learner.state().goodbyes, 0);

    rig.learner.state().gone_after = None;
    rig.check(&["."], "T:pppppL T:pppppL");
    assert_eq!(rig.learner.state().duplicates, 0);
    assert_eq!(rig.learner.state().goodbyes, 1);
}

#[test]
fn with_threads_too() {
    let mut rig = Rig::new(train(10));
    rig.config.coupling = Coupling::Threads;
    rig.config.drain_timeout = Duration::ZERO;
    rig.learner.state().gone_after = Some(4);
    rig.run(&["."]).1.unwrap();
    rig.learner.state().gone_after = None;
    rig.config.drain_timeout = Duration::from_secs(5);
    rig.check(&["."], "T:pppppL T:pppppL");
}

#[test]
fn an_episode_that_a_crash_cut_short_is_closed_with_its_counts() {
    let mut rig = Rig::new(train(10));
    rig.crash(&[".H!"]);
    assert_eq!(rig.recorded(), "T:pH");
    rig.check(&["."], "T:pHI T:pppppL T:pppppL");
    let state = rig.learner.state();
    let end = state.records.values().find_map(|record| match &record.body {
        wire::RecordBody::EpisodeEnd(end) => Some(*end),
        _ => None,
    });
    let end = end.unwrap();
    assert_eq!((end.steps, end.human_steps, end.interventions), (2, 1, 1));
}

#[test]
fn a_crash_without_a_learner_loses_nothing() {
    let mut rig = Rig::new(train(10));
    rig.learner.state().gone_after = Some(3);
    rig.crash(&["....!"]);
    assert_eq!(rig.recorded(), "T:pp");
    rig.learner.state().gone_after = None;
    rig.check(&["."], "T:ppppI T:pppppL T:pppppL");
}

#[test]
fn a_crash_in_a_thread_is_closed_too() {
    let mut rig = Rig::new(train(4));
    rig.config.coupling = Coupling::Threads;
    let error = rig.run(&["..!"]).1.unwrap_err();
    assert!(matches!(error, ActorError::Panicked("actor-control")), "{error}");
    rig.check(&["."], "T:ppI T:pppppL");
}

#[test]
fn a_restart_goes_on_where_the_program_was() {
    let mut rig = Rig::new(demonstrate(2));
    rig.crash(&["HS", "H!"]);
    rig.check(&["HHS"], "D:HH+ D:HI D:HHH+");
    let (_, summary) = rig.run(&["HHS"]);
    assert_eq!(summary.unwrap().progress.demonstrations, 2);
    assert_eq!(rig.recorded(), "D:HH+ D:HI D:HHH+");
}

#[test]
fn an_actor_that_is_refused_ends_with_the_reason_and_moves_nothing() {
    for coupling in [Coupling::Lockstep, Coupling::Threads] {
        let mut rig = Rig::new(train(5));
        rig.config.coupling = coupling;
        rig.learner.state().refuse = Some(Refusal::Mismatch("another task".into()));
        let (cell, outcome) = rig.run(&["."]);
        let error = outcome.unwrap_err();
        assert!(matches!(error, ActorError::Uplink(UplinkError::Refused(_))), "{error}");
        assert!(error.to_string().contains("another task"));
        assert!(cell.briefs().is_empty());
    }
}

#[test]
fn a_learner_that_cannot_store_is_asked_again() {
    let mut rig = Rig::new(train(5));
    rig.learner.state().refuse = Some(Refusal::Unavailable("disk full".into()));
    rig.config.coupling = Coupling::Threads;
    let (learner, status) = (rig.learner.clone(), rig.status.clone());
    let mend = std::thread::Builder::new().name("mend".into());
    let mend = mend.spawn(move || {
        while status.get().link_trouble.is_none() {
            std::thread::yield_now();
        }
        learner.state().refuse = None;
    });
    rig.check(&["."], "T:pppppL");
    mend.unwrap().join().unwrap();
}
