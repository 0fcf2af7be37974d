//! What the arm's mode is and why, from what the controller says. Pure: states in, verdicts out.

use wire::{Timestamp, geometry::Pose};

use super::{
    program::{ended_because, said},
    snapshot::Snapshot,
};
use crate::{
    Stamped,
    arm::{
        ArmError, ArmMode,
        shared::{Recoverable, Recovery},
    },
};

/// `robot_mode` of an arm that is powered and whose brakes are released.
pub(super) const ROBOT_RUNNING: i32 = 7;
/// `runtime_state` of a program that runs, and of one that is paused.
pub(super) const PLAYING: u32 = 2;
const PAUSING: u32 = 3;
const PAUSED: u32 = 4;
const RESUMING: u32 = 5;

pub(super) mod safety {
    pub const NORMAL: i32 = 1;
    pub const REDUCED: i32 = 2;
    pub const PROTECTIVE_STOP: i32 = 3;
    pub const RECOVERY: i32 = 4;
    pub const SAFEGUARD_STOP: i32 = 5;
    pub const SYSTEM_EMERGENCY_STOP: i32 = 6;
    pub const ROBOT_EMERGENCY_STOP: i32 = 7;
    pub const VIOLATION: i32 = 8;
    pub const FAULT: i32 = 9;
}

/// What ended the motion. Stays until somebody asks for recovery and it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    EmergencyStop,
    ProtectiveStop,
    /// Another stop of the safety system, by its `safety_mode`.
    Safety(i32),
    /// The arm is not powered, or its brakes are not released, by its `robot_mode`.
    NotRunning(i32),
    Paused,
    ProgramEnded,
    LinkLost,
    /// Recovery was asked for and did not succeed.
    NotRecovered(String),
}

/// What the driver's threads and its owner share.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub linked: bool,
    pub snapshot: Option<Stamped<Snapshot>>,
    pub fault: Option<Fault>,
    /// Our program is connected.
    pub program_runs: bool,
    /// The controller has said that a program runs since ours was started.
    played: bool,
    pub stopped: bool,
    /// Where to go, and until when.
    pub target: Option<(Pose, Timestamp)>,
    /// The target is one that the program was not sent yet.
    pub target_is_new: bool,
    followed: bool,
    pub recovery: Recovery,
    /// The driver is being dropped.
    pub quits: bool,
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
            Some(Fault::EmergencyStop) => ArmMode::EmergencyStop,
            Some(_) => ArmMode::Reflex,
            None if self.stopped => ArmMode::Stopped,
            None if self.leased(now).is_some() => ArmMode::Running,
            None if self.followed => ArmMode::Holding,
            None => ArmMode::Idle,
        }
    }

    /// The target while its lease is valid.
    pub fn leased(&self, now: Timestamp) -> Option<(Pose, Timestamp)> {
        self.target.filter(|(_, until)| now < *until)
    }

    /// Takes in what the controller says.
    pub fn see(&mut self, snapshot: Stamped<Snapshot>) {
        let seen = &snapshot.value;
        if self.program_runs && seen.runtime_state == PLAYING {
            self.played = true;
        }
        let fault = match seen.safety_mode {
            safety::ROBOT_EMERGENCY_STOP | safety::SYSTEM_EMERGENCY_STOP => {
                Some(Fault::EmergencyStop)
            }
            safety::PROTECTIVE_STOP => Some(Fault::ProtectiveStop),
            safety::NORMAL | safety::REDUCED if seen.robot_mode != ROBOT_RUNNING => {
                Some(Fault::NotRunning(seen.robot_mode))
            }
            safety::NORMAL | safety::REDUCED if self.played => match seen.runtime_state {
                PLAYING => None,
                PAUSING | PAUSED | RESUMING => Some(Fault::Paused),
                _ => Some(Fault::ProgramEnded),
            },
            safety::NORMAL | safety::REDUCED => None,
            other => Some(Fault::Safety(other)),
        };
        self.snapshot = Some(snapshot);
        if let Some(fault) = fault {
            self.fail(fault);
        }
    }

    /// The first fault stays, for what comes after is its consequence; an emergency stop covers all. A
    /// program that is gone just before the link may be heard of first.
    pub fn fail(&mut self, fault: Fault) {
        self.target = None;
        let explained_by_link =
            matches!(self.fault, Some(Fault::NotRecovered(_) | Fault::ProgramEnded));
        if self.fault.is_none()
            || fault == Fault::EmergencyStop
            || (explained_by_link && fault == Fault::LinkLost)
        {
            self.fault = Some(fault);
        }
    }

    pub fn lost_link(&mut self) {
        self.linked = false;
        self.fail(Fault::LinkLost);
    }

    /// Our program has dialled in.
    pub fn program_started(&mut self) {
        *self = Self {
            linked: self.linked,
            fault: (!self.linked).then_some(Fault::LinkLost),
            snapshot: self.snapshot.take(),
            program_runs: true,
            recovery: std::mem::take(&mut self.recovery),
            quits: self.quits,
            ..Self::default()
        };
    }

    pub fn program_gone(&mut self) {
        self.program_runs = false;
        self.played = false;
        self.fail(Fault::ProgramEnded);
    }

    pub fn follow(&mut self, pose: Pose, until: Timestamp) {
        self.target = Some((pose, until));
        self.target_is_new = true;
        self.followed = true;
    }

    pub fn hold(&mut self) {
        self.target = None;
        self.target_is_new = true;
    }

    /// Why the arm would not follow a command.
    pub fn refusal(&self, now: Timestamp, speed_fraction_min: f64) -> Option<ArmError> {
        let why = match self.mode(now) {
            ArmMode::Disconnected => {
                return Some(ArmError::Gone("the controller does not answer any more".into()));
            }
            ArmMode::Stopped => "it was stopped: recover it".into(),
            ArmMode::EmergencyStop | ArmMode::Reflex => self.reason()?,
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding => {
                slowed(self.snapshot.as_ref()?, speed_fraction_min)?
            }
        };
        Some(ArmError::NeedsOperator(why))
    }

    /// The fault in words, with the remedy.
    pub fn reason(&self) -> Option<String> {
        let seen = self.snapshot.as_ref().map(|snapshot| &snapshot.value);
        Some(match self.fault.as_ref()? {
            Fault::EmergencyStop => EMERGENCY.into(),
            Fault::ProtectiveStop => {
                "a protective stop: see what it touched, wait 5 s, then recover it".into()
            }
            Fault::Safety(mode) => safety_stop(*mode).into(),
            Fault::NotRunning(mode) => not_running(*mode),
            Fault::Paused => "its program was paused on the pendant: recover it to go on".into(),
            Fault::ProgramEnded => {
                let code = seen.map_or(said::RUNS, |seen| seen.program);
                format!("{}; recover it to start the program again", ended_because(code))
            }
            Fault::LinkLost => {
                "the link to the controller was lost and is back: recover it to go on".into()
            }
            Fault::NotRecovered(why) => why.clone(),
        })
    }
}

const EMERGENCY: &str = "an emergency stop: release the button, power the arm on and release its \
                         brakes on the pendant, then recover it";

fn safety_stop(mode: i32) -> &'static str {
    match mode {
        safety::SAFEGUARD_STOP => "a safeguard stop: close the safeguard, then recover it",
        safety::RECOVERY => {
            "the arm stands outside its safety limits: move it back on the pendant, then recover it"
        }
        safety::VIOLATION | safety::FAULT => {
            "a fault of the safety system: read it on the pendant and restart the safety system \
             there, then recover it"
        }
        _ => "a stop of the safety system: read it on the pendant, then recover it",
    }
}

fn not_running(mode: i32) -> String {
    let state = match mode {
        0 | -1 => "has no controller",
        1 => "waits for its safety settings to be confirmed",
        2 => "is booting",
        3 => "is powered off",
        4 => "is powering on",
        5 => "has its brakes on",
        6 => "is being moved by hand",
        8 => "updates its firmware",
        _ => "is not ready",
    };
    format!(
        "the arm {state} (robot mode {mode}): power it on and release its brakes on the pendant, \
         then recover it"
    )
}

/// What the safety system asks for before the program can be started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hurdle {
    /// Can be unlocked from here.
    ProtectiveStop,
    /// Only a person at the arm can.
    Person(String),
}

pub(super) fn hurdle(seen: &Snapshot) -> Option<Hurdle> {
    match seen.safety_mode {
        safety::ROBOT_EMERGENCY_STOP | safety::SYSTEM_EMERGENCY_STOP => {
            Some(Hurdle::Person(EMERGENCY.into()))
        }
        safety::PROTECTIVE_STOP => Some(Hurdle::ProtectiveStop),
        safety::NORMAL | safety::REDUCED if seen.robot_mode != ROBOT_RUNNING => {
            Some(Hurdle::Person(not_running(seen.robot_mode)))
        }
        safety::NORMAL | safety::REDUCED => None,
        other => Some(Hurdle::Person(safety_stop(other).into())),
    }
}

fn slowed(snapshot: &Stamped<Snapshot>, speed_fraction_min: f64) -> Option<String> {
    let Snapshot { speed_fraction, speed_scaling, .. } = snapshot.value;
    (speed_fraction < speed_fraction_min).then(|| {
        format!(
            "its speed slider stands at {:.0} % (it goes at {:.0} % just now), so it lags behind its \
             targets: set the slider to 100 %, or lower ur.speed_fraction_min",
            speed_fraction * 100.0,
            speed_scaling * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nalgebra::Isometry3;
    use wire::geometry::{Twist, Wrench};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn seen(change: impl FnOnce(&mut Snapshot)) -> Stamped<Snapshot> {
        let mut value = Snapshot {
            tcp_pose: Isometry3::identity(),
            twist: Twist::default(),
            wrench: Wrench::default(),
            joints: [0.0; 6],
            joint_velocities: [0.0; 6],
            robot_mode: ROBOT_RUNNING,
            safety_mode: safety::NORMAL,
            runtime_state: PLAYING,
            speed_scaling: 1.0,
            speed_fraction: 1.0,
            program: said::RUNS,
        };
        change(&mut value);
        Stamped { at: NOW, value }
    }

    fn started() -> Status {
        let mut status = Status { linked: true, ..Status::default() };
        status.program_started();
        status.see(seen(|_| {}));
        status
    }

    /// The mode after the controller has said this, and after it is as before again.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Snapshot), mode: ArmMode, says: &str) {
        let mut status = started();
        status.follow(Isometry3::identity(), NOW + Duration::from_secs(1));
        assert_eq!(status.mode(NOW), ArmMode::Running);
        status.see(seen(change));
        assert_eq!(status.mode(NOW), mode);
        let refusal = status.refusal(NOW, 0.95).unwrap().to_string();
        assert!(refusal.contains(says), "{refusal}");
        status.see(seen(|_| {}));
        let stays = if mode == ArmMode::Running { ArmMode::Running } else { mode };
        assert_eq!(status.mode(NOW), stays, "only recovery ends it");
    }

    #[test]
    fn a_lost_link_explains_the_end_of_the_program_whichever_is_heard_of_first() {
        for program_first in [true, false] {
            let mut status = started();
            let lose = [Status::program_gone, Status::lost_link];
            let order = if program_first { [0, 1] } else { [1, 0] };
            order.into_iter().for_each(|i| lose[i](&mut status));
            assert_eq!(status.fault, Some(Fault::LinkLost), "{program_first}");
        }
    }

    #[test]
    fn every_stop_of_the_controller_is_a_mode_that_only_recovery_ends() {
        use ArmMode::{EmergencyStop, Reflex};
        check(|s| s.safety_mode = 7, EmergencyStop, "release the button");
        check(|s| s.safety_mode = 6, EmergencyStop, "release the button");
        check(|s| s.safety_mode = 3, Reflex, "protective stop");
        check(|s| s.safety_mode = 5, Reflex, "close the safeguard");
        check(|s| s.safety_mode = 4, Reflex, "outside its safety limits");
        check(|s| s.safety_mode = 9, Reflex, "restart the safety system");
        check(|s| s.safety_mode = 11, Reflex, "safety system");
        check(|s| s.robot_mode = 5, Reflex, "brakes on");
        check(|s| s.robot_mode = 3, Reflex, "powered off");
        check(|s| s.runtime_state = PAUSED, Reflex, "paused");
        check(|s| s.runtime_state = 1, Reflex, "start the program again");
    }

    #[test]
    fn a_slow_slider_refuses_with_its_remedy_and_latches_nothing() {
        check(|s| s.speed_fraction = 0.4, ArmMode::Running, "stands at 40 %");
        let mut status = started();
        status.see(seen(|s| s.speed_fraction = 0.4));
        assert_eq!(status.refusal(NOW, 0.3), None, "where the cell allows it");
    }

    #[test]
    fn an_emergency_stop_covers_what_came_before_and_nothing_covers_it() {
        let mut status = started();
        status.see(seen(|s| s.safety_mode = 3));
        status.see(seen(|s| s.safety_mode = 7));
        assert_eq!(status.mode(NOW), ArmMode::EmergencyStop);
        status.see(seen(|s| s.safety_mode = 3));
        status.program_gone();
        assert_eq!(status.mode(NOW), ArmMode::EmergencyStop);
    }

    #[test]
    fn a_lease_that_runs_out_is_held_and_a_lost_link_is_told_before_all_else() {
        let mut status = started();
        assert_eq!(status.mode(NOW), ArmMode::Idle);
        status.follow(Isometry3::identity(), NOW + Duration::from_millis(5));
        assert_eq!(status.mode(NOW + Duration::from_millis(4)), ArmMode::Running);
        assert_eq!(status.mode(NOW + Duration::from_millis(5)), ArmMode::Holding);
        status.lost_link();
        assert_eq!(status.mode(NOW), ArmMode::Disconnected);
        status.linked = true;
        assert_eq!(status.mode(NOW), ArmMode::Reflex, "back, and not recovered");
        status.program_started();
        assert_eq!(status.mode(NOW), ArmMode::Idle);
    }

    #[test]
    fn a_program_that_the_controller_does_not_show_yet_has_not_ended() {
        let mut status = Status { linked: true, ..Status::default() };
        status.program_started();
        status.see(seen(|s| s.runtime_state = 1));
        assert_eq!(status.mode(NOW), ArmMode::Idle);
    }
}
