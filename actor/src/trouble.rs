//! What is wrong just now and what to do about it, in words for the person at the cell.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Trouble {
    /// The learner does not answer, or cannot store.
    Learner {
        since_s: u64,
        /// Records that wait for it here.
        kept: u64,
        reason: String,
    },
    /// The outbox has its greatest size.
    OutboxFull,
    /// The disk that the outbox is on has no room.
    DiskFull,
    /// Records wait for a disk that does not keep up.
    DiskSlow,
    /// No new picture, or the same one although the arm moved.
    Camera { reason: String },
    /// Nothing can be heard from the teleop device.
    TeleopLost,
    /// The teleop device says the same for longer than a hand can.
    TeleopStuck,
    /// The arm stopped by itself, or is away.
    Arm { reason: String },
    /// The arm was stopped too often, or in an emergency: a person has to allow it to move.
    ArmWaits { reason: String },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learner { since_s, kept, reason } => write!(
                f,
                "the learner takes nothing since {since_s} s ({reason}): {kept} records are kept \
                 here and sent when it does; look whether it runs"
            ),
            Self::OutboxFull => f.write_str(
                "the outbox is full: start the learner, there is room when it has taken records",
            ),
            Self::DiskFull => {
                f.write_str("the disk is full: make room, the run then goes on by itself")
            }
            Self::DiskSlow => f.write_str(
                "the disk does not keep up with the recording: look at what else keeps it busy",
            ),
            Self::Camera { reason } => write!(f, "{reason}: look at its cable and its driver"),
            Self::TeleopLost => f.write_str(
                "the teleop device is silent and nobody can take over: look at its cable",
            ),
            Self::TeleopStuck => f.write_str(
                "the teleop device repeats itself and the arm holds: let go of it, plug it in anew",
            ),
            Self::Arm { reason } => {
                write!(f, "{reason}: it goes on by itself when the arm is ready; keep clear")
            }
            Self::ArmWaits { reason } => {
                write!(f, "{reason}: look at the cell and say `recover` when the arm may move")
            }
        }
    }
}
