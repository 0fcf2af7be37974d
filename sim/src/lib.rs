//! A simulated robot cell behind the driver traits: a Panda-like arm in MuJoCo that holds a
//! RAM-stick-like plate over a socket, or has a gripper and a cube or a stick to pick up; with cameras, a
//! scripted operator and the truth about success.
//!
//! Only the root program and tests know this crate; nothing above the drivers can tell it from a
//! real cell. MuJoCo ends the process on an internal error (`mju_error`).

mod arm;
mod camera;
mod cell;
mod clock;
mod config;
mod error;
pub mod faults;
mod fixture;
mod gripper;
mod home;
pub mod impedance;
mod jaws;
mod operator;
mod renderer;
mod scene;
mod truth;
mod truth_log;
mod world;

pub use arm::SimArm;
pub use camera::SimCamera;
pub use cell::SimCell;
pub use clock::in_step;
pub use config::{ActionScale, CameraConfig, ClockMode, OperatorConfig, SimConfig};
pub use error::SimError;
pub use fixture::{SimFixture, SimSuccess};
pub use gripper::SimGripper;
pub use impedance::ImpedanceConfig;
pub use operator::ScriptedOperator;
pub use scene::{Preset, pick_cube::Spawn};
pub use truth::Truth;
pub use truth_log::Happening;
