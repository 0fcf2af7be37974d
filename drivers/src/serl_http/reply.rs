//! From the server's answers to what the arm measures. Pure.

use nalgebra::{Quaternion, Translation3, UnitQuaternion, Vector3};
use serde::Deserialize;
use wire::geometry::{Pose, Twist, Wrench};

use super::WrenchMeaning;
use crate::arm::Jacobian;

/// A quaternion that is shorter says nothing.
const NORM_MIN: f64 = 0.5;
/// Joints that move so little do not tell rows from columns (rad/s).
const MOVES: f64 = 0.01;

/// `/getstate`, or what the single routes say of the same.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Answer {
    pub pose: Vec<f64>,
    #[serde(default)]
    pub vel: Vec<f64>,
    #[serde(default)]
    pub force: Vec<f64>,
    #[serde(default)]
    pub torque: Vec<f64>,
    #[serde(default)]
    pub q: Vec<f64>,
    #[serde(default)]
    pub dq: Vec<f64>,
    #[serde(default)]
    pub jacobian: Option<Numbers>,
    #[serde(default)]
    pub gripper_pos: Option<f64>,
}

/// Row by row, or all in one list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Numbers {
    Rows(Vec<Vec<f64>>),
    Flat(Vec<f64>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub tcp_pose: Pose,
    pub twist: Twist,
    pub joints: Vec<f64>,
    pub joint_velocities: Vec<f64>,
    pub wrench: Option<Wrench>,
    pub jacobian: Option<Jacobian>,
    pub gripper: Option<f64>,
}

/// How a server that gives its Jacobian in one list writes it: seen when the arm moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlatOrder {
    #[default]
    Unknown,
    ByRow,
    ByColumn,
}

impl Answer {
    pub fn measured(
        &self,
        meaning: WrenchMeaning,
        order: &mut FlatOrder,
    ) -> Result<Measured, String> {
        let tcp_pose = pose(&self.pose)?;
        let six = |values: &[f64]| values.first_chunk::<6>().copied().unwrap_or_default();
        let [vx, vy, vz, wx, wy, wz] = six(&self.vel);
        let twist = Twist { linear: Vector3::new(vx, vy, vz), angular: Vector3::new(wx, wy, wz) };
        let mut joint_velocities = self.dq.clone();
        joint_velocities.resize(self.q.len(), 0.0);
        let jacobian = self
            .jacobian
            .as_ref()
            .and_then(|numbers| jacobian(numbers, &joint_velocities, &six(&self.vel), order));
        Ok(Measured {
            twist,
            wrench: self.wrench(&tcp_pose, meaning),
            tcp_pose,
            joints: self.q.clone(),
            joint_velocities,
            jacobian,
            gripper: self.gripper_pos,
        })
    }

    fn wrench(&self, tcp_pose: &Pose, meaning: WrenchMeaning) -> Option<Wrench> {
        let three = |values: &[f64]| values.first_chunk::<3>().map(|v| Vector3::from(*v));
        let (force, torque) = (three(&self.force)?, three(&self.torque)?);
        match meaning {
            WrenchMeaning::OfTool => Some(Wrench {
                force: -(tcp_pose.rotation * force),
                torque: -(tcp_pose.rotation * torque),
            }),
            WrenchMeaning::OnTool => Some(Wrench { force, torque }),
            WrenchMeaning::Unknown => None,
        }
    }

    /// Whether its joints, or the pose where it names none, are those of another answer to the bit.
    pub fn is_same(&self, other: &Self) -> bool {
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let same = |a: &[f64], b: &[f64]| bits(a) == bits(b);
        same(&self.q, &other.q) && same(&self.dq, &other.dq) && same(&self.pose, &other.pose)
    }
}

fn pose(values: &[f64]) -> Result<Pose, String> {
    let &[x, y, z, i, j, k, w] = values else {
        return Err(format!("the pose has {} numbers and should have seven", values.len()));
    };
    let quaternion = Quaternion::new(w, i, j, k);
    let usable = values.iter().all(|value| value.is_finite()) && quaternion.norm() > NORM_MIN;
    if !usable {
        return Err(format!("{values:?} is no pose"));
    }
    let rotation = UnitQuaternion::from_quaternion(quaternion);
    Ok(Pose::from_parts(Translation3::new(x, y, z), rotation))
}

/// One of zeros means that there is none.
fn jacobian(
    numbers: &Numbers,
    velocities: &[f64],
    twist: &[f64; 6],
    order: &mut FlatOrder,
) -> Option<Jacobian> {
    let columns = velocities.len();
    let found = match numbers {
        Numbers::Rows(rows) => {
            let fits = rows.len() == 6 && rows.iter().all(|row| row.len() == columns);
            fits.then(|| Jacobian::from_row_iterator(columns, rows.iter().flatten().copied()))
        }
        Numbers::Flat(flat) if flat.len() == 6 * columns => {
            let by_row = Jacobian::from_row_iterator(columns, flat.iter().copied());
            let by_column = Jacobian::from_iterator(columns, flat.iter().copied());
            if *order == FlatOrder::Unknown && velocities.iter().any(|v| v.abs() > MOVES) {
                let off = |jacobian: &Jacobian| {
                    let moved = jacobian * nalgebra::DVector::from_column_slice(velocities);
                    (moved - nalgebra::Vector6::from_column_slice(twist)).norm()
                };
                let rows_fit = off(&by_row) <= off(&by_column);
                *order = if rows_fit { FlatOrder::ByRow } else { FlatOrder::ByColumn };
            }
            match order {
                FlatOrder::Unknown => None,
                FlatOrder::ByRow => Some(by_row),
                FlatOrder::ByColumn => Some(by_column),
            }
        }
        Numbers::Flat(_) => None,
    }?;
    let given =
        columns > 0 && found.iter().all(|x| x.is_finite()) && found.iter().any(|&x| x != 0.0);
    given.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Measured {
        let answer: Answer = serde_json::from_str(text).unwrap();
        answer.measured(WrenchMeaning::OfTool, &mut FlatOrder::default()).unwrap()
    }

    const POSE: &str = r#""pose": [0.5, 0, 0.1, 1, 0, 0, 0]"#;

    #[test]
    fn six_seven_and_eight_joints_are_taken_and_short_velocities_are_filled_up() {
        for joints in [6, 7, 8] {
            let q: Vec<f64> = (0..joints).map(f64::from).collect();
            let measured = answer(&format!(r#"{{{POSE}, "q": {q:?}, "dq": [0.5]}}"#));
            assert_eq!(measured.joints, q);
            assert_eq!(measured.joint_velocities.len(), q.len());
            assert_eq!(measured.joint_velocities[0], 0.5);
        }
    }

    #[test]
    fn a_quaternion_is_made_of_length_one_and_a_short_one_is_refused() {
        let long = answer(r#"{"pose": [0, 0, 0, 0, 0, 2, 2]}"#);
        assert!((long.tcp_pose.rotation.angle() - std::f64::consts::FRAC_PI_2).abs() < 1e-12);
        for pose in ["[0, 0, 0, 0, 0, 0.1, 0.1]", "[0, 0, 0, 0, 0, 0]"] {
            let answer: Answer = serde_json::from_str(&format!(r#"{{"pose": {pose}}}"#)).unwrap();
            answer.measured(WrenchMeaning::OfTool, &mut FlatOrder::default()).unwrap_err();
        }
    }

    #[test]
    fn the_wrench_of_the_tool_becomes_that_on_the_tool_in_the_base_frame() {
        // The tool points down: turned by pi about x.
        let text = format!(r#"{{{POSE}, "force": [1, 2, 3], "torque": [4, 5, 6]}}"#);
        let got = answer(&text).wrench.unwrap();
        assert!((got.force - Vector3::new(-1.0, 2.0, 3.0)).norm() < 1e-12, "{got:?}");
        assert!((got.torque - Vector3::new(-4.0, 5.0, 6.0)).norm() < 1e-12, "{got:?}");
        assert_eq!(answer(&format!("{{{POSE}}}")).wrench, None);
    }

    /// Two joints, the first of which moves along x, the second along y.
    #[track_caller]
    fn check_jacobian(jacobian: &str, dq: [f64; 2], known: bool) {
        let vel = [dq[0], dq[1], 0.0, 0.0, 0.0, 0.0];
        let got = answer(&format!(
            r#"{{{POSE}, "q": [0, 0], "dq": {dq:?}, "vel": {vel:?}, "jacobian": {jacobian}}}"#
        ));
        assert_eq!(got.jacobian.is_some(), known);
        if let Some(got) = got.jacobian {
            assert_eq!((got[(0, 0)], got[(1, 1)], got.sum()), (1.0, 1.0, 2.0), "{got}");
        }
    }

    #[test]
    fn a_jacobian_is_read_row_by_row_or_flat_and_zeros_are_none() {
        check_jacobian("[[1,0],[0,1],[0,0],[0,0],[0,0],[0,0]]", [0.0, 0.0], true);
        check_jacobian("[[0,0],[0,0],[0,0],[0,0],[0,0],[0,0]]", [0.0, 0.0], false);
        check_jacobian("[[1,0],[0,1]]", [0.0, 0.0], false);
        check_jacobian("[1,0, 0,1, 0,0, 0,0, 0,0, 0,0]", [0.3, -0.2], true);
        check_jacobian("[1,0,0,0,0,0, 0,1,0,0,0,0]", [0.3, -0.2], true);
        // An arm at rest does not tell which of the two it is.
        check_jacobian("[1,0,0,0,0,0, 0,1,0,0,0,0]", [0.0, 0.0], false);
        check_jacobian("[1,0,0]", [0.3, -0.2], false);
    }
}
