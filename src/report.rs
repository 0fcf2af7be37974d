//! The report of a run: figures as PNG, one HTML page, and the same as data in `summary.json`.
//!
//! Everything in `report/` is made from what it is given; nothing is ever read back from there.

pub mod axes;
pub mod chart;
pub mod classifier;
mod curves;
mod figures;
mod interval;
mod losses;
mod page;
mod sheet;
mod summary;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use learner::metrics::MetricsLine;

pub use self::{
    curves::{CurvePoint, EpisodeFigures, training_curve},
    figures::{Figure, heading},
    interval::success_interval,
    sheet::{pictures, sheet},
    summary::{EvaluationSummary, Summary},
};
use crate::replace::replace_file;

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct ReportData {
    pub run: String,
    pub task: String,
    pub seed: u64,
    /// Training time by the learner's clock.
    pub train_minutes: f64,
    pub env_steps: u64,
    pub learner_steps: u64,
    /// Seconds between two policy decisions.
    pub step_period_s: f64,
    /// Demonstrations and training episodes in the order in which they happened.
    pub episodes: Vec<EpisodeFigures>,
    pub metrics: Vec<MetricsLine>,
    pub evaluations: Evaluations,
    /// What the run ran on: name and value, as the page shows them.
    pub machine: BTreeMap<String, String>,
}

/// Evaluation episodes, where there were any.
#[derive(Clone, Debug, Default)]
pub struct Evaluations {
    pub sampled: Option<Vec<EpisodeFigures>>,
    pub mean: Option<Vec<EpisodeFigures>>,
    pub behaviour_cloning: Option<Vec<EpisodeFigures>>,
}

pub fn folder(run_dir: &Path) -> PathBuf {
    run_dir.join("report")
}

/// Writes `report/` in the folder of the run, over what was there.
pub fn write(run_dir: &Path, data: &ReportData) -> Result<Summary> {
    let folder = folder(run_dir);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let summary = Summary::of(data);
    let curve = &summary.curves.training;
    let figures = [
        figures::success(curve, &summary.evaluations())?,
        figures::intervention_rate(curve)?,
        figures::cycle_time(curve, summary.demonstrations.cycle_time_steps, data.step_period_s)?,
        losses::figure(&summary.curves.learning)?,
    ];
    for figure in &figures {
        replace_file(&folder.join(figure.file_name), &figure.png)?;
    }
    replace_file(&folder.join("index.html"), page::page(&summary, &figures).as_bytes())?;
    let mut json = serde_json::to_string_pretty(&summary).context("encoding summary.json")?;
    json.push('\n');
    replace_file(&folder.join("summary.json"), json.as_bytes())?;
    Ok(summary)
}

#[cfg(test)]
mod tests;
