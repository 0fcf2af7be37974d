//! The policy network and the tanh-Gaussian it describes (Haarnoja et al. 2018, appendix C).

use std::f64::consts::{LN_2, PI};

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{
    init::Init,
    mlp::{Dense, Mlp, xavier},
    params::{Layout, Views},
};

/// How the network's second output becomes a standard deviation, and how both outputs start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StdRule {
    /// std = clip(exp(x), 1e-5, 5), Xavier start (the reference).
    ClipStd,
    /// std = exp(clamp(x, -5, 1)); starts at exp(-0.5) for every state, with means near zero.
    ClampLogStd,
}

const STD_RANGE: [f64; 2] = [1e-5, 5.0];
const LOG_STD_RANGE: [f64; 2] = [-5.0, 1.0];
const LOG_STD_START: f32 = -0.5;
const SMALL_KERNEL: Init = Init::Uniform(0.01);

#[derive(Clone, Debug)]
pub struct Policy {
    body: Mlp,
    mean: Dense,
    log_std: Dense,
    std_rule: StdRule,
}

impl Policy {
    pub fn new(
        layout: &mut Layout,
        [encoding, action]: [i64; 2],
        hidden: &[i64],
        std_rule: StdRule,
    ) -> Self {
        let body = Mlp::new(layout, "policy", encoding, hidden);
        let width = hidden.last().copied().unwrap_or(encoding);
        let (kernel, log_std_bias) = match std_rule {
            StdRule::ClipStd => (xavier(width, action), 0.0),
            StdRule::ClampLogStd => (SMALL_KERNEL, LOG_STD_START),
        };
        let size = [width, action];
        Self {
            body,
            mean: Dense::new(layout, "policy/mean", size, kernel),
            log_std: Dense::with_bias(layout, "policy/log_std", size, kernel, log_std_bias),
            std_rule,
        }
    }

    /// `encoding` [batch, width of the head's output].
    pub fn forward(&self, params: Views<'_>, encoding: &Tensor) -> TanhGaussian {
        let hidden = self.body.forward(params, encoding);
        let mean = self.mean.forward(params, &hidden);
        let raw = self.log_std.forward(params, &hidden);
        match self.std_rule {
            StdRule::ClipStd => {
                let std = raw.exp().clamp(STD_RANGE[0], STD_RANGE[1]);
                TanhGaussian { mean, log_std: std.log(), std }
            }
            StdRule::ClampLogStd => {
                let log_std = raw.clamp(LOG_STD_RANGE[0], LOG_STD_RANGE[1]);
                TanhGaussian { mean, std: log_std.exp(), log_std }
            }
        }
    }
}

/// tanh of a Gaussian with independent dimensions; all tensors [batch, action].
#[derive(Debug)]
pub struct TanhGaussian {
    pub mean: Tensor,
    pub log_std: Tensor,
    pub std: Tensor,
}

/// A reparameterised draw: `action` [batch, action] in (-1, 1), `log_prob` `[batch]`.
#[derive(Debug)]
pub struct ActionSample {
    pub action: Tensor,
    pub log_prob: Tensor,
}

impl TanhGaussian {
    /// a = tanh(mean + std eps), with eps [batch, action] standard normal.
    ///
    /// log p(a) = sum_d [ -eps²/2 - ln std - ln(2 pi)/2 - ln(1 - a²) ]
    pub fn sample(&self, eps: &Tensor) -> ActionSample {
        let x = self.mean.addcmul(&self.std, eps);
        let log_prob = gaussian_log_density(eps, &self.log_std) - log_det_of_tanh(&x);
        ActionSample { action: x.tanh(), log_prob: log_prob.sum_dim_intlist(1, false, None) }
    }

    /// log p of given actions in (-1, 1): `[batch]`.
    pub fn log_prob(&self, action: &Tensor) -> Tensor {
        let x = action.atanh();
        let eps = (&x - &self.mean) / &self.std;
        let log_prob = gaussian_log_density(&eps, &self.log_std) - log_det_of_tanh(&x);
        log_prob.sum_dim_intlist(1, false, None)
    }

    /// tanh(mean), the action without noise.
    pub fn mode(&self) -> Tensor {
        self.mean.tanh()
    }

    pub fn detach(&self) -> Self {
        Self { mean: self.mean.detach(), log_std: self.log_std.detach(), std: self.std.detach() }
    }
}

/// -eps²/2 - ln std - ln(2 pi)/2 per dimension.
fn gaussian_log_density(eps: &Tensor, log_std: &Tensor) -> Tensor {
    (eps.square() + (2.0 * PI).ln()) * -0.5 - log_std
}

/// ln(1 - tanh(x)²) = 2 (ln 2 - x - softplus(-2x)), which stays exact where tanh saturates.
fn log_det_of_tanh(x: &Tensor) -> Tensor {
    (LN_2 - x - (x * -2.0).softplus()) * 2.0
}
