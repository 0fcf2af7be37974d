//! Why an actor ends before its work is done.

use drivers::{ArmError, FixtureError};
use tasks::ResetError;
use thiserror::Error;

use crate::{fault::Fault, outbox::OutboxError, staging::StagingError, uplink::UplinkError};

#[derive(Debug, Error)]
pub enum ActorError {
    #[error("the cell does not fit the task: {0}")]
    Cell(String),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Staging(#[from] StagingError),
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    #[error("the arm could not be brought to its start pose in {attempts} attempts")]
    Reset { attempts: u32, source: ResetFailure },
    #[error("the arm stopped by itself {times} times in a row; look at the cell and start again")]
    ArmNeedsOperator { times: u32 },
    #[error("in lockstep the learner gave no {wanted} however often it was asked")]
    Stalled { wanted: &'static str },
    #[error("a thread of the actor could not be started")]
    Thread(#[source] std::io::Error),
    #[error("the {0} thread of the actor panicked")]
    Panicked(&'static str),
}

/// What went wrong in a reset.
#[derive(Debug, Error)]
pub enum ResetFailure {
    #[error(transparent)]
    Plan(#[from] ResetError),
    #[error(transparent)]
    Arm(#[from] ArmError),
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    #[error("{0}")]
    ArmFault(Fault),
    #[error("{0}")]
    Observation(String),
    /// Of two arms.
    #[error("{arm}: {source}")]
    OfArm { arm: &'static str, source: Box<ResetFailure> },
    #[error(
        "the gripper did not open in {steps} steps: see that nothing blocks it, or raise \
         reset.timeout_steps"
    )]
    GripperClosed { steps: u32 },
}

impl ResetFailure {
    /// What it was, whichever arm it was of.
    pub(crate) fn cause(&self) -> &Self {
        match self {
            Self::OfArm { source, .. } => source.cause(),
            other => other,
        }
    }
}
