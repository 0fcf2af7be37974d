//! Supervised learning of the policy from what a person did: behaviour cloning and HG-DAgger.
//! Baselines to compare with (HIL-SERL, section 4.3 of the paper), never a part of RLPD.
//!
//! The head is trained with the policy, which the reference's baselines do not do.

use nets::head::ObservationBatch;
use tch::Tensor;

use crate::{
    losses,
    train_state::TrainState,
    update::{ActorInfo, UpdateError, UpdateInfo},
};

/// One gradient step of head and policy, on a batch of a person's actions [n, action]:
///
/// L = mean (tanh(mu(s)) - a)²
///
/// `state` must have been made for imitation ([`crate::update::Algorithm::HgDagger`]), so that the
/// policy's optimiser owns the head too. On an error nothing has changed.
pub fn imitate(
    state: &mut TrainState,
    observation: &ObservationBatch,
    action: &Tensor,
) -> Result<UpdateInfo, UpdateError> {
    let params = state.params.leaves();
    let encoding = state.agent.head.encode(params, params, observation, None);
    let mode = state.agent.policy.forward(params, &encoding).mode();
    let loss = losses::bc_loss(&mode, action);
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
