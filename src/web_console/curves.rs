//! The curves of a run: from its episodes, and from the figures that its learner writes down.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context;
use console::{Rates, Series};
use learner::metrics::{self, Metrics, MetricsLine};
use wire::Timestamp;

use crate::{
    report::{self, EpisodeFigures},
    results,
    run_dir::RunDir,
};

/// Points of a curve on the page.
const POINTS_MAX: usize = 400;
/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// The learner's figures, as far as they lie on this machine.
pub struct Folder {
    metrics: PathBuf,
    looked_at: Option<Timestamp>,
    length: u64,
}

impl Folder {
    pub fn new(metrics: PathBuf) -> Self {
        Self { metrics, looked_at: None, length: 0 }
    }

    /// All figures, when there are new ones. Looks now and then, not each time it is asked.
    pub fn news(&mut self, now: Timestamp) -> Option<Vec<MetricsLine>> {
        if self.looked_at.is_some_and(|at| now.since(at) < LOOK_EVERY) {
            return None;
        }
        self.looked_at = Some(now);
        let length = fs::metadata(&self.metrics).ok()?.len();
        if length == self.length {
            return None;
        }
        match metrics::read(&self.metrics) {
            Ok(lines) => {
                self.length = length;
                Some(lines)
            }
            Err(error) => {
                tracing::debug!("no curves of learning: {error}");
                None
            }
        }
    }
}

/// The training episodes that the learner's journal holds by now, and all its episodes.
pub fn past(run_dir: &RunDir) -> anyhow::Result<(Vec<Rates>, Vec<EpisodeFigures>)> {
    let episodes = results::episodes(run_dir, |_| 0.0).context("reading the journal")?;
    let rates = report::training_curve(&episodes)
        .iter()
        .map(|point| Rates {
            success_autonomous: Some(point.success_autonomous as f32),
            success_assisted: Some(point.success_assisted as f32),
            interventions: Some(point.intervention_rate as f32),
        })
        .collect();
    Ok((rates, episodes))
}

/// One curve per figure that was written down at all.
pub fn losses(lines: Vec<MetricsLine>) -> Vec<Series> {
    let curve = |name, figure: fn(&Metrics) -> Option<f32>| {
        let point = |line: &MetricsLine| {
            Some([line.learner_step as f64, f64::from(figure(&line.metrics)?)])
        };
        Series::new(name, lines.iter().filter_map(point), POINTS_MAX)
    };
    let mut curves = vec![
        curve("critic loss", |figures| Some(figures.critic_loss)),
        curve("mean Q", |figures| Some(figures.mean_q)),
        curve("policy loss", |figures| figures.actor_loss),
        curve("temperature", |figures| figures.temperature),
    ];
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

/// Over training episodes, counted from 1.
pub fn rates(episodes: &[Rates]) -> Vec<Series> {
    let curve = |name, rate: fn(&Rates) -> Option<f32>| {
        let point = |(episode, rates): (usize, &Rates)| {
            Some([episode as f64 + 1.0, f64::from(rate(rates)?)])
        };
        Series::new(name, episodes.iter().enumerate().filter_map(point), POINTS_MAX)
    };
    vec![
        curve("success alone", |rates| rates.success_autonomous),
        curve("success with help", |rates| rates.success_assisted),
        curve("steps that a person drove", |rates| rates.interventions),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_were_never_computed_have_no_curve() {
        let metrics = Metrics { critic_loss: 0.5, temperature: Some(0.1), ..Metrics::default() };
        let curves = losses(vec![MetricsLine { learner_step: 7, metrics }]);
        let names: Vec<_> = curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(names, ["critic loss", "mean Q", "temperature"]);
        assert_eq!(curves[0].points, [[7.0, 0.5]]);
    }

    #[test]
    fn a_folder_tells_its_news_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut news = Folder::new(path.clone());
        let at = |s: u64| Timestamp(s * 1_000_000_000);
        assert!(news.news(at(0)).is_none(), "there is no file yet");
        let mut writer = metrics::MetricsWriter::open(&path).unwrap();
        writer.append(1, &Metrics::default()).unwrap();
        assert!(news.news(at(1)).is_none(), "it was looked at a moment ago");
        assert_eq!(news.news(at(4)).unwrap().len(), 1);
        assert!(news.news(at(8)).is_none(), "nothing new");
        writer.append(2, &Metrics::default()).unwrap();
        assert_eq!(news.news(at(12)).unwrap().len(), 2);
    }
}
