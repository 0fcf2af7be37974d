//! The gripper's part of the gate, without a device: which command is sent in which tick. A command
//! is posted with the arm's and waits for nothing; what is not sent within its lease is forgotten.

use std::time::Duration;

use wire::{GripperCommand, Timestamp};

/// What the gate allows a gripper.
#[derive(Clone, Debug, PartialEq)]
pub struct GripperLimits {
    pub force_n: f64,
    pub speed_mps: f64,
    /// Shortest time between two changes.
    pub change_min: Duration,
}

/// What a gripper is told, inside the limits. Only the gate makes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SafeGrip {
    opens: bool,
    force_n: f64,
    speed_mps: f64,
}

impl SafeGrip {
    /// For the tests of a driver by itself.
    #[cfg(test)]
    pub(crate) fn under_test(opens: bool, force_n: f64, speed_mps: f64) -> Self {
        Self { opens, force_n, speed_mps }
    }

    /// Opens its jaws, or closes them.
    pub fn opens(&self) -> bool {
        self.opens
    }

    /// How hard it may grip.
    pub fn force_n(&self) -> f64 {
        self.force_n
    }

    /// How fast the jaws may move.
    pub fn speed_mps(&self) -> f64 {
        self.speed_mps
    }
}

#[derive(Clone, Debug)]
pub(super) struct Grip {
    limits: GripperLimits,
    /// What is still to be sent, and until when.
    posted: Option<(GripperCommand, Timestamp)>,
    /// What the gripper was told last.
    told: GripperCommand,
    changed_at: Option<Timestamp>,
    /// Sent since it was asked last.
    executed: GripperCommand,
}

impl Grip {
    pub fn new(limits: GripperLimits) -> Self {
        Self {
            limits,
            posted: None,
            told: GripperCommand::Stay,
            changed_at: None,
            executed: GripperCommand::Stay,
        }
    }

    /// Takes a command that holds `until`; the next tick sends it. False when the gripper has
    /// changed too recently: then it stays as it is.
    pub fn post(&mut self, now: Timestamp, command: GripperCommand, until: Timestamp) -> bool {
        self.posted = None;
        let too_soon = self.changed_at.is_some_and(|at| now.since(at) < self.limits.change_min);
        if command.changes(self.told) && too_soon {
            return false;
        }
        if command != GripperCommand::Stay {
            self.posted = Some((command, until));
        }
        true
    }

    /// What goes to the gripper in this tick. An arm that follows no command has nobody who would
    /// mean one for the gripper either.
    pub fn tick(&mut self, now: Timestamp, arm_follows: bool) -> Option<SafeGrip> {
        let (command, until) = self.posted.take()?;
        if now >= until || !arm_follows {
            return None;
        }
        if command.changes(self.told) {
            self.changed_at = Some(now);
        }
        self.told = command;
        self.executed = command;
        Some(SafeGrip {
            opens: command == GripperCommand::Open,
            force_n: self.limits.force_n,
            speed_mps: self.limits.speed_mps,
        })
    }

    /// What was sent since this was asked last.
    pub fn settle(&mut self) -> GripperCommand {
        std::mem::take(&mut self.executed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    fn command(letter: char) -> GripperCommand {
        match letter {
            'c' => GripperCommand::Close,
            'o' => GripperCommand::Open,
            _ => GripperCommand::Stay,
        }
    }

    /// One letter per tick: `c` close, `o` open, `.` stay; what the gripper is told in that tick. Two
    /// changes are 30 ms apart at least.
    #[track_caller]
    fn check(commands: &str, told: &str) {
        let limits = GripperLimits { force_n: 20.0, speed_mps: 0.1, change_min: TICK * 3 };
        let mut grip = Grip::new(limits);
        let mut now = Timestamp(0);
        let got: String = commands
            .chars()
            .map(|letter| {
                let taken = grip.post(now, command(letter), now + TICK);
                let sent = grip.tick(now, true);
                let executed = grip.settle();
                assert_eq!(sent.is_some(), executed != GripperCommand::Stay);
                assert_eq!(taken, executed == command(letter), "{letter} at {now:?}");
                now = now + TICK;
                sent.map_or('.', |grip| if grip.opens() { 'o' } else { 'c' })
            })
            .collect();
        assert_eq!(got, told);
    }

    #[test]
    fn a_command_is_sent_once_and_a_repeated_one_again() {
        check("c..o...cc", "c..o...cc");
    }

    #[test]
    fn a_change_too_soon_is_held_back_and_the_same_again_is_not() {
        check("coocooo", "c..cooo");
        check("ccccc", "ccccc");
    }

    fn posted() -> Grip {
        let limits = GripperLimits { force_n: 5.0, speed_mps: 0.1, change_min: Duration::ZERO };
        let mut grip = Grip::new(limits);
        assert!(grip.post(Timestamp(0), GripperCommand::Close, Timestamp(0) + TICK * 2));
        grip
    }

    #[test]
    fn a_command_whose_lease_is_over_is_forgotten() {
        let mut late = posted();
        assert_eq!(late.tick(Timestamp(0) + TICK * 2, true), None);
        assert_eq!((late.tick(Timestamp(0), true), late.settle()), (None, GripperCommand::Stay));
        let sent = posted().tick(Timestamp(0) + TICK, true).unwrap();
        assert_eq!((sent.opens(), sent.force_n()), (false, 5.0));
    }

    #[test]
    fn with_an_arm_that_follows_nothing_the_gripper_is_told_nothing() {
        let mut grip = posted();
        assert_eq!(grip.tick(Timestamp(0), false), None);
        assert_eq!(grip.tick(Timestamp(0), true), None, "not later either");
        assert_eq!(grip.settle(), GripperCommand::Stay);
    }
}
