//! UFACTORY's arms (xArm 5, 6, 7, Lite 6): commands on port 502 of the control box, reports on 30003.
//!
//! The arm follows a stream of setpoints (servo mode, axis and angle). Two threads: one reads what the
//! control box reports, one commands. No call waits for the wire but `connect`, and `recover` for a
//! moment. Errors are cleared and the arm is enabled only by `connect` to a healthy arm and by
//! `recover`.

mod commands;
mod frame;
#[cfg(test)]
pub(in crate::arm) mod mock;
mod report;
mod reports;
mod servo;
mod status;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use thiserror::Error;
use wire::Clock;

use self::{
    commands::{Commands, not_cleared},
    servo::Servo,
    status::Status,
};
use super::{Arm, ArmError, ArmMode, ArmState, StopKind};
use crate::{Stamped, gate::SafeTarget};

/// How long `recover` waits to hear whether it succeeds; then its outcome is in the arm's mode.
const RECOVERY_WAIT: Duration = Duration::from_millis(300);
/// How long the first report may take.
const FIRST_REPORT_WAIT: Duration = Duration::from_secs(2);

/// Where the control box is, and how the arm is driven.
#[derive(Clone, Debug, PartialEq)]
pub struct XarmConfig {
    /// Name or address of the control box.
    pub host: String,
    pub command_port: u16,
    pub report_port: u16,
    /// Number of joints: 5, 6 or 7.
    pub joints: usize,
    /// How fast setpoints may follow a target: more than what the gate allows targets.
    pub speed_max_mps: f64,
    pub speed_max_radps: f64,
}

impl XarmConfig {
    pub fn at(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            command_port: 502,
            report_port: 30_003,
            joints: 6,
            speed_max_mps: 0.5,
            speed_max_radps: 2.0,
        }
    }
}

#[derive(Debug, Error)]
pub enum XarmError {
    #[error(
        "the xArm's control box does not answer on {host}:{port}: is it on, is the cable in, and is \
         the address right?"
    )]
    Reach { host: String, port: u16, source: io::Error },
    #[error("the xArm at {host} is not ready")]
    NotReady { host: String, source: ArmError },
    #[error("a thread for the xArm could not be started")]
    Thread(#[source] io::Error),
}

type Shared = super::shared::Shared<Status>;

pub struct XarmArm {
    joints: usize,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl XarmArm {
    /// Connects, and enables an arm that has no error. It does not move.
    pub fn connect(config: XarmConfig, clock: Arc<dyn Clock>) -> Result<Self, XarmError> {
        let XarmConfig { host, command_port, report_port, joints, .. } = config;
        let speeds = [config.speed_max_mps, config.speed_max_radps];
        let reach = |port| {
            let host = host.clone();
            move |source| XarmError::Reach { host, port, source }
        };
        let address = resolve(&host, command_port).map_err(reach(command_port))?;
        let mut commands = Commands::connect(address).map_err(reach(command_port))?;
        let version = commands.version().map_err(reach(command_port))?;
        tracing::info!("xArm control box at {host}: {version}");
        let not_ready = |source| XarmError::NotReady { host: host.clone(), source };
        match commands.error().map_err(reach(command_port))? {
            0 => {}
            number => return Err(not_ready(not_cleared(number))),
        }
        commands.make_ready().map_err(reach(command_port))?.map_err(not_ready)?;
        let reports_at = resolve(&host, report_port).map_err(reach(report_port))?;
        let reports = reports::connect(reports_at).map_err(reach(report_port))?;
        let shared = Arc::new(Shared::new(clock));
        {
            let mut status = shared.lock();
            (status.commands_linked, status.reports_linked) = (true, true);
            status.made_ready();
        }
        let mut arm = Self { joints: joints.min(7), shared: shared.clone(), threads: Vec::new() };
        let read = shared.clone();
        arm.spawn("xarm-state", move || reports::run(&read, reports_at, reports))?;
        arm.wait_for_report().map_err(not_ready)?;
        let servo = Servo::new(address, speeds, commands);
        arm.spawn("xarm-servo", move || servo.run(&shared))?;
        Ok(arm)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), XarmError> {
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        self.threads.push(thread.map_err(XarmError::Thread)?);
        Ok(())
    }

    fn wait_for_report(&self) -> Result<(), ArmError> {
        let waits = |status: &mut Status| status.seen.is_none();
        let status = self.shared.wait_for_news(self.shared.lock(), FIRST_REPORT_WAIT, waits);
        status.seen.as_ref().map(drop).ok_or(ArmError::NoState)
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut addresses = (host, port).to_socket_addrs()?;
    addresses.next().ok_or_else(|| io::Error::other(format!("{host} leads to no address")))
}

impl Arm for XarmArm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let now = self.shared.clock.now();
        let status = self.shared.lock();
        let Stamped { at, value: seen } = status.seen.as_ref().ok_or(ArmError::NoState)?;
        let value = ArmState {
            mode: status.mode(now),
            tcp_pose: seen.report.tcp_pose,
            twist: seen.twist,
            joints: seen.report.joints[..self.joints].to_vec(),
            joint_velocities: seen.joint_velocities[..self.joints].to_vec(),
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
                let why = "the control box does not answer: check its power and the cable";
                return Err(ArmError::Gone(why.into()));
            }
            ArmMode::Reflex | ArmMode::EmergencyStop | ArmMode::Stopped => {}
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding => return Ok(()),
        }
        self.shared.recover(status, RECOVERY_WAIT)
    }
}

impl Drop for XarmArm {
    fn drop(&mut self) {
        self.shared.lock().quits = true;
        self.shared.wake.notify_all();
        self.shared.news.notify_all();
        for thread in self.threads.drain(..).rev() {
            if thread.join().is_err() {
                tracing::error!("a thread of the xArm panicked");
            }
        }
    }
}
