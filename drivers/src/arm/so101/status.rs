//! What the arm's mode is and why, from what its servos say. Pure.

use std::time::Duration;

use wire::{
    Timestamp,
    geometry::{Pose, Twist},
};

use super::{
    calibration::NAMES,
    grip::Jaws,
    kinematics::{JOINTS, Joints},
};
use crate::{
    Stamped,
    arm::{
        ArmError, ArmMode,
        shared::{Recoverable, Recovery},
    },
    feetech::Alarms,
};

/// Over which speeds are measured: a tick of a servo in a hundredth of a second is too coarse.
const SPEED_OVER: Duration = Duration::from_millis(50);

/// What ended the motion. Stays until somebody asks for recovery and it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A joint's servo raises alarms.
    Alarm {
        joint: usize,
        alarms: Alarms,
    },
    /// A joint's servo holds no more: its power was cut, or somebody switched it off.
    Slack {
        joint: usize,
    },
    LinkLost,
    NotRecovered(String),
}

/// What is measured at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub joints: Joints,
    pub joint_velocities: Joints,
    pub tcp_pose: Pose,
    pub twist: Twist,
}

#[derive(Debug, Default)]
pub(super) struct Status {
    pub linked: bool,
    pub seen: Option<Stamped<Seen>>,
    /// An earlier measurement, from which speeds are made.
    earlier: Option<Stamped<(Joints, Pose)>>,
    pub fault: Option<Fault>,
    pub stopped: bool,
    pub target: Option<(Pose, Timestamp)>,
    followed: bool,
    pub recovery: Recovery,
    pub quits: bool,
    pub jaws: Jaws,
}

impl Recoverable for Status {
    fn recovery(&mut self) -> &mut Recovery {
        &mut self.recovery
    }
}

impl Status {
    pub fn mode(&self, now: Timestamp) -> ArmMode {
        match &self.fault {
            _ if !self.linked => ArmMode::Disconnected,
            Some(_) => ArmMode::Reflex,
            None if self.stopped => ArmMode::Stopped,
            None if self.leased(now).is_some() => ArmMode::Running,
            None if self.followed => ArmMode::Holding,
            None => ArmMode::Idle,
        }
    }

    /// The target while its lease is valid.
    pub fn leased(&self, now: Timestamp) -> Option<Pose> {
        self.target.filter(|(_, until)| now < *until).map(|(pose, _)| pose)
    }

    /// Takes in where the joints are, and what their servos say is wrong.
    pub fn see(&mut self, at: Timestamp, joints: Joints, tcp_pose: Pose, alarms: [Alarms; JOINTS]) {
        if let Some(joint) = alarms.iter().position(|alarms| alarms.any()) {
            self.fail(Fault::Alarm { joint, alarms: alarms[joint] });
        }
        let (joint_velocities, twist) = self.speeds(at, &joints, &tcp_pose);
        if self.earlier.as_ref().is_none_or(|earlier| at.since(earlier.at) >= SPEED_OVER) {
            self.earlier = Some(Stamped { at, value: (joints, tcp_pose) });
        }
        let value = Seen { joints, joint_velocities, tcp_pose, twist };
        self.seen = Some(Stamped { at, value });
    }

    fn speeds(&self, at: Timestamp, joints: &Joints, tcp_pose: &Pose) -> (Joints, Twist) {
        let before = self.seen.as_ref().map(|seen| (seen.value.joint_velocities, seen.value.twist));
        let Some(earlier) = &self.earlier else { return before.unwrap_or_default() };
        let time = at.since(earlier.at).as_secs_f64();
        if time < SPEED_OVER.as_secs_f64() / 2.0 {
            return before.unwrap_or_default();
        }
        let (from, pose) = &earlier.value;
        let twist = Twist {
            linear: (tcp_pose.translation.vector - pose.translation.vector) / time,
            angular: (tcp_pose.rotation * pose.rotation.inverse()).scaled_axis() / time,
        };
        ((joints - from) / time, twist)
    }

    /// The first fault stays.
    pub fn fail(&mut self, fault: Fault) {
        self.target = None;
        self.fault.get_or_insert(fault);
    }

    /// The arm follows again, from where it is.
    pub fn made_ready(&mut self) {
        (self.fault, self.stopped, self.followed, self.target) = (None, false, false, None);
    }

    pub fn follow(&mut self, pose: Pose, until: Timestamp) {
        self.target = Some((pose, until));
        self.followed = true;
    }

    /// Why the arm would not follow a command.
    pub fn refusal(&self, now: Timestamp) -> Option<ArmError> {
        match self.mode(now) {
            ArmMode::Disconnected => {
                let why = "its servos do not answer any more: check the USB cable and the power";
                Some(ArmError::Gone(why.into()))
            }
            ArmMode::Stopped => Some(ArmError::NeedsOperator("it was stopped: recover it".into())),
            _ => self.reason().map(ArmError::NeedsOperator),
        }
    }

    /// The fault in words, with the remedy.
    pub fn reason(&self) -> Option<String> {
        Some(match self.fault.as_ref()? {
            Fault::Alarm { joint, alarms } => {
                let remedy = if *alarms == Alarms::OVERLOAD {
                    "see what it presses against"
                } else {
                    "check the power supply, and let it cool down"
                };
                format!(
                    "the servo of {} reports {alarms}: {remedy}, then recover it",
                    NAMES[*joint]
                )
            }
            Fault::Slack { joint } => format!(
                "the servo of {} holds no more (its power was cut, or another program let it go): \
                 recover it",
                NAMES[*joint]
            ),
            Fault::LinkLost => "its servos did not answer for a while: recover it to go on".into(),
            Fault::NotRecovered(why) => why.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);
    const WELL: [Alarms; JOINTS] = [Alarms(0); JOINTS];

    fn see(status: &mut Status, at: Timestamp, first: f64, alarms: [Alarms; JOINTS]) {
        let mut joints = Joints::zeros();
        joints[0] = first;
        status.see(at, joints, Pose::translation(first / 10.0, 0.0, 0.0), alarms);
    }

    #[track_caller]
    fn check(wrong: impl FnOnce(&mut Status), mode: ArmMode, says: &str) {
        let mut status = Status { linked: true, ..Status::default() };
        see(&mut status, NOW, 0.0, WELL);
        assert_eq!((status.mode(NOW), status.refusal(NOW)), (ArmMode::Idle, None));
        wrong(&mut status);
        status.linked = true;
        see(&mut status, NOW, 0.0, WELL);
        assert_eq!(status.mode(NOW), mode, "and it stays when all seems well again");
        let words = status.refusal(NOW).unwrap().to_string();
        assert!(words.contains(says), "{words}");
        status.made_ready();
        assert_eq!(status.mode(NOW), ArmMode::Idle);
    }

    #[test]
    fn every_fault_is_a_mode_that_only_recovery_ends() {
        let alarm = |byte| {
            move |status: &mut Status| {
                let mut alarms = WELL;
                alarms[2] = Alarms(byte);
                see(status, NOW, 0.0, alarms);
            }
        };
        check(alarm(0x20), ArmMode::Reflex, "elbow_flex reports overload: see what it presses");
        check(alarm(0x04), ArmMode::Reflex, "elbow_flex reports overheating: check the power");
        check(
            |s| s.fail(Fault::Slack { joint: 1 }),
            ArmMode::Reflex,
            "shoulder_lift holds no more",
        );
        check(|s| s.fail(Fault::LinkLost), ArmMode::Reflex, "did not answer");
        check(|s| s.stopped = true, ArmMode::Stopped, "it was stopped");
    }

    #[test]
    fn a_lost_link_is_told_before_all_else() {
        let mut status = Status { linked: true, ..Status::default() };
        status.fail(Fault::Slack { joint: 0 });
        status.linked = false;
        assert_eq!(status.mode(NOW), ArmMode::Disconnected);
        assert!(matches!(status.refusal(NOW), Some(ArmError::Gone(_))));
    }

    #[test]
    fn speeds_are_measured_from_where_it_was() {
        let mut status = Status { linked: true, ..Status::default() };
        for i in 0..20_u64 {
            let at = NOW + Duration::from_millis(10 * i);
            see(&mut status, at, 0.005 * i as f64, WELL);
        }
        let seen = status.seen.unwrap().value;
        assert!((seen.joint_velocities[0] - 0.5).abs() < 1e-9, "{}", seen.joint_velocities);
        assert!((seen.twist.linear.x - 0.05).abs() < 1e-9, "{:?}", seen.twist);
    }
}
