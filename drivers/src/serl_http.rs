//! HIL-SERL's robot server: its client as an [`Arm`](crate::Arm) and a [`Gripper`](crate::Gripper),
//! and the server itself, over any arm that stands behind a gate.
//!
//! The contract has no leases, no times and no word for a reflex. The client makes up for the first
//! two: it sends the measured pose as the target when a lease ends, and takes joints that are the same
//! to the bit for a measurement that is not taken any more. A server that refuses a pose, as ports of
//! it do and our own, has an arm in a reflex; the original takes every pose, and nothing shows then
//! that the robot has stopped. The client never clears an error by itself.

mod arm;
mod call;
mod gripper;
mod link;
mod reply;
mod routes;
pub mod server;
mod told;

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use wire::Clock;

pub use self::{arm::SerlArm, gripper::SerlGripper};
use self::{call::CallError, link::Link};
use crate::{ArmError, Compliance};

/// How long a server may take until it has its first state.
const START_ATTEMPTS: u32 = 50;
const START_EVERY: Duration = Duration::from_millis(100);

/// What a server is asked, and how its answers are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct SerlHttpConfig {
    /// `http://host:port`.
    pub url: String,
    pub pace: Pace,
    pub state_period: Duration,
    /// Between two poses, the newest of which counts.
    pub pose_period: Duration,
    /// Of state and pose: a server that does not answer for so long is gone.
    pub timeout: Duration,
    /// Joints that are the same to the bit for so long are an old state.
    pub stuck_after: Option<Duration>,
    pub wrench: WrenchMeaning,
    pub gripper: GripperMeaning,
    /// Sent to `/update_param` first.
    pub compliance: Compliance,
}

impl SerlHttpConfig {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pace: Pace::Threads,
            state_period: Duration::from_millis(10),
            pose_period: Duration::from_millis(20),
            timeout: Duration::from_millis(500),
            stuck_after: Some(Duration::from_millis(500)),
            wrench: WrenchMeaning::OfTool,
            gripper: GripperMeaning::default(),
            compliance: Compliance::default(),
        }
    }
}

/// Who speaks with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Threads of the driver: no call waits for the server.
    Threads,
    /// Whoever asks for the state, or commands, waits for the server: for a clock that passes by
    /// being slept on, so that each state is that of its moment.
    InStep,
}

/// What the server's force and torque are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrenchMeaning {
    /// What the tool exerts, in its own frame: libfranka's `K_F_ext_hat_K`.
    OfTool,
    /// What the environment exerts on the tool, base frame.
    OnTool,
    /// Nothing that could be used.
    Unknown,
}

/// How the server's gripper is read and told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GripperMeaning {
    /// What it says of closed and of open jaws.
    pub closed: f64,
    pub open: f64,
    pub by: GripperRoutes,
    /// What `/move_gripper` is sent.
    pub close_target: u8,
    pub open_target: u8,
    /// The server believes at its start that it has opened already, and forgets a first `open`.
    pub latches: bool,
}

impl Default for GripperMeaning {
    fn default() -> Self {
        Self {
            closed: 0.0,
            open: 1.0,
            by: GripperRoutes::OpenClose,
            close_target: 0,
            open_target: 255,
            latches: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GripperRoutes {
    OpenClose,
    Move,
}

/// A server that has answered. Arm and gripper share it.
#[derive(Debug)]
pub struct SerlHttp(Arc<Connection>);

/// Its threads end with it.
#[derive(Debug)]
struct Connection(Arc<Link>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl SerlHttp {
    /// Waits for the first state, some seconds at most, and sets the compliance.
    pub fn connect(config: SerlHttpConfig, clock: Arc<dyn Clock>) -> Result<Self, ArmError> {
        let link = Arc::new(Link::new(config, clock));
        let mut outcome = link.poll();
        for _ in 1..START_ATTEMPTS {
            if outcome.is_ok() {
                break;
            }
            thread::sleep(START_EVERY);
            outcome = link.poll();
        }
        let url = &link.config.url;
        outcome.map_err(|error| {
            ArmError::Gone(format!(
                "HIL-SERL's robot server at {url} gives no state: {error}. Start it, and check \
                 serl_http.url"
            ))
        })?;
        if !link.config.compliance.is_empty() {
            link.hand.post(routes::UPDATE_PARAM, Some(&link.config.compliance)).map_err(
                |error| {
                    ArmError::Gone(format!(
                        "the server at {url} does not take serl_http.compliance: {error}"
                    ))
                },
            )?;
        }
        if link.config.pace == Pace::Threads {
            start(&link, "serl-state", Link::watch)?;
            start(&link, "serl-pose", Link::send_poses)?;
            start(&link, "serl-gripper", Link::send_grips)?;
        }
        Ok(Self(Arc::new(Connection(link))))
    }

    pub fn arm(&self) -> SerlArm {
        SerlArm { connection: self.0.clone() }
    }

    pub fn gripper(&self) -> SerlGripper {
        SerlGripper { connection: self.0.clone() }
    }

    /// Brings the joints to where the server has them at the beginning; waits until that is done, a
    /// minute at most. The arm moves outside of the gate, and must be without a command. When this
    /// fails the controller is started again, and the operator is asked for.
    pub fn joint_reset(&self) -> Result<(), ArmError> {
        let link = &self.0.0;
        link.told().rest();
        let Err(failed) = link.slow.post::<()>(routes::JOINT_RESET, None) else { return Ok(()) };
        let again = match link.slow.post::<()>(routes::START_IMPEDANCE, None) {
            Ok(_) => "its controller was started again".to_owned(),
            Err(error) => format!("its controller may be off ({error})"),
        };
        Err(ArmError::NeedsOperator(format!("the joint reset failed: {failed}; {again}")))
    }
}

fn start(link: &Arc<Link>, name: &str, run: fn(&Link)) -> Result<(), ArmError> {
    let link = link.clone();
    let run = move || {
        while !link.ended.load(Ordering::SeqCst) {
            run(&link);
        }
    };
    let started = thread::Builder::new().name(name.into()).spawn(run);
    started.map(drop).map_err(|e| ArmError::Gone(format!("starting the thread {name}: {e}")))
}

fn gone(error: &CallError) -> ArmError {
    ArmError::Gone(error.to_string())
}

#[cfg(test)]
mod tests;
