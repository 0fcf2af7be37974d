//! What the arm's mode is and why, from what the robot says. Pure.

use std::{fmt, sync::Arc, time::Duration};

use franka::{Errors, FrankaError as Said, Model, MoveStatus, Robot, RobotMode};
use wire::{
    Timestamp,
    geometry::{Pose, Twist, Wrench},
};

use super::law::{JOINTS, Jacobian, Parameters};
use crate::{
    Stamped,
    arm::{
        ArmError, ArmMode,
        shared::{Recoverable, Recovery},
    },
};

/// A robot that says nothing for so long, a thousand states a second, is gone.
const SILENCE_MAX: Duration = Duration::from_millis(300);

/// libfranka's name of twenty cycles in a row without a command in time.
const COMMUNICATION: &str = "communication_constraints_violation";

/// What ended the motion. Stays until somebody asks for recovery and it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrankaFault {
    /// The robot stopped by itself, for reasons with libfranka's names; none where it gave none.
    Reflex(Vec<&'static str>),
    /// It got no command in time for twenty cycles in a row.
    Communication,
    /// The user stop is pressed, or a safety function is active.
    UserStop,
    /// It takes no motion in its mode: joints locked, guided by hand, in the hands of another client.
    NotReady(String),
    /// The motion ended otherwise.
    Interrupted(String),
    LinkLost,
    NotRecovered(String),
}

impl FrankaFault {
    pub(super) fn of_errors(errors: &Errors) -> Self {
        if errors.get(COMMUNICATION) { Self::Communication } else { Self::Reflex(errors.names()) }
    }

    /// From what a command or a motion ended with.
    pub(super) fn of(error: &Said) -> Self {
        match error {
            Said::Control(ended) => match ended.move_status {
                Some(MoveStatus::ReflexAborted) => Self::of_errors(&ended.last_motion_errors),
                Some(
                    MoveStatus::EmergencyAborted
                    | MoveStatus::PreemptedDueToActivatedSafetyFunctions
                    | MoveStatus::CommandRejectedDueToActivatedSafetyFunctions,
                ) => Self::UserStop,
                _ => Self::Interrupted(ended.message.clone()),
            },
            Said::Network(_) => Self::LinkLost,
            Said::Command(said) => Self::NotReady(said.clone()),
            other => Self::Interrupted(other.to_string()),
        }
    }
}

/// The fault in words, with the remedy.
impl fmt::Display for FrankaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reflex(reasons) if reasons.is_empty() => {
                f.write_str("a reflex of the robot: look what it met, then recover it")
            }
            Self::Reflex(reasons) => {
                let reasons = reasons.join(", ");
                write!(f, "a reflex of the robot ({reasons}): look what it met, then recover it")
            }
            Self::Communication => f.write_str(
                "commands came too late for the robot (communication_constraints_violation): connect \
                 it directly, give this program real-time priority (docs/hardware.md), then recover it",
            ),
            Self::UserStop => {
                f.write_str("the user stop or a safety function: release it, then recover the robot")
            }
            Self::NotReady(why) => {
                write!(f, "{why}; unlock its joints and activate FCI in Desk, then recover it")
            }
            Self::Interrupted(why) => write!(f, "its motion ended: {why}; recover it to go on"),
            Self::LinkLost => {
                f.write_str("the link to the robot was lost and is back: recover it to go on")
            }
            Self::NotRecovered(why) => f.write_str(why),
        }
    }
}

/// What is measured at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub tcp_pose: Pose,
    pub twist: Twist,
    pub joints: [f64; JOINTS],
    pub joint_velocities: [f64; JOINTS],
    pub wrench: Wrench,
    pub jacobian: Jacobian,
    pub mode: RobotMode,
    /// Of now, or what ended the last motion.
    pub errors: Errors,
    pub in_error: bool,
}

/// The robot behind a link.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub robot: Arc<Robot>,
    pub model: Arc<Model>,
}

/// What the thread that speaks with the robot is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders {
    pub quits: bool,
    pub stopped: bool,
    pub resets: bool,
    pub target: Option<(Pose, Timestamp)>,
    pub parameters: Parameters,
}

#[derive(Debug, Default)]
pub(super) struct Status {
    pub linked: bool,
    pub session: Option<Session>,
    pub seen: Option<Stamped<Seen>>,
    pub fault: Option<FrankaFault>,
    pub stopped: bool,
    pub target: Option<(Pose, Timestamp)>,
    pub followed: bool,
    pub parameters: Parameters,
    /// Torques are to be sent from now on.
    pub starts: bool,
    /// Where the joints are to be brought.
    pub reset: Option<[f64; JOINTS]>,
    /// What came of it.
    pub reset_outcome: Option<Result<(), ArmError>>,
    pub recovery: Recovery,
    pub quits: bool,
}

impl Recoverable for Status {
    fn recovery(&mut self) -> &mut Recovery {
        &mut self.recovery
    }
}

impl Status {
    pub fn mode(&self, now: Timestamp) -> ArmMode {
        let hears = |seen: &Stamped<Seen>| now.since(seen.at) <= SILENCE_MAX;
        match &self.fault {
            _ if !self.linked => ArmMode::Disconnected,
            _ if !self.seen.as_ref().is_some_and(hears) => ArmMode::Disconnected,
            Some(FrankaFault::UserStop) => ArmMode::EmergencyStop,
            Some(_) => ArmMode::Reflex,
            None if self.stopped => ArmMode::Stopped,
            None if self.reset.is_some() || self.leased(now) => ArmMode::Running,
            None if self.followed => ArmMode::Holding,
            None => ArmMode::Idle,
        }
    }

    fn leased(&self, now: Timestamp) -> bool {
        self.target.is_some_and(|(_, until)| now < until)
    }

    pub fn orders(&self) -> Orders {
        Orders {
            quits: self.quits,
            stopped: self.stopped || self.fault.is_some(),
            resets: self.reset.is_some(),
            target: self.target,
            parameters: self.parameters,
        }
    }

    /// Takes in a state of the robot. One that stands in a reflex or a user stop has a fault.
    pub fn see(&mut self, at: Timestamp, seen: Seen) {
        match seen.mode {
            // It may say so for a moment after it was told to recover.
            _ if matches!(self.recovery, Recovery::UnderWay) => {}
            RobotMode::UserStopped => self.fail(FrankaFault::UserStop),
            RobotMode::Reflex => self.fail(FrankaFault::of_errors(&seen.errors)),
            _ => {}
        }
        self.seen = Some(Stamped { at, value: seen });
    }

    /// The first fault stays, unless the next says more; a user stop covers all.
    pub fn fail(&mut self, fault: FrankaFault) {
        self.target = None;
        self.starts = false;
        let says_more = match &self.fault {
            None => true,
            Some(FrankaFault::Reflex(reasons)) => reasons.is_empty(),
            Some(_) => false,
        };
        if says_more || fault == FrankaFault::UserStop {
            self.fault = Some(fault);
        }
    }

    /// What is asked of a robot that cannot do it any more has failed.
    pub fn give_up(&mut self, why: &ArmError) {
        if matches!(self.recovery, Recovery::Asked | Recovery::UnderWay) {
            self.recovery = Recovery::Done(Err(why.clone()));
        }
        if self.reset.take().is_some() {
            self.reset_outcome = Some(Err(why.clone()));
        }
    }

    /// Torques are sent: the arm holds where it is.
    pub fn under_control(&mut self) {
        self.starts = false;
        (self.followed, self.target) = (false, None);
        if matches!(self.recovery, Recovery::UnderWay) {
            (self.fault, self.stopped) = (None, false);
            self.recovery = Recovery::Done(Ok(()));
        }
    }

    /// Ends a recovery that is under way, too.
    pub fn stop(&mut self) {
        self.target = None;
        self.stopped = true;
        self.give_up(&ArmError::NeedsOperator("it was stopped meanwhile: recover it".into()));
    }

    pub fn follow(&mut self, pose: Pose, until: Timestamp) {
        self.target = Some((pose, until));
        self.followed = true;
    }

    /// Why the arm would not follow a command.
    pub fn refusal(&self, now: Timestamp) -> Option<ArmError> {
        match self.mode(now) {
            ArmMode::Disconnected => Some(ArmError::Gone("the robot does not answer".into())),
            ArmMode::Stopped => Some(ArmError::NeedsOperator("it was stopped: recover it".into())),
            ArmMode::EmergencyStop | ArmMode::Reflex => {
                self.fault.as_ref().map(|fault| ArmError::NeedsOperator(fault.to_string()))
            }
            _ if self.reset.is_some() => {
                let why = "its joints are being reset: wait until that is done";
                Some(ArmError::NeedsOperator(why.into()))
            }
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding => None,
        }
    }
}
