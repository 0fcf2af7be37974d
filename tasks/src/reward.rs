//! The reward of a step, and what returns it allows.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardConfig {
    pub success: f64,
    pub step_penalty: f64,
    pub terminate_on_success: bool,
}

impl RewardConfig {
    pub fn of(&self, succeeded: bool) -> f32 {
        let success = if succeeded { self.success } else { 0.0 };
        (success - self.step_penalty) as f32
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
        let reward = RewardConfig { success, step_penalty, terminate_on_success };
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
        let reward = RewardConfig { success: 1.0, step_penalty: 0.25, terminate_on_success: true };
        assert_eq!((reward.of(true), reward.of(false)), (0.75, -0.25));
    }
}
