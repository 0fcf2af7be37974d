//! What goes into the gate and what comes out. They are two types, so that nobody can send one for
//! the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::{GateEvents, GripperCommand, Timestamp, geometry::Pose};

/// Where somebody wants the TCP to go. Anything at all may stand here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Base frame → TCP.
    pub pose: Pose,
    /// How long it may be followed; the gate's longest lease cuts it.
    pub valid_for: Duration,
    /// What the gripper at the tool is told.
    pub gripper: GripperCommand,
}

impl Command {
    /// For a loop that commands once per `period`: valid for two of them and 50 ms, so that one
    /// late command does not stop the arm.
    pub fn every(period: Duration, pose: Pose) -> Self {
        let valid_for = period * 2 + Duration::from_millis(50);
        Self { pose, valid_for, gripper: GripperCommand::Stay }
    }

    #[must_use]
    pub fn gripping(self, gripper: GripperCommand) -> Self {
        Self { gripper, ..self }
    }
}

/// A target inside the limits, and how long it may be followed. Only the gate makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeTarget {
    pose: Pose,
    valid_until: Timestamp,
}

impl SafeTarget {
    pub(super) fn new(pose: Pose, valid_until: Timestamp) -> Self {
        Self { pose, valid_until }
    }

    /// For the tests of a driver by itself.
    pub(crate) fn under_test(pose: Pose, valid_until: Timestamp) -> Self {
        Self::new(pose, valid_until)
    }

    /// Base frame → TCP.
    pub fn pose(&self) -> &Pose {
        &self.pose
    }

    /// When the lease ends: from then on the arm holds by itself.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }
}

/// What the gate made of a command: where the targets are heading from here on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    pub goal: Pose,
    pub events: GateEvents,
}

/// What came of a command by the end of its step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Executed {
    /// The last target that the arm got, or the pose in which it holds.
    pub target: Pose,
    /// What the gripper was sent.
    pub gripper: GripperCommand,
    /// Everything that the gate did since it was asked last.
    pub events: GateEvents,
}
