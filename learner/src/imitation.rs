//! Supervised learning of the policy from what a person did: behaviour cloning and HG-DAgger.
//! Baselines to compare with (HIL-SERL, section 4.3 of the paper), never a part of RLPD.
//!
//! The head is trained with the policy, which the reference's baselines do not do.

use nets::{grasp, head::ObservationBatch};
use rand_chacha::ChaCha8Rng;
use replay::{ReplayStore, View, sample};
use tch::{Device, Tensor};

use crate::{
    batch::split_actions,
    feature_cache::{FeatureCache, FeatureCacheError},
    losses,
    train_state::TrainState,
    update::{ActorInfo, UpdateError, UpdateInfo},
};

/// What a person did in the rows of a batch.
#[derive(Debug)]
pub struct Shown {
    /// Without the grippers, [n, action].
    pub motion: Tensor,
    /// Index of the joint gripper command `[n]`, i64, where commands are learned; see
    /// [`nets::grasp::command_index`].
    pub command: Option<Tensor>,
}

/// `n` steps of the demo view: what was seen, and what the person did. `sampled` is room that is used
/// again.
pub fn demo_batch(
    store: &ReplayStore,
    cache: &FeatureCache,
    sampled: &mut replay::Batch,
    (n, device, grippers): (usize, Device, u8),
    rng: &mut ChaCha8Rng,
) -> Result<(ObservationBatch, Shown), FeatureCacheError> {
    let ids = sample(store, View::Demo, n, rng);
    sampled.gather(store, &ids);
    let variants = cache.draw_variants(ids.len(), rng);
    let images = cache.images(store, &sampled.observations, &variants)?;
    let matrix =
        |values: &[f32]| Tensor::from_slice(values).to_device(device).view([ids.len() as i64, -1]);
    let observation = ObservationBatch { proprio: matrix(&sampled.proprio), images };
    let parts = split_actions(sampled, grippers.into(), 0.0);
    let command = (grippers > 0).then(|| grasp::command_index(&matrix(&parts.grippers)));
    Ok((observation, Shown { motion: matrix(&parts.motion), command }))
}

/// One gradient step of head and policy, on a batch of a person's actions:
///
/// L = mean (tanh(mu(s)) - a)² - mean ln softmax(G(s))_b
///
/// The outputs of the grasp critic are no values here but logits: the largest is acted on either way.
///
/// `state` must have been made for imitation ([`crate::update::Algorithm::HgDagger`]), so that the
/// policy's optimiser owns the head and the grasp critic too. On an error nothing has changed.
pub fn imitate(
    state: &mut TrainState,
    observation: &ObservationBatch,
    shown: &Shown,
) -> Result<UpdateInfo, UpdateError> {
    let params = state.params.leaves();
    let encoding = state.agent.head.encode(params, params, observation, None);
    let mode = state.agent.policy.forward(params, &encoding).mode();
    let motion = losses::bc_loss(&mode, &shown.motion);
    let loss = match state.agent.grasp.as_ref().zip(shown.command.as_ref()) {
        Some((grasp, command)) => {
            motion + grasp.forward(params, &encoding).cross_entropy_for_logits(command)
        }
        None => motion,
    };
    let info = UpdateInfo::imitation(loss.double_value(&[]) as f32);
    if !info.actor.is_some_and(|actor: ActorInfo| actor.bc_loss.is_finite()) {
        return Err(UpdateError::NotFinite(info));
    }
    let leaves = state.params.leaves_of(state.optimisers.actor.span());
    let gradients = Tensor::run_backward(&[&loss], leaves, false, false);
    drop(loss);
    state.optimisers.actor.step(&gradients, state.config.learning_rate);
    state.counters.critic_updates += 1;
    state.counters.actor_updates += 1;
    Ok(info)
}

#[cfg(test)]
mod tests;
