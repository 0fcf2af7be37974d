//! Universal Robots: state by RTDE, motion by a program of ours on the controller.
//!
//! Two threads: one reads what the controller says, one talks to our program. No call waits for the
//! wire but `connect`, and `recover` for a moment. The arm is never unlocked, powered or started
//! again unless `recover` asks for it.

mod dashboard;
mod link;
#[cfg(test)]
pub(in crate::arm) mod mock;
mod program;
mod rtde;
mod servo;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use thiserror::Error;
use wire::Clock;

use self::{
    link::{Link, Version},
    program::Program,
    servo::Servo,
    status::Status,
};
use super::{Arm, ArmError, ArmMode, ArmState, StopKind};
use crate::{Stamped, gate::SafeTarget};

/// How long `recover` waits to hear whether it succeeds; then its outcome is in the arm's mode.
const RECOVERY_WAIT: Duration = Duration::from_millis(300);
/// How long the first state may take.
const FIRST_STATE_WAIT: Duration = Duration::from_secs(2);

/// Where the controller is, and how it is driven. The ports are UR's own unless a test changes them.
#[derive(Clone, Debug, PartialEq)]
pub struct UrConfig {
    /// Name or address of the controller.
    pub host: String,
    pub rtde_port: u16,
    pub dashboard_port: u16,
    /// The secondary interface, which takes programs.
    pub script_port: u16,
    /// Where this host listens for our program; 0 takes any port that is free.
    pub reverse_port: u16,
    /// This host's address as the controller sees it; none takes that of the connection to it.
    pub reverse_host: Option<String>,
    /// States per second: at most 125 on CB3, 500 on e-Series.
    pub rate_hz: f64,
    /// How far the controller smooths ahead (0.03 to 0.2 s), and how hard it follows (100 to 2000).
    pub lookahead_s: f64,
    pub gain: f64,
    /// Zero the force sensor when the program starts, and tell the force on the tool.
    pub force: bool,
    /// Lower than this the speed slider may not stand.
    pub speed_fraction_min: f64,
}

impl UrConfig {
    pub fn at(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            rtde_port: 30_004,
            dashboard_port: 29_999,
            script_port: 30_002,
            reverse_port: 50_001,
            reverse_host: None,
            rate_hz: 125.0,
            lookahead_s: 0.1,
            gain: 300.0,
            force: true,
            speed_fraction_min: 0.95,
        }
    }
}

#[derive(Debug, Error)]
pub enum UrError {
    #[error("the name {0} of the UR controller leads to no address")]
    Name(String),
    #[error(
        "the UR controller does not answer on {address} ({what}): is it on, is the cable in, and is \
         the service switched on in its security settings?"
    )]
    Reach { what: &'static str, address: SocketAddr, source: io::Error },
    #[error("the UR controller at {host} and this driver do not understand each other: {reason}")]
    Protocol { host: String, reason: String },
    #[error(
        "another RTDE client of the UR controller at {host} holds {name}: stop the other driver of \
         this arm first"
    )]
    InUse { host: String, name: &'static str },
    #[error("listening for the arm's program on port {port}: set ur.reverse_port to a free one")]
    Listen { port: u16, source: io::Error },
    #[error("the UR arm at {host} is not ready")]
    NotReady { host: String, source: ArmError },
    #[error("a thread for the UR arm could not be started")]
    Thread(#[source] io::Error),
}

type Shared = super::shared::Shared<Status>;

pub struct UrArm {
    config: UrConfig,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl UrArm {
    /// Connects and starts our program. Takes a few seconds at most; the arm does not move.
    pub fn connect(config: UrConfig, clock: Arc<dyn Clock>) -> Result<Self, UrError> {
        let robot = resolve(&config.host)?;
        let shared = Arc::new(Shared::new(clock));
        let link = Link::new(config.host.clone(), robot, config.rtde_port, config.rate_hz);
        let (stream, version) = link.open()?;
        let here = stream.local_addr().map(|address| address.ip());
        let mut arm = Self { config, shared, threads: Vec::new() };
        let state = {
            let shared = arm.shared.clone();
            move || link.run(&shared, stream)
        };
        arm.spawn("ur-state", state)?;
        arm.wait_for_state()?;
        let mut servo = arm.servo(robot, here.unwrap_or(robot), version)?;
        servo.start_program(&arm.shared).map_err(|source| arm.not_ready(source))?;
        let shared = arm.shared.clone();
        arm.spawn("ur-servo", move || servo.run(&shared))?;
        Ok(arm)
    }

    fn servo(&self, robot: IpAddr, here: IpAddr, version: Version) -> Result<Servo, UrError> {
        let config = &self.config;
        let listen = |source| UrError::Listen { port: config.reverse_port, source };
        let any: IpAddr = if robot.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let listener = TcpListener::bind((any, config.reverse_port)).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let program = Program {
            host: config.reverse_host.clone().unwrap_or_else(|| here.to_string()),
            port,
            lookahead_s: config.lookahead_s,
            gain: config.gain,
            zero_force: config.force,
            version,
        };
        Ok(Servo::new(
            listener,
            (robot, config.script_port).into(),
            (robot, config.dashboard_port).into(),
            program.text(),
        ))
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), UrError> {
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        self.threads.push(thread.map_err(UrError::Thread)?);
        Ok(())
    }

    fn wait_for_state(&self) -> Result<(), UrError> {
        let waits = |status: &mut Status| status.snapshot.is_none();
        let status = self.shared.lock();
        let status = self.shared.wait_for_news(status, FIRST_STATE_WAIT, waits);
        if status.snapshot.is_none() {
            return Err(self.not_ready(ArmError::NoState));
        }
        Ok(())
    }

    fn not_ready(&self, source: ArmError) -> UrError {
        UrError::NotReady { host: self.config.host.clone(), source }
    }
}

fn resolve(host: &str) -> Result<IpAddr, UrError> {
    let addresses: Vec<_> = (host, 0).to_socket_addrs().into_iter().flatten().collect();
    let v4 = addresses.iter().find(|address| address.is_ipv4());
    let found = v4.or(addresses.first()).map(SocketAddr::ip);
    found.ok_or_else(|| UrError::Name(host.into()))
}

impl Arm for UrArm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let now = self.shared.clock.now();
        let status = self.shared.lock();
        let snapshot = status.snapshot.as_ref().ok_or(ArmError::NoState)?;
        let seen = &snapshot.value;
        let value = ArmState {
            mode: status.mode(now),
            tcp_pose: seen.tcp_pose,
            twist: seen.twist,
            joints: seen.joints.to_vec(),
            joint_velocities: seen.joint_velocities.to_vec(),
            // Before the program has zeroed the sensor it says nothing.
            wrench: (self.config.force && status.program_runs).then_some(seen.wrench),
            gripper: None,
        };
        Ok(Stamped { at: snapshot.at, value })
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        let now = self.shared.clock.now();
        let mut status = self.shared.lock();
        if let Some(refusal) = status.refusal(now, self.config.speed_fraction_min) {
            status.hold();
            return Err(refusal);
        }
        status.follow(*target.pose(), target.valid_until());
        self.shared.wake.notify_one();
        Ok(())
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        let mut status = self.shared.lock();
        status.hold();
        if how == StopKind::Controlled {
            status.stopped = true;
        }
        self.shared.wake.notify_one();
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        let mut status = self.shared.lock();
        match status.mode(self.shared.clock.now()) {
            ArmMode::Disconnected => {
                let why = "the controller does not answer: check its power and the cable";
                return Err(ArmError::Gone(why.into()));
            }
            ArmMode::Reflex | ArmMode::EmergencyStop => {}
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding | ArmMode::Stopped => {
                status.stopped = false;
                return Ok(());
            }
        }
        self.shared.recover(status, RECOVERY_WAIT)
    }
}

impl Drop for UrArm {
    fn drop(&mut self) {
        self.shared.lock().quits = true;
        self.shared.wake.notify_all();
        self.shared.news.notify_all();
        for thread in self.threads.drain(..).rev() {
            if thread.join().is_err() {
                tracing::error!("a thread of the UR arm panicked");
            }
        }
    }
}
