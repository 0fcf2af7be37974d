//! From a command to a goal inside the limits. Pure.

use nalgebra::{Translation3, UnitQuaternion};
use wire::{GateEvents, Timestamp, geometry::Pose};

use super::{GateLimits, GateReport};

/// What a command is judged by.
pub(super) struct Situation {
    pub now: Timestamp,
    pub measured: Pose,
    /// The last target that the arm got, or the measured pose.
    pub previous: Pose,
    /// When the last command came; none after a hold.
    pub commanded_at: Option<Timestamp>,
}

/// Brings `wanted` within a step, the speed and the lead, and into the workspace. A pose that is
/// not finite becomes the measured one.
pub(super) fn limit(wanted: &Pose, at: &Situation, limits: &GateLimits) -> GateReport {
    let mut events = GateEvents::default();
    let mut goal = normalised(wanted).unwrap_or_else(|| {
        events = events.with(GateEvents::NOT_FINITE);
        at.measured
    });
    let mut apply = |changed: bool, event| {
        if changed {
            events = events.with(event);
        }
    };
    let step = approach(&mut goal, &at.previous, limits.step_max_m, limits.step_max_rad);
    apply(step, GateEvents::STEP);
    // A command that comes after a pause may not use the pause to jump: time counts up to one lease.
    let elapsed =
        at.commanded_at.map_or(limits.lease, |before| at.now.since(before).min(limits.lease));
    let seconds = elapsed.as_secs_f64();
    let reach_m = limits.linear.speed_max * seconds;
    let reach_rad = limits.angular.speed_max * seconds;
    apply(approach(&mut goal, &at.previous, reach_m, reach_rad), GateEvents::SPEED);
    let lead = approach(&mut goal, &at.measured, limits.lead_max_m, limits.lead_max_rad);
    apply(lead, GateEvents::LEAD);
    apply(limits.workspace.clamp(&mut goal), GateEvents::WORKSPACE);
    GateReport { goal, events }
}

/// `pose` with a quaternion of length one; none when something is not finite or the quaternion is
/// too short to mean an orientation.
pub(super) fn normalised(pose: &Pose) -> Option<Pose> {
    let quaternion = pose.rotation.into_inner();
    let length = quaternion.norm();
    let finite = pose.translation.vector.iter().all(|x| x.is_finite());
    (finite && length.is_finite() && length >= 0.5)
        .then(|| Pose::from_parts(pose.translation, UnitQuaternion::new_normalize(quaternion)))
}

/// Moves `pose` towards `anchor` until it is within reach; says whether that changed it.
pub(super) fn approach(pose: &mut Pose, anchor: &Pose, reach_m: f64, reach_rad: f64) -> bool {
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
