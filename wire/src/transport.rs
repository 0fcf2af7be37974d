//! How messages get across: zenoh between processes, memory inside one.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    codec::CodecError,
    identity::IdentityError,
    ids::ActorId,
    message::{ActorRequest, LearnerReply, Pace, PolicySnapshot},
};

pub mod keys;
pub mod memory;
pub mod zenoh;

#[derive(Debug, Error)]
pub enum LinkError {
    #[error("no learner answered within {0:?}")]
    NoAnswer(Duration),
    #[error("the other side answered with something unreadable")]
    Codec(#[from] CodecError),
    #[error("opening {endpoint} failed: {reason}")]
    Open { endpoint: String, reason: String },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the link failed: {0}")]
    Broken(String),
}

/// How an actor stands with its learner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    Connected,
    /// No learner answers, for this reason; the actor keeps trying.
    Waiting(String),
    /// Somebody is there and does not let us in; the actor keeps trying, a person must help.
    Refused(String),
}

impl Default for LinkState {
    fn default() -> Self {
        Self::Waiting("connecting".into())
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Waiting(reason) => write!(f, "waiting, {reason}"),
            Self::Refused(reason) => write!(f, "refused, {reason}"),
        }
    }
}

/// What the learner does with a request. Runs on the transport's thread; may block on the disk.
pub type RequestHandler = Arc<dyn Fn(ActorRequest) -> LearnerReply + Send + Sync>;

/// The actor's end of the link.
pub trait LearnerLink: Send + Sync + fmt::Debug {
    /// Asks and waits. After an error nobody knows whether the request arrived: ask again.
    fn request(&self, request: &ActorRequest, timeout: Duration)
    -> Result<LearnerReply, LinkError>;

    /// The newest parameters that came since the last call; earlier ones are dropped.
    fn take_policy(&self) -> Option<PolicySnapshot>;

    /// The newest pace that came, if any.
    fn pace(&self) -> Option<Pace>;

    /// Whether a learner is there, and if not, why. Never waits.
    fn state(&self) -> LinkState;
}

/// The learner's end of the link.
pub trait ActorLink: Send + Sync + fmt::Debug {
    /// Answers requests with `handler` until the link is dropped.
    fn serve(&self, handler: RequestHandler) -> Result<(), LinkError>;

    /// Offers parameters to every actor, those that join later too.
    fn publish_policy(&self, snapshot: &PolicySnapshot) -> Result<(), LinkError>;

    fn publish_pace(&self, pace: &Pace) -> Result<(), LinkError>;

    /// The actors that are connected now, in order. Never waits.
    fn actors(&self) -> Vec<ActorId>;
}
