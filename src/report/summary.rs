//! `summary.json`: the figures of a run as data. Documented in `docs/summary-json.md`.

use std::collections::BTreeMap;

use serde::Serialize;
use wire::EpisodeKind;

use super::{
    ReportData,
    curves::{CurvePoint, EpisodeFigures, cycle_time, training_curve},
    interval::success_interval,
    losses::{LossPoint, thinned},
};

/// Raised when a key changes its meaning or goes away.
pub const SUMMARY_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub version: u32,
    pub run: String,
    pub task: String,
    pub seed: u64,
    /// By the learner's clock, without pauses between processes.
    pub train_minutes: f64,
    pub env_steps: u64,
    pub learner_steps: u64,
    pub training_episodes: usize,
    pub interventions: u64,
    /// `None` before the first training episode, as the two rates that follow.
    pub intervention_rate_last20: Option<f64>,
    pub success_rate_last20_autonomous: Option<f64>,
    pub success_rate_last20_assisted: Option<f64>,
    pub demonstrations: DemonstrationSummary,
    /// The trained policy, its actions sampled: the figure that counts.
    pub eval: Option<EvaluationSummary>,
    /// The trained policy, acting by its mean.
    pub eval_mean: Option<EvaluationSummary>,
    /// Behaviour cloning of the same demonstrations.
    pub eval_bc: Option<EvaluationSummary>,
    pub machine: BTreeMap<String, String>,
    pub curves: Curves,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DemonstrationSummary {
    pub episodes: usize,
    pub steps: u64,
    /// Mean of the successful ones.
    pub cycle_time_steps: Option<f64>,
    pub cycle_time_s: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationSummary {
    pub successes: usize,
    pub episodes: usize,
    /// Wilson; lower and upper bound.
    pub success_interval_95: Option<[f64; 2]>,
    /// Mean of the successful ones.
    pub cycle_time_steps: Option<f64>,
    pub cycle_time_s: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curves {
    /// One point per training episode.
    pub training: Vec<CurvePoint>,
    /// At most 250 points.
    pub learning: Vec<LossPoint>,
}

impl Summary {
    pub fn of(data: &ReportData) -> Self {
        let curves =
            Curves { training: training_curve(&data.episodes), learning: thinned(&data.metrics) };
        let demonstrations: Vec<_> =
            data.episodes.iter().filter(|e| e.kind == EpisodeKind::Demonstration).collect();
        let training = || data.episodes.iter().filter(|e| e.kind == EpisodeKind::Training);
        let demonstration_cycle = cycle_time(demonstrations.iter().copied());
        let evaluation = |episodes: &Option<Vec<EpisodeFigures>>| {
            episodes.as_ref().map(|e| EvaluationSummary::new(e, data.step_period_s))
        };
        let last = curves.training.last();
        Self {
            version: SUMMARY_VERSION,
            run: data.run.clone(),
            task: data.task.clone(),
            seed: data.seed,
            train_minutes: data.train_minutes,
            env_steps: data.env_steps,
            learner_steps: data.learner_steps,
            training_episodes: training().count(),
            interventions: training().map(|e| u64::from(e.interventions)).sum(),
            intervention_rate_last20: last.map(|point| point.intervention_rate),
            success_rate_last20_autonomous: last.map(|point| point.success_autonomous),
            success_rate_last20_assisted: last.map(|point| point.success_assisted),
            demonstrations: DemonstrationSummary {
                episodes: demonstrations.len(),
                steps: demonstrations.iter().map(|e| u64::from(e.steps)).sum(),
                cycle_time_steps: demonstration_cycle,
                cycle_time_s: demonstration_cycle.map(|steps| steps * data.step_period_s),
            },
            eval: evaluation(&data.evaluations.sampled),
            eval_mean: evaluation(&data.evaluations.mean),
            eval_bc: evaluation(&data.evaluations.behaviour_cloning),
            machine: data.machine.clone(),
            curves,
        }
    }

    /// The evaluations there are, with short names.
    pub fn evaluations(&self) -> Vec<(&'static str, &EvaluationSummary)> {
        [("sampled", &self.eval), ("mean", &self.eval_mean), ("cloned", &self.eval_bc)]
            .into_iter()
            .filter_map(|(name, evaluation)| Some((name, evaluation.as_ref()?)))
            .collect()
    }
}

impl EvaluationSummary {
    pub fn new(episodes: &[EpisodeFigures], step_period_s: f64) -> Self {
        let successes = episodes.iter().filter(|e| e.succeeded()).count();
        let cycle = cycle_time(episodes.iter());
        Self {
            successes,
            episodes: episodes.len(),
            success_interval_95: success_interval(successes, episodes.len())
                .map(|(lower, upper)| [lower, upper]),
            cycle_time_steps: cycle,
            cycle_time_s: cycle.map(|steps| steps * step_period_s),
        }
    }
}
