//! The numbers of sampled steps side by side, ready to become tensors. Frames and features are
//! fetched by their observation's id.

use crate::store::{ObservationId, ReplayStore, TransitionId};

/// Buffers of a batch of `n` steps; gathering again reuses them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub observations: Vec<ObservationId>,
    pub next_observations: Vec<ObservationId>,
    /// `[n, proprio_dim]`, scaled by the task.
    pub proprio: Vec<f32>,
    /// `[n, proprio_dim]`
    pub next_proprio: Vec<f32>,
    /// `[n, action_dim]`: what was executed.
    pub action: Vec<f32>,
    /// `[n, action_dim]`: what was commanded; the gate made `action` of it.
    pub commanded_action: Vec<f32>,
    /// `[n, grippers]`: what each gripper had been told last before the step.
    pub gripper_before: Vec<f32>,
    /// `[n]`
    pub reward: Vec<f32>,
    /// `[n]`: 0 where the task terminated, 1 elsewhere, truncations included.
    pub bootstrap_mask: Vec<f32>,
    /// `[n]`
    pub truncated: Vec<bool>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.reward.len()
    }

    pub fn is_empty(&self) -> bool {
        self.reward.is_empty()
    }

    pub fn gather(&mut self, store: &ReplayStore, ids: &[TransitionId]) {
        self.clear();
        for &id in ids {
            let step = store.transition(id);
            self.observations.push(step.observation);
            self.next_observations.push(step.next_observation);
            self.proprio.extend_from_slice(store.proprio(step.observation));
            self.next_proprio.extend_from_slice(store.proprio(step.next_observation));
            self.action.extend_from_slice(step.action);
            self.commanded_action.extend_from_slice(step.commanded_action);
            self.gripper_before.extend_from_slice(step.gripper_before);
            self.reward.push(step.reward);
            self.bootstrap_mask.push(step.bootstrap_mask());
            self.truncated.push(step.truncated);
        }
    }

    fn clear(&mut self) {
        self.observations.clear();
        self.next_observations.clear();
        self.proprio.clear();
        self.next_proprio.clear();
        self.action.clear();
        self.commanded_action.clear();
        self.gripper_before.clear();
        self.reward.clear();
        self.bootstrap_mask.clear();
        self.truncated.clear();
    }
}
