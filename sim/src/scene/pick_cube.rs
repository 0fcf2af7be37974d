//! gym-hil's PickCube (HEAD 9244de53): a cube of 40 mm and 100 g on the table, to be lifted by more than
//! 0.1 m. Where it lies, what counts, the arm's home and the cameras are as there; the gripper is a plain
//! parallel one with the stroke of theirs.

use nalgebra::{Translation3, UnitQuaternion};
use serde::Deserialize;
use wire::geometry::Pose;

use super::{Furnishing, Home, fill};

/// Way of each jaw from closed to wide open (m).
pub(crate) const STROKE_M: f64 = 0.0425;
const CUBE_HALF_M: f64 = 0.02;
/// Higher than this above where it lay, the cube counts as lifted.
pub(crate) const LIFT_M: f64 = 0.1;
const FIXED_M: [f64; 2] = [0.5, 0.0];
/// Corners of where a random cube lies.
const RANDOM_M: [[f64; 2]; 2] = [[0.3, -0.15], [0.5, 0.15]];
/// Outside of this the cube is out of reach, and the episode is over.
const REACH_M: [[f64; 2]; 2] = [[0.25, -0.2], [0.55, 0.2]];

/// What gym-hil's joint angles (0, 0.195, 0, -2.43, 0, 2.62, 0.785) give, with the tool upright.
pub(crate) const HOME: Home =
    Home { guess: [0.0, 0.195, 0.0, -2.43, 0.0, 2.62, 0.785], tcp_m: [0.49, 0.0, 0.081] };

/// Where the cube lies when an episode begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spawn {
    /// At (0.5, 0) m.
    #[default]
    Fixed,
    /// x from 0.3 to 0.5 m, y from -0.15 to 0.15 m, by the episode's seed.
    Random,
}

/// The cube's place for `offset` in [-1, 1]².
pub(crate) fn place(spawn: Spawn, offset: [f64; 2]) -> Pose {
    let at = match spawn {
        Spawn::Fixed => FIXED_M,
        Spawn::Random => {
            let [low, high] = RANDOM_M;
            std::array::from_fn(|i| low[i] + (high[i] - low[i]) * (offset[i] + 1.0) / 2.0)
        }
    };
    Pose::from_parts(Translation3::new(at[0], at[1], CUBE_HALF_M), UnitQuaternion::identity())
}

/// A cube here can still be grasped.
pub(crate) fn is_within_reach(cube: &Pose) -> bool {
    let at = cube.translation.vector;
    let [low, high] = REACH_M;
    (0..2).all(|i| (low[i]..=high[i]).contains(&at[i]))
}

/// Each jaw pushes as hard as the other, so nothing but this keeps them in the middle.
const COUPLING: &str = "<equality><joint joint1=\"finger_left\" joint2=\"finger_right\" \
                        polycoef=\"0 1 0 0 0\" solref=\"0.004 1\"/></equality>";

/// Where gym-hil's camera is at the hand.
const WRIST: &str =
    "<camera name=\"wrist\" pos=\"0.05 -0.015 0\" xyaxes=\"0 1 0 1 0 0\" fovy=\"42.5\"/>";

/// The gripper with a camera at it, and what keeps its jaws together.
pub(super) fn gripper(wrist: &str) -> [String; 2] {
    let tool = include_str!("../../scenes/gripper.xml");
    let values = [("stroke", STROKE_M.to_string()), ("wrist", wrist.to_owned())];
    [fill(tool, &values), COUPLING.into()]
}

pub(super) fn furnishing() -> Furnishing {
    let [tool, coupling] = gripper(WRIST);
    Furnishing {
        camera: "<camera name=\"front\" pos=\"1.3 0 0.7\" \
                 quat=\"0.5963678 0.3799282 0.3799282 0.5963678\" fovy=\"45\"/>"
            .into(),
        tool,
        piece: fill(include_str!("../../scenes/cube.xml"), &[("half", CUBE_HALF_M.to_string())]),
        coupling,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pose: Pose) -> [f64; 3] {
        pose.translation.vector.into()
    }

    #[test]
    fn the_cube_lies_where_gym_hil_puts_it() {
        assert_eq!(at(place(Spawn::Fixed, [0.7, -0.7])), [0.5, 0.0, 0.02]);
        assert_eq!(at(place(Spawn::Random, [-1.0, -1.0])), [0.3, -0.15, 0.02]);
        assert_eq!(at(place(Spawn::Random, [1.0, 1.0])), [0.5, 0.15, 0.02]);
    }

    #[test]
    fn a_cube_that_was_pushed_away_is_out_of_reach() {
        for (x, y, within) in
            [(0.26, 0.0, true), (0.56, 0.0, false), (0.4, -0.19, true), (0.4, 0.21, false)]
        {
            let cube = Pose::from_parts(Translation3::new(x, y, 0.02), UnitQuaternion::identity());
            assert_eq!(is_within_reach(&cube), within, "{x} {y}");
        }
    }
}
