//! What the server is to be told of the arm, and when. Pure: times in, poses out.

use wire::{Timestamp, geometry::Pose};

use crate::arm::ArmMode;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    /// The server has whatever it had.
    Nothing,
    Follow {
        pose: Pose,
        until: Timestamp,
    },
    Hold,
}

/// What is to be posted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    Nothing,
    Pose(Pose),
    /// The pose that is measured, so that the arm stays there.
    Measured,
}

#[derive(Clone, Debug)]
pub struct Told {
    order: Order,
    /// Counts the orders, so that one that was posted is known from a newer one.
    number: u64,
    posted: u64,
    stopped: bool,
    /// The server answers, and does not take a pose: the robot does not follow any more.
    refused: Option<String>,
    /// Why the last post was not answered.
    pub failure: Option<String>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            order: Order::Nothing,
            number: 0,
            posted: 0,
            stopped: false,
            refused: None,
            failure: None,
        }
    }
}

impl Told {
    fn give(&mut self, order: Order) {
        self.order = order;
        self.number += 1;
    }

    /// Says why not, while the arm is stopped.
    pub fn follow(&mut self, pose: Pose, until: Timestamp) -> Result<(), String> {
        if self.stopped {
            return Err("it was stopped".into());
        }
        if let Some(why) = &self.refused {
            return Err(why.clone());
        }
        self.give(Order::Follow { pose, until });
        Ok(())
    }

    pub fn hold(&mut self) {
        self.give(Order::Hold);
    }

    pub fn stop(&mut self) {
        self.stopped = true;
        self.hold();
    }

    /// Nothing is followed any more, and nothing is to be told.
    pub fn rest(&mut self) {
        self.give(Order::Nothing);
        self.posted = self.number;
    }

    /// The server did not take a pose. Only `recovered` ends this.
    pub fn refuse(&mut self, why: String) {
        self.refused.get_or_insert(why);
        self.rest();
    }

    pub fn recovered(&mut self) {
        self.stopped = false;
        self.refused = None;
        self.failure = None;
        self.rest();
    }

    /// What is to be posted now. A lease that is over, and a state that is lost, become a hold.
    pub fn due(&mut self, now: Timestamp, lost: bool) -> (Due, u64) {
        if let Order::Follow { until, .. } = self.order
            && (now >= until || lost)
        {
            self.hold();
        }
        let due = match self.order {
            _ if self.posted == self.number => Due::Nothing,
            Order::Nothing => Due::Nothing,
            Order::Follow { pose, .. } => Due::Pose(pose),
            Order::Hold if lost => Due::Nothing,
            Order::Hold => Due::Measured,
        };
        (due, self.number)
    }

    /// The server has what was due under this number.
    pub fn posted(&mut self, number: u64) {
        self.posted = self.posted.max(number);
        self.failure = None;
    }

    /// When there is something due without anybody saying more.
    pub fn lease_until(&self) -> Option<Timestamp> {
        match self.order {
            Order::Follow { until, .. } => Some(until),
            Order::Nothing | Order::Hold => None,
        }
    }

    pub fn mode(&self, now: Timestamp) -> ArmMode {
        match self.order {
            _ if self.stopped => ArmMode::Stopped,
            _ if self.refused.is_some() => ArmMode::Reflex,
            Order::Nothing => ArmMode::Idle,
            Order::Follow { until, .. } if now < until => ArmMode::Running,
            Order::Follow { .. } | Order::Hold => ArmMode::Holding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: Timestamp = Timestamp(100);

    fn pose(x: f64) -> Pose {
        Pose::translation(x, 0.0, 0.0)
    }

    fn following() -> Told {
        let mut told = Told::default();
        told.follow(pose(1.0), UNTIL).unwrap();
        told
    }

    #[test]
    fn a_pose_is_posted_once_and_the_end_of_its_lease_posts_the_measured_one() {
        let mut told = following();
        let (due, number) = told.due(Timestamp(0), false);
        assert_eq!(due, Due::Pose(pose(1.0)));
        told.posted(number);
        assert_eq!(told.due(Timestamp(99), false).0, Due::Nothing);
        assert_eq!(told.mode(Timestamp(99)), ArmMode::Running);
        let (due, number) = told.due(UNTIL, false);
        assert_eq!((due, told.mode(UNTIL)), (Due::Measured, ArmMode::Holding));
        told.posted(number);
        assert_eq!(told.due(Timestamp(200), false).0, Due::Nothing);
    }

    #[test]
    fn what_came_while_a_post_was_under_way_is_posted_next() {
        let mut told = following();
        let (_, number) = told.due(Timestamp(0), false);
        told.follow(pose(2.0), UNTIL).unwrap();
        told.posted(number);
        assert_eq!(told.due(Timestamp(0), false).0, Due::Pose(pose(2.0)));
    }

    #[test]
    fn a_lost_state_ends_a_motion_and_the_hold_waits_for_a_state() {
        let mut told = following();
        assert_eq!(told.due(Timestamp(1), true).0, Due::Nothing);
        assert_eq!(told.mode(Timestamp(1)), ArmMode::Holding);
        assert_eq!(told.due(Timestamp(2), false).0, Due::Measured);
    }

    #[test]
    fn a_stop_takes_no_pose_and_a_hold_does_not_end_it() {
        let mut told = following();
        told.stop();
        told.hold();
        told.follow(pose(3.0), UNTIL).unwrap_err();
        assert_eq!(told.due(Timestamp(0), false).0, Due::Measured);
        assert_eq!(told.mode(Timestamp(0)), ArmMode::Stopped);
        told.recovered();
        assert_eq!(told.mode(Timestamp(0)), ArmMode::Idle);
        assert_eq!(told.due(Timestamp(0), false).0, Due::Nothing);
        told.follow(pose(3.0), UNTIL).unwrap();
    }

    #[test]
    fn a_pose_that_is_refused_is_a_reflex_and_the_first_reason_stays() {
        let mut told = following();
        told.refuse("not enabled".into());
        told.refuse("something later".into());
        assert_eq!(told.mode(Timestamp(0)), ArmMode::Reflex);
        assert_eq!(told.due(Timestamp(0), false).0, Due::Nothing);
        assert_eq!(told.follow(pose(2.0), UNTIL), Err("not enabled".into()));
        told.recovered();
        told.follow(pose(2.0), UNTIL).unwrap();
    }
}
