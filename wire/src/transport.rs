//! How messages get across: zenoh between processes, memory inside one.

use std::{fmt, sync::Arc, time::Duration};

use thiserror::Error;

use crate::{
    codec::CodecError,
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
    #[error("the link failed: {0}")]
    Broken(String),
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
}

/// The learner's end of the link.
pub trait ActorLink: Send + Sync + fmt::Debug {
    /// Answers requests with `handler` until the link is dropped.
    fn serve(&self, handler: RequestHandler) -> Result<(), LinkError>;

    /// Offers parameters to every actor, those that join later too.
    fn publish_policy(&self, snapshot: &PolicySnapshot) -> Result<(), LinkError>;

    fn publish_pace(&self, pace: &Pace) -> Result<(), LinkError>;
}
