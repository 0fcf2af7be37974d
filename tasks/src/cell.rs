//! The cell file: what the hardware is and what the gate allows.
//!
//! Holds numbers only; the root turns them into devices and `drivers::GateLimits`.

use std::{path::Path, time::Duration};

use nalgebra::{UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{
    error::ConfigError,
    frame::from_euler_xyz,
    load::{self, ConfigFile, Fault},
    schema::Key,
};

mod keys;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellConfig {
    pub name: String,
    pub arm: ArmConfig,
    pub limits: LimitsConfig,
    #[serde(rename = "camera")]
    pub cameras: Vec<CameraConfig>,
    pub teleop: TeleopConfig,
    /// Handed unread to the simulator, which has its own checked type.
    pub sim: Table,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmConfig {
    pub driver: ArmDriver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmDriver {
    Sim,
}

/// Limits of the gate. Base frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Corners of the box that the TCP's target may be in.
    pub workspace_min_m: [f64; 3],
    pub workspace_max_m: [f64; 3],
    /// Reference orientation; extrinsic xyz angles.
    pub orientation_rpy_rad: [f64; 3],
    /// Cone for the tool's z axis about that of the reference.
    pub tilt_max_rad: f64,
    /// Turn about the tool's own z axis.
    pub yaw_max_rad: f64,
    pub step_max_m: f64,
    pub step_max_rad: f64,
    pub speed_max_mps: f64,
    pub speed_max_radps: f64,
    pub lead_max_m: f64,
    pub lead_max_rad: f64,
    pub state_age_max_ms: u64,
    pub lease_ms: u64,
}

impl LimitsConfig {
    pub fn orientation(&self) -> UnitQuaternion<f64> {
        from_euler_xyz(&Vector3::from(self.orientation_rpy_rad))
    }

    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub fn state_age_max(&self) -> Duration {
        Duration::from_millis(self.state_age_max_ms)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    pub name: String,
    /// Size of the picture after crop and scaling.
    pub width: u16,
    pub height: u16,
    pub age_max_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
}

impl CameraConfig {
    pub fn age_max(&self) -> Duration {
        Duration::from_millis(self.age_max_ms)
    }
}

/// What is kept of the device's own picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    pub left: u16,
    pub top: u16,
    pub width: u16,
    pub height: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeleopConfig {
    pub driver: TeleopDriver,
    /// A sample older than this counts as lost.
    pub age_max_ms: u64,
    /// Rest this long gives control back to the policy.
    pub release_hold_ms: u64,
}

impl TeleopConfig {
    pub fn age_max(&self) -> Duration {
        Duration::from_millis(self.age_max_ms)
    }

    pub fn release_hold(&self) -> Duration {
        Duration::from_millis(self.release_hold_ms)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TeleopDriver {
    None,
    /// The simulated operator.
    Scripted,
}

impl CellConfig {
    pub fn load(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::load(file.as_ref())
    }

    /// `file` only names the text in errors.
    pub fn from_toml(text: &str, file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::parse(text, file.as_ref())
    }

    pub fn to_toml(&self) -> String {
        load::to_toml(self)
    }

    /// SHA-256 of the resolved configuration, in hex.
    pub fn hash(&self) -> String {
        load::hash(self)
    }

    pub fn camera(&self, name: &str) -> Option<&CameraConfig> {
        self.cameras.iter().find(|camera| camera.name == name)
    }
}

impl ConfigFile for CellConfig {
    const KIND: &'static str = "cell";
    const KEYS: &'static [Key] = keys::KEYS;

    fn defaults(_given: &Table) -> Table {
        load::built_in(include_str!("cell/defaults.toml"))
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let limits = &self.limits;
        let corners = limits.workspace_min_m.iter().zip(&limits.workspace_max_m);
        for (axis, (min, max)) in ["x", "y", "z"].iter().zip(corners) {
            if min >= max {
                faults.push(Fault::new(
                    "limits.workspace_max_m",
                    format!("is not above workspace_min_m in {axis} ({max} against {min})"),
                    "Give the lower corner as workspace_min_m and the upper as workspace_max_m",
                ));
            }
        }
        for (i, camera) in self.cameras.iter().enumerate() {
            if self.cameras[..i].iter().any(|other| other.name == camera.name) {
                faults.push(Fault::new(
                    format!("camera[{i}].name"),
                    "is the name of another camera too",
                    "Give each camera a name of its own",
                ));
            }
        }
        faults
    }
}
