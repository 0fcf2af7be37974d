//! What a run came to: reads journal, metrics and evaluations, writes the report, prints figures.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actor::Punctuality;
use anyhow::Context;
use replay::{DiskStorage, journal};
use tasks::RunConfig;
use wire::{EpisodeKind, RecordBody};

use crate::{
    comparison::Member,
    evaluation,
    report::{self, EpisodeFigures, EvaluationSummary, Evaluations, ReportData, Summary},
    run_dir::{Configuration, RunDir},
    truth::Truth,
};

/// Folders of evaluations.
pub const SAMPLED: &str = "sampled";
pub const MEAN: &str = "mean";
pub const CLONED: &str = "cloned";

/// Writes the report and prints its figures.
pub fn report(run_dir: &RunDir, json: bool) -> anyhow::Result<()> {
    let data = data(run_dir)?;
    let summary = report::write(run_dir.path(), &data)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        println!("{}", in_words(&summary));
        println!("report: {}", run_dir.report().join("index.html").display());
        println!("next: {}", next(run_dir, &data));
    }
    Ok(())
}

fn next(run_dir: &RunDir, data: &ReportData) -> String {
    let run = run_dir.path().display();
    let Evaluations { sampled, mean, .. } = &data.evaluations;
    if data.learner_steps == 0 {
        format!("reins resume {run}")
    } else if sampled.is_none() && mean.is_none() {
        format!("reins eval {run}")
    } else {
        format!("reins compare {run} OTHER-RUN")
    }
}

/// A run as it stands beside others. Its seed, its budget of threads and where it listens make no
/// difference of kind.
pub fn member(run_dir: &RunDir) -> anyhow::Result<Member> {
    let Configuration { cell, task, run, .. } = run_dir.configuration()?;
    let budget = (run.budget.env_steps, run.budget.demo_episodes);
    let learning = RunConfig { seed: 0, ..run }.learning_hash();
    let kind = format!("{} {} {learning} {budget:?}", cell.hash(), task.hash());
    let data = data(run_dir)?;
    Ok(Member { summary: Summary::of(&data), step_period_s: data.step_period_s, kind })
}

fn data(run_dir: &RunDir) -> anyhow::Result<ReportData> {
    let manifest = run_dir.manifest()?;
    let configuration = run_dir.configuration()?;
    let metrics = match run_dir.metrics().exists() {
        true => learner::metrics::read(&run_dir.metrics())?,
        false => Vec::new(),
    };
    let minutes_at = |env_step: u64| {
        let later = metrics.partition_point(|line| line.metrics.env_steps < env_step);
        metrics.get(later).or(metrics.last()).map_or(0.0, |line| line.metrics.minutes)
    };
    let episodes = episodes(run_dir, minutes_at)?;
    let last = metrics.last();
    let measured = |name: &str| -> anyhow::Result<_> {
        Ok(evaluation::read(&run_dir.evaluation(name))?.map(|measured| measured.episodes))
    };
    let machine = &manifest.machine;
    Ok(ReportData {
        run: manifest.run,
        task: configuration.task.name.clone(),
        seed: manifest.seed,
        train_minutes: last.map_or(0.0, |line| line.metrics.minutes),
        env_steps: episodes.last().map_or(0, |episode| episode.env_step),
        learner_steps: last.map_or(0, |line| line.learner_step),
        step_period_s: configuration.task.period().as_secs_f64(),
        evaluations: Evaluations {
            sampled: measured(SAMPLED)?,
            mean: measured(MEAN)?,
            behaviour_cloning: measured(CLONED)?,
        },
        machine: BTreeMap::from([
            ("reins".into(), manifest.reins),
            ("system".into(), machine.system.clone()),
            ("processor".into(), machine.processor.clone()),
            ("cores".into(), machine.cores.to_string()),
            ("memory".into(), format!("{} GiB", machine.memory_gib)),
        ]),
        episodes,
        metrics,
    })
}

/// Every complete episode in the learner's journal.
pub fn episodes(
    run_dir: &RunDir,
    minutes_at: impl Fn(u64) -> f64,
) -> anyhow::Result<Vec<EpisodeFigures>> {
    if !run_dir.journal().is_dir() {
        return Ok(Vec::new());
    }
    let mut env_step = 0;
    let mut kinds = BTreeMap::new();
    let mut places = BTreeMap::new();
    let mut truths: BTreeMap<_, Truth> = BTreeMap::new();
    let mut episodes = Vec::new();
    for record in journal::read_only(Arc::new(DiskStorage), &run_dir.journal())? {
        let (_, record) = record.context("reading the journal for the report")?;
        let key = (record.actor, record.position.episode);
        match record.body {
            RecordBody::EpisodeStart(start) => {
                kinds.insert(key, start.kind);
            }
            RecordBody::Step(step) => {
                truths.entry(key).or_default().add(&step.judgement);
                env_step += u64::from(kinds.get(&key) == Some(&EpisodeKind::Training));
            }
            RecordBody::EpisodeEnd(end) => {
                let Some(kind) = kinds.remove(&key) else { continue };
                places.insert(key.0, (key.1, episodes.len()));
                episodes.push(EpisodeFigures {
                    index: key.1.0,
                    kind,
                    steps: end.steps,
                    human_steps: end.human_steps,
                    interventions: end.interventions,
                    outcome: end.outcome,
                    env_step,
                    minutes: minutes_at(env_step),
                    truth: truths.remove(&key).unwrap_or_default().known(),
                });
            }
            RecordBody::Revision(revision) => {
                let place = places.get(&key.0).filter(|(episode, _)| *episode == key.1);
                if let Some((_, place)) = place {
                    episodes[*place].outcome = revision.outcome;
                }
            }
        }
    }
    Ok(episodes)
}

fn in_words(summary: &Summary) -> String {
    let mut lines = vec![format!(
        "run {}, seed {}: {} env steps and {} updates in {:.1} minutes, {} training episodes",
        summary.run,
        summary.seed,
        summary.env_steps,
        summary.learner_steps,
        summary.train_minutes,
        summary.training_episodes,
    )];
    if let Some(rate) = summary.intervention_rate_last20 {
        lines
            .push(format!("interventions in the last 20 episodes: {:.1} % of steps", 100.0 * rate));
    }
    if let Some(steps) = summary.demonstrations.cycle_time_steps {
        lines.push(format!(
            "demonstrations: {}, {steps:.1} steps each",
            summary.demonstrations.episodes
        ));
    }
    for (name, evaluation) in summary.evaluations() {
        lines.push(format!("{name}: {}", evaluation_in_words(evaluation)));
    }
    lines.join("\n")
}

/// None where the cell's time is simulated: it waits for the steps.
pub fn punctuality_in_words(punctuality: Punctuality) -> Option<String> {
    let ms = |time: Duration| 1e3 * time.as_secs_f64();
    let Punctuality { steps, missed, jitter_max, .. } = punctuality;
    (!jitter_max.is_zero()).then(|| {
        format!(
            "{steps} steps, {missed} deadlines missed; a step began {:.1} ms late on average, {:.1} ms \
             at most",
            ms(punctuality.jitter_mean()),
            ms(jitter_max)
        )
    })
}

pub fn evaluation_in_words(evaluation: &EvaluationSummary) -> String {
    let mut words = format!("{} of {} succeeded", evaluation.successes, evaluation.episodes);
    if let Some([lower, upper]) = evaluation.success_interval_95 {
        words += &format!(" (95 %: {:.1} to {:.1} %)", 100.0 * lower, 100.0 * upper);
    }
    if let (Some(steps), Some(seconds)) = (evaluation.cycle_time_steps, evaluation.cycle_time_s) {
        words += &format!(", cycle time {steps:.1} steps ({seconds:.2} s)");
    }
    if let Some(truth) = &evaluation.truth {
        words += &format!(
            "; the cell itself saw {} successes: {} false, {} missed",
            truth.successes, truth.false_positives, truth.missed
        );
    }
    words
}
