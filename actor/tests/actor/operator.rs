//! A person at the page: pauses, and a hand that has to prove that it is still there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use actor::{Activity, OperatorCommand, Status, StatusSlot, ViewEvent};
use crossbeam_channel::{Receiver, Sender};
use drivers::{EpisodeBrief, Stamped, StopKind, Teleop, TeleopError, TeleopSample};
use wire::{GateEvents, ManualClock, Timestamp};

use crate::{
    cell::Cell,
    rig::{Rig, demonstrate, train},
};

const DEAD_MAN: Duration = Duration::from_millis(150);

/// The cell's hand, with samples that are as old as the script says, one number (ms) per step.
struct Handle {
    cell: Cell,
    ages: Vec<u64>,
    samples: usize,
}

impl Teleop for Handle {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        let sample = self.cell.sample()?;
        let age = self.ages[self.samples.min(self.ages.len() - 1)];
        self.samples += 1;
        Ok(Stamped { at: sample.at.before(Duration::from_millis(age)), ..sample })
    }

    fn announce(&mut self, brief: &EpisodeBrief) {
        self.cell.announce(brief);
    }

    fn dead_man(&self) -> Option<Duration> {
        Some(DEAD_MAN)
    }
}

/// A hand that pushes all the time, with samples of these ages; what was recorded.
fn pushing(ages: &[u64]) -> Rig {
    let mut rig = Rig::new(train(5));
    rig.config.teleop_same_max = Duration::from_millis(200);
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), &["HHHHH"]);
    let (config, mut parts) = rig.parts(&cell);
    parts.arms[0].teleop = Some(Box::new(Handle { cell, ages: ages.into(), samples: 0 }));
    actor::run(config, parts, rig.shutdown.clone()).expect("a run");
    rig
}

#[test]
fn a_key_that_is_held_down_is_no_stuck_device() {
    assert_eq!(pushing(&[0]).recorded(), "T:HHHHHL");
}

#[test]
fn a_hand_that_is_heard_no_more_holds_the_arm_within_a_step() {
    // The third sample is good for another 20 ms; the fourth is too old.
    let rig = pushing(&[0, 0, 130, 160]);
    assert_eq!(rig.recorded(), "T:HHHhhL");
    let state = rig.learner.state();
    let expired = |step: &&wire::Step| step.gate_events.contains(GateEvents::LEASE_EXPIRED);
    let steps = state.steps();
    assert_eq!(steps.iter().map(expired).collect::<Vec<_>>(), [false, false, true, false, false]);
    let moved = |step: &wire::Step| step.executed_action.0[0];
    assert!(moved(steps[2]) < 0.8 * moved(steps[1]), "{} {}", moved(steps[2]), moved(steps[1]));
    assert!(moved(steps[3]).abs() < 1e-3, "{}", moved(steps[3]));
}

/// A person who has heard and seen what the actor does so far.
struct Person {
    say: Sender<OperatorCommand>,
    seen: Receiver<ViewEvent>,
    status: StatusSlot,
    clock: Arc<ManualClock>,
    cell: Cell,
}

impl Person {
    fn await_step(&self) {
        while !matches!(self.seen.recv().expect("the actor runs"), ViewEvent::Step(_)) {}
    }

    fn await_activity(&self, wanted: Activity) {
        while self.status.get().activity != wanted {
            assert_ne!(self.status.get().activity, Activity::Ended, "before it was {wanted:?}");
            for _ in self.seen.try_iter() {}
            thread::yield_now();
        }
    }

    /// Waits until this demonstration waits for a word, and stands so.
    fn await_review(&self, episode: u32, kept: bool) {
        let is_there = |status: &Status| status.episode.0 == episode && status.kept == Some(kept);
        while !is_there(&self.status.get()) {
            assert_ne!(self.status.get().activity, Activity::Ended, "before episode {episode}");
            for _ in self.seen.try_iter() {}
            thread::yield_now();
        }
    }

    fn say(&self, command: OperatorCommand) {
        self.say.send(command).expect("the actor listens");
    }

    /// When, and how many targets the arm has had.
    fn moment(&self) -> (Timestamp, usize) {
        (wire::Clock::now(&*self.clock), self.cell.commands().len())
    }
}

/// Whatever the person comes to, the actor ends.
struct Leaves(Arc<AtomicBool>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs episodes that no time limit ends while the person does something; what was recorded.
#[track_caller]
fn check(act: impl FnOnce(&Person) + Send + 'static) -> (String, Cell) {
    let mut rig = Rig::new(train(u64::MAX));
    // The simulated time runs ahead of the person's thread.
    rig.steps_max = 100_000;
    let cell = check_in(&mut rig, &["."], act);
    (rig.recorded(), cell)
}

#[track_caller]
fn check_in(rig: &mut Rig, scripts: &[&str], act: impl FnOnce(&Person) + Send + 'static) -> Cell {
    let (say, heard) = crossbeam_channel::bounded(4);
    rig.operator = Some(heard);
    let (views, seen) = crossbeam_channel::bounded(64);
    rig.views = Some(views);
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), scripts);
    cell.give_word(say.clone(), OperatorCommand::Discard);
    let (status, clock) = (rig.status.clone(), rig.clock.clone());
    let person = Person { say, seen, status, clock, cell: cell.clone() };
    let leaves = Leaves(rig.shutdown.clone());
    let acting = move || {
        act(&person);
        drop(leaves);
        for _ in person.seen {}
    };
    let thread: JoinHandle<()> =
        thread::Builder::new().name("person".into()).spawn(acting).expect("a thread");
    let outcome = rig.run_in(&cell);
    rig.views = None;
    thread.join().expect("the person saw what was expected");
    outcome.expect("a run");
    cell
}

#[test]
fn a_pause_holds_the_arm_until_the_operator_goes_on() {
    let (recorded, cell) = check(|person| {
        person.await_step();
        person.say(OperatorCommand::Pause);
        person.await_activity(Activity::Paused);
        let then = person.moment();
        for _ in 0..1000 {
            thread::yield_now();
        }
        assert_eq!(person.moment(), then, "a paused arm moves");
        person.say(OperatorCommand::Resume);
        person.await_step();
    });
    assert!(cell.stops().contains(&StopKind::Hold));
    assert!(!recorded.contains('O') && !recorded.contains('F'), "{recorded}");
}

#[test]
fn an_episode_can_end_in_a_pause() {
    let (recorded, _) = check(|person| {
        person.await_step();
        person.say(OperatorCommand::Pause);
        person.await_activity(Activity::Paused);
        person.say(OperatorCommand::EndEpisode);
        // The pause goes on: nothing is reset before the operator says so.
        person.await_activity(Activity::Paused);
        person.say(OperatorCommand::Resume);
        person.await_activity(Activity::Driving);
        person.await_step();
    });
    assert_eq!(recorded.matches('O').count(), 1, "{recorded}");
}

#[test]
fn an_emergency_stop_in_a_pause_waits_for_the_operator() {
    let (recorded, cell) = check(|person| {
        person.await_step();
        person.say(OperatorCommand::Pause);
        person.await_activity(Activity::Paused);
        person.say(OperatorCommand::EmergencyStop);
        person.await_activity(Activity::WaitingForOperator);
        person.say(OperatorCommand::Recover);
        person.await_activity(Activity::Driving);
        person.await_step();
    });
    assert_eq!(recorded.matches('F').count(), 1, "{recorded}");
    assert!(cell.stops().contains(&StopKind::Controlled));
}

/// Runs the script for so many demonstrations, each of which waits for the person's word.
#[track_caller]
fn check_review(
    demonstrations: u32,
    scripts: &[&str],
    recorded: &str,
    act: impl FnOnce(&Person) + Send + 'static,
) -> Rig {
    let mut rig = Rig::new(demonstrate(demonstrations));
    rig.config.review = true;
    check_in(&mut rig, scripts, act);
    assert_eq!(rig.recorded(), recorded);
    rig
}

#[test]
fn a_demonstration_waits_for_a_word_and_is_kept_or_discarded() {
    check_review(2, &["S"], "D:H+x D:H+ D:H+", |person| {
        person.await_review(0, true);
        let then = person.moment();
        for _ in 0..1000 {
            thread::yield_now();
        }
        assert_eq!(person.moment(), then, "an arm moves that waits for a word");
        person.say(OperatorCommand::Discard);
        person.await_review(1, true);
        person.say(OperatorCommand::Keep);
        person.await_review(2, true);
        person.say(OperatorCommand::Keep);
    });
}

#[test]
fn without_a_word_a_success_is_kept_and_a_failure_is_not() {
    check_review(1, &[".", "S"], "D:hhhhhL D:H+", |person| {
        person.await_review(0, false);
        person.say(OperatorCommand::Resume);
        person.await_review(1, true);
        person.say(OperatorCommand::Resume);
    });
}

#[test]
fn a_failure_is_kept_when_the_person_says_so() {
    check_review(1, &["."], "D:hhhhhLk", |person| {
        person.await_review(0, false);
        person.say(OperatorCommand::Keep);
    });
}

#[test]
fn what_was_kept_is_taken_back_before_the_next_begins() {
    check_review(1, &["S"], "D:H+x D:H+", |person| {
        person.await_review(0, true);
        person.say(OperatorCommand::Undo);
        person.await_review(0, false);
        person.say(OperatorCommand::Resume);
        person.await_review(1, true);
        person.say(OperatorCommand::Resume);
    });
    // After the word that kept it, too. The pause gives the person the time.
    check_review(2, &["S"], "D:H+x D:H+ D:H+", |person| {
        person.await_review(0, true);
        person.say(OperatorCommand::Pause);
        person.say(OperatorCommand::Keep);
        person.await_activity(Activity::Paused);
        person.say(OperatorCommand::Undo);
        person.say(OperatorCommand::Resume);
        person.await_review(1, true);
        person.say(OperatorCommand::Keep);
        person.await_review(2, true);
        person.say(OperatorCommand::Keep);
    });
}

#[test]
fn a_demonstration_that_goes_wrong_is_discarded_while_it_is_driven() {
    // It does not wait for the same word again.
    check_review(1, &["Hw.", "S"], "D:HhhO D:H+", |person| {
        person.await_review(1, true);
        person.say(OperatorCommand::Keep);
    });
}

#[test]
fn where_nobody_is_left_to_say_a_word_nothing_waits() {
    let mut rig = Rig::new(demonstrate(2));
    rig.config.review = true;
    rig.operator = Some(crossbeam_channel::bounded(1).1);
    rig.check(&["S"], "D:H+ D:H+");
}

#[test]
fn a_later_process_takes_back_what_was_kept_last() {
    let mut rig = check_review(2, &["S"], "D:H+", |person| person.await_review(0, true));
    rig.shutdown.store(false, Ordering::SeqCst);
    let (say, heard) = crossbeam_channel::bounded(1);
    say.send(OperatorCommand::Undo).expect("there is room");
    drop(say);
    rig.operator = Some(heard);
    rig.check(&["S"], "D:H+x D:H+ D:H+");
    assert_eq!(rig.status.get().demonstrations, 2);
}

#[test]
fn a_review_without_anybody_to_ask_is_refused() {
    let mut rig = Rig::new(demonstrate(1));
    rig.config.review = true;
    let error = rig.run(&["S"]).1.expect_err("nobody is there").to_string();
    assert!(error.contains("nobody can say one"), "{error}");
}
