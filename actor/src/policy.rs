//! What the control loop asks of a policy, of the frozen backbone and of the reward classifier.
//! Behind these traits stand libtorch, and in tests something that needs no weights.

use std::error::Error;

use rand_chacha::ChaCha8Rng;
use tasks::reward::ClassifierRule;
use wire::{
    Action, Features, Frame, LearnerStep, Observation, PolicySnapshot, PolicyVersion, WeightsHash,
};

pub type PolicyError = Box<dyn Error + Send + Sync>;

/// Parameters that are ready to act.
pub trait Policy: Send {
    fn version(&self) -> PolicyVersion;

    fn learner_step(&self) -> LearnerStep;

    /// Proposes an action: a sample with `noise`, the mean without.
    fn act(
        &mut self,
        observation: &Observation,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Action, PolicyError>;
}

/// Makes parameters ready to act. Runs on the feed's thread; may take its time.
pub type PolicyLoader =
    Box<dyn FnMut(&PolicySnapshot) -> Result<Box<dyn Policy>, PolicyError> + Send>;

/// The frozen backbone.
pub trait Encoder: Send {
    fn hash(&self) -> WeightsHash;

    /// One feature map per frame, in order.
    fn encode(&mut self, frames: &[&Frame]) -> Result<Vec<Features>, PolicyError>;
}

/// The reward classifier.
pub trait Judge: Send {
    /// What its outputs stand for.
    fn rule(&self) -> ClassifierRule;

    /// Probability of each output, for the features of one moment.
    fn judge(&mut self, features: &[Features]) -> Result<Vec<f32>, PolicyError>;
}
