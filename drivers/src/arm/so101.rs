//! The SO-101 (and SO-100 with its servos and lengths): five joints and a gripper, six Feetech servos on one
//! serial line.
//!
//! One thread owns the line, reads all servos each period and sends them goals while a lease is valid. No
//! call waits for the wire but `connect`, and `recover` for a moment. Torque goes on by `connect` to servos
//! that are well and by `recover`, and off never: a dropped arm holds.

pub(crate) mod calibration;
mod grip;
pub(crate) mod kinematics;
pub(crate) mod ready;
mod servo;
mod status;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    f64::consts::TAU,
    io,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use thiserror::Error;
use wire::Clock;

use self::{
    calibration::Calibration,
    kinematics::{ENDS, JOINTS, Joints, Kinematics},
    servo::{SAG_MAX, Servo},
    status::Status,
};
pub use self::{calibration::CalibrationError, grip::So101Gripper};
use super::{Arm, ArmError, ArmMode, ArmState, StopKind};
use crate::{
    Stamped,
    feetech::{Bus, registers::TURN},
    gate::SafeTarget,
};

/// How long `recover` waits to hear whether it succeeds; then its outcome is in the arm's mode.
const RECOVERY_WAIT: Duration = Duration::from_millis(500);
/// How long the first look at the servos may take.
const FIRST_LOOK_WAIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);
/// No joint is told to come nearer to its end than this (rad).
const END_MARGIN: f64 = 0.02;
/// Of the servos' own speed limit to that of the goals: they catch up, but never race.
const SPEED_ROOM: f64 = 1.5;

/// Where the arm is, and how it is driven.
#[derive(Clone, Debug, PartialEq)]
pub struct So101Config {
    /// The serial device.
    pub device: PathBuf,
    /// The file that `lerobot-calibrate` wrote for this arm.
    pub calibration: PathBuf,
    /// How often servos are looked at and sent goals.
    pub rate_hz: f64,
    /// How fast a joint's goal may go.
    pub joint_speed_max_radps: f64,
    /// Of the joints' torque, what they may use: 0 to 1.
    pub torque_share: f64,
    /// Of the servos with their supply.
    pub stall_torque_nm: f64,
}

impl So101Config {
    pub fn at(device: impl Into<PathBuf>, calibration: impl Into<PathBuf>) -> Self {
        Self {
            device: device.into(),
            calibration: calibration.into(),
            rate_hz: 100.0,
            joint_speed_max_radps: 2.0,
            torque_share: 1.0,
            stall_torque_nm: 1.9,
        }
    }
}

#[derive(Debug, Error)]
pub enum So101Error {
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    #[error(
        "the SO-101's servos do not answer on {device}: is it powered, is the cable in, is it the right \
         device, and may this user open it (group dialout)?"
    )]
    Reach { device: PathBuf, source: io::Error },
    #[error("the SO-101 on {device} is not ready")]
    NotReady { device: PathBuf, source: ArmError },
    #[error("the thread for the SO-101 could not be started")]
    Thread(#[source] io::Error),
}

/// What is known of the arm before it is asked.
#[derive(Clone, Debug)]
struct Body {
    calibration: Calibration,
    kinematics: Kinematics,
    /// Where the joints' goals may be.
    ends: [[f64; 2]; JOINTS],
    period: Duration,
    /// Of the goals (rad/s), and of the servos (ticks per second).
    speed_max: f64,
    speed_ticks: u16,
    /// In thousandths of what a servo has.
    torque_limit: u16,
    /// A goal as near as this is where the arm is.
    rest_ticks: i32,
}

impl Body {
    fn new(config: &So101Config) -> Result<Self, CalibrationError> {
        let calibration = Calibration::load(&config.calibration)?;
        let ticks = |radians: f64| radians * TURN / TAU;
        let ends = std::array::from_fn(|i| {
            let ([low, high], [lowest, highest]) = (calibration.ends(i), ENDS[i]);
            [low.max(lowest) + END_MARGIN, high.min(highest) - END_MARGIN]
        });
        Ok(Self {
            calibration,
            kinematics: Kinematics::new(),
            ends,
            period: Duration::from_secs_f64(1.0 / config.rate_hz),
            speed_max: config.joint_speed_max_radps,
            speed_ticks: ticks(SPEED_ROOM * config.joint_speed_max_radps).min(3400.0) as u16,
            torque_limit: (1000.0 * config.torque_share).clamp(0.0, 1000.0) as u16,
            rest_ticks: ticks(SAG_MAX) as i32,
        })
    }
}

type Shared = super::shared::Shared<Status>;

pub struct So101Arm {
    kinematics: Kinematics,
    ends: [[f64; 2]; JOINTS],
    stall_torque_nm: f64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl So101Arm {
    /// Connects, and lets servos that are well hold where they are. It does not move.
    pub fn connect(config: So101Config, clock: Arc<dyn Clock>) -> Result<Self, So101Error> {
        let body = Body::new(&config)?;
        let So101Config { device, stall_torque_nm, .. } = config;
        let reach = |source| So101Error::Reach { device: device.clone(), source };
        let not_ready = |source| So101Error::NotReady { device: device.clone(), source };
        let mut bus = Bus::open(&device).map_err(reach)?;
        ready::set_up(&mut bus, &body).map_err(reach)?.map_err(not_ready)?;
        let told = ready::hold(&mut bus, &body, &*clock).map_err(reach)?.map_err(not_ready)?;
        let (kinematics, ends) = (body.kinematics.clone(), body.ends);
        let servo = Servo::new(device.clone(), body, bus, told, clock.now());
        let shared = Arc::new(Shared::new(clock));
        shared.lock().linked = true;
        let run = {
            let shared = shared.clone();
            move || servo.run(&shared)
        };
        let thread = thread::Builder::new().name("so101".into()).spawn(run);
        let thread = Some(thread.map_err(So101Error::Thread)?);
        let arm = Self { kinematics, ends, stall_torque_nm, shared, thread };
        arm.wait_for_look().map_err(not_ready)?;
        Ok(arm)
    }

    /// The gripper on the same line.
    pub fn gripper(&self) -> So101Gripper {
        So101Gripper { shared: self.shared.clone(), stall_torque_nm: self.stall_torque_nm }
    }

    fn wait_for_look(&self) -> Result<(), ArmError> {
        let waits = |status: &mut Status| status.seen.is_none();
        let status = self.shared.wait_for_news(self.shared.lock(), FIRST_LOOK_WAIT, waits);
        status.seen.as_ref().map(drop).ok_or(ArmError::NoState)
    }

    fn joints(&self) -> Option<Joints> {
        self.shared.lock().seen.as_ref().map(|seen| seen.value.joints)
    }
}

impl Arm for So101Arm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let now = self.shared.clock.now();
        let status = self.shared.lock();
        let Stamped { at, value: seen } = status.seen.as_ref().ok_or(ArmError::NoState)?;
        let value = ArmState {
            mode: status.mode(now),
            tcp_pose: seen.tcp_pose,
            twist: seen.twist,
            joints: seen.joints.iter().copied().collect(),
            joint_velocities: seen.joint_velocities.iter().copied().collect(),
            wrench: None,
            gripper: None,
        };
        Ok(Stamped { at: *at, value })
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        let now = self.shared.clock.now();
        let mut status = self.shared.lock();
        if let Some(refusal) = status.refusal(now) {
            return Err(refusal);
        }
        status.follow(*target.pose(), target.valid_until());
        Ok(())
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        let mut status = self.shared.lock();
        status.target = None;
        if how == StopKind::Controlled {
            status.stopped = true;
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        let status = self.shared.lock();
        match status.mode(self.shared.clock.now()) {
            ArmMode::Disconnected => {
                let why = "its servos do not answer: check the USB cable and the power";
                return Err(ArmError::Gone(why.into()));
            }
            ArmMode::Reflex | ArmMode::EmergencyStop | ArmMode::Stopped => {}
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding => return Ok(()),
        }
        self.shared.recover(status, RECOVERY_WAIT)
    }

    fn skeleton(&self) -> Vec<[f64; 3]> {
        let Some(joints) = self.joints() else { return Vec::new() };
        let place = |pose: &wire::geometry::Pose| pose.translation.vector.into();
        let frames = self.kinematics.frames(&joints);
        let tool = self.kinematics.forward(&joints);
        std::iter::once([0.0; 3]).chain(frames.iter().map(place)).chain([place(&tool)]).collect()
    }

    /// The Jacobian is kept: five joints have none that a gate could judge as that of six, and the driver
    /// itself keeps the joints from their ends.
    fn joint_ends(&self) -> &[[f64; 2]] {
        &self.ends
    }
}

impl Drop for So101Arm {
    fn drop(&mut self) {
        self.shared.lock().quits = true;
        self.shared.wake.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the SO-101 panicked");
        }
    }
}
