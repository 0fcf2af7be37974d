//! The instant at which a process is to be killed.

use std::time::Duration;

/// What is waited for before the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    AnyInstant(Duration),
    /// The learner has written records and has not acknowledged them.
    JournalWritten,
    /// The learner writes a checkpoint.
    CheckpointMade,
    /// The learner begins a new segment.
    JournalRolled,
    /// The actor has written a record and has not sent it.
    OutboxWritten,
    /// The actor begins a new segment.
    OutboxRolled,
    /// The learner does not answer and the outbox has no more room.
    OutboxFull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Actor,
    Learner,
    Both,
}

impl Victim {
    pub fn takes_actor(self) -> bool {
        self != Self::Learner
    }

    pub fn takes_learner(self) -> bool {
        self != Self::Actor
    }
}

impl Aim {
    pub fn name(&self) -> &'static str {
        match self {
            Self::AnyInstant(_) => "any instant",
            Self::JournalWritten => "between write and acknowledgement",
            Self::CheckpointMade => "in a checkpoint",
            Self::JournalRolled => "in a segment roll of the journal",
            Self::OutboxWritten => "between record and sending",
            Self::OutboxRolled => "in a segment roll of the outbox",
            Self::OutboxFull => "with a full outbox",
        }
    }

    /// The folder of the run to watch, and what to see there.
    pub fn sight(&self) -> Option<(&'static str, Sight)> {
        match self {
            Self::AnyInstant(_) | Self::OutboxFull => None,
            Self::JournalWritten => Some(("journal", Sight::Growth)),
            Self::CheckpointMade => Some(("checkpoints", Sight::NewFile)),
            Self::JournalRolled => Some(("journal", Sight::NewFile)),
            Self::OutboxWritten => Some(("outbox", Sight::Growth)),
            Self::OutboxRolled => Some(("outbox", Sight::NewFile)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    NewFile,
    Growth,
}
