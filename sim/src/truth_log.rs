//! What really happened in the simulated cell, as the cell itself saw it: a file of JSON lines that
//! no recorder, outbox or learner has a hand in. Tests compare what was learned from with it.
//!
//! Each line is one write, so that what happened before a process was killed is in the file.

use std::{
    cell::Cell,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use drivers::ArmState;
use serde::{Deserialize, Serialize};
use wire::{
    EpisodeId, Frame, Timestamp,
    geometry::{Pose, Twist, Wrench},
};

use crate::error::SimError;

/// One thing that happened. Times are the cell's, poses and wrenches in the base frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// A cell came up: the times that follow are its own.
    Started,
    /// The socket was put where `episode` begins.
    Prepared { episode: EpisodeId },
    /// The peg was seated for the first time in `episode`.
    Seated { at: Timestamp, episode: EpisodeId },
    /// Somebody read the arm's state for the first time at this moment.
    Measured { at: Timestamp, tcp_pose: Pose, twist: Twist, wrench: Wrench },
    /// The arm took a target.
    Commanded { at: Timestamp, target: Pose },
    /// The arm was told to stop or to hold.
    Stopped { at: Timestamp },
    /// The gripper took a command.
    Gripped { at: Timestamp, opens: bool },
    /// A camera gave a picture of this moment.
    Pictured { at: Timestamp, camera: String, crc32: u32 },
}

#[derive(Debug)]
pub(crate) struct TruthLog {
    file: File,
    /// Of the last state written down.
    measured_at: Cell<Option<Timestamp>>,
}

impl TruthLog {
    /// Goes on in `path` where it exists: a cell that is started again adds to its file.
    pub fn open(path: &Path) -> Result<Self, SimError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|source| SimError::TruthLog { path: path.into(), source })?;
        let log = Self { file, measured_at: Cell::new(None) };
        log.write(&Happening::Started);
        Ok(log)
    }

    /// Panics when it cannot: a truth with a hole would say that something is missing elsewhere.
    pub fn write(&self, happening: &Happening) {
        let mut line = serde_json::to_vec(happening).expect("plain data");
        line.push(b'\n');
        (&self.file).write_all(&line).expect("the truth must be written");
    }

    pub fn measured(&self, at: Timestamp, state: &ArmState) {
        if self.measured_at.replace(Some(at)) != Some(at) {
            let ArmState { tcp_pose, twist, .. } = *state;
            let wrench = state.wrench.unwrap_or_default();
            self.write(&Happening::Measured { at, tcp_pose, twist, wrench });
        }
    }

    pub fn pictured(&self, at: Timestamp, camera: &str, frame: &Frame) {
        let crc32 = crc32fast::hash(&frame.pixels);
        self.write(&Happening::Pictured { at, camera: camera.to_owned(), crc32 });
    }
}
