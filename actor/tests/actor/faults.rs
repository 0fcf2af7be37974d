//! Devices fail, people stop things, disks fill up.

use std::{sync::atomic::Ordering, time::Duration};

use actor::{Activity, ActorError, Coupling, OperatorCommand};
use replay::{JournalConfig, Retention, SyncPolicy};
use wire::GateEvents;

use crate::{
    cell::Cell,
    rig::{Rig, demonstrate, train},
};

#[test]
fn an_arm_that_stops_by_itself_ends_the_episode_and_is_recovered_for_the_next() {
    let mut rig = Rig::new(train(6));
    // The command of the third step is refused: that step never happened.
    rig.check(&["..R", "."], "T:ppF T:pppppL");
    assert_eq!(rig.status.get().faults.recoveries, 1);
}

#[test]
fn an_arm_that_keeps_stopping_needs_the_operator() {
    let mut rig = Rig::new(train(100));
    let error = rig.run(&["R"]).1.unwrap_err();
    assert!(matches!(error, ActorError::ArmNeedsOperator { times: 4 }), "{error}");
}

/// Lets the operator say `Recover` once, as soon as the actor waits for it.
fn recovering_operator(rig: &mut Rig) -> std::thread::JoinHandle<()> {
    let (say, heard) = crossbeam_channel::bounded(4);
    rig.operator = Some(heard);
    let status = rig.status.clone();
    let person = std::thread::Builder::new().name("operator".into());
    let waits = move || {
        while status.get().activity != Activity::WaitingForOperator {
            std::thread::yield_now();
        }
        say.send(OperatorCommand::Recover).expect("the actor waits");
        // Stays until the run has ended.
        while status.get().activity != Activity::Ended {
            std::thread::yield_now();
        }
    };
    person.spawn(waits).expect("a thread")
}

#[test]
fn an_arm_that_keeps_stopping_goes_on_when_the_operator_says_so() {
    let mut rig = Rig::new(train(5));
    let operator = recovering_operator(&mut rig);
    rig.check(&["R", "R", "R", "R", "."], "T:F T:F T:F T:F T:pppppL");
    operator.join().unwrap();
    assert_eq!(rig.status.get().faults.recoveries, 3, "three by itself, one by the operator");
}

#[test]
fn too_hard_a_contact_truncates_the_episode_with_the_step_in_it() {
    let mut rig = Rig::new(train(8));
    rig.policy_x = -1.0;
    rig.check(&["..F", "."], "T:pppF T:pppppL");
    let state = rig.learner.state();
    let step = state.steps()[2];
    assert!(step.truncated && !step.terminated && step.reward <= 0.0);
    assert!(step.gate_events.contains(GateEvents::FORCE));
    // The motion was over after 20 ms: not all of the command was executed.
    assert!(step.executed_action.0[0].abs() < step.commanded_action.0[0].abs());
    assert_eq!(rig.status.get().gate.of(GateEvents::FORCE), 1);
    assert_eq!(rig.status.get().faults.recoveries, 1);
}

#[test]
fn the_robots_own_stop_is_not_recovered_without_the_operator() {
    let mut rig = Rig::new(train(6));
    let error = rig.run(&["..E", "."]).1.unwrap_err();
    assert!(matches!(error, ActorError::ArmNeedsOperator { .. }), "{error}");
    assert_eq!(rig.recorded(), "T:ppF");

    let mut rig = Rig::new(train(7));
    let operator = recovering_operator(&mut rig);
    rig.check(&["..E", "."], "T:ppF T:pppppL");
    operator.join().unwrap();
    assert_eq!(rig.status.get().faults.recoveries, 0);
}

#[test]
fn an_operators_emergency_stop_ends_the_episode_and_stays() {
    let mut rig = Rig::new(train(u64::MAX));
    // The simulated time runs ahead of the person's thread.
    rig.steps_max = 100_000;
    let (say, heard) = crossbeam_channel::bounded(4);
    rig.operator = Some(heard);
    let shutdown = rig.shutdown.clone();
    let (views, seen) = crossbeam_channel::bounded(64);
    rig.views = Some(views);
    let status = rig.status.clone();
    let person = std::thread::Builder::new().name("operator".into());
    let person = person.spawn(move || {
        while !matches!(seen.recv(), Ok(actor::ViewEvent::Step(_))) {}
        say.send(OperatorCommand::EmergencyStop).expect("the actor runs");
        // Nothing but `Recover` ends it.
        while status.get().activity != Activity::WaitingForOperator {
            std::thread::yield_now();
        }
        say.send(OperatorCommand::Release).expect("the actor waits");
        say.send(OperatorCommand::Recover).expect("the actor waits");
        while status.get().activity != Activity::Driving {
            std::thread::yield_now();
        }
        shutdown.store(true, Ordering::SeqCst);
        for _ in seen {}
        say
    });
    let (cell, outcome) = rig.run(&["."]);
    outcome.unwrap();
    rig.views = None;
    person.unwrap().join().unwrap();
    let recorded = rig.recorded();
    assert_eq!(recorded.matches('F').count(), 1, "{recorded}");
    assert!(cell.stops().contains(&drivers::StopKind::Controlled));
    assert_eq!(rig.status.get().gate.of(GateEvents::EMERGENCY_STOP), 1);
}

#[test]
fn an_old_picture_stands_in_for_a_while() {
    let mut rig = Rig::new(train(5));
    rig.camera = Some("++--++".into());
    rig.check(&["."], "T:pppppL");
    assert_eq!(rig.status.get().faults.stale_frames, 2);
    let state = rig.learner.state();
    let pictures: Vec<u8> =
        state.steps().iter().map(|step| step.next_observation.frames[0].pixels[0]).collect();
    assert_eq!((pictures[0], pictures[1]), (pictures[2], pictures[0]), "{pictures:?}");
    assert!(pictures[3] > pictures[2]);
}

#[test]
fn a_camera_that_stays_away_ends_the_episode() {
    let mut rig = Rig::new(train(4));
    rig.config.stale_frames_max = 1;
    rig.camera = Some("++--++++++++++".into());
    // The step before the loss has no true successor and is not recorded.
    rig.check(&["."], "T:ppF T:pppppL");
}

#[test]
fn frames_carry_their_features() {
    let mut rig = Rig::new(train(5));
    rig.camera = Some(String::new());
    rig.check(&["."], "T:pppppL");
    for step in rig.learner.state().steps() {
        let observation = &step.next_observation;
        assert_eq!(observation.features[0].values[0], u16::from(observation.frames[0].pixels[0]));
    }
}

#[test]
fn a_cell_without_the_tasks_camera_is_refused_before_anything_moves() {
    let mut rig = Rig::new(train(5));
    rig.camera = Some(String::new());
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), &["."]);
    let (config, mut parts) = rig.parts(&cell);
    parts.cameras.clear();
    let error = actor::run(config, parts, rig.shutdown.clone()).unwrap_err();
    assert!(matches!(error, ActorError::Cell(_)), "{error}");
    assert!(cell.briefs().is_empty());
}

#[test]
fn an_operator_ends_an_episode() {
    let mut rig = Rig::new(demonstrate(1));
    let (say, heard) = crossbeam_channel::bounded(4);
    rig.operator = Some(heard);
    let (views, seen) = crossbeam_channel::bounded(64);
    rig.views = Some(views);
    rig.config.coupling = Coupling::Threads;
    let person = std::thread::Builder::new().name("person".into());
    let person = person.spawn(move || {
        // He speaks when he sees the first step of the first episode.
        let mut said = false;
        for event in seen {
            if matches!(event, actor::ViewEvent::Step(_)) && !said {
                said = say.send(OperatorCommand::EndEpisode).is_ok();
            }
        }
        said
    });
    rig.config.program = demonstrate(1);
    let (_, outcome) = rig.run(&["H", "S"]);
    outcome.unwrap();
    rig.views = None;
    assert!(person.unwrap().join().unwrap());
    let recorded = rig.recorded();
    assert!(recorded.starts_with("D:H") && recorded.ends_with("D:H+"), "{recorded}");
}

#[test]
fn shutdown_ends_the_episode_in_good_order_and_a_restart_goes_on() {
    for coupling in [Coupling::Lockstep, Coupling::Threads] {
        let mut rig = Rig::new(train(8));
        rig.config.coupling = coupling;
        let summary = rig.run(&["..Q"]).1.unwrap();
        assert!(summary.interrupted);
        assert_eq!(rig.recorded(), "T:pppI");
        rig.shutdown.store(false, Ordering::SeqCst);
        rig.check(&["."], "T:pppI T:pppppL");
        assert_eq!(rig.status.get().activity, Activity::Ended);
    }
}

#[test]
fn a_full_outbox_truncates_the_episode_and_loses_nothing() {
    let mut rig = Rig::new(train(200));
    rig.learner.state().gone_after = Some(2);
    rig.config.coupling = Coupling::Threads;
    rig.config.outbox = JournalConfig {
        segment_bytes: 4096,
        sync: SyncPolicy::EveryAppend,
        retention: Retention::UntilReleased { max_bytes: 8192, reserve_bytes: 1024 },
    };
    let (learner, status) = (rig.learner.clone(), rig.status.clone());
    let back = std::thread::Builder::new().name("back".into());
    let back = back.spawn(move || {
        let said = loop {
            let now = status.get();
            let said = now.to_string();
            let told = ["the outbox is full: start the learner", "the learner takes nothing"];
            let all_told = told.iter().all(|words| said.contains(words));
            if all_told || now.activity == Activity::Ended {
                break said;
            }
            std::thread::yield_now();
        };
        learner.state().gone_after = None;
        said
    });
    rig.config.drain_timeout = Duration::from_secs(10);
    let summary = rig.run(&["."]).1.unwrap();
    let said = back.unwrap().join().unwrap();
    assert!(said.contains("the outbox is full: start the learner"), "{said}");
    assert!(said.contains("the learner takes nothing"), "{said}");
    assert_eq!(summary.unsent, 0);
    assert!(rig.recorded().contains('F'), "{}", rig.recorded());
    rig.check_successors();
}
