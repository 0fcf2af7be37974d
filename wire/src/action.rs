//! What is commanded in one step, in policy coordinates.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// Two arms of six dimensions and a gripper each fit twice over.
pub const MAX_ACTION_DIM: usize = 28;

/// A point of the action space, every entry in [-1, 1]. Scaling to metres belongs to the task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Action(pub ArrayVec<f32, MAX_ACTION_DIM>);

impl Action {
    pub fn zeros(dim: usize) -> Self {
        Self(std::iter::repeat_n(0.0, dim).collect())
    }

    /// Panics when `values` is longer than [`MAX_ACTION_DIM`].
    pub fn from_slice(values: &[f32]) -> Self {
        Self(values.iter().copied().collect())
    }

    pub fn dim(&self) -> usize {
        self.0.len()
    }

    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    pub fn is_finite(&self) -> bool {
        self.0.iter().all(|x| x.is_finite())
    }

    /// Every entry brought into [-1, 1].
    pub fn clipped(&self) -> Self {
        Self(self.0.iter().map(|x| x.clamp(-1.0, 1.0)).collect())
    }
}

/// Who drove in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionSource {
    Policy,
    Human,
}
