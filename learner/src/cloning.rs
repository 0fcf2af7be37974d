//! Behaviour cloning: the same policy network, fitted to the demonstrations alone. A baseline to
//! compare with, never a part of training.

use nets::head::ObservationBatch;
use rand_chacha::ChaCha8Rng;
use replay::{ReplayStore, View, sample};
use tch::{Device, Tensor};
use thiserror::Error;
use wire::{PolicySnapshot, PolicyVersion};

use crate::{
    feature_cache::{FeatureCache, FeatureCacheError},
    losses,
    train_state::TrainState,
};

#[derive(Debug, Error)]
pub enum CloningError {
    #[error("there are no successful demonstrations to clone")]
    NoDemonstrations,
    #[error(transparent)]
    Features(#[from] FeatureCacheError),
    #[error("the cloned policy cannot be published")]
    Snapshot(#[from] nets::snapshot::SnapshotError),
}

#[derive(Clone, Copy, Debug)]
pub struct CloningConfig {
    pub updates: u32,
    pub batch: usize,
    pub learning_rate: f64,
    pub device: Device,
}

/// Fits the policy of a fresh `state` to the demo view of `store`:
///
/// L = mean (tanh(mu(s)) - a)²
///
/// Returns the policy and the mean loss of the last tenth of the updates.
pub fn clone_demonstrations(
    mut state: TrainState,
    store: &ReplayStore,
    cache: &mut FeatureCache,
    config: CloningConfig,
    rng: &mut ChaCha8Rng,
) -> Result<(PolicySnapshot, f64), CloningError> {
    if store.view(View::Demo).is_empty() {
        return Err(CloningError::NoDemonstrations);
    }
    cache.update(store)?;
    let last = config.updates.div_ceil(10).max(1);
    let (mut sampled, mut loss_sum) = (replay::Batch::default(), 0.0);
    for update in 0..config.updates {
        let ids = sample(store, View::Demo, config.batch, rng);
        sampled.gather(store, &ids);
        let variants = cache.draw_variants(ids.len(), rng);
        let images = cache.images(store, &sampled.observations, &variants)?;
        let matrix = |values: &[f32]| {
            Tensor::from_slice(values).to_device(config.device).view([ids.len() as i64, -1])
        };
        let observation = ObservationBatch { proprio: matrix(&sampled.proprio), images };
        let loss = step(&mut state, &observation, &matrix(&sampled.action), config.learning_rate);
        if update + last >= config.updates {
            loss_sum += loss;
        }
    }
    let snapshot = state.snapshot(PolicyVersion(1))?;
    Ok((snapshot, loss_sum / f64::from(last)))
}

fn step(state: &mut TrainState, observation: &ObservationBatch, action: &Tensor, rate: f64) -> f64 {
    let params = state.params.leaves();
    let encoding = state.agent.head.encode(params, params, observation, None);
    let mode = state.agent.policy.forward(params, &encoding).mode();
    let loss = losses::bc_loss(&mode, action);
    let leaves = state.params.leaves_of(state.optimisers.actor.span());
    let gradients = Tensor::run_backward(&[&loss], leaves, false, false);
    let value = loss.double_value(&[]);
    state.optimisers.actor.step(&gradients, rate);
    value
}
