//! The control box's real-time report (port 30003): what the arm is and where.

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use thiserror::Error;
use wire::geometry::Pose;

/// Of the smallest report: up to and with the joint torques.
pub(super) const BYTES_MIN: usize = 87;
/// No report is longer.
pub(super) const BYTES_MAX: usize = 2048;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ReportError {
    #[error("a report says that it has {0} bytes")]
    Size(usize),
    #[error("a report holds a number that is not finite")]
    NotFinite,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    /// 1 moves, 2 stands, 3 paused, 4 or more stopped.
    pub state: u8,
    pub mode: u8,
    pub joints: [f64; 7],
    pub tcp_pose: Pose,
}

/// The size that a report's first four bytes say.
pub(super) fn size(bytes: [u8; 4]) -> Result<usize, ReportError> {
    let size = u32::from_be_bytes(bytes) as usize;
    if (BYTES_MIN..=BYTES_MAX).contains(&size) { Ok(size) } else { Err(ReportError::Size(size)) }
}

impl Report {
    /// Of a whole report, its size included.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() < BYTES_MIN {
            return Err(ReportError::Size(bytes.len()));
        }
        let float = |i: usize| {
            let at = 7 + 4 * i;
            f64::from(f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
        };
        let joints: [f64; 7] = std::array::from_fn(float);
        let pose: [f64; 6] = std::array::from_fn(|i| float(7 + i));
        if joints.iter().chain(&pose).any(|x| !x.is_finite()) {
            return Err(ReportError::NotFinite);
        }
        Ok(Self { state: bytes[4] & 0x0F, mode: bytes[4] >> 4, joints, tcp_pose: pose_of(&pose) })
    }
}

/// The control box writes a pose as millimetres and roll, pitch, yaw about fixed axes.
pub(super) fn pose_of(six: &[f64; 6]) -> Pose {
    let at = Vector3::new(six[0], six[1], six[2]) * 1e-3;
    let rotation = UnitQuaternion::from_euler_angles(six[3], six[4], six[5]);
    Isometry3::from_parts(Translation3::from(at), rotation)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use super::*;

    fn bytes(pose: [f32; 6]) -> Vec<u8> {
        let mut bytes = 87_u32.to_be_bytes().to_vec();
        bytes.extend([0x12, 0, 3]);
        for i in 0..7_u8 {
            bytes.extend(f32::from(i).to_le_bytes());
        }
        pose.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        bytes.extend([0; 28]);
        bytes
    }

    #[test]
    fn a_report_is_read_in_our_units() {
        let report = Report::decode(&bytes([300.0, -50.0, 120.0, 0.0, 0.0, 1.5])).unwrap();
        assert_eq!((report.state, report.mode), (2, 1));
        assert_eq!(report.joints[6], 6.0);
        let at = report.tcp_pose.translation.vector;
        assert!((at - Vector3::new(0.3, -0.05, 0.12)).norm() < 1e-7, "{at}");
        assert_eq!(size([0, 0, 0, 87]), Ok(87));
        assert_eq!(size([0, 0, 0, 135]), Ok(135), "with a force sensor");
        assert_eq!(size([0, 0, 0, 86]), Err(ReportError::Size(86)));
        assert!(size([1, 0, 0, 0]).is_err());
        for cut in 0..87 {
            Report::decode(&bytes([0.0; 6])[..cut]).unwrap_err();
        }
        assert_eq!(Report::decode(&bytes([f32::NAN; 6])), Err(ReportError::NotFinite));
    }

    #[test]
    fn angles_are_about_fixed_axes_roll_first() {
        // Roll turns y to z; then yaw turns x to y and leaves z.
        let pose = pose_of(&[0.0, 0.0, 0.0, FRAC_PI_2, 0.0, FRAC_PI_2]);
        let turned = |axis: Vector3<f64>| pose.rotation * axis;
        assert!((turned(Vector3::x()) - Vector3::y()).norm() < 1e-12);
        assert!((turned(Vector3::y()) - Vector3::z()).norm() < 1e-12);
    }
}
