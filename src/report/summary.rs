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
    /// Where the classifier or a person decided, and the cell's own sensor looked too.
    pub truth: Option<TruthSummary>,
}

/// Outcomes beside what the cell's own sensor saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TruthSummary {
    pub successes: usize,
    /// Counted as success, and it was none.
    pub false_positives: usize,
    /// It was success, and was not counted.
    pub missed: usize,
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
            truth: TruthSummary::new(episodes),
        }
    }
}

impl TruthSummary {
    fn new(episodes: &[EpisodeFigures]) -> Option<Self> {
        let known: Vec<(bool, bool)> =
            episodes.iter().filter_map(|e| Some((e.succeeded(), e.truth?))).collect();
        let count = |wanted: (bool, bool)| known.iter().filter(|pair| **pair == wanted).count();
        (!known.is_empty()).then(|| Self {
            successes: count((true, true)) + count((false, true)),
            false_positives: count((true, false)),
            missed: count((false, true)),
        })
    }
}

#[cfg(test)]
mod tests {
    use wire::Outcome;

    use super::*;

    /// One letter per episode: counted as a success (`S`) or not (`f`); then what it was.
    #[test]
    fn outcomes_are_held_against_what_the_cell_saw() {
        let episode = |(i, word): (usize, &str)| EpisodeFigures {
            index: i as u32,
            kind: EpisodeKind::Evaluation,
            steps: 10,
            human_steps: 0,
            interventions: 0,
            outcome: if word.starts_with('S') { Outcome::Success } else { Outcome::Failure },
            env_step: 0,
            minutes: 0.0,
            truth: match &word[1..] {
                "+" => Some(true),
                "-" => Some(false),
                _ => None,
            },
        };
        let of = |words: &[&str]| {
            let episodes: Vec<_> = words.iter().copied().enumerate().map(episode).collect();
            EvaluationSummary::new(&episodes, 0.1).truth
        };
        let expected = TruthSummary { successes: 3, false_positives: 1, missed: 1 };
        assert_eq!(of(&["S+", "S+", "S-", "f+", "f-", "S?"]), Some(expected));
        assert_eq!(of(&["S?", "f?"]), None);
    }
}
