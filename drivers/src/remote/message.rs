//! What client and device say to each other: one request, one reply.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::{Frame, Mark, Timestamp, UnixNanos, codec::Message, geometry::Pose};

use crate::{
    arm::{ArmError, ArmState, StopKind},
    camera::{CameraError, CameraInfo},
    cell::{EpisodeBrief, FixtureError},
    gate::{Command, Executed, GateCounts, GateReport, Trip},
    teleop::{TeleopError, TeleopSample},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum DeviceRequest {
    Arm(ArmRequest),
    Picture { camera: String, age_max: Duration },
    Sample,
    Announce(EpisodeBrief),
    Prepare(EpisodeBrief),
    Succeeded,
    Mark,
    Lost,
    Camera(String),
    Time,
    /// Lets the device's time pass; refused where it passes by itself.
    Advance(Timestamp),
}

/// What goes to the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ArmRequest {
    /// This client wants to command from here on.
    TakeCommand,
    State,
    Skeleton,
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
    Skeleton(Vec<[f64; 3]>),
    Report(GateReport),
    Executed(Executed),
    /// Why the arm did not do it.
    Failed(ArmError),
    Picture(Result<Aged<Frame>, CameraError>),
    Sample(Result<Aged<TeleopSample>, TeleopError>),
    Prepared(Result<(), FixtureError>),
    /// `None` where nothing looks.
    Succeeded(Option<bool>),
    Marked(Option<Mark>),
    Lost(bool),
    /// What the camera gives; `None` when there is none of that name.
    Camera(Option<CameraInfo>),
    Time(DeviceTime),
}

/// The device's own time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DeviceTime {
    pub now: Timestamp,
    pub wall_now: UnixNanos,
    /// Whether it passes only as clients let it.
    pub paced: bool,
}

/// A reading and how old it was when it was sent: the two processes have clocks of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Aged<T> {
    pub age: Duration,
    pub value: T,
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
    pub refusal: Option<Trip>,
    pub counts: GateCounts,
}

impl Message for DeviceRequest {
    const KIND: u8 = 16;
}

impl Message for DeviceReply {
    const KIND: u8 = 17;
}

impl ArmRequest {
    /// Watching changes nothing; stopping the arm is open to everybody.
    pub fn needs_command(&self) -> bool {
        match self {
            Self::TakeCommand
            | Self::State
            | Self::Skeleton
            | Self::Stop(_)
            | Self::EmergencyStop(_) => false,
            Self::Command(_)
            | Self::Settle
            | Self::HandOver
            | Self::ExpectPause
            | Self::Recover
            | Self::ClearEmergency => true,
        }
    }
}
