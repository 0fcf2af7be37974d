//! Parameters that come while the arm moves, and the learner's pace.

use actor::{ActorError, Coupling, ViewEvent};

use crate::rig::{Rig, demonstrate, train};

#[test]
fn new_parameters_drive_from_the_next_step_on() {
    let mut rig = Rig::new(train(5));
    // The start and three steps.
    rig.learner.state().publish_at = vec![(4, 2)];
    rig.check(&["."], "T:pppppL");
    let state = rig.learner.state();
    let versions: Vec<u64> = state.steps().iter().map(|step| step.policy_version.0).collect();
    assert_eq!(versions, [1, 1, 1, 2, 2]);
}

#[test]
fn a_demonstration_needs_no_policy_and_claims_none() {
    let mut rig = Rig::new(demonstrate(1));
    rig.check(&["HS"], "D:HH+");
    let state = rig.learner.state();
    assert!(state.steps().iter().all(|s| s.policy_version.0 == 0 && s.policy_action.is_none()));
}

#[test]
fn the_pace_is_waited_for_and_never_passed() {
    let mut rig = Rig::new(train(10));
    rig.learner.state().pace.env_step_limit = Some(1);
    rig.learner.state().grant_per_hello = 2;
    rig.check(&["."], "T:pppppL T:pppppL");
    assert_eq!(rig.learner.state().beyond_pace, 0);
    assert!(rig.status.get().pace_waits >= 3);
}

#[test]
fn waiting_for_the_pace_takes_no_time_and_misses_no_deadline() {
    let mut rig = Rig::new(train(5));
    rig.learner.state().pace.env_step_limit = Some(1);
    rig.learner.state().grant_per_hello = 1;
    rig.check(&["."], "T:pppppL");
    assert_eq!(rig.status.get().punctuality.missed, 0);
}

#[test]
fn demonstrations_do_not_wait_for_the_pace() {
    let mut rig = Rig::new(demonstrate(1));
    rig.learner.state().pace.env_step_limit = Some(0);
    rig.check(&["HHS"], "D:HHH+");
}

#[test]
fn a_learner_in_lockstep_that_never_gives_leave_is_an_error() {
    let mut rig = Rig::new(train(5));
    rig.learner.state().pace.env_step_limit = Some(2);
    let error = rig.run(&["."]).1.unwrap_err();
    assert!(matches!(error, ActorError::Stalled { .. }), "{error}");
    assert_eq!(rig.learner.state().beyond_pace, 0);
}

#[test]
fn a_finished_learner_ends_training_after_the_episode() {
    let mut rig = Rig::new(train(1000));
    rig.learner.state().pace.finished = true;
    rig.check(&["."], "");
}

#[test]
fn the_viewer_sees_every_step_and_a_slow_viewer_delays_nothing() {
    let mut rig = Rig::new(train(10));
    let (views, seen) = crossbeam_channel::bounded(8);
    rig.views = Some(views);
    rig.check(&["."], "T:pppppL T:pppppL");
    let kinds: String = seen
        .try_iter()
        .map(|event| match event {
            ViewEvent::Policy { .. } => 'v',
            ViewEvent::EpisodeStart { .. } => '[',
            ViewEvent::Step(step) => {
                assert!(step.env_step > 0);
                '.'
            }
            ViewEvent::EpisodeEnd { .. } => ']',
        })
        .collect();
    assert_eq!(kinds, "v[.....]");
    assert_eq!(rig.status.get().views_dropped, 7);
}

#[test]
fn with_threads_the_same_is_recorded() {
    let mut rig = Rig::new(train(10));
    rig.config.coupling = Coupling::Threads;
    rig.config.program.demonstrations = 1;
    rig.check(&["HS", "..s", ".H...", "..."], "D:HH+ T:ppp+ T:pHhppL T:pppppL");
    assert_eq!(rig.learner.state().goodbyes, 1);
}

#[test]
fn parameters_that_got_lost_are_asked_for_again() {
    let mut rig = Rig::new(train(5));
    rig.config.coupling = Coupling::Threads;
    rig.config.uplink.greet_every = std::time::Duration::from_millis(20);
    rig.learner.state().lose_parameters = 2;
    rig.check(&["."], "T:pppppL");
    assert!(rig.learner.state().hellos >= 3);
}
