//! A driver connected to a stand-in of what it drives, and what its tests do with it.

use std::{sync::Arc, thread, time::Duration};

use nalgebra::Vector3;
use wire::{Clock, SystemClock, geometry::Pose};

use super::{Arm, ArmError, ArmMode};
use crate::gate::SafeTarget;

const LEASE: Duration = Duration::from_millis(250);
/// What the conditions below may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Bench<A, M> {
    pub(super) mock: M,
    pub(super) arm: A,
    pub(super) clock: Arc<SystemClock>,
    /// How near the arm comes to where it is told to go.
    near_m: f64,
}

impl<A: Arm, M> Bench<A, M> {
    pub(super) fn of(
        mock: M,
        near_m: f64,
        connect: impl FnOnce(&M, Arc<SystemClock>) -> A,
    ) -> Self {
        let clock = Arc::new(SystemClock::new());
        let arm = connect(&mock, clock.clone());
        Self { mock, arm, clock, near_m }
    }

    pub(super) fn mode(&self) -> ArmMode {
        self.arm.state().unwrap().value.mode
    }

    pub(super) fn pose(&self) -> Pose {
        self.arm.state().unwrap().value.tcp_pose
    }

    pub(super) fn command(&mut self, pose: Pose) -> Result<(), ArmError> {
        self.arm.command(SafeTarget::under_test(pose, self.clock.now() + LEASE))
    }

    /// A little above where the arm is.
    pub(super) fn above(&self, metres: f64) -> Pose {
        let mut pose = self.pose();
        pose.translation.vector += Vector3::z() * metres;
        pose
    }

    /// Waits, within a time, for what must come.
    #[track_caller]
    pub(super) fn wait_within(
        &self,
        time: Duration,
        what: &str,
        mut is_so: impl FnMut(&Self) -> bool,
    ) {
        let until = self.clock.now() + time;
        while !is_so(self) {
            assert!(self.clock.now() < until, "never: {what}; {:?}", self.arm.state());
            thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    pub(super) fn wait_for(&self, what: &str, is_so: impl FnMut(&Self) -> bool) {
        self.wait_within(PATIENCE, what, is_so);
    }

    #[track_caller]
    pub(super) fn wait_for_mode(&self, mode: ArmMode) {
        self.wait_for(&format!("{mode:?}"), |bench| bench.mode() == mode);
    }

    /// Keeps commanding a pose until it is reached.
    #[track_caller]
    pub(super) fn go_to(&mut self, pose: Pose) {
        let until = self.clock.now() + PATIENCE;
        while (self.pose().translation.vector - pose.translation.vector).norm() > self.near_m {
            assert!(self.clock.now() < until, "never arrived at {pose}; {:?}", self.arm.state());
            self.command(pose).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    pub(super) fn needs_operator(&mut self, says: &str) {
        let pose = self.pose();
        match self.command(pose).unwrap_err() {
            ArmError::NeedsOperator(why) => assert!(why.contains(says), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
