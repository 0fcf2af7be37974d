//! From goal to goal in targets that the arm can follow: one per tick, with bounded speed,
//! acceleration and jerk.
//!
//! A point goes to the goal with bounded speed and acceleration, and only on ways from which it can
//! still brake inside the workspace. What the arm gets is the mean of the point's last places over
//! `2 a / j` seconds. A mean of bounded speeds and accelerations is bounded as they are, its own
//! acceleration changes by at most `2 a` in that time, and a mean of places in a convex workspace is
//! in it.

use std::collections::VecDeque;

use nalgebra::{Translation3, Vector3};
use wire::geometry::Pose;

use super::{
    GateLimits, WorkspaceBox,
    limits::{MotionLimits, TICK},
};

/// The longest mean, in ticks: what is asked for beyond is no motion any more.
pub(super) const WINDOW_MAX: usize = 200;

/// Moves slower than this have no direction (per second).
const STANDSTILL: f64 = 1e-3;

/// Position and orientation on their way.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    position: Track,
    /// In the coordinates of `WorkspaceBox::lean`.
    lean: Track,
    /// Which way the position went last, a unit vector; zero if it has not moved.
    heading: Vector3<f64>,
}

impl Profile {
    /// At rest in the pose of the workspace that is nearest to `pose`.
    pub fn at_rest(pose: &Pose, limits: &GateLimits) -> Self {
        let workspace = &limits.workspace;
        let slower = workspace.turn_per_lean();
        let MotionLimits { speed_max, acceleration_max, jerk_max } = limits.angular;
        let angular = MotionLimits {
            speed_max: speed_max / slower,
            acceleration_max: acceleration_max / slower,
            jerk_max: jerk_max / slower,
        };
        let position = workspace.clamp_position(&pose.translation.vector);
        let lean = workspace.clamp_lean(&workspace.lean(&pose.rotation));
        Self {
            position: Track::at_rest(position, limits.linear),
            lean: Track::at_rest(lean, angular),
            heading: Vector3::zeros(),
        }
    }

    /// Where the arm is sent now.
    pub fn pose(&self, workspace: &WorkspaceBox) -> Pose {
        let position = workspace.clamp_position(&self.position.mean());
        let rotation = workspace.rotation(&workspace.clamp_lean(&self.lean.mean()));
        Pose::from_parts(Translation3::from(position), rotation)
    }

    /// One tick towards `goal`, at `pace` (0 to 1) of the speed.
    pub fn advance(&mut self, goal: &Pose, pace: f64, workspace: &WorkspaceBox) {
        let lean = workspace.nearest_lean(&workspace.lean(&goal.rotation), &self.lean.at);
        self.position.advance(&goal.translation.vector, pace, |p| workspace.holds_position(p));
        self.lean.advance(&lean, pace, |lean| workspace.holds_lean(lean));
        if self.position.velocity.norm() > STANDSTILL {
            self.heading = self.position.velocity.normalize();
        }
    }

    pub fn heading(&self) -> Vector3<f64> {
        self.heading
    }
}

#[derive(Clone, Debug)]
struct Track {
    limits: MotionLimits,
    at: Vector3<f64>,
    /// Of the last tick, per second.
    velocity: Vector3<f64>,
    /// The last places, as many as the mean has.
    trail: VecDeque<Vector3<f64>>,
}

impl Track {
    fn at_rest(at: Vector3<f64>, limits: MotionLimits) -> Self {
        let seconds = 2.0 * limits.acceleration_max / limits.jerk_max;
        // Less than a tick is one tick. A hair more than whole ticks is not another one.
        let window = (seconds / TICK.as_secs_f64() - 1e-9).ceil().clamp(1.0, WINDOW_MAX as f64);
        let trail = std::iter::repeat_n(at, window as usize).collect();
        Self { limits, at, velocity: Vector3::zeros(), trail }
    }

    fn mean(&self) -> Vector3<f64> {
        // Around the newest place, so that a point at rest is its own mean to the last bit.
        let offsets: Vector3<f64> = self.trail.iter().map(|place| place - self.at).sum();
        self.at + offsets / self.trail.len() as f64
    }

    fn advance(&mut self, goal: &Vector3<f64>, pace: f64, inside: impl Fn(&Vector3<f64>) -> bool) {
        let seconds = TICK.as_secs_f64();
        let gain = self.limits.acceleration_max * seconds;
        let way = goal - self.at;
        let distance = way.norm();
        let speed = (self.limits.speed_max * pace).min(self.speed_to_stop_within(distance));
        let arrives = distance <= speed * seconds;
        let wanted = if arrives { way / seconds } else { way * (speed / distance) };
        let change = wanted - self.velocity;
        let within = change.norm() <= gain;
        let velocity = if within { wanted } else { self.velocity + change.normalize() * gain };
        let next = if within && arrives { *goal } else { self.at + velocity * seconds };
        if inside(&next) && inside(&self.stop_from(&next, &velocity)) {
            (self.at, self.velocity) = (next, velocity);
        } else {
            // The way on which it was known to stop inside.
            let speed = self.velocity.norm();
            self.velocity *= if speed > gain { 1.0 - gain / speed } else { 0.0 };
            self.at += self.velocity * seconds;
        }
        self.trail.pop_front();
        self.trail.push_back(self.at);
    }

    /// The highest speed of the next tick from which braking, one `a dt` per tick, ends within
    /// `distance`. With `n` whole ticks of braking after it that is
    /// `distance = dt ((n + 1) s - a dt n (n + 1) / 2)`.
    fn speed_to_stop_within(&self, distance: f64) -> f64 {
        let seconds = TICK.as_secs_f64();
        let gain = self.limits.acceleration_max * seconds;
        let ticks = ((1.0 + 8.0 * distance / (seconds * gain)).sqrt() - 3.0) / 2.0;
        // A hair more than whole ticks is not another one.
        let n = (ticks - 1e-9).ceil().max(0.0);
        (distance / seconds + gain * n * (n + 1.0) / 2.0) / (n + 1.0)
    }

    /// Where a point that moved by `velocity` in its last tick comes to rest when it brakes.
    fn stop_from(&self, at: &Vector3<f64>, velocity: &Vector3<f64>) -> Vector3<f64> {
        let seconds = TICK.as_secs_f64();
        let gain = self.limits.acceleration_max * seconds;
        let speed = velocity.norm();
        if speed <= gain {
            return *at;
        }
        let ticks = (speed / gain).ceil() - 1.0;
        let distance = seconds * (ticks * speed - gain * ticks * (ticks + 1.0) / 2.0);
        at + velocity * (distance / speed)
    }
}
