//! What a cell offers besides its devices: preparing the work-piece, and saying whether the task
//! succeeded.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::{EpisodeId, EpisodeKind};

/// What everybody in the cell is told before an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeBrief {
    pub episode: EpisodeId,
    pub kind: EpisodeKind,
    /// Seed of everything random in this episode.
    pub seed: u64,
}

#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum FixtureError {
    #[error("preparing the work-piece failed: {0}")]
    Failed(String),
}

/// Puts the work-piece where the next episode begins: a scripted fixture, a person, or the
/// simulated world.
pub trait Fixture: Send {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError>;
}

/// Says whether the task is done: a sensor, a person's button, or the simulator's own knowledge.
pub trait SuccessSensor: Send {
    fn succeeded(&mut self) -> bool;

    /// The same; `None` where nothing looks.
    fn sees(&mut self) -> Option<bool> {
        Some(self.succeeded())
    }

    /// The task cannot be done any more in this episode: the work-piece is out of reach. Ends the
    /// episode as a failure.
    fn lost(&mut self) -> bool {
        false
    }
}

/// For a cell without a sensor: a classifier or a person's mark decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSensor;

impl SuccessSensor for NoSensor {
    fn succeeded(&mut self) -> bool {
        false
    }

    fn sees(&mut self) -> Option<bool> {
        None
    }
}
