//! What client and device say to each other: one request, one reply.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::{codec::Message, geometry::Pose};

use crate::{
    arm::{ArmState, StopKind},
    gate::{Command, Executed, GateCounts, GateReport},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum DeviceRequest {
    /// This client wants to command from here on.
    TakeCommand,
    State,
    Command(Command),
    Settle,
    HandOver,
    ExpectPause,
    Stop(StopKind),
    EmergencyStop(String),
    Recover,
    ClearEmergency,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum DeviceReply {
    Done,
    State(Box<DeviceState>),
    Report(GateReport),
    Executed(Executed),
    /// Why it was not done.
    Refused(String),
}

/// The arm as the device sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceState {
    pub state: ArmState,
    /// How old the state was when it was sent.
    pub age: Duration,
    /// The last target, while its lease is valid.
    pub target: Option<Pose>,
    /// Why a command would be refused.
    pub refusal: Option<String>,
    pub counts: GateCounts,
}

impl Message for DeviceRequest {
    const KIND: u8 = 16;
}

impl Message for DeviceReply {
    const KIND: u8 = 17;
}

impl DeviceRequest {
    /// Watching changes nothing; stopping the arm is open to everybody.
    pub fn needs_command(&self) -> bool {
        match self {
            Self::TakeCommand | Self::State | Self::Stop(_) | Self::EmergencyStop(_) => false,
            Self::Command(_)
            | Self::Settle
            | Self::HandOver
            | Self::ExpectPause
            | Self::Recover
            | Self::ClearEmergency => true,
        }
    }
}
