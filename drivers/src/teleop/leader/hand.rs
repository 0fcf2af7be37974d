//! What a hand on a leader arm wants, from how the leader's tool moves. Pure.

use std::{collections::VecDeque, time::Duration};

use nalgebra::{UnitQuaternion, Vector3};
use wire::{Timestamp, geometry::Pose};

use crate::teleop::buttons::ButtonRole;

/// Over which motion is measured: a step of the policy, so that what a step gives is how far the leader
/// went since the step before.
const OVER: Duration = Duration::from_millis(100);

/// How the leader's motion becomes a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeaderFeel {
    /// The speed of the leader's tool that is a full command.
    pub speed_full_mps: f64,
    pub speed_full_radps: f64,
    /// Slower than both is no motion.
    pub still_mps: f64,
    pub still_radps: f64,
    /// Stillness this long ends a takeover.
    pub hold: Duration,
    /// Turns the leader's place about the base's z axis.
    pub yaw_rad: f64,
    /// How far open the trigger is below which it closes the gripper, and above which it opens it.
    pub close_below: f64,
    pub open_above: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Push {
    pub twist: [f64; 6],
    pub engaged: bool,
    /// The trigger was pulled or let go.
    pub press: Option<ButtonRole>,
}

pub(super) struct Hand {
    feel: LeaderFeel,
    /// The newest last; they reach `OVER` back.
    poses: VecDeque<(Timestamp, Pose)>,
    moved_at: Option<Timestamp>,
    /// What the trigger said last.
    closes: Option<bool>,
}

impl Hand {
    pub fn new(feel: LeaderFeel) -> Self {
        Self { feel, poses: VecDeque::with_capacity(64), moved_at: None, closes: None }
    }

    /// What comes next has nothing to do with what was.
    pub fn forget(&mut self) {
        self.poses.clear();
        (self.moved_at, self.closes) = (None, None);
    }

    pub fn hear(&mut self, now: Timestamp, pose: Pose, trigger: f64) -> Push {
        while self.poses.get(1).is_some_and(|(at, _)| now.since(*at) >= OVER) {
            self.poses.pop_front();
        }
        let (linear, angular) = self.speeds(now, &pose);
        self.poses.push_back((now, pose));
        let feel = &self.feel;
        if linear.norm() > feel.still_mps || angular.norm() > feel.still_radps {
            self.moved_at = Some(now);
        }
        let engaged = self.moved_at.is_some_and(|at| now.since(at) <= feel.hold);
        let press = self.pull(trigger);
        if !engaged {
            return Push { press, ..Push::default() };
        }
        let turned = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), self.feel.yaw_rad);
        let linear = at_most_one(turned * linear / self.feel.speed_full_mps);
        let angular = at_most_one(turned * angular / self.feel.speed_full_radps);
        let twist = [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z];
        Push { twist, engaged, press }
    }

    fn speeds(&self, now: Timestamp, pose: &Pose) -> (Vector3<f64>, Vector3<f64>) {
        let Some((at, before)) = self.poses.front() else { return Default::default() };
        // The first few are too near to say a speed.
        let time = now.since(*at).max(OVER).as_secs_f64();
        let way = pose.translation.vector - before.translation.vector;
        let turn = (pose.rotation * before.rotation.inverse()).scaled_axis();
        (way / time, turn / time)
    }

    fn pull(&mut self, trigger: f64) -> Option<ButtonRole> {
        let LeaderFeel { close_below, open_above, .. } = self.feel;
        let Some(before) = self.closes else {
            // How it stands says nothing before it is moved.
            self.closes = Some(trigger < (close_below + open_above) / 2.0);
            return None;
        };
        let closes = if before { trigger <= open_above } else { trigger < close_below };
        self.closes = Some(closes);
        let role = if closes { ButtonRole::GripperClose } else { ButtonRole::GripperOpen };
        (closes != before).then_some(role)
    }
}

/// In the same direction, no entry beyond 1.
fn at_most_one(push: Vector3<f64>) -> Vector3<f64> {
    push / push.amax().max(1.0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::teleop::leader) const FEEL: LeaderFeel = LeaderFeel {
        speed_full_mps: 0.2,
        speed_full_radps: 1.0,
        still_mps: 0.02,
        still_radps: 0.15,
        hold: Duration::from_millis(200),
        yaw_rad: 0.0,
        close_below: 0.3,
        open_above: 0.6,
    };

    fn at(step: u64) -> Timestamp {
        Timestamp(1_000_000_000 + step * 10_000_000)
    }

    /// A leader whose tool stands at x = 0.3 and then goes at this speed along y for half a second, looked
    /// at each hundredth; the pushes.
    fn moved(feel: LeaderFeel, speed: f64) -> Vec<Push> {
        let mut hand = Hand::new(feel);
        (0..150)
            .map(|step| {
                let time = (step as f64 - 50.0).clamp(0.0, 50.0) * 0.01;
                hand.hear(at(step), Pose::translation(0.3, speed * time, 0.1), 1.0)
            })
            .collect()
    }

    #[test]
    fn a_takeover_begins_from_rest_wherever_the_leader_stands() {
        let pushes = moved(FEEL, 0.1);
        assert!(pushes[..51].iter().all(|push| *push == Push::default()));
        let first = pushes.iter().find(|push| push.engaged).unwrap();
        assert!(first.twist[1].abs() < 0.2, "it grows from nothing: {first:?}");
        assert!((pushes[75].twist[1] - 0.5).abs() < 1e-6, "{:?}", pushes[75]);
    }

    #[test]
    fn the_arm_goes_as_far_as_the_leader_in_steps_of_a_tenth_of_a_second() {
        let pushes = moved(FEEL, 0.15);
        for offset in 0..10 {
            let steps = pushes.iter().skip(offset).step_by(10);
            let way: f64 = steps.map(|push| push.twist[1] * FEEL.speed_full_mps * 0.1).sum();
            assert!((way - 0.075).abs() < 2.5e-3, "{way} m of 0.075 m");
        }
    }

    #[test]
    fn slow_drift_is_no_hand_and_stillness_ends_a_takeover() {
        assert!(moved(FEEL, 0.015).iter().all(|push| *push == Push::default()));
        let pushes = moved(FEEL, 0.1);
        let last = pushes.iter().rposition(|push| push.engaged).unwrap();
        // It stands still at step 100; the measure reaches 100 ms back.
        assert!((118..=131).contains(&last), "{last}");
    }

    #[test]
    fn what_is_faster_than_full_keeps_its_direction() {
        let mut hand = Hand::new(FEEL);
        hand.hear(at(0), Pose::identity(), 1.0);
        let push = hand.hear(at(10), Pose::translation(0.08, 0.04, 0.0), 1.0);
        assert!((push.twist[0] - 1.0).abs() < 1e-9 && (push.twist[1] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_turn_is_a_turn_and_the_yaw_turns_both() {
        let feel = LeaderFeel { yaw_rad: std::f64::consts::FRAC_PI_2, ..FEEL };
        let mut hand = Hand::new(feel);
        hand.hear(at(0), Pose::identity(), 1.0);
        let mut pose = Pose::rotation(Vector3::x() * 0.05);
        pose.translation.vector.x = 0.01;
        let push = hand.hear(at(10), pose, 1.0);
        let wanted = [0.0, 0.5, 0.0, 0.0, 0.5, 0.0];
        assert!(push.twist.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{push:?}");
    }

    /// One digit per look for how far open the trigger is, in tenths; `c` and `o` where it is pulled and let
    /// go.
    #[track_caller]
    fn check(trigger: &str, presses: &str) {
        let mut hand = Hand::new(FEEL);
        let heard: String = trigger
            .chars()
            .enumerate()
            .map(|(step, digit)| {
                let open = f64::from(digit.to_digit(10).unwrap()) / 10.0;
                match hand.hear(at(step as u64), Pose::identity(), open).press {
                    Some(ButtonRole::GripperClose) => 'c',
                    Some(_) => 'o',
                    None => '-',
                }
            })
            .collect();
        assert_eq!(heard, presses, "{trigger}");
    }

    #[test]
    fn the_trigger_speaks_when_it_is_pulled_and_let_go() {
        check("99520024799", "---c----o--");
        check("0000", "----");
        check("9545454", "-------");
        check("5199", "-co-");
        check("4499", "--o-");
    }
}
