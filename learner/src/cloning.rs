//! Behaviour cloning: the same policy network, fitted to the demonstrations alone.

use rand_chacha::ChaCha8Rng;
use replay::{ReplayStore, View};
use tch::Device;
use thiserror::Error;
use wire::{PolicySnapshot, PolicyVersion};

use crate::{
    feature_cache::{FeatureCache, FeatureCacheError},
    imitation::{demo_batch, imitate},
    train_state::TrainState,
    update::UpdateError,
};

#[derive(Debug, Error)]
pub enum CloningError {
    #[error("there are no successful demonstrations to clone")]
    NoDemonstrations,
    #[error(transparent)]
    Features(#[from] FeatureCacheError),
    #[error("a gradient step failed")]
    Update(#[from] UpdateError),
    #[error("the cloned policy cannot be published")]
    Snapshot(#[from] nets::snapshot::SnapshotError),
}

#[derive(Clone, Copy, Debug)]
pub struct CloningConfig {
    pub updates: u32,
    pub batch: usize,
    pub device: Device,
}

/// Fits the policy of a fresh `state`, made for imitation, to the demo view of `store`.
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
        let wanted = (config.batch, config.device, state.agent.architecture.grippers);
        let (observation, shown) = demo_batch(store, cache, &mut sampled, wanted, rng)?;
        let info = imitate(&mut state, &observation, &shown)?;
        if update + last >= config.updates {
            loss_sum += info.actor.map_or(0.0, |actor| f64::from(actor.bc_loss));
        }
    }
    let snapshot = state.snapshot(PolicyVersion(1))?;
    Ok((snapshot, loss_sum / f64::from(last)))
}
