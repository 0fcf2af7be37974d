//! Franka arms (FR3, and the Emika Robot "Panda") by the Franka Control Interface, without ROS.
//!
//! A thread of the driver answers each of the robot's thousand states a second with the torques of
//! SERL's impedance law, from `connect` on: an arm without a target holds where it stands. Errors are
//! cleared only by `recover`. When this process dies, or is late for twenty cycles, the robot stops by
//! itself.

mod control;
mod law;
mod realtime;
mod recovery;
mod status;
#[cfg(test)]
mod tests;
mod timing;

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use franka::{FciVersion, Frame};
use thiserror::Error;
use wire::Clock;

use self::{
    control::Driver,
    law::JOINTS,
    status::{Seen, Status},
    timing::Timing,
};
pub use self::{status::FrankaFault, timing::CycleTimes};
use super::{Arm, ArmError, ArmMode, ArmState, Jacobian, StopKind};
use crate::{Compliance, Stamped, gate::SafeTarget};

/// How long `recover` waits to hear whether it succeeds; then its outcome is in the arm's mode.
const RECOVERY_WAIT: Duration = Duration::from_millis(300);
/// The connection, the first state, and the start of the loop.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A joint reset goes on for as long as its profile and a little more.
const RESET_WITHIN: Duration = Duration::from_secs(60);
/// For the threads to end; one that waits for a robot that is gone is left behind.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Ends of the joints (rad), lower and upper.
const FR3_ENDS: [[f64; 2]; JOINTS] = [
    [-2.7437, 2.7437],
    [-1.7837, 1.7837],
    [-2.9007, 2.9007],
    [-3.0421, -0.1518],
    [-2.8065, 2.8065],
    [0.5445, 4.5169],
    [-3.0159, 3.0159],
];
const FER_ENDS: [[f64; 2]; JOINTS] = [
    [-2.8973, 2.8973],
    [-1.7628, 1.7628],
    [-2.8973, 2.8973],
    [-3.0718, -0.0698],
    [-2.8973, 2.8973],
    [-0.0175, 3.7525],
    [-2.8973, 2.8973],
];

/// Where the robot is, and how it is driven.
#[derive(Clone, Debug, PartialEq)]
pub struct FrankaConfig {
    /// Name or address of the control box.
    pub host: String,
    /// Refuse a machine that is not made for a loop of 1 ms.
    pub real_time: bool,
    /// From which force (N) and torque (Nm) on the robot stops by itself.
    pub collision_force_n: f64,
    pub collision_torque_nm: f64,
    /// How stiff it is at first; what is not named is SERL's default.
    pub compliance: Compliance,
    /// How fast a joint goes at most in a joint reset.
    pub reset_speed_radps: f64,
}

impl FrankaConfig {
    pub fn at(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            real_time: true,
            collision_force_n: 25.0,
            collision_torque_nm: 20.0,
            compliance: Compliance::default(),
            reset_speed_radps: 0.5,
        }
    }
}

#[derive(Debug, Error)]
pub enum FrankaError {
    #[error(
        "the Franka at {host} does not answer: is it on, is FCI activated in Desk, does no other client \
         hold it, and is the address right?"
    )]
    Reach { host: String, source: Box<franka::FrankaError> },
    #[error("the machine cannot keep 1 ms: {0}; or set franka.real_time = false to try without")]
    RealTime(String),
    #[error("franka.compliance")]
    Compliance(#[source] ArmError),
    #[error("the Franka at {0} did not come under control within {CONNECT_WITHIN:?}")]
    Slow(String),
    #[error("a thread for the Franka could not be started")]
    Thread(#[source] io::Error),
}

type Shared = super::shared::Shared<Status>;

pub struct FrankaArm {
    shared: Arc<Shared>,
    timing: Arc<Timing>,
    joint_ends: &'static [[f64; 2]],
    threads: Vec<JoinHandle<()>>,
}

impl FrankaArm {
    /// Connects, and holds a robot that is ready where it stands. One in a reflex, under a user stop or
    /// with locked joints is connected, too, and has to be recovered.
    pub fn connect(config: FrankaConfig, clock: Arc<dyn Clock>) -> Result<Self, FrankaError> {
        let host = config.host.clone();
        let shared = Arc::new(Shared::new(clock));
        let compliance = shared.lock().parameters.set(&config.compliance);
        compliance.map_err(FrankaError::Compliance)?;
        let timing = Arc::new(Timing::default());
        let (tell, told) = mpsc::sync_channel(1);
        let mut arm = Self {
            shared: shared.clone(),
            timing: timing.clone(),
            joint_ends: &FR3_ENDS,
            threads: Vec::new(),
        };
        let driver = Driver { config, shared: shared.clone(), timing };
        arm.spawn("franka-control", move || driver.run(tell))?;
        told.recv_timeout(CONNECT_WITHIN).map_err(|_| FrankaError::Slow(host.clone()))??;
        arm.spawn("franka-recovery", move || recovery::run(&shared))?;
        arm.await_control().ok_or(FrankaError::Slow(host))?;
        let session = arm.shared.lock().session.clone();
        if session.is_some_and(|session| session.robot.fci_version() == FciVersion::V5) {
            arm.joint_ends = &FER_ENDS;
        }
        Ok(arm)
    }

    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), FrankaError> {
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        self.threads.push(thread.map_err(FrankaError::Thread)?);
        Ok(())
    }

    /// Until the first torques are sent, or there is a reason why not.
    fn await_control(&self) -> Option<()> {
        let waits = |status: &mut Status| status.starts && status.fault.is_none();
        let mut status = self.shared.wait_for_news(self.shared.lock(), CONNECT_WITHIN, waits);
        (!waits(&mut status)).then_some(())
    }

    fn seen(&self) -> Option<Stamped<Seen>> {
        self.shared.lock().seen.clone()
    }

    /// What ended the motion.
    pub fn fault(&self) -> Option<FrankaFault> {
        self.shared.lock().fault.clone()
    }

    /// How long the cycles of its loop take.
    pub fn cycle_times(&self) -> CycleTimes {
        self.timing.read()
    }

    /// Brings the joints (rad) to these by the robot's own controller, and waits until that is done. The
    /// arm moves outside of the gate. A stop ends it.
    pub fn reset_joints(&mut self, joints: [f64; JOINTS]) -> Result<(), ArmError> {
        let within = |(joint, [low, high]): (&f64, &[f64; 2])| (low..=high).contains(&joint);
        if !joints.iter().zip(self.joint_ends).all(within) {
            let ends = self.joint_ends;
            return Err(ArmError::Unsupported(format!(
                "the joints {joints:?} are beyond their ends, {ends:?} rad"
            )));
        }
        let mut status = self.shared.lock();
        if let Some(refusal) = status.refusal(self.shared.clock.now()) {
            return Err(refusal);
        }
        status.target = None;
        (status.reset, status.reset_outcome) = (Some(joints), None);
        let waits = |status: &mut Status| status.reset_outcome.is_none();
        let mut status = self.shared.wait_for_news(status, RESET_WITHIN, waits);
        status.reset_outcome.take().unwrap_or_else(|| {
            status.stop();
            let why = format!("the joint reset took more than {RESET_WITHIN:?} and was stopped");
            Err(ArmError::NeedsOperator(why))
        })
    }
}

impl Arm for FrankaArm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let now = self.shared.clock.now();
        let status = self.shared.lock();
        let Stamped { at, value: seen } = status.seen.as_ref().ok_or(ArmError::NoState)?;
        let value = ArmState {
            mode: status.mode(now),
            tcp_pose: seen.tcp_pose,
            twist: seen.twist,
            joints: seen.joints.to_vec(),
            joint_velocities: seen.joint_velocities.to_vec(),
            wrench: Some(seen.wrench),
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
        match how {
            StopKind::Hold => status.target = None,
            StopKind::Controlled => status.stop(),
        }
        self.shared.news.notify_all();
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        let status = self.shared.lock();
        match status.mode(self.shared.clock.now()) {
            ArmMode::Disconnected => {
                let why = "the robot does not answer: check its power and the cable";
                return Err(ArmError::Gone(why.into()));
            }
            ArmMode::Reflex | ArmMode::EmergencyStop | ArmMode::Stopped => {}
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding => return Ok(()),
        }
        self.shared.recover(status, RECOVERY_WAIT)
    }

    fn set_compliance(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        self.shared.lock().parameters.set(compliance)
    }

    fn skeleton(&self) -> Vec<[f64; 3]> {
        let status = self.shared.lock();
        let (Some(session), Some(seen)) = (status.session.clone(), status.seen.clone()) else {
            return Vec::new();
        };
        drop(status);
        let unmoved = franka::robot_state::IDENTITY_TRANSFORM;
        let at = |frame| {
            let [.., x, y, z, _] =
                session.model.pose_q(frame, &seen.value.joints, &unmoved, &unmoved);
            [x, y, z]
        };
        let joints = Frame::ALL[..=JOINTS].iter().map(|frame| at(*frame));
        let ends = [seen.value.tcp_pose.translation.vector.into()];
        [[0.0; 3]].into_iter().chain(joints).chain(ends).collect()
    }

    fn joint_ends(&self) -> &[[f64; 2]] {
        self.joint_ends
    }

    fn jacobian(&self) -> Option<Jacobian> {
        let seen = self.seen()?;
        Some(Jacobian::from_column_slice(seen.value.jacobian.as_slice()))
    }
}

impl Drop for FrankaArm {
    fn drop(&mut self) {
        self.shared.lock().quits = true;
        self.shared.wake.notify_all();
        self.shared.news.notify_all();
        let clock = &self.shared.clock;
        let until = clock.now() + END_WITHIN;
        for thread in self.threads.drain(..).rev() {
            while !thread.is_finished() && clock.now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if !thread.is_finished() {
                tracing::error!("{name} waits for the robot and is left behind");
            } else if thread.join().is_err() {
                tracing::error!("{name} panicked");
            }
        }
    }
}
