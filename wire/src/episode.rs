//! The life of an episode as it is recorded: start, steps, end.

use serde::{Deserialize, Serialize};

use crate::{clock::UnixNanos, observation::Observation};

/// Why an episode is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EpisodeKind {
    /// A person shows the task from beginning to end. Belongs to the demo view.
    Demonstration,
    /// The policy drives, a person may take over. Belongs to the online view.
    Training,
    /// The policy drives alone, to be measured. Belongs to no view.
    Evaluation,
    /// A person shows what success looks like and what only looks like it, and marks the frames: a
    /// reward classifier is trained on them. Belongs to no view.
    Labelling,
}

impl EpisodeKind {
    /// Whether a person drives from beginning to end, without a policy.
    pub fn is_driven_by_a_person(self) -> bool {
        matches!(self, Self::Demonstration | Self::Labelling)
    }

    /// Whether a policy is learned from its steps.
    pub fn is_learned_from(self) -> bool {
        matches!(self, Self::Demonstration | Self::Training)
    }
}

/// What stopped an episode that the task itself did not end. Values still bootstrap there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TruncationCause {
    TimeLimit,
    /// A person ended it.
    Operator,
    /// A device, a limit or a full disk.
    Fault,
    /// The process ended in the middle of the episode.
    Interrupted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Success,
    Failure,
    /// The episode did not come to an end that says anything about the task.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeStart {
    pub kind: EpisodeKind,
    /// Seed of everything random in this episode's reset.
    pub seed: u64,
    pub started_at: UnixNanos,
    pub observation: Observation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeEnd {
    pub steps: u32,
    pub outcome: Outcome,
    pub truncation: Option<TruncationCause>,
    /// Steps in which a person drove.
    pub human_steps: u32,
    /// How often a person took over.
    pub interventions: u32,
}

/// A person's second thought about the demonstration that has just ended, before the next episode:
/// taken back, or kept after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// [`Outcome::Success`] keeps it, anything else takes it out of the demonstrations.
    pub outcome: Outcome,
}
