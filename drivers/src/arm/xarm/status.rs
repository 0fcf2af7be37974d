//! What the arm's mode is and why, from what the control box says. Pure.

use std::time::Duration;

use nalgebra::Vector3;
use wire::{
    Timestamp,
    geometry::{Pose, Twist},
};

use super::report::Report;
use crate::{
    Stamped,
    arm::{
        ArmError, ArmMode,
        shared::{Recoverable, Recovery},
    },
};

/// `state` from which on the control box follows nothing.
const PAUSED: u8 = 3;
/// The mode in which it follows a stream of poses.
pub(super) const SERVO_MODE: u8 = 1;
/// Over which speeds are measured: the report has none.
const SPEED_OVER: Duration = Duration::from_millis(30);

/// What ended the motion. Stays until somebody asks for recovery and it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    EmergencyStop(u8),
    /// An error of the control box, by its number.
    Error(u8),
    /// It stopped or was put into another mode by somebody else.
    Interrupted,
    LinkLost,
    NotRecovered(String),
}

/// What is measured at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub report: Report,
    pub twist: Twist,
    pub joint_velocities: [f64; 7],
}

#[derive(Debug, Default)]
pub(super) struct Status {
    /// Both connections are there: commands and reports.
    pub commands_linked: bool,
    pub reports_linked: bool,
    pub seen: Option<Stamped<Seen>>,
    /// An earlier report, from which speeds are measured.
    earlier: Option<Stamped<Report>>,
    pub fault: Option<Fault>,
    /// The arm was made ready, and a report has shown it.
    pub ready: bool,
    shown_ready: bool,
    pub stopped: bool,
    pub target: Option<(Pose, Timestamp)>,
    followed: bool,
    pub recovery: Recovery,
    pub quits: bool,
}

impl Recoverable for Status {
    fn recovery(&mut self) -> &mut Recovery {
        &mut self.recovery
    }
}

impl Status {
    pub fn linked(&self) -> bool {
        self.commands_linked && self.reports_linked
    }

    pub fn mode(&self, now: Timestamp) -> ArmMode {
        match &self.fault {
            _ if !self.linked() => ArmMode::Disconnected,
            Some(Fault::EmergencyStop(_)) => ArmMode::EmergencyStop,
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

    /// Takes in a report. What is wrong with the arm is asked for by number on the other connection.
    pub fn see(&mut self, at: Timestamp, report: Report) {
        let fit = report.mode == SERVO_MODE && report.state < PAUSED;
        self.shown_ready |= self.ready && fit;
        if self.ready && self.shown_ready && !fit && !self.stopped {
            self.fail(Fault::Interrupted);
        }
        let (twist, joint_velocities) = self.speeds(at, &report);
        if self.earlier.as_ref().is_none_or(|earlier| at.since(earlier.at) >= SPEED_OVER) {
            self.earlier = Some(Stamped { at, value: report.clone() });
        }
        self.seen = Some(Stamped { at, value: Seen { report, twist, joint_velocities } });
    }

    fn speeds(&self, at: Timestamp, report: &Report) -> (Twist, [f64; 7]) {
        let still = || (Twist::default(), [0.0; 7]);
        let Some(earlier) = &self.earlier else { return still() };
        let time = at.since(earlier.at).as_secs_f64();
        if time < 1e-3 {
            return self
                .seen
                .as_ref()
                .map_or_else(still, |seen| (seen.value.twist, seen.value.joint_velocities));
        }
        let (from, to) = (&earlier.value.tcp_pose, &report.tcp_pose);
        let twist = Twist {
            linear: (to.translation.vector - from.translation.vector) / time,
            angular: (to.rotation * from.rotation.inverse()).scaled_axis() / time,
        };
        let joints = std::array::from_fn(|i| (report.joints[i] - earlier.value.joints[i]) / time);
        (twist, joints)
    }

    /// The control box gives an error's number. It names what else is only an interruption.
    pub fn error(&mut self, number: u8) {
        let fault = match number {
            0 => return,
            1..=3 => Fault::EmergencyStop(number),
            _ => Fault::Error(number),
        };
        if matches!(self.fault, Some(Fault::Interrupted)) {
            self.fault = None;
        }
        self.fail(fault);
    }

    /// The first fault stays; an emergency stop covers all.
    pub fn fail(&mut self, fault: Fault) {
        self.target = None;
        self.ready = false;
        if self.fault.is_none() || matches!(fault, Fault::EmergencyStop(_)) {
            self.fault = Some(fault);
        }
    }

    /// The arm follows again, from where it is.
    pub fn made_ready(&mut self) {
        if self.linked() {
            self.fault = None;
        }
        self.ready = true;
        (self.shown_ready, self.stopped, self.followed, self.target) = (false, false, false, None);
    }

    pub fn follow(&mut self, pose: Pose, until: Timestamp) {
        self.target = Some((pose, until));
        self.followed = true;
    }

    /// Why the arm would not follow a command.
    pub fn refusal(&self, now: Timestamp) -> Option<ArmError> {
        match self.mode(now) {
            ArmMode::Disconnected => {
                Some(ArmError::Gone("the control box does not answer any more".into()))
            }
            ArmMode::Stopped => Some(ArmError::NeedsOperator("it was stopped: recover it".into())),
            ArmMode::EmergencyStop | ArmMode::Reflex => self.reason().map(ArmError::NeedsOperator),
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding => None,
        }
    }

    /// The fault in words, with the remedy.
    pub fn reason(&self) -> Option<String> {
        Some(match self.fault.as_ref()? {
            Fault::EmergencyStop(number) => format!(
                "an emergency stop ({}): release the button, then recover it",
                error_name(*number)
            ),
            Fault::Error(number) => {
                format!(
                    "error {number} of the control box: {}; then recover it",
                    error_name(*number)
                )
            }
            Fault::Interrupted => {
                "it was stopped or put into another mode by somebody else (its own page, another \
                 program): end that, then recover it"
                    .into()
            }
            Fault::LinkLost => {
                "the link to the control box was lost and is back: recover it to go on".into()
            }
            Fault::NotRecovered(why) => why.clone(),
        })
    }
}

/// What an error means, for people; the remedy where there is one.
pub(super) fn error_name(number: u8) -> &'static str {
    match number {
        1 => "the button on the control box",
        2 => "the emergency input of the control box",
        3 => "the button of the three-state switch",
        10..=17 => "a servo motor: see the arm's own page",
        18 | 50..=53 => "the force sensor",
        19 | 28 => "the end effector does not answer",
        21 => "no joint solution: make the workspace of the cell smaller",
        22 => "it would collide with itself: make the workspace of the cell smaller",
        23 => "a joint is at its end: move it back by hand or on the arm's own page",
        24 | 30 | 60 => "it went too fast: lower limits.speed_max_mps",
        25 | 40 => "its planning failed",
        31 => "a collision: see what it touched",
        35 => "it is at its own safety boundary: see the arm's own page",
        37 | 38 => "a joint moved or stands in a way that it should not",
        _ => "see the arm's own page",
    }
}

/// One setpoint of the servo on its way to a target: no further than the speeds allow in this time.
pub(super) fn step(from: &Pose, to: &Pose, time: Duration, speeds: [f64; 2]) -> Pose {
    let [metres, radians] = speeds.map(|speed| speed * time.as_secs_f64());
    let way: Vector3<f64> = to.translation.vector - from.translation.vector;
    let turn = (to.rotation * from.rotation.inverse()).scaled_axis();
    let share = |most: f64, all: f64| if all > most { most / all } else { 1.0 };
    let way = way * share(metres, way.norm());
    let turn = turn * share(radians, turn.norm());
    Pose::from_parts(
        (from.translation.vector + way).into(),
        nalgebra::UnitQuaternion::from_scaled_axis(turn) * from.rotation,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn report(state: u8, mode: u8) -> Report {
        Report { state, mode, joints: [0.0; 7], tcp_pose: Pose::identity() }
    }

    fn ready() -> Status {
        let mut status =
            Status { commands_linked: true, reports_linked: true, ..Status::default() };
        status.made_ready();
        status.see(NOW, report(2, SERVO_MODE));
        status
    }

    #[track_caller]
    fn check(wrong: impl FnOnce(&mut Status), mode: ArmMode, says: &str) {
        let mut status = ready();
        assert_eq!((status.mode(NOW), status.refusal(NOW)), (ArmMode::Idle, None));
        wrong(&mut status);
        status.see(NOW, report(2, SERVO_MODE));
        assert_eq!(status.mode(NOW), mode, "and it stays when all seems well again");
        let words = status.refusal(NOW).unwrap().to_string();
        assert!(words.contains(says), "{words}");
        status.made_ready();
        assert_eq!(status.mode(NOW), ArmMode::Idle);
    }

    #[test]
    fn every_error_is_a_mode_that_only_recovery_ends() {
        check(|s| s.error(1), ArmMode::EmergencyStop, "release the button");
        check(|s| s.error(31), ArmMode::Reflex, "a collision");
        check(|s| s.error(111), ArmMode::Reflex, "error 111");
        check(|s| s.see(NOW, report(4, SERVO_MODE)), ArmMode::Reflex, "somebody else");
        check(|s| s.see(NOW, report(3, SERVO_MODE)), ArmMode::Reflex, "somebody else");
        check(|s| s.see(NOW, report(2, 0)), ArmMode::Reflex, "another mode");
    }

    #[test]
    fn a_number_says_more_than_an_interruption_and_an_emergency_more_than_a_number() {
        let mut status = ready();
        status.see(NOW, report(4, SERVO_MODE));
        status.error(31);
        assert_eq!(status.fault, Some(Fault::Error(31)));
        status.error(2);
        status.error(31);
        assert_eq!(status.fault, Some(Fault::EmergencyStop(2)));
    }

    #[test]
    fn a_box_that_does_not_show_that_it_is_ready_yet_is_not_interrupted() {
        let mut status = ready();
        status.made_ready();
        status.see(NOW, report(5, 0));
        assert_eq!(status.mode(NOW), ArmMode::Idle);
    }

    #[test]
    fn a_lost_link_is_told_before_all_else() {
        let mut status = ready();
        status.reports_linked = false;
        status.fail(Fault::LinkLost);
        assert_eq!(status.mode(NOW), ArmMode::Disconnected);
        status.reports_linked = true;
        assert_eq!(status.mode(NOW), ArmMode::Reflex);
    }

    #[test]
    fn speeds_are_measured_from_where_it_was() {
        let mut status = ready();
        let mut moved = report(1, SERVO_MODE);
        moved.tcp_pose.translation.vector.x = 0.004;
        moved.joints[2] = 0.02;
        status.see(NOW + Duration::from_millis(40), moved);
        let seen = status.seen.unwrap().value;
        assert!((seen.twist.linear.x - 0.1).abs() < 1e-9, "{:?}", seen.twist);
        assert!((seen.joint_velocities[2] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_setpoint_goes_no_faster_than_it_may_and_arrives() {
        let (from, to) = (Pose::identity(), Pose::translation(0.03, 0.04, 0.0));
        let time = Duration::from_millis(10);
        let next = step(&from, &to, time, [0.5, 1.0]);
        assert!((next.translation.vector - Vector3::new(0.003, 0.004, 0.0)).norm() < 1e-12);
        assert_eq!(step(&from, &to, time, [10.0, 1.0]), to);
        let turned = Pose::rotation(Vector3::z() * 0.5);
        let next = step(&from, &turned, time, [0.5, 1.0]);
        assert!((next.rotation.angle() - 0.01).abs() < 1e-12);
    }
}
