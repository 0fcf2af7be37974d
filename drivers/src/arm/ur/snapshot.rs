//! The controller's state as this driver asks for it: a recipe of named fields, and what they say.

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use thiserror::Error;
use wire::geometry::{Pose, Twist, Wrench};

use super::rtde::{FieldType, Reader, Recipe, RtdeError, Value, kind};

/// Where our program tells how it ended: the first of the registers that belong to RTDE clients.
pub(super) const PROGRAM_REGISTER: u8 = 24;

/// What is asked for, in this order, with the type that the guide gives it.
pub(super) const OUTPUTS: [(&str, FieldType); 12] = [
    ("timestamp", FieldType::Double),
    ("actual_q", FieldType::Vector6d),
    ("actual_qd", FieldType::Vector6d),
    ("actual_TCP_pose", FieldType::Vector6d),
    ("actual_TCP_speed", FieldType::Vector6d),
    ("actual_TCP_force", FieldType::Vector6d),
    ("robot_mode", FieldType::Int32),
    ("safety_mode", FieldType::Int32),
    ("runtime_state", FieldType::Uint32),
    ("speed_scaling", FieldType::Double),
    ("target_speed_fraction", FieldType::Double),
    ("output_int_register_24", FieldType::Int32),
];

#[derive(Clone, Debug, PartialEq, Error)]
pub(super) enum RecipeError {
    #[error("the controller does not know {0}: its software is too old for this driver")]
    NotFound(&'static str),
    #[error("the controller gives {name} as {got}, not as {wanted:?}")]
    Type { name: &'static str, got: String, wanted: FieldType },
    #[error("the controller answered {0} types for {1} names")]
    Count(usize, usize),
}

/// Everything that is read of the controller, at one moment. SI units, base frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    pub tcp_pose: Pose,
    pub twist: Twist,
    /// On the tool, from outside.
    pub wrench: Wrench,
    pub joints: [f64; 6],
    pub joint_velocities: [f64; 6],
    pub robot_mode: i32,
    pub safety_mode: i32,
    pub runtime_state: u32,
    /// How much slower than asked the controller goes just now.
    pub speed_scaling: f64,
    /// Where the speed slider stands.
    pub speed_fraction: f64,
    /// What our program said last.
    pub program: i32,
}

/// Holds the controller's answer against what was asked.
pub(super) fn check_outputs(recipe: &Recipe) -> Result<(), RecipeError> {
    if recipe.types.len() != OUTPUTS.len() {
        return Err(RecipeError::Count(recipe.types.len(), OUTPUTS.len()));
    }
    for ((name, wanted), got) in OUTPUTS.into_iter().zip(&recipe.types) {
        if got == "NOT_FOUND" {
            return Err(RecipeError::NotFound(name));
        }
        if FieldType::named(got) != Ok(wanted) {
            return Err(RecipeError::Type { name, got: got.clone(), wanted });
        }
    }
    Ok(())
}

impl Snapshot {
    /// From the fields of a data packet of [`OUTPUTS`].
    pub fn decode(fields: &[u8]) -> Result<Self, RtdeError> {
        let mut reader = Reader::new(kind::DATA, fields);
        let _timestamp = reader.f64()?;
        let joints = six(&mut reader)?;
        let joint_velocities = six(&mut reader)?;
        let pose = six(&mut reader)?;
        let speed = six(&mut reader)?;
        let force = six(&mut reader)?;
        let snapshot = Self {
            tcp_pose: pose_of(&pose),
            twist: Twist { linear: first(&speed), angular: last(&speed) },
            wrench: Wrench { force: first(&force), torque: last(&force) },
            joints,
            joint_velocities,
            robot_mode: reader.i32()?,
            safety_mode: reader.i32()?,
            runtime_state: reader.u32()?,
            speed_scaling: reader.f64()?,
            speed_fraction: reader.f64()?,
            program: reader.i32()?,
        };
        reader.end()?;
        Ok(snapshot)
    }
}

fn six(reader: &mut Reader<'_>) -> Result<[f64; 6], RtdeError> {
    match reader.value(FieldType::Vector6d)? {
        Value::Vector6d(six) => Ok(six),
        other => Err(RtdeError::FieldType(format!("{other:?}"))),
    }
}

fn first(six: &[f64; 6]) -> Vector3<f64> {
    Vector3::new(six[0], six[1], six[2])
}

fn last(six: &[f64; 6]) -> Vector3<f64> {
    Vector3::new(six[3], six[4], six[5])
}

/// UR writes a pose as metres and a rotation vector.
pub(super) fn pose_of(six: &[f64; 6]) -> Pose {
    let rotation = UnitQuaternion::from_scaled_axis(last(six));
    Isometry3::from_parts(Translation3::from(first(six)), rotation)
}

pub(super) fn rotation_vector(pose: &Pose) -> [f64; 6] {
    let (at, turn) = (pose.translation.vector, pose.rotation.scaled_axis());
    [at.x, at.y, at.z, turn.x, turn.y, turn.z]
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{FRAC_PI_2, PI};

    use super::*;

    fn recipe() -> Recipe {
        let types = "DOUBLE,VECTOR6D,VECTOR6D,VECTOR6D,VECTOR6D,VECTOR6D,INT32,INT32,UINT32,DOUBLE,\
                     DOUBLE,INT32";
        Recipe { id: 1, types: types.split(',').map(str::to_owned).collect() }
    }

    #[test]
    fn a_recipe_with_a_name_or_type_that_is_not_there_is_refused_by_name() {
        check_outputs(&recipe()).unwrap();
        let mut old = recipe();
        old.types[10] = "NOT_FOUND".into();
        let error = check_outputs(&old).unwrap_err();
        assert_eq!(error, RecipeError::NotFound("target_speed_fraction"));
        let mut other = recipe();
        other.types[8] = "INT32".into();
        assert!(check_outputs(&other).unwrap_err().to_string().contains("runtime_state"));
        other.types.pop();
        assert_eq!(check_outputs(&other), Err(RecipeError::Count(11, 12)));
    }

    #[test]
    fn the_fields_are_found_in_the_order_of_the_recipe() {
        let mut bytes = Vec::new();
        let mut add = |value: Value| value.write(&mut bytes);
        add(Value::Double(17.0));
        for i in 0..5 {
            let at = f64::from(i) * 10.0;
            add(Value::Vector6d([at, at + 1.0, at + 2.0, 0.0, 0.0, FRAC_PI_2]));
        }
        add(Value::Int32(7));
        add(Value::Int32(3));
        add(Value::Uint32(2));
        add(Value::Double(0.5));
        add(Value::Double(0.4));
        add(Value::Int32(5));
        let got = Snapshot::decode(&bytes).unwrap();
        assert_eq!(got.joints[..3], [0.0, 1.0, 2.0]);
        assert_eq!(got.joint_velocities[..3], [10.0, 11.0, 12.0]);
        assert_eq!(got.tcp_pose.translation.vector, Vector3::new(20.0, 21.0, 22.0));
        let turned = got.tcp_pose.rotation * Vector3::x();
        assert!((turned - Vector3::y()).norm() < 1e-12, "a quarter turn about z: {turned}");
        assert_eq!(got.twist.linear, Vector3::new(30.0, 31.0, 32.0));
        assert_eq!(got.wrench.force, Vector3::new(40.0, 41.0, 42.0));
        assert_eq!((got.robot_mode, got.safety_mode, got.runtime_state), (7, 3, 2));
        assert_eq!((got.speed_scaling, got.speed_fraction, got.program), (0.5, 0.4, 5));
        for cut in 0..bytes.len() {
            Snapshot::decode(&bytes[..cut]).unwrap_err();
        }
    }

    #[test]
    fn rotation_vectors_of_all_lengths_name_the_same_turn_there_and_back() {
        for vector in [[0.0, 0.0, 0.0], [1e-9, 0.0, 0.0], [0.0, PI - 1e-6, 0.0], [2.0, -2.0, 1.0]] {
            let pose = pose_of(&[0.1, -0.2, 0.3, vector[0], vector[1], vector[2]]);
            let back = pose_of(&rotation_vector(&pose));
            assert!(back.rotation.angle_to(&pose.rotation) < 1e-9, "{vector:?}");
            assert_eq!(back.translation, pose.translation);
        }
    }
}
