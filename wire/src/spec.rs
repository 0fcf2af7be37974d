//! The shapes that a task's observations and actions must have.

use serde::{Deserialize, Serialize};

use crate::{action::Action, observation::Observation};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraSpec {
    pub name: String,
    pub width: u16,
    pub height: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservationSpec {
    pub proprio_dim: usize,
    pub cameras: Vec<CameraSpec>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSpec {
    pub dim: usize,
}

impl ObservationSpec {
    /// What is wrong with `observation`, in words; `None` when it fits.
    pub fn mismatch(&self, observation: &Observation) -> Option<String> {
        let proprio = observation.proprio.len();
        if proprio != self.proprio_dim {
            return Some(format!("proprioception has {proprio} values, not {}", self.proprio_dim));
        }
        let frames = observation.frames.len();
        if frames != self.cameras.len() {
            return Some(format!("{frames} frames came, not {}", self.cameras.len()));
        }
        if !observation.features.is_empty() && observation.features.len() != frames {
            return Some(format!("{} features for {frames} frames", observation.features.len()));
        }
        if observation.proprio.iter().any(|x| !x.is_finite()) {
            return Some("proprioception holds a value that is not finite".into());
        }
        let mut pairs = self.cameras.iter().zip(&observation.frames);
        pairs
            .find(|(camera, frame)| (camera.width, camera.height) != (frame.width, frame.height))
            .map(|(camera, frame)| {
                format!(
                    "camera {} sent {}x{}, not {}x{}",
                    camera.name, frame.width, frame.height, camera.width, camera.height
                )
            })
    }
}

impl ActionSpec {
    /// What is wrong with `action`, in words; `None` when it fits.
    pub fn mismatch(&self, action: &Action) -> Option<String> {
        if action.dim() != self.dim {
            return Some(format!("an action has {} dimensions, not {}", action.dim(), self.dim));
        }
        (!action.is_finite()).then(|| "an action holds a value that is not finite".into())
    }
}
