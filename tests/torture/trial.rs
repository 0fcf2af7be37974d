//! One run of actor and learner that is killed several times and must come out whole.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    aim::Aim,
    cell::{Pair, Place},
    ground_truth::Verdict,
    plan::{Plan, Strike},
    watch,
};

/// A chance to strike comes within this time, or never.
const AIM_PATIENCE: Duration = Duration::from_secs(20);
/// What is left after the last kill takes seconds.
const END_PATIENCE: Duration = Duration::from_secs(120);
/// An actor ends by itself so long after its learner, at the most.
const ALONE_MAX: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(10);

pub struct Outcome {
    pub verdict: Verdict,
    pub strikes: Vec<(Aim, bool)>,
    /// Why the run did not come to its end.
    pub error: Option<String>,
    folder: Option<PathBuf>,
    plan: Plan,
}

impl Outcome {
    pub fn explain(&self, number: u64) {
        println!("trial {number}: {}", self.verdict);
        for complaint in self.verdict.complaints.iter().take(20) {
            println!("  {complaint}");
        }
        if let Some(error) = &self.error {
            println!("  {error}");
        }
        println!("  plan: {:?}", self.plan);
        if let Some(folder) = &self.folder {
            println!("  kept in {}", folder.display());
        }
    }
}

pub fn run(seed: u64, number: u64) -> Outcome {
    let plan = Plan::new(seed, number);
    let folder = tempfile::Builder::new().prefix("torture-").tempdir().unwrap();
    let run_seed = seed.wrapping_mul(1000).wrapping_add(number) >> 1;
    let place = Place::new(folder.path().to_owned(), run_seed, plan.size);
    let mut pair = Pair::start(&place);
    let mut strikes = Vec::new();
    for strike in &plan.strikes {
        let hit = carry_out(strike, &place, &mut pair);
        strikes.push((strike.aim, hit));
    }
    let error = finish(&place, &mut pair);
    let verdict = place.verdict();
    let failed = error.is_some() || !verdict.is_clean();
    let folder = failed.then(|| folder.keep());
    Outcome { verdict, strikes, error, folder, plan }
}

/// Whether the kill hit as it was meant. Both processes run when this returns, or are done.
fn carry_out(strike: &Strike, place: &Place, pair: &mut Pair) -> bool {
    if strike.aim == Aim::OutboxFull && await_driving(place, pair) {
        pair.learner.signal(Signal::STOP);
    }
    let hit = take_aim(strike, place, pair) && pair.is_running(strike.victim);
    if hit {
        pair.kill(strike.victim);
        thread::sleep(strike.pause);
        pair.restart(place, strike.victim);
    }
    if strike.aim == Aim::OutboxFull {
        pair.learner.signal(Signal::CONT);
    }
    hit
}

/// An actor that no learner has welcomed does nothing that could fill an outbox.
#[expect(clippy::disallowed_methods, reason = "the limit of a wait for other processes")]
fn await_driving(place: &Place, pair: &mut Pair) -> bool {
    let until = Instant::now() + AIM_PATIENCE;
    while !place.actor_says("driving") {
        if Instant::now() >= until || !pair.actor.is_running() {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "the limit of a wait for other processes")]
fn take_aim(strike: &Strike, place: &Place, pair: &mut Pair) -> bool {
    let until = Instant::now() + AIM_PATIENCE;
    match strike.aim {
        Aim::AnyInstant(after) => {
            thread::sleep(after);
            true
        }
        Aim::OutboxFull => {
            while !place.actor_says("waiting_for_outbox") {
                if Instant::now() >= until || !pair.actor.is_running() {
                    return false;
                }
                thread::sleep(POLL);
            }
            true
        }
        _ => {
            let (folder, sight) = strike.aim.sight().expect("all others are seen in a folder");
            let folder = place.run().join(folder);
            let victim = strike.victim;
            watch::wait(&folder, sight, strike.let_pass, until, || !pair.is_running(victim))
        }
    }
}

/// Waits until both have ended in good order; starts again whoever was left alone.
#[expect(clippy::disallowed_methods, reason = "the limit of a wait for other processes")]
fn finish(place: &Place, pair: &mut Pair) -> Option<String> {
    let until = Instant::now() + END_PATIENCE;
    let mut alone_since = None;
    loop {
        let (actor, learner) = (pair.actor.is_done(), pair.learner.is_done());
        if actor && learner {
            return None;
        }
        for (name, process, done) in
            [("actor", &mut pair.actor, actor), ("learner", &mut pair.learner, learner)]
        {
            if !done && !process.is_running() {
                return Some(format!("the {name} failed by itself, see {name}.log"));
            }
        }
        if learner && !actor {
            // Killed after the learner had said farewell to it: it has a word left to say.
            let since = *alone_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= ALONE_MAX {
                pair.learner = place.start("learner");
                alone_since = None;
            }
        }
        if Instant::now() >= until {
            return Some(format!("not done after {END_PATIENCE:?}"));
        }
        thread::sleep(POLL);
    }
}
