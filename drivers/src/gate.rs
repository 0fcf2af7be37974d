//! The gate: the only maker of the targets that an arm accepts.
//!
//! Every motion passes here, resets included: finite, inside the workspace, within step, speed and
//! lead limits, and on a lease. What the gate changes it reports, and the report travels in the
//! step. This protects the robot, the work-piece and the data; it is not a safety function.

use std::time::Duration;

use nalgebra::{Quaternion, Translation3, UnitQuaternion, Vector3};
use wire::{GateEvents, Timestamp, geometry::Pose};

use crate::Stamped;
use crate::arm::{Arm, ArmError, ArmState, StopKind};

/// A target inside the limits, and how long it may be followed. Only the gate makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeTarget {
    pose: Pose,
    valid_until: Timestamp,
}

impl SafeTarget {
    /// Base frame → TCP.
    pub fn pose(&self) -> &Pose {
        &self.pose
    }

    /// When the lease ends: from then on the arm holds by itself.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }
}

/// Where the TCP may be: a box in the base frame (m), a cone for the tool's z axis about that of a
/// reference orientation, and how far the tool may be turned about its own axis.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkspaceBox {
    pub min: Vector3<f64>,
    pub max: Vector3<f64>,
    pub orientation: UnitQuaternion<f64>,
    pub tilt_max_rad: f64,
    pub yaw_max_rad: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GateLimits {
    pub workspace: WorkspaceBox,
    /// Largest move of one command.
    pub step_max_m: f64,
    pub step_max_rad: f64,
    /// Fastest change of the target.
    pub speed_max_mps: f64,
    pub speed_max_radps: f64,
    /// How far the target may be ahead of the measured pose.
    pub lead_max_m: f64,
    pub lead_max_rad: f64,
    /// Age at which a state is too old to command from.
    pub state_age_max: Duration,
    /// How long a command is valid.
    pub lease: Duration,
}

/// What the gate let through and what it changed.
#[derive(Clone, Debug, PartialEq)]
pub struct GateReport {
    pub target: Pose,
    pub events: GateEvents,
}

/// Stands before an arm. Owns it, so that nobody else can command it.
#[derive(Debug)]
pub struct Gate<A> {
    arm: A,
    limits: GateLimits,
    last: Option<Stamped<Pose>>,
}

impl<A: Arm> Gate<A> {
    pub fn new(arm: A, limits: GateLimits) -> Self {
        Self { arm, limits, last: None }
    }

    pub fn limits(&self) -> &GateLimits {
        &self.limits
    }

    pub fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        self.arm.state()
    }

    pub fn skeleton(&self) -> Vec<[f64; 3]> {
        self.arm.skeleton()
    }

    /// The last target, while its lease is valid.
    pub fn target(&self, now: Timestamp) -> Option<&Pose> {
        self.last.as_ref().filter(|last| now < last.at + self.limits.lease).map(|last| &last.value)
    }

    /// Brings `wanted` inside the limits and sends it. A command that is not finite, or that would
    /// be given on a stale state, is replaced by the pose the arm has. An arm that does not know its
    /// pose gets nothing.
    pub fn command(&mut self, now: Timestamp, wanted: &Pose) -> Result<GateReport, ArmError> {
        let state = self.arm.state()?;
        if !is_finite(&state.value.tcp_pose) {
            return Err(ArmError::NoState);
        }
        let report = limit(now, wanted, &state, self.last.as_ref(), &self.limits);
        self.arm
            .command(SafeTarget { pose: report.target, valid_until: now + self.limits.lease })?;
        self.last = Some(Stamped { at: now, value: report.target });
        Ok(report)
    }

    /// Forgets the last target: the next command starts from the measured pose. Called when
    /// another hand takes over, so that the switch is bumpless.
    pub fn forget_target(&mut self) {
        self.last = None;
    }

    pub fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.last = None;
        self.arm.stop(how)
    }

    pub fn recover(&mut self) -> Result<(), ArmError> {
        self.last = None;
        self.arm.recover()
    }
}

/// The gate's decision, without device and clock.
fn limit(
    now: Timestamp,
    wanted: &Pose,
    state: &Stamped<ArmState>,
    last: Option<&Stamped<Pose>>,
    limits: &GateLimits,
) -> GateReport {
    let measured = state.value.tcp_pose;
    if !is_finite(wanted) {
        return GateReport { target: measured, events: GateEvents::NOT_FINITE };
    }
    if now.since(state.at) > limits.state_age_max {
        return GateReport { target: measured, events: GateEvents::STALE_STATE };
    }
    let mut target = *wanted;
    let mut events = GateEvents::default();
    let mut apply = |changed: bool, event| {
        if changed {
            events = events.with(event);
        }
    };

    let previous = last.map_or(measured, |last| last.value);
    apply(
        approach(&mut target, &previous, limits.step_max_m, limits.step_max_rad),
        GateEvents::STEP,
    );
    // A target that comes after a pause may not use the pause to jump: time counts up to one lease.
    let elapsed = last.map_or(limits.lease, |last| now.since(last.at).min(limits.lease));
    let seconds = elapsed.as_secs_f64();
    let (reach_m, reach_rad) = (limits.speed_max_mps * seconds, limits.speed_max_radps * seconds);
    apply(approach(&mut target, &previous, reach_m, reach_rad), GateEvents::SPEED);
    apply(
        approach(&mut target, &measured, limits.lead_max_m, limits.lead_max_rad),
        GateEvents::LEAD,
    );
    apply(limits.workspace.clamp(&mut target), GateEvents::WORKSPACE);
    GateReport { target, events }
}

impl WorkspaceBox {
    /// Moves `pose` inside; says whether that changed it.
    fn clamp(&self, pose: &mut Pose) -> bool {
        let wanted = pose.translation.vector;
        let inside = wanted.sup(&self.min).inf(&self.max);
        let (tilt, yaw) = tilt_yaw(&(self.orientation.inverse() * pose.rotation));
        let tilt_inside = at_most(tilt, self.tilt_max_rad);
        let yaw_inside = at_most(yaw, self.yaw_max_rad);
        let turned = tilt_inside != tilt || yaw_inside != yaw;
        if turned {
            pose.rotation = self.orientation * tilt_inside * yaw_inside;
        }
        pose.translation = Translation3::from(inside);
        turned || inside != wanted
    }
}

/// Takes a rotation apart into a turn about z and, after it, a tilt of the z axis:
/// rotation = tilt * yaw. A tilt of half a turn has no yaw of its own.
fn tilt_yaw(rotation: &UnitQuaternion<f64>) -> (UnitQuaternion<f64>, UnitQuaternion<f64>) {
    let about_z = Quaternion::new(rotation.w, 0.0, 0.0, rotation.k);
    let yaw = UnitQuaternion::try_new(about_z, 1e-9).unwrap_or_else(UnitQuaternion::identity);
    (rotation * yaw.inverse(), yaw)
}

fn at_most(rotation: UnitQuaternion<f64>, angle_max: f64) -> UnitQuaternion<f64> {
    match rotation.axis() {
        Some(axis) if rotation.angle() > angle_max => {
            UnitQuaternion::from_axis_angle(&axis, angle_max)
        }
        _ => rotation,
    }
}

/// Moves `pose` towards `anchor` until it is within reach; says whether that changed it.
fn approach(pose: &mut Pose, anchor: &Pose, reach_m: f64, reach_rad: f64) -> bool {
    let mut changed = false;
    let offset = pose.translation.vector - anchor.translation.vector;
    let distance = offset.norm();
    if distance > reach_m {
        pose.translation =
            Translation3::from(anchor.translation.vector + offset * (reach_m / distance));
        changed = true;
    }
    let turn = pose.rotation * anchor.rotation.inverse();
    if turn.angle() > reach_rad
        && let Some(axis) = turn.axis()
    {
        pose.rotation = UnitQuaternion::from_axis_angle(&axis, reach_rad) * anchor.rotation;
        changed = true;
    }
    changed
}

fn is_finite(pose: &Pose) -> bool {
    let quaternion = pose.rotation.coords;
    pose.translation.vector.iter().chain(quaternion.iter()).all(|x| x.is_finite())
        && (0.5..2.0).contains(&quaternion.norm())
}

#[cfg(test)]
mod tests;
