//! What can go wrong in a step, and what is done about each. A single old picture is no fault: the
//! one before stands in, and is counted. Nor is a lost teleop device: the arbiter holds the arm.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No picture, or only old ones for too long.
    CameraLost(String),
    /// What was observed does not fit the task.
    ObservationUnfit(String),
    /// The policy or the backbone failed.
    PolicyFailed(String),
    /// The arm gives no state or refuses a command.
    ArmFailed(String),
    /// The arm stopped by itself, or the gate stopped it.
    ArmReflex(String),
    /// A stop that only an operator ends.
    EmergencyStop(String),
    /// The learner has been away for so long that the disk has no room for more.
    OutboxFull,
    /// The actor's disk has no room.
    DiskFull,
    /// The recorder did not keep up.
    RecorderLate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Hold the arm where it is and end the episode.
    TruncateEpisode,
    /// Hold the arm, end the episode, and recover the arm before the next.
    HoldArm,
    /// Brake, end the episode, and recover the arm before the next.
    StopArm,
}

impl Response {
    /// Whether the arm must be recovered before it moves again.
    pub fn recovers(self) -> bool {
        match self {
            Self::TruncateEpisode => false,
            Self::HoldArm | Self::StopArm => true,
        }
    }
}

impl Fault {
    pub fn response(&self) -> Response {
        match self {
            Self::CameraLost(_)
            | Self::ObservationUnfit(_)
            | Self::PolicyFailed(_)
            | Self::OutboxFull
            | Self::DiskFull
            | Self::RecorderLate => Response::TruncateEpisode,
            // The gate has stopped the motion already, and may be backing off.
            Self::ArmReflex(_) => Response::HoldArm,
            Self::ArmFailed(_) | Self::EmergencyStop(_) => Response::StopArm,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CameraLost(what) | Self::ObservationUnfit(what) => f.write_str(what),
            Self::PolicyFailed(what) => write!(f, "the policy failed: {what}"),
            Self::ArmFailed(what) | Self::ArmReflex(what) | Self::EmergencyStop(what) => {
                f.write_str(what)
            }
            Self::OutboxFull => {
                f.write_str("the outbox is full: the learner has not taken records for a long time")
            }
            Self::DiskFull => f.write_str("the actor's disk is full"),
            Self::RecorderLate => f.write_str("the disk does not keep up with the recording"),
        }
    }
}
