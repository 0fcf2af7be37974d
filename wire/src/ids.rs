//! Names of things, each its own type so that swapped arguments do not compile.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// One actor process of a run; stays the same when that actor is restarted.
    ActorId(u16)
}
id! {
    /// An episode of one actor, counted from 0 over the whole run, restarts included.
    EpisodeId(u32)
}
id! {
    /// Which parameters proposed an action: 0 before any were published, then rising.
    PolicyVersion(u64)
}
id! {
    /// Critic updates the learner has made.
    LearnerStep(u64)
}

impl ActorId {
    /// Under which episodes stand that were brought from elsewhere. No process acts as it.
    pub const IMPORTED: Self = Self(u16::MAX);
}

impl EpisodeId {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where a record stands in what one actor has written: the episode, and the place in it.
///
/// Index 0 is the episode's start, 1..=n are its n steps, n+1 its end. (actor, episode, index)
/// names a record for ever, so a record that is sent twice is recognised.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RecordPosition {
    pub episode: EpisodeId,
    pub index: u32,
}

impl RecordPosition {
    pub fn start_of(episode: EpisodeId) -> Self {
        Self { episode, index: 0 }
    }

    pub fn next_in_episode(self) -> Self {
        Self { index: self.index + 1, ..self }
    }
}

impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "episode {} record {}", self.episode, self.index)
    }
}
