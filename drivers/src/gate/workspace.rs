//! Where the TCP may be. A box for the position; for the orientation a cone for the tool's z axis
//! and a range for the turn about it, which in the coordinates used here is a cylinder. Both are
//! convex: between two points inside there is nothing outside.

use std::f64::consts::{PI, TAU};

use nalgebra::{Quaternion, Translation3, UnitQuaternion, Vector3};
use wire::geometry::Pose;

/// Rounding that does not count as outside.
const ROUNDING: f64 = 1e-12;
/// Beyond this lean the turn about the tool's axis has no meaning.
const TILT_MAX_RAD: f64 = 3.0;

/// A box in the base frame (m), a cone for the tool's z axis about that of a reference orientation,
/// and how far the tool may be turned about its own axis.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkspaceBox {
    pub min: Vector3<f64>,
    pub max: Vector3<f64>,
    pub orientation: UnitQuaternion<f64>,
    pub tilt_max_rad: f64,
    /// From pi on there is no limit.
    pub yaw_max_rad: f64,
}

impl WorkspaceBox {
    /// Moves `pose` inside; says whether that changed it.
    pub(super) fn clamp(&self, pose: &mut Pose) -> bool {
        let wanted = pose.translation.vector;
        let inside = self.clamp_position(&wanted);
        let lean = self.lean(&pose.rotation);
        let lean_inside = self.clamp_lean(&lean);
        let turned = lean_inside != lean;
        if turned {
            pose.rotation = self.rotation(&lean_inside);
        }
        pose.translation = Translation3::from(inside);
        turned || inside != wanted
    }

    pub(super) fn clamp_position(&self, position: &Vector3<f64>) -> Vector3<f64> {
        position.sup(&self.min).inf(&self.max)
    }

    pub(super) fn holds_position(&self, position: &Vector3<f64>) -> bool {
        (self.clamp_position(position) - position).amax() <= ROUNDING
    }

    /// How `rotation` differs from the reference: tilt as a rotation vector across the tool's axis
    /// (x, y), then the yaw about it in (-pi, pi].
    pub(super) fn lean(&self, rotation: &UnitQuaternion<f64>) -> Vector3<f64> {
        let (tilt, yaw) = tilt_yaw(&(self.orientation.inverse() * rotation));
        let tilt = tilt.scaled_axis();
        let mut angle = 2.0 * yaw.k.atan2(yaw.w);
        if angle > PI {
            angle -= TAU;
        } else if angle <= -PI {
            angle += TAU;
        }
        Vector3::new(tilt.x, tilt.y, angle)
    }

    pub(super) fn rotation(&self, lean: &Vector3<f64>) -> UnitQuaternion<f64> {
        let tilt = UnitQuaternion::from_scaled_axis(Vector3::new(lean.x, lean.y, 0.0));
        self.orientation * tilt * UnitQuaternion::from_axis_angle(&Vector3::z_axis(), lean.z)
    }

    pub(super) fn clamp_lean(&self, lean: &Vector3<f64>) -> Vector3<f64> {
        let mut inside = *lean;
        let (tilt, tilt_max) = (lean.xy().norm(), self.tilt_max_rad.min(TILT_MAX_RAD));
        if tilt > tilt_max {
            let share = tilt_max / tilt;
            (inside.x, inside.y) = (lean.x * share, lean.y * share);
        }
        if self.limits_yaw() {
            inside.z = lean.z.clamp(-self.yaw_max_rad, self.yaw_max_rad);
        }
        inside
    }

    pub(super) fn holds_lean(&self, lean: &Vector3<f64>) -> bool {
        (self.clamp_lean(lean) - lean).amax() <= ROUNDING
    }

    /// The same orientation as `lean`, with the yaw that is nearest to that of `from` where the
    /// tool may go round and round.
    pub(super) fn nearest_lean(&self, lean: &Vector3<f64>, from: &Vector3<f64>) -> Vector3<f64> {
        let mut nearest = *lean;
        if !self.limits_yaw() {
            nearest.z += TAU * ((from.z - lean.z) / TAU).round();
        }
        nearest
    }

    /// The tool turns at most so much faster than its lean changes:
    /// `|w|^2 <= (1 + k) |d lean/dt|^2` with `k = (1 - cos t) / t` for a tilt of `t`.
    pub(super) fn turn_per_lean(&self) -> f64 {
        // k has its maximum, 0.725, at 2.33 rad.
        let tilt = self.tilt_max_rad.clamp(1e-6, 2.33);
        (1.0 + (1.0 - tilt.cos()) / tilt).sqrt()
    }

    fn limits_yaw(&self) -> bool {
        self.yaw_max_rad < PI
    }
}

/// Takes a rotation apart into a turn about z and, after it, a tilt of the z axis:
/// rotation = tilt * yaw. A tilt of half a turn has no yaw of its own.
fn tilt_yaw(rotation: &UnitQuaternion<f64>) -> (UnitQuaternion<f64>, UnitQuaternion<f64>) {
    let about_z = Quaternion::new(rotation.w, 0.0, 0.0, rotation.k);
    let yaw = UnitQuaternion::try_new(about_z, 1e-9).unwrap_or_else(UnitQuaternion::identity);
    (rotation * yaw.inverse(), yaw)
}
