//! What drives the simulated gripper's jaws: a spring towards a target that moves at the commanded
//! speed, and pulls no harder than the commanded force. Holds no model and no clock.

use drivers::SafeGrip;

use crate::scene::{TICK_NS, pick_cube::STROKE_M};

/// Of each jaw (N/m).
const STIFFNESS: f64 = 1500.0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Jaws {
    /// Where both jaws are to go (m from the middle).
    goal: f64,
    /// Where the spring pulls now.
    target: f64,
    force_n: f64,
    speed_mps: f64,
}

impl Jaws {
    /// Wide open and at rest.
    pub fn open() -> Self {
        Self { goal: STROKE_M, target: STROKE_M, force_n: 0.0, speed_mps: 0.0 }
    }

    pub fn command(&mut self, grip: &SafeGrip) {
        self.goal = if grip.opens() { STROKE_M } else { 0.0 };
        self.force_n = grip.force_n();
        self.speed_mps = grip.speed_mps();
    }

    /// One tick: the force on each jaw, away from the middle (N), for jaws that stand at `at`.
    pub fn forces(&mut self, at: [f64; 2]) -> [f64; 2] {
        let reach = self.speed_mps * TICK_NS as f64 * 1e-9;
        self.target += (self.goal - self.target).clamp(-reach, reach);
        // What is held keeps the jaws apart; the target does not run away from them.
        let slack = self.force_n / STIFFNESS;
        let middle = (at[0] + at[1]) / 2.0;
        self.target = self.target.clamp(middle - slack, middle + slack);
        at.map(|at| ((self.target - at) * STIFFNESS).clamp(-self.force_n, self.force_n))
    }
}

/// How far jaws at `at` are open, 0 to 1.
pub(crate) fn opening(at: [f64; 2]) -> f64 {
    ((at[0] + at[1]) / 2.0 / STROKE_M).clamp(0.0, 1.0)
}
