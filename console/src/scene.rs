//! What the page shows. The command line fills it in from what the actor and the run's folder say.

use serde::Serialize;

/// What does not change while the page is served.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Subject {
    pub run: String,
    pub task: String,
    pub cell: String,
    /// In the order in which their pictures are numbered.
    pub cameras: Vec<String>,
    /// Lower and upper corner of where the TCP may be (m, base frame).
    pub workspace_m: Option<[[f64; 3]; 2]>,
    /// Of the action, in the order of the twist: those that the task does not use are left out.
    pub axes: Vec<String>,
    /// Steps after which an episode is over.
    pub episode_steps: u32,
    /// There is an actor; otherwise only what lies in a run's folder.
    pub live: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// No step is under way.
    #[default]
    Nobody,
    Policy,
    Human,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scene {
    /// In words, for example "driving".
    pub activity: String,
    pub paused: bool,
    /// The arm was stopped and waits for the operator.
    pub stopped: bool,
    /// A demonstration waits for a word: whether it counts as things stand.
    pub kept: Option<bool>,
    /// Nothing comes after this.
    pub ended: bool,
    pub episode: Option<EpisodeScene>,
    pub driver: Driver,
    pub demonstrations: u32,
    pub demonstrations_wanted: u32,
    pub env_steps: u64,
    pub env_steps_wanted: u64,
    pub evaluations: u32,
    pub arm: Option<ArmScene>,
    pub rates: Rates,
    pub policy_version: Option<u64>,
    /// Learner steps that the parameters in use are behind.
    pub policy_lag: u64,
    pub health: Health,
    /// What is wrong just now, with the remedy.
    pub troubles: Vec<String>,
    /// Name and count of what the gate has done since the actor began.
    pub gate_counts: Vec<(String, u64)>,
    /// What it did of late, oldest first.
    pub gate_notes: Vec<GateNote>,
    /// When this was put on the board (ms since 1970).
    pub at_unix_ms: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EpisodeScene {
    pub number: u32,
    /// "demonstration", "training" or "evaluation".
    pub kind: String,
    pub steps: u32,
}

/// As of the newest step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ArmScene {
    pub tcp_m: [f64; 3],
    /// Roll, pitch, yaw (degrees).
    pub tcp_deg: [f64; 3],
    pub target_m: [f64; 3],
    /// What was executed, in the order of the axes, in [-1, 1].
    pub action: Vec<f32>,
}

/// Shares over the last training episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    pub success_autonomous: Option<f32>,
    pub success_assisted: Option<f32>,
    pub interventions: Option<f32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Health {
    pub link_connected: bool,
    /// In words.
    pub link: String,
    /// Records on this disk that the learner has not acknowledged.
    pub outbox_depth: u64,
    /// What is wrong with the disk, if so.
    pub disk_trouble: Option<String>,
    /// Work of a step, without waiting for its deadline.
    pub step_ms: f64,
    pub jitter_ms: f64,
    pub missed_deadlines: u64,
    /// Views that were dropped because their channel was full.
    pub views_dropped: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GateNote {
    pub episode: u32,
    pub step: u32,
    pub events: Vec<&'static str>,
}

/// What has been learned so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curves {
    /// Over training episodes: shares from 0 to 1.
    pub rates: Vec<Series>,
    /// Over learner steps.
    pub losses: Vec<Series>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    pub name: String,
    pub points: Vec<[f64; 2]>,
}

impl Series {
    /// At most `most` points, spread evenly; the newest is always among them. What is not a finite
    /// number is left out, since JSON has no word for it.
    pub fn new(name: &str, points: impl IntoIterator<Item = [f64; 2]>, most: usize) -> Self {
        let finite = |point: &[f64; 2]| point.iter().all(|value| value.is_finite());
        let all: Vec<_> = points.into_iter().filter(finite).collect();
        let stride = all.len().div_ceil(most.max(1)).max(1);
        let mut points: Vec<_> = all.iter().rev().step_by(stride).copied().collect();
        points.reverse();
        Self { name: name.into(), points }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_series_is_thinned_and_keeps_its_newest_point() {
        let long = (0..1000).map(|i| [f64::from(i), 0.0]);
        let series = Series::new("loss", long, 300);
        assert!(series.points.len() <= 300, "{}", series.points.len());
        assert!(series.points.len() > 200, "{}", series.points.len());
        assert_eq!(series.points.last(), Some(&[999.0, 0.0]));
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let series = Series::new("loss", [[0.0, 1.0], [1.0, f64::NAN], [2.0, 3.0]], 300);
        assert_eq!(series.points, [[0.0, 1.0], [2.0, 3.0]]);
    }
}
