//! Kills actor and learner at random and at chosen instants, starts them again, and compares what
//! the learner ends up with against what the simulated cell saw.
//!
//! `cargo xtask torture --trials N --seed S` runs many trials; without arguments, as among the other
//! tests, each kind of kill is tried once. The same seed makes the same plan; where in a process a
//! kill lands is up to the machine.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod aim;
mod cell;
mod plan;
mod trial;
mod watch;

#[path = "../ground_truth.rs"]
mod ground_truth;

use std::{collections::BTreeMap, process::ExitCode};

use clap::Parser;
use ground_truth::Verdict;
use indicatif::ProgressBar;

use self::{aim::Aim, trial::Outcome};

/// Kill trials of actor and learner.
#[derive(Debug, Parser)]
struct Arguments {
    /// Runs of actor and learner, each killed several times.
    #[arg(long)]
    trials: Option<u64>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Names of tests, from the common test command: this is none of them.
    #[arg(hide = true)]
    filters: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.filters.is_empty() {
        println!("SKIPPED: the torture has no tests to choose from by name");
        return ExitCode::SUCCESS;
    }
    let trials = arguments.trials.unwrap_or(plan::TRIALS_OF_EACH_KIND);
    let progress = ProgressBar::new(trials);
    let (mut verdict, mut strikes, mut failed) = (Verdict::default(), Strikes::default(), 0);
    for number in 0..trials {
        let outcome = trial::run(arguments.seed, number);
        strikes.count(&outcome);
        if !outcome.verdict.is_clean() || outcome.error.is_some() {
            failed += 1;
            progress.suspend(|| outcome.explain(number));
        }
        verdict.add(outcome.verdict);
        progress.inc(1);
    }
    progress.finish_and_clear();
    println!("{} moments of the arm were to be kept; kills that hit:", verdict.happened);
    strikes.print();
    if failed > 0 {
        println!("{failed} trials failed; their folders were kept");
    }
    println!("torture: {trials} trials, {verdict}");
    if failed == 0 && strikes.all_hit() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How often each kind of kill was meant, and how often it hit a running process.
#[derive(Default)]
struct Strikes(BTreeMap<&'static str, (u32, u32)>);

impl Strikes {
    fn count(&mut self, outcome: &Outcome) {
        for (aim, hit) in &outcome.strikes {
            let (meant, hits) = self.0.entry(Aim::name(aim)).or_default();
            *meant += 1;
            *hits += u32::from(*hit);
        }
    }

    /// A torture that killed nothing has shown nothing.
    fn all_hit(&self) -> bool {
        self.0.values().all(|(_, hits)| *hits > 0)
    }

    fn print(&self) {
        for (name, (meant, hits)) in &self.0 {
            println!("  {name:<34} {hits:>4} of {meant}");
        }
    }
}
