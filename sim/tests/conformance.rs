//! The simulated arm under the rules for all arms.

use std::sync::Arc;

use drivers::conformance::{self, Stand};
use sim::{ClockMode, Preset, SimArm, SimCell, SimConfig, Truth};
use wire::{Clock, geometry::Pose};

use crate::config;

/// A world of its own; its arm is taken once.
struct Simulated {
    arm: Option<SimArm>,
    clock: Arc<dyn Clock>,
    truth: Truth,
    mode: ClockMode,
}

impl Simulated {
    fn new(mode: ClockMode) -> Self {
        let config = SimConfig { clock: mode, ..config(Preset::Default) };
        let cell = SimCell::start(config).unwrap();
        Self { arm: Some(cell.arm), clock: cell.clock, truth: cell.truth, mode }
    }
}

impl Stand for Simulated {
    type Arm = SimArm;

    fn connect(&mut self) -> SimArm {
        self.arm.take().unwrap()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn is_paced(&self) -> bool {
        self.mode == ClockMode::Simulated
    }

    fn tcp_pose(&mut self) -> Pose {
        self.truth.tcp_pose()
    }

    /// The arm is in this process.
    fn cut(&mut self) -> bool {
        false
    }

    fn mend(&mut self) {}

    /// It has no reflexes; the faults put them before it.
    fn reflex(&mut self) -> bool {
        false
    }
}

#[test]
fn the_simulated_arm_keeps_the_rules_for_arms() {
    conformance::check(|| Simulated::new(ClockMode::Simulated));
}

#[test]
fn it_keeps_them_in_real_time_too() {
    conformance::check(|| Simulated::new(ClockMode::Real));
}
