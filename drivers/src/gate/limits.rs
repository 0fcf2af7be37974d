//! What the gate allows. Numbers only; the defaults are those of a cell at reduced speed.

use std::time::Duration;

use super::WorkspaceBox;

/// Length of one pass of the device loop: 100 Hz.
pub const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Debug, PartialEq)]
pub struct GateLimits {
    pub workspace: WorkspaceBox,
    /// Largest move of one command.
    pub step_max_m: f64,
    pub step_max_rad: f64,
    /// How far the target may be ahead of the measured pose.
    pub lead_max_m: f64,
    pub lead_max_rad: f64,
    /// How the targets that the arm gets may change.
    pub linear: MotionLimits,
    pub angular: MotionLimits,
    pub force: ForceLimits,
    pub joints: JointLimits,
    /// Age at which a state is too old to move on: the arm holds.
    pub state_age_max: Duration,
    /// Age at which the state counts as lost: the arm stops.
    pub state_lost_after: Duration,
    /// The longest lease that a command may ask for.
    pub lease: Duration,
    /// How long after the end of a lease the arm is stopped.
    pub stop_after: Duration,
    /// After another hand has taken over, the speed grows from nothing over this time.
    pub takeover_ramp: Duration,
}

/// Per second, per second squared, per second cubed; metres or radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MotionLimits {
    pub speed_max: f64,
    pub acceleration_max: f64,
    pub jerk_max: f64,
}

/// When the environment pushes back too hard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForceLimits {
    pub force_max_n: f64,
    pub torque_max_nm: f64,
    /// More than this long above either limit stops the motion.
    pub time: Duration,
    /// How far to back off along the last motion; 0 only holds.
    pub back_off_m: f64,
}

/// For arms that say where their joints end, or give their Jacobian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLimits {
    /// No motion that takes a joint nearer than this to its end.
    pub margin_rad: f64,
    /// Condition number of the Jacobian from which on the arm goes slower, and at which it stops.
    pub condition_slow: f64,
    pub condition_stop: f64,
}

impl GateLimits {
    /// The defaults about this workspace.
    pub fn new(workspace: WorkspaceBox) -> Self {
        Self {
            workspace,
            step_max_m: 0.05,
            step_max_rad: 0.2,
            lead_max_m: 0.05,
            lead_max_rad: 0.3,
            linear: MotionLimits { speed_max: 0.25, acceleration_max: 1.0, jerk_max: 10.0 },
            angular: MotionLimits { speed_max: 1.0, acceleration_max: 4.0, jerk_max: 40.0 },
            force: ForceLimits::default(),
            joints: JointLimits::default(),
            state_age_max: Duration::from_millis(100),
            state_lost_after: Duration::from_millis(500),
            lease: Duration::from_millis(250),
            stop_after: Duration::from_secs(2),
            takeover_ramp: Duration::from_millis(100),
        }
    }
}

impl Default for ForceLimits {
    fn default() -> Self {
        Self {
            force_max_n: 30.0,
            torque_max_nm: 10.0,
            time: Duration::from_millis(20),
            back_off_m: 0.005,
        }
    }
}

impl Default for JointLimits {
    fn default() -> Self {
        Self { margin_rad: 0.1, condition_slow: 17.0, condition_stop: 30.0 }
    }
}
