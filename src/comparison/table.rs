//! The table: who acted, how often it succeeded, how long it took, and what it cost the person.

use comfy_table::{ContentArrangement, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use super::group::{Group, Member};
use crate::report::{EvaluationSummary, success_interval};

/// How one group's policies did under one way of acting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub group: String,
    pub task: String,
    pub acting: Acting,
    /// Runs that were evaluated so, each with its own seed.
    pub runs: usize,
    /// Over all runs.
    pub successes: usize,
    pub episodes: usize,
    /// Wilson, of all episodes together; lower and upper bound.
    pub success_interval_95: Option<[f64; 2]>,
    /// Success rate of the worst and of the best run.
    pub success_range: [f64; 2],
    /// Mean of the runs' means, of successful episodes.
    pub cycle_time_s: Option<f64>,
    /// Means over the runs.
    pub demonstration_minutes: f64,
    pub intervention_minutes: f64,
    /// `None` where nothing was trained online.
    pub train_minutes: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Acting {
    /// The trained policy, its actions drawn as in training.
    Sampled,
    /// The trained policy, acting by its mean.
    Mean,
    /// Behaviour cloning of the same demonstrations, by its mean.
    Cloned,
}

impl Acting {
    const ALL: [Self; 3] = [Self::Sampled, Self::Mean, Self::Cloned];

    pub fn in_words(self) -> &'static str {
        match self {
            Self::Sampled => "trained, sampled",
            Self::Mean => "trained, mean",
            Self::Cloned => "behaviour cloning",
        }
    }

    fn evaluation(self, run: &Member) -> Option<&EvaluationSummary> {
        let summary = &run.summary;
        match self {
            Self::Sampled => summary.eval.as_ref(),
            Self::Mean => summary.eval_mean.as_ref(),
            Self::Cloned => summary.eval_bc.as_ref(),
        }
        .filter(|evaluation| evaluation.episodes > 0)
    }
}

impl Row {
    /// One row for each way in which runs of the group were evaluated.
    pub fn of(group: &Group) -> Vec<Self> {
        Acting::ALL.into_iter().filter_map(|acting| Self::acting(group, acting)).collect()
    }

    fn acting(group: &Group, acting: Acting) -> Option<Self> {
        let evaluated: Vec<(&Member, &EvaluationSummary)> =
            group.runs.iter().filter_map(|run| Some((run, acting.evaluation(run)?))).collect();
        let runs = evaluated.len();
        if runs == 0 {
            return None;
        }
        let mean = |of: &dyn Fn(&Member) -> f64| {
            evaluated.iter().map(|(run, _)| of(run)).sum::<f64>() / runs as f64
        };
        let successes = evaluated.iter().map(|(_, e)| e.successes).sum();
        let episodes = evaluated.iter().map(|(_, e)| e.episodes).sum();
        let rates = evaluated.iter().map(|(_, e)| e.successes as f64 / e.episodes as f64);
        let cycles: Vec<f64> = evaluated.iter().filter_map(|(_, e)| e.cycle_time_s).collect();
        let trained = acting != Acting::Cloned;
        Some(Self {
            group: group.name.clone(),
            task: group.task.clone(),
            acting,
            runs,
            successes,
            episodes,
            success_interval_95: success_interval(successes, episodes).map(|(l, u)| [l, u]),
            success_range: [
                rates.clone().fold(f64::INFINITY, f64::min),
                rates.fold(f64::NEG_INFINITY, f64::max),
            ],
            cycle_time_s: (!cycles.is_empty())
                .then(|| cycles.iter().sum::<f64>() / cycles.len() as f64),
            demonstration_minutes: mean(&Member::demonstration_minutes),
            // Cloning learns from the demonstrations alone.
            intervention_minutes: if trained { mean(&Member::intervention_minutes) } else { 0.0 },
            train_minutes: trained.then(|| mean(&|run| run.summary.train_minutes)),
        })
    }

    pub fn success_rate(&self) -> f64 {
        self.successes as f64 / self.episodes as f64
    }

    /// All that a person's hand gave.
    pub fn human_minutes(&self) -> f64 {
        self.demonstration_minutes + self.intervention_minutes
    }

    /// Seconds of the person's hand for each percent of success; `None` where nothing succeeded.
    pub fn human_seconds_per_percent(&self) -> Option<f64> {
        let percent = 100.0 * self.success_rate();
        (percent > 0.0).then(|| 60.0 * self.human_minutes() / percent)
    }

    /// The cells of [`HEADINGS`].
    pub fn cells(&self) -> [String; 9] {
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let interval = self.success_interval_95.map_or(String::new(), |[lower, upper]| {
            format!("{:.1} to {:.1} %", 100.0 * lower, 100.0 * upper)
        });
        let [worst, best] = self.success_range;
        let or_dash = |value: Option<f64>, digits: usize| {
            value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
        };
        [
            format!("{} ({})", self.group, self.task),
            self.acting.in_words().to_owned(),
            format!("{} of {}", self.successes, self.episodes),
            interval,
            match self.runs {
                1 => "1".to_owned(),
                runs => format!("{runs}: {} to {} %", percent(worst), percent(best)),
            },
            or_dash(self.cycle_time_s, 2),
            or_dash(self.train_minutes, 1),
            format!("{:.1} + {:.1}", self.demonstration_minutes, self.intervention_minutes),
            or_dash(self.human_seconds_per_percent(), 2),
        ]
    }
}

pub const HEADINGS: [&str; 9] = [
    "runs (task)",
    "who acts",
    "successes",
    "95 % interval",
    "seeds, worst to best",
    "cycle time (s)",
    "training (min)",
    "person: demonstrations + interventions (min)",
    "person's seconds per % of success",
];

pub fn markdown(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADINGS);
    table.add_rows(rows.iter().map(Row::cells));
    format!("{table}\n")
}
