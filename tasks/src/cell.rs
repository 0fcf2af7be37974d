//! The cell file: what the hardware is and what the gate allows.
//!
//! Holds numbers only; the root turns them into devices and `drivers::GateLimits`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use nalgebra::{UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    error::ConfigError,
    frame::from_euler_xyz,
    load::{self, ConfigFile, Fault},
    schema::{Key, lookup},
};

mod keys;
mod robots;

pub use robots::{RobotiqConfig, RobotiqLink, RobotiqModel, UrConfig, XarmConfig};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellConfig {
    pub name: String,
    pub arm: ArmConfig,
    pub gripper: GripperConfig,
    pub limits: LimitsConfig,
    #[serde(rename = "camera")]
    pub cameras: Vec<CameraConfig>,
    pub teleop: TeleopConfig,
    pub fixture: FixtureConfig,
    pub success: SuccessConfig,
    /// Each where the arm or the gripper is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ur: Option<UrConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xarm: Option<XarmConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robotiq: Option<RobotiqConfig>,
    /// Another process with devices of this cell, where a part names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceConfig>,
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
    /// Universal Robots.
    Ur,
    /// UFACTORY's xArm and Lite 6.
    Xarm,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GripperConfig {
    pub driver: GripperDriver,
    /// How hard it grips, and how fast its jaws move.
    pub force_n: f64,
    pub speed_mps: f64,
    /// Shortest time between two changes.
    pub change_min_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GripperDriver {
    None,
    Sim,
    Robotiq,
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
    pub acceleration_max_mps2: f64,
    pub acceleration_max_radps2: f64,
    pub jerk_max_mps3: f64,
    pub jerk_max_radps3: f64,
    pub lead_max_m: f64,
    pub lead_max_rad: f64,
    pub force_max_n: f64,
    pub torque_max_nm: f64,
    pub force_time_ms: u64,
    /// Way back after too hard a contact; 0 only holds.
    pub back_off_m: f64,
    pub joint_margin_rad: f64,
    pub condition_slow: f64,
    pub condition_stop: f64,
    pub state_age_max_ms: u64,
    pub state_lost_ms: u64,
    pub lease_ms: u64,
    /// From the end of a lease to the stop.
    pub stop_after_ms: u64,
    pub takeover_ramp_ms: u64,
}

/// The gate's targets are means over `2 a / j`, and longer than this they are no motion.
const PROFILE_MEAN_MAX_S: f64 = 2.0;

impl LimitsConfig {
    pub fn orientation(&self) -> UnitQuaternion<f64> {
        from_euler_xyz(&Vector3::from(self.orientation_rpy_rad))
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let corners = self.workspace_min_m.iter().zip(&self.workspace_max_m);
        for (axis, (min, max)) in ["x", "y", "z"].iter().zip(corners) {
            if min >= max {
                faults.push(Fault::new(
                    "limits.workspace_max_m",
                    format!("is not above workspace_min_m in {axis} ({max} against {min})"),
                    "Give the lower corner as workspace_min_m and the upper as workspace_max_m",
                ));
            }
        }
        for (key, acceleration, jerk) in [
            ("limits.jerk_max_mps3", self.acceleration_max_mps2, self.jerk_max_mps3),
            ("limits.jerk_max_radps3", self.acceleration_max_radps2, self.jerk_max_radps3),
        ] {
            if 2.0 * acceleration / jerk > PROFILE_MEAN_MAX_S {
                faults.push(Fault::new(
                    key,
                    format!(
                        "lets an acceleration of {acceleration} grow too slowly ({jerk} per s)"
                    ),
                    "Raise it to the acceleration or more, ten times that is usual",
                ));
            }
        }
        for (key, later, other, earlier) in [
            ("limits.condition_stop", self.condition_stop, "condition_slow", self.condition_slow),
            (
                "limits.state_lost_ms",
                self.state_lost_ms as f64,
                "state_age_max_ms",
                self.state_age_max_ms as f64,
            ),
        ] {
            if later <= earlier {
                faults.push(Fault::new(
                    key,
                    format!("is not above {other} ({later} against {earlier})"),
                    "Give the milder answer the lower value",
                ));
            }
        }
        faults
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    pub name: String,
    pub driver: CameraDriver,
    /// Size of the picture after crop and scaling.
    pub width: u16,
    pub height: u16,
    pub age_max_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameraDriver {
    Sim,
    /// One of another process.
    Device,
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
    /// The one of another process.
    Device,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureConfig {
    pub driver: FixtureDriver,
    /// How long a person has.
    pub wait_s: f64,
}

/// Who prepares the work-piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixtureDriver {
    Sim,
    /// Is asked to, and has some time.
    Person,
    /// That of another process.
    Device,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessConfig {
    pub driver: SuccessDriver,
}

/// What sees that the task is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuccessDriver {
    /// Nothing: the classifier or a person's mark decides.
    None,
    Sim,
    /// That of another process.
    Device,
}

/// Another process with devices of this cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    pub socket: PathBuf,
    pub clock: DeviceClock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceClock {
    Real,
    /// Its time passes as this process lets it.
    Simulated,
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

    /// Whether anything of the cell is simulated in this process.
    pub fn is_simulated(&self) -> bool {
        self.arm.driver == ArmDriver::Sim
            || self.gripper.driver == GripperDriver::Sim
            || self.cameras.iter().any(|camera| camera.driver == CameraDriver::Sim)
            || self.teleop.driver == TeleopDriver::Scripted
            || self.fixture.driver == FixtureDriver::Sim
            || self.success.driver == SuccessDriver::Sim
    }

    pub fn camera(&self, name: &str) -> Option<&CameraConfig> {
        self.cameras.iter().find(|camera| camera.name == name)
    }
}

/// Whether a part of the cell, or one of its cameras, has this driver.
fn names_driver(given: &Table, driver: &str) -> bool {
    let names = |part: &Value| part.get("driver").and_then(Value::as_str) == Some(driver);
    given.values().any(|part| match part {
        Value::Array(parts) => parts.iter().any(names),
        part => names(part),
    })
}

impl ConfigFile for CellConfig {
    const KIND: &'static str = "cell";
    const KEYS: &'static [Key] = keys::KEYS;

    /// What the arm's driver implies, and the tables that the parts need.
    fn defaults(given: &Table) -> Table {
        let mut defaults = load::built_in(include_str!("cell/defaults.toml"));
        let arm = lookup(given, "arm.driver").and_then(Value::as_str);
        if arm.is_some_and(|arm| arm != "sim") {
            let real = load::built_in(include_str!("cell/real.toml"));
            defaults = load::overlaid(&defaults, &real);
        }
        let tables = [
            ("ur", include_str!("cell/ur.toml")),
            ("xarm", include_str!("cell/xarm.toml")),
            ("robotiq", include_str!("cell/robotiq.toml")),
            ("device", include_str!("cell/device.toml")),
        ];
        for (table, text) in tables {
            if given.contains_key(table) || names_driver(given, table) {
                defaults.insert(table.into(), Value::Table(load::built_in(text)));
            }
        }
        defaults
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = self.limits.faults();
        faults.extend(self.robot_faults());
        let clock = self.device.as_ref().map(|device| device.clock);
        if self.arm.driver == ArmDriver::Sim && clock == Some(DeviceClock::Simulated) {
            faults.push(Fault::new(
                "device.clock",
                "cannot be simulated where the arm is simulated here: there would be two times",
                "Leave it out, or reach the arm in another way",
            ));
        }
        for camera in &self.cameras {
            if camera.driver == CameraDriver::Device && camera.crop.is_some() {
                faults.push(Fault::new(
                    "camera",
                    format!("{} comes from another process, which crops it itself", camera.name),
                    "Move the crop to that process's cell file",
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
