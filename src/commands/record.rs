//! `reins record`: demonstrations into a run, without training.

use actor::{Activity, Program, Status};
use anyhow::ensure;
use serde_json::json;
use tasks::{cell::TeleopDriver, run::CouplingMode};
use wire::{EpisodeId, EpisodeKind, Outcome};

use crate::{
    cli::Record,
    commands::resume,
    driven::{Plan, Session},
    results,
    run_dir::{Configuration, RunDir},
    shutdown,
};

pub fn run(record: &Record) -> anyhow::Result<()> {
    let (run_dir, configuration) = RunDir::open(&record.choice)?;
    let name = run_dir.name();
    ensure!(
        configuration.run.coupling.mode != CouplingMode::Lockstep,
        "run {name} is in lockstep, where demonstrations are done again with the rest: begin another \
         run, whose file does not say so"
    );
    let wanted = record.episodes.unwrap_or(configuration.run.budget.demo_episodes);
    ensure!(wanted > 0, "the run file asks for no demonstrations: say with --episodes how many");
    let shutdown = shutdown::on_signal()?;
    let session = Session::open(&run_dir, &configuration, wanted)?;
    // What the actor itself does not know of: others drove it, or its outbox is gone.
    let (own, others) = session.demonstrations();
    let elsewhere = others + own.saturating_sub(resume::progress(&run_dir)?.demonstrations);
    let program =
        Program { demonstrations: wanted.saturating_sub(elsewhere), ..Program::default() };
    let plan =
        Plan { program, review: reviews(record, &configuration), console: record.page.console };
    let mut teller = Teller { elsewhere, wanted, told: None };
    session.drive(plan, shutdown, move |status| {
        if let Some(line) = teller.hear(status) {
            eprintln!("{line}");
        }
    })?;
    conclude(record, &run_dir, wanted)
}

/// Whether there is somebody to ask what becomes of each demonstration.
fn reviews(record: &Record, configuration: &Configuration) -> bool {
    let mut hands = configuration.cell.teleops();
    let is_scripted = hands.any(|hand| hand.driver == TeleopDriver::Scripted);
    record.review || record.page.console.is_some() || !is_scripted
}

/// Says what there is, and what to do next.
fn conclude(record: &Record, run_dir: &RunDir, wanted: u32) -> anyhow::Result<()> {
    let episodes = results::episodes(run_dir, |_| 0.0)?;
    let outcomes: Vec<Outcome> = episodes
        .iter()
        .filter(|episode| episode.kind == EpisodeKind::Demonstration)
        .map(|episode| episode.outcome)
        .collect();
    let kept = outcomes.iter().filter(|outcome| **outcome == Outcome::Success).count();
    let not_kept = outcomes.len() - kept;
    let complete = kept >= wanted as usize;
    if record.json {
        let said = json!({
            "run": run_dir.path(), "demonstrations": kept, "wanted": wanted, "not_kept": not_kept,
            "complete": complete,
        });
        println!("{said:#}");
        return Ok(());
    }
    println!(
        "{}: {kept} demonstrations; {not_kept} more episodes do not count",
        run_dir.path().display()
    );
    if complete {
        println!("next: reins train {}", record.choice.in_words());
    } else {
        println!("next: the same command goes on to {wanted} demonstrations");
    }
    Ok(())
}

/// Tells the person at the terminal how far it has come, and when it waits for a word.
struct Teller {
    /// Demonstrations that the status does not count.
    elsewhere: u32,
    wanted: u32,
    told: Option<Told>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    have: u32,
    /// The demonstration that waits for a word, and whether it counts as things stand.
    waits: Option<(EpisodeId, bool)>,
}

impl Teller {
    /// The line that is to be said now.
    fn hear(&mut self, status: &Status) -> Option<String> {
        if matches!(status.activity, Activity::WaitingForLearner | Activity::Ended) {
            return None;
        }
        let have = self.elsewhere + status.demonstrations;
        let told = Told { have, waits: status.kept.map(|kept| (status.episode, kept)) };
        let before = self.told.replace(told);
        let togo = self.wanted.saturating_sub(have);
        match told.waits {
            Some((episode, kept)) if before != Some(told) => {
                let steps = status.episode_steps;
                let stands = if kept { "kept" } else { "not kept" };
                Some(format!(
                    "demonstration {episode}, {steps} steps: {stands} unless you say otherwise. {have} \
                     there, {togo} to go. keep, discard, undo or start?"
                ))
            }
            None if before.is_none_or(|before| before.have != have) => {
                Some(format!("{have} demonstrations there, {togo} to go"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let mut teller = Teller { elsewhere: 2, wanted: 4, told: None };
        let status = |activity, demonstrations, kept| Status {
            activity,
            demonstrations,
            kept,
            episode: EpisodeId(7),
            episode_steps: 12,
            ..Status::default()
        };
        assert_eq!(teller.hear(&Status::default()), None);
        let driving = status(Activity::Driving, 0, None);
        assert_eq!(teller.hear(&driving).unwrap(), "2 demonstrations there, 2 to go");
        assert_eq!(teller.hear(&driving), None);
        let kept = status(Activity::Reviewing, 1, Some(true));
        let line = teller.hear(&kept).unwrap();
        assert!(line.contains("7, 12 steps: kept") && line.contains("3 there, 1 to go"), "{line}");
        assert_eq!(teller.hear(&kept), None);
        let line = teller.hear(&status(Activity::Reviewing, 0, Some(false))).unwrap();
        assert!(line.contains("not kept") && line.contains("2 to go"), "{line}");
        assert_eq!(teller.hear(&driving), None, "said with the word");
        assert!(teller.hear(&status(Activity::Ended, 1, None)).is_none());
    }
}
