//! What was said of a step: by the cell's own sensor, by the reward classifier, by a person.

use serde::{Deserialize, Serialize};

/// What a person says of what is seen, by a button or a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Not done. In a rollout: it ends, and counts as failed.
    Failure,
    /// Done. In a rollout: it ends, and counts as succeeded.
    Success,
    /// A frame of this class or stage, for a classifier that knows several. Ends nothing.
    Class(u8),
}

/// Who decided what a step is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RewardSource {
    /// The task as the cell's own sensor saw it.
    #[default]
    Task,
    Classifier,
    /// Wins over the others.
    Person,
}

/// Where a step's reward came from, and what each who was asked said of `next_observation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub source: RewardSource,
    /// Of success, or of the stage that is next, by the classifier; none without one.
    pub probability: Option<f32>,
    pub mark: Option<Mark>,
    /// Whether the cell's own sensor saw success, whoever decides; none where nobody looked. Where
    /// the classifier decides, nothing that learns may use it.
    pub sensed: Option<bool>,
}
