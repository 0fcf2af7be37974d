//! The reward of a step: who decides, what it is, and what returns it allows.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

mod gate;
mod referee;

pub use gate::PoseGate;
pub use referee::{ClassifierRule, Evidence, Referee, Ruling};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardConfig {
    pub kind: RewardKind,
    pub success: f64,
    pub step_penalty: f64,
    pub terminate_on_success: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<ClassifierConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<PoseGate>,
}

/// Who says that the task is done. A person's mark wins over either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RewardKind {
    /// The cell's own sensor.
    #[default]
    Sensor,
    Classifier,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    pub file: PathBuf,
    /// So many frames in a row must show it.
    pub debounce_frames: u32,
    /// SHA-256 of the file, so that all parts of a run judge by the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Default for RewardConfig {
    /// 1 for success as the cell sees it, and the episode is over.
    fn default() -> Self {
        Self {
            kind: RewardKind::Sensor,
            success: 1.0,
            step_penalty: 0.0,
            terminate_on_success: true,
            classifier: None,
            gate: None,
        }
    }
}

impl RewardConfig {
    /// `share` of success was reached in the step: all of it, or that of a stage.
    pub fn of(&self, share: f64) -> f32 {
        (share * self.success - self.step_penalty) as f32
    }

    /// The classifier's file, where it decides.
    pub fn classifier_file(&self) -> Option<&Path> {
        match self.kind {
            RewardKind::Sensor => None,
            RewardKind::Classifier => self.classifier.as_ref().map(|c| c.file.as_path()),
        }
    }

    /// Lowest and highest discounted return that any behaviour can have. An endless run of steps
    /// counts, because values bootstrap at a time limit.
    pub fn return_bounds(&self, discount: f64) -> (f64, f64) {
        let (idle, success) = (0.0 - self.step_penalty, self.success - self.step_penalty);
        let for_ever = |reward: f64| reward / (1.0 - discount);
        let last = if self.terminate_on_success { success } else { for_ever(success) };
        let ends = [for_ever(idle), last];
        (ends[0].min(ends[1]), ends[0].max(ends[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bounds(
        success: f64,
        step_penalty: f64,
        terminate_on_success: bool,
        expected: (f64, f64),
    ) {
        let reward =
            RewardConfig { success, step_penalty, terminate_on_success, ..Default::default() };
        let (low, high) = reward.return_bounds(0.9);
        assert!(
            (low - expected.0).abs() < 1e-9 && (high - expected.1).abs() < 1e-9,
            "{low} {high}"
        );
    }

    #[test]
    fn a_sparse_reward_bounds_returns_by_0_and_1() {
        check_bounds(1.0, 0.0, true, (0.0, 1.0));
    }

    #[test]
    fn a_penalty_is_paid_for_ever() {
        check_bounds(1.0, 0.1, true, (-1.0, 0.9));
    }

    #[test]
    fn success_that_goes_on_pays_for_ever() {
        check_bounds(1.0, 0.0, false, (0.0, 10.0));
    }

    #[test]
    fn a_dear_step_costs_its_penalty_even_in_success() {
        let reward = RewardConfig { step_penalty: 0.25, ..Default::default() };
        assert_eq!((reward.of(1.0), reward.of(0.5), reward.of(0.0)), (0.75, 0.25, -0.25));
    }
}
