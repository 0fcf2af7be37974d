//! The losses of SAC with prior data, as functions of what the networks say about one batch.
//!
//! Free of state and chance. Sizes: B transitions, E critics, A action dimensions. Haarnoja et al.
//! 2018 (SAC), Ball et al. 2023 (RLPD), Chen et al. 2021 (REDQ, the subsample).

use serde::{Deserialize, Serialize};
use tch::{Reduction, Tensor};

/// Whether the target counts the entropy of the next action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntropyBackup {
    Off,
    /// y = r + gamma m (min Q - alpha ln pi): SAC as published.
    InValue,
    /// y = r + gamma m min Q - alpha ln pi: the reference, neither discounted nor masked.
    Undiscounted,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetRule {
    /// gamma
    pub discount: f64,
    pub entropy_backup: EntropyBackup,
    /// Bounds that a value cannot leave because of the reward's; what is bootstrapped is clamped.
    pub value_range: Option<[f64; 2]>,
}

/// Next values, of which a target is made.
#[derive(Debug)]
pub struct NextValue<'a> {
    /// Q of the target critics at (s', a'): [E, B].
    pub q: &'a Tensor,
    /// ln pi(a' | s'): `[B]`.
    pub log_prob: &'a Tensor,
    /// Scalar.
    pub alpha: &'a Tensor,
    /// The critics that count, repeats allowed; all when `None`.
    pub subsample: Option<&'a [i64]>,
}

/// y = r + gamma m clamp(min_i Q'_i(s', a')), `[B]`
pub fn td_target(
    reward: &Tensor,
    bootstrap_mask: &Tensor,
    next: &NextValue<'_>,
    rule: TargetRule,
) -> Tensor {
    let q = match next.subsample {
        Some(members) => {
            let members = Tensor::from_slice(members).to_device(next.q.device());
            next.q.index_select(0, &members) // [subsample, B]
        }
        None => next.q.shallow_clone(),
    };
    let mut value = q.amin(0, false); // [B]
    if let Some([min, max]) = rule.value_range {
        value = value.clamp(min, max);
    }
    let entropy_bonus = || next.alpha * next.log_prob; // [B], to subtract
    match rule.entropy_backup {
        EntropyBackup::Off => reward + bootstrap_mask * value * rule.discount,
        EntropyBackup::InValue => {
            reward + bootstrap_mask * (value - entropy_bonus()) * rule.discount
        }
        EntropyBackup::Undiscounted => {
            reward + bootstrap_mask * value * rule.discount - entropy_bonus()
        }
    }
}

/// L_Q = mean_i,b (Q_i(s, a) - y)²; `q` [E, B], `target` `[B]`.
pub fn critic_loss(q: &Tensor, target: &Tensor) -> Tensor {
    q.mse_loss(&target.expand_as(q), Reduction::Mean)
}

/// y = r + gamma m Gbar(s', argmax_b G(s', b)), `[B]`: double DQN (van Hasselt et al. 2016). `reward`
/// includes the penalty of moving the gripper; `online` and `target` are [B, commands]. What is
/// bootstrapped is at most what values can be; the penalties still to come have no bound below.
pub fn grasp_target(
    reward: &Tensor,
    bootstrap_mask: &Tensor,
    online: &Tensor,
    target: &Tensor,
    rule: TargetRule,
) -> Tensor {
    let best = online.argmax(1, true); // [B, 1]
    let mut value = target.gather(1, &best, false).squeeze_dim(1);
    if let Some([_, max]) = rule.value_range {
        value = value.clamp_max(max);
    }
    reward + bootstrap_mask * value * rule.discount
}

/// G of the commands that were given, `[B]`; `g` [B, commands], `command` `[B]`.
pub fn value_of_command(g: &Tensor, command: &Tensor) -> Tensor {
    g.gather(1, &command.unsqueeze(1), false).squeeze_dim(1)
}

/// L_G = mean_b (G(s, b) - y)², both `[B]`.
pub fn grasp_loss(value: &Tensor, target: &Tensor) -> Tensor {
    value.mse_loss(target, Reduction::Mean)
}

/// L_M = mean ( max_c (G(s, c) + m [c != c_E]) - G(s, c_E) ) over the rows of demonstrations: what the
/// person commanded is worth more than anything else, by the margin m (Hester et al., 2018, section 4).
/// `g` [rows, commands], `command` `[rows]`.
pub fn grasp_margin_loss(g: &Tensor, command: &Tensor, margin: f64) -> Tensor {
    let others = g.ones_like().scatter_value(1, &command.unsqueeze(1), 0.0); // [rows, commands]
    ((g + others * margin).amax(1, false) - value_of_command(g, command)).mean(None)
}

/// L_pi = -mean_b ( mean_i Q_i(s, a~) - alpha ln pi(a~ | s) ); `q` [E, B], `log_prob` `[B]`.
///
/// The mean over the ensemble, not the minimum.
pub fn actor_loss(q: &Tensor, log_prob: &Tensor, alpha: &Tensor) -> Tensor {
    alpha * log_prob.mean(None) - q.mean(None) // both over all entries
}

/// L_alpha = alpha (H - H_target), with H the measured entropy, a constant.
pub fn temperature_loss(alpha: &Tensor, entropy: &Tensor, target_entropy: f64) -> Tensor {
    alpha * (entropy.detach() - target_entropy)
}

/// H = -mean_b ln pi
pub fn entropy(log_prob: &Tensor) -> Tensor {
    -log_prob.mean(None) // over [B]
}

/// L_BC = mean (tanh(mu(s)) - a)² over the rows and dimensions of demonstrations, both [rows, A].
pub fn bc_loss(mode: &Tensor, action: &Tensor) -> Tensor {
    mode.mse_loss(action, Reduction::Mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_person_commanded_is_to_be_worth_more_by_a_margin() {
        let g = Tensor::from_slice(&[0.5_f32, 0.2, 0.1, 0.3, 0.28, 0.6]).view([2, 3]);
        let loss = |commands: [i64; 2], margin| {
            let loss = grasp_margin_loss(&g, &Tensor::from_slice(&commands), margin);
            f64::try_from(loss).unwrap()
        };
        // The first leads by more than the margin; the second lags by 0.32, and its margin is lacking too.
        assert!((loss([0, 1], 0.05) - (0.0 + 0.37) / 2.0).abs() < 1e-6);
        assert!((loss([0, 2], 0.35) - (0.05 + 0.05) / 2.0).abs() < 1e-6);
        assert!(loss([0, 2], 0.2).abs() < 1e-6);
    }

    #[test]
    fn a_grasp_value_beyond_what_values_can_be_is_not_believed() {
        let matrix = |rows: &[f32]| Tensor::from_slice(rows).view([2, 2]);
        // The parameters choose, the target says what it is worth: 3, and -0.4.
        let (online, target) = (matrix(&[0.0, 1.0, 1.0, 0.0]), matrix(&[9.0, 3.0, -0.4, 9.0]));
        let (reward, mask) =
            (Tensor::from_slice(&[0.0_f32, -0.1]), Tensor::from_slice(&[1.0_f32; 2]));
        let y = |value_range| {
            let rule =
                TargetRule { discount: 0.5, entropy_backup: EntropyBackup::Off, value_range };
            let y = grasp_target(&reward, &mask, &online, &target, rule);
            Vec::<f32>::try_from(y).unwrap()
        };
        assert_eq!(y(None), [1.5, -0.3]);
        assert_eq!(y(Some([0.0, 1.0])), [0.5, -0.3]);
    }
}
