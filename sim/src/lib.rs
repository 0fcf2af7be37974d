//! A simulated robot cell behind the driver traits: a Panda-like arm that holds a RAM-stick-like
//! plate over a socket, in MuJoCo, with cameras, a scripted operator and the truth about success.
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
mod home;
pub mod impedance;
mod operator;
mod renderer;
mod scene;
mod truth;
mod truth_log;
mod world;

pub use arm::SimArm;
pub use camera::SimCamera;
pub use cell::SimCell;
pub use config::{ActionScale, CameraConfig, ClockMode, OperatorConfig, SimConfig};
pub use error::SimError;
pub use fixture::{SimFixture, SimSuccess};
pub use impedance::ImpedanceConfig;
pub use operator::ScriptedOperator;
pub use scene::Preset;
pub use truth::Truth;
pub use truth_log::Happening;
