//! What actor and learner say to each other.
//!
//! The actor asks (`ActorRequest`) and the learner replies (`LearnerReply`); besides, the learner
//! publishes its newest [`PolicySnapshot`] and its [`Pace`], of which only the newest counts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ActorId, LearnerStep, PolicyVersion, RecordPosition},
    observation::WeightsHash,
    record::Record,
    spec::{ActionSpec, ObservationSpec},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ActorRequest {
    /// The first word of an actor, repeated after every reconnect.
    Hello(Hello),
    Append(Append),
    /// The last word of an actor that ends in good order, after its last append.
    Goodbye(ActorId),
}

impl ActorRequest {
    /// Whom the request speaks for.
    pub fn actor(&self) -> ActorId {
        match self {
            Self::Hello(hello) => hello.actor,
            Self::Append(append) => append.actor,
            Self::Goodbye(actor) => *actor,
        }
    }
}

/// Who is there and what it will send. The learner refuses what does not fit its own run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub actor: ActorId,
    pub run: String,
    /// Hash of the resolved task file; actor and learner must have the same.
    pub task_hash: String,
    pub observation: ObservationSpec,
    pub action: ActionSpec,
}

/// Records in the order in which they happened, without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Append {
    pub actor: ActorId,
    pub records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LearnerReply {
    Welcome(Welcome),
    /// Everything up to and including this position is on the learner's disk.
    Appended {
        through: RecordPosition,
        pace: Pace,
    },
    Refused(Refusal),
    /// The answer to a goodbye.
    Farewell,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The last record of this actor that is on the learner's disk.
    pub through: Option<RecordPosition>,
    pub pace: Pace,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Refusal {
    /// Run, task or shapes differ; asking again does not help.
    Mismatch(String),
    /// A record is missing before the first one of the request.
    Gap { expected_after: Option<RecordPosition> },
    /// The learner cannot store at present (disk full, shutting down); ask again later.
    Unavailable(String),
}

/// How far the learner is, and how many training steps actors may have collected by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    pub env_steps: u64,
    pub learner_step: LearnerStep,
    pub policy_version: PolicyVersion,
    /// Training steps that may exist in all; 0 as long as demonstrations are wanted, `None` when
    /// actors run free.
    pub env_step_limit: Option<u64>,
    /// The learner has used its budget: actors should stop after the episode.
    pub finished: bool,
}

impl Pace {
    /// Whether the learner has fewer demonstrations than it begins with.
    pub fn demonstrations_wanted(&self) -> bool {
        self.env_step_limit == Some(0)
    }
}

/// Everything a policy needs but the frozen backbone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySnapshot {
    pub version: PolicyVersion,
    pub learner_step: LearnerStep,
    pub backbone: WeightsHash,
    /// A safetensors file in memory: the parameters by name, and the architecture as metadata.
    #[serde(with = "bytes")]
    pub parameters: Arc<[u8]>,
}

mod bytes {
    use std::sync::Arc;

    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        let bytes: &[u8] = serde_bytes::deserialize(deserializer)?;
        Ok(bytes.into())
    }
}
