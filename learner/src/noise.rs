//! All chance of one update, drawn beforehand from one generator, so that it can be given, repeated
//! and resumed.

use nets::{
    agent::Agent,
    architecture::{Architecture, HeadSpec},
};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tch::{Device, Tensor};

use crate::update::{Plan, UpdateConfig};

/// What is drawn for one pass of the policy over a batch.
#[derive(Debug)]
pub struct PassNoise {
    /// Standard normal, [batch, action].
    pub eps: Tensor,
    /// One mask per camera, see [`nets::head::DropoutMasks`]; empty: nothing is dropped.
    pub dropout: Vec<Tensor>,
}

#[derive(Debug)]
pub struct UpdateNoise {
    /// For the next action of the target.
    pub next: PassNoise,
    /// Critics that count in the target, drawn with replacement; all when `None`.
    pub subsample: Option<Vec<i64>>,
    /// Present in a full update.
    pub actor: Option<ActorNoise>,
}

#[derive(Debug)]
pub struct ActorNoise {
    /// For the action at the observation.
    pub actor: PassNoise,
    /// For the next action that the entropy is measured with.
    pub temperature: PassNoise,
}

impl PassNoise {
    pub fn draw(
        rng: &mut ChaCha8Rng,
        architecture: &Architecture,
        batch: i64,
        device: Device,
    ) -> Self {
        Self {
            eps: normal(rng, [batch, architecture.action_dim], device),
            dropout: dropout_masks(rng, &architecture.head, batch, device),
        }
    }

    pub(crate) fn masks(&self) -> Option<&[Tensor]> {
        (!self.dropout.is_empty()).then_some(&self.dropout)
    }
}

impl UpdateNoise {
    pub fn draw(
        rng: &mut ChaCha8Rng,
        agent: &Agent,
        config: &UpdateConfig,
        batch: i64,
        plan: Plan,
        device: Device,
    ) -> Self {
        let architecture = &agent.architecture;
        let mut pass = || PassNoise::draw(rng, architecture, batch, device);
        let next = pass();
        let actor = (plan == Plan::Full).then(|| ActorNoise { actor: pass(), temperature: pass() });
        let subsample = config
            .critic_subsample
            .map(|n| (0..n).map(|_| rng.random_range(0..architecture.critics)).collect());
        Self { next, subsample, actor }
    }
}

fn normal(rng: &mut ChaCha8Rng, size: [i64; 2], device: Device) -> Tensor {
    let count = size.iter().product::<i64>() as usize;
    let values: Vec<f32> = rng.sample_iter(StandardNormal).take(count).collect();
    Tensor::from_slice(&values).view(size).to_device(device)
}

fn dropout_masks(rng: &mut ChaCha8Rng, head: &HeadSpec, batch: i64, device: Device) -> Vec<Tensor> {
    match head {
        HeadSpec::SpatialEmbedding { cameras, feature_shape, kernels, dropout, .. }
            if *dropout > 0.0 =>
        {
            let size = [batch, feature_shape[0] * kernels];
            cameras.iter().map(|_| dropout_mask(rng, size, *dropout, device)).collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn dropout_mask(
    rng: &mut ChaCha8Rng,
    size: [i64; 2],
    rate: f64,
    device: Device,
) -> Tensor {
    let count = size.iter().product::<i64>() as usize;
    let mut random = vec![0; 2 * count];
    rng.fill_bytes(&mut random);
    let threshold = (rate * f64::from(u16::MAX)).round() as u16;
    let kept = (1.0 / (1.0 - rate)) as f32;
    let (pairs, _) = random.as_chunks();
    let values: Vec<f32> = pairs
        .iter()
        .map(|pair| if u16::from_le_bytes(*pair) < threshold { 0.0 } else { kept })
        .collect();
    Tensor::from_slice(&values).view(size).to_device(device)
}
