//! The cell file: what the hardware is and what the gate allows.
//!
//! Holds numbers only; the root turns them into devices and `drivers::GateLimits`.

use std::{
    collections::BTreeMap,
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
mod second;
mod teleop;

pub use robots::{
    FrankaConfig, RobotiqConfig, RobotiqLink, RobotiqModel, So101Config, UrConfig, XarmConfig,
};
pub use second::SecondConfig;
pub use teleop::{
    GamepadConfig, LeaderConfig, SpaceMouseConfig, SpaceMouseSource, TeleopConfig, TeleopDriver,
};

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
    /// HIL-SERL's robot server, where a part names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serl_http: Option<SerlHttpConfig>,
    /// Each where the arm or the gripper is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ur: Option<UrConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xarm: Option<XarmConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub franka: Option<FrankaConfig>,
    pub so101: Option<So101Config>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robotiq: Option<RobotiqConfig>,
    /// Another process with devices of this cell, where a part names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceConfig>,
    /// The second arm of a pair, where the cell has two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Box<SecondConfig>>,
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
    /// HIL-SERL's robot server.
    SerlHttp,
    /// Universal Robots.
    Ur,
    /// UFACTORY's xArm and Lite 6.
    Xarm,
    /// Franka's arms, by their own interface.
    Franka,
    /// LeRobot's follower.
    So101,
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
    /// The one of HIL-SERL's robot server.
    SerlHttp,
    Robotiq,
    /// The Franka hand.
    Franka,
    /// That of an SO-101.
    So101,
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
    /// Between the pictures of one step; not the gate's.
    pub camera_skew_max_ms: u64,
}

/// The gate's targets are means over `2 a / j`, and longer than this they are no motion.
const PROFILE_MEAN_MAX_S: f64 = 2.0;

impl LimitsConfig {
    pub fn orientation(&self) -> UnitQuaternion<f64> {
        from_euler_xyz(&Vector3::from(self.orientation_rpy_rad))
    }

    pub fn camera_skew_max(&self) -> Duration {
        Duration::from_millis(self.camera_skew_max_ms)
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
    /// Of a camera that is opened here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureConfig>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameraDriver {
    Sim,
    /// One of another process.
    Device,
    V4l2,
    VideoFile,
    Images,
    Http,
    Gstreamer,
    /// By Intel's SDK.
    Realsense,
}

impl CameraDriver {
    /// Whether this process opens it.
    pub fn is_opened_here(self) -> bool {
        !matches!(self, Self::Sim | Self::Device)
    }

    pub fn may_be_recording(self) -> bool {
        matches!(self, Self::VideoFile | Self::Images | Self::Realsense)
    }
}

/// What is opened and how it is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureConfig {
    /// Device, file, pattern, address or pipeline.
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure_us: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white_balance_k: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_max_ms: Option<u64>,
    /// A recording begins again at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<bool>,
}

impl CaptureConfig {
    pub fn silent_max(&self) -> Duration {
        Duration::from_millis(self.silent_max_ms.unwrap_or(2000))
    }

    fn faults(&self, at: &str, driver: CameraDriver) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, wrong: &str, remedy: &str| {
            faults.push(Fault::new(format!("{at}.{key}"), wrong, remedy));
        };
        if self.width.is_some() != self.height.is_some() {
            let (there, lacks) =
                if self.width.is_some() { ("width", "height") } else { ("height", "width") };
            fault(there, &format!("stands without {lacks}"), "Give both or neither");
        }
        for (key, is_given) in [
            ("exposure_us", self.exposure_us.is_some()),
            ("gain", self.gain.is_some()),
            ("white_balance_k", self.white_balance_k.is_some()),
        ] {
            if is_given && !matches!(driver, CameraDriver::V4l2 | CameraDriver::Realsense) {
                let remedy = "Leave it out, or set it where the pictures are made";
                fault(key, "can be set with driver = \"v4l2\" or \"realsense\" alone", remedy);
            }
        }
        if self.pixel_format.is_some() && driver != CameraDriver::V4l2 {
            let remedy = "Leave it out, or set it where the pictures are made";
            fault("pixel_format", "can be set with driver = \"v4l2\" alone", remedy);
        }
        if self.fps.is_some() && matches!(driver, CameraDriver::Http | CameraDriver::Gstreamer) {
            let remedy = "Leave it out, or set it where the pictures are made";
            fault("fps", "can be set for a V4L2 camera and for recordings alone", remedy);
        }
        if self.repeat.is_some() && !driver.may_be_recording() {
            fault("repeat", "is for recordings, and this is none", "Leave it out");
        }
        if self.pixel_format.as_ref().is_some_and(|name| name.len() != 4 || !name.is_ascii()) {
            let remedy = "`reins probe` lists those that a camera has, for example MJPG or YUYV";
            fault("pixel_format", "does not have four letters", remedy);
        }
        faults
    }
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

/// HIL-SERL's robot server, or a port of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerlHttpConfig {
    pub url: String,
    pub state_rate_hz: f64,
    pub pose_rate_hz: f64,
    /// Of state and pose.
    pub timeout_ms: u64,
    /// Joints that are the same to the bit for so long are no measurement; 0 believes them.
    pub stuck_ms: u64,
    pub wrench: SerlWrench,
    /// What `/get_gripper` says of closed and of open jaws.
    pub gripper_closed: f64,
    pub gripper_open: f64,
    pub gripper_by: SerlGripper,
    /// What `/move_gripper` is sent.
    pub gripper_close_target: u8,
    pub gripper_open_target: u8,
    /// The server forgets a first `open`, because it believes to have opened already.
    pub gripper_latches: bool,
    /// Sent to `/update_param` when the arm is taken over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub compliance: BTreeMap<String, f64>,
}

/// What a server's force and torque are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SerlWrench {
    /// libfranka's: what the tool exerts, in its own frame.
    OfTool,
    /// What the environment exerts on the tool, in the base frame.
    OnTool,
    /// Nothing that could be used.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SerlGripper {
    /// `/open_gripper` and `/close_gripper`.
    OpenClose,
    /// `/move_gripper`.
    Move,
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
            || self.second.as_ref().is_some_and(|second| second.is_simulated())
    }

    /// Whether a camera gives its pictures at its own time.
    pub fn opens_a_camera(&self) -> bool {
        self.cameras.iter().any(|camera| camera.driver.is_opened_here())
    }

    pub fn camera(&self, name: &str) -> Option<&CameraConfig> {
        self.cameras.iter().find(|camera| camera.name == name)
    }
}

impl CellConfig {
    fn capture_faults(&self, i: usize, camera: &CameraConfig) -> Vec<Fault> {
        let at = format!("camera[{i}].capture");
        let Some(capture) = &camera.capture else {
            let lacks = camera.driver.is_opened_here().then(|| {
                let wrong = "is missing: nothing says which camera to open";
                Fault::new(at, wrong, "Write [camera.capture] with `source` under the camera")
            });
            return lacks.into_iter().collect();
        };
        if !camera.driver.is_opened_here() {
            let wrong = "is for a camera that is opened here, and this one is not";
            return vec![Fault::new(at, wrong, "Set the camera's driver, for example to \"v4l2\"")];
        }
        let mut faults = capture.faults(&at, camera.driver);
        let of_same = |other: &&CameraConfig| {
            other.driver == camera.driver
                && other.capture.as_ref().is_some_and(|other| other.source == capture.source)
        };
        if let Some(other) = self.cameras[..i].iter().find(of_same)
            && other.capture.as_ref() != Some(capture)
        {
            faults.push(Fault::new(
                format!("{at}.source"),
                format!("is opened for camera {} too, with other settings", other.name),
                "Give both the same [camera.capture]; what may differ is crop, width and height",
            ));
        }
        faults
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
            // Its cameras are elsewhere, too, and nobody knows where.
            let mut cameras = defaults.remove("camera");
            let templates = cameras.as_mut().and_then(Value::as_array_mut);
            for template in templates.into_iter().flatten().filter_map(Value::as_table_mut) {
                template.remove("driver");
            }
            let real = load::built_in(include_str!("cell/real.toml"));
            defaults = load::overlaid(&defaults, &real);
            defaults.extend(cameras.map(|cameras| ("camera".to_owned(), cameras)));
        }
        let tables = [
            ("serl_http", "serl-http", include_str!("cell/serl_http.toml")),
            ("ur", "ur", include_str!("cell/ur.toml")),
            ("xarm", "xarm", include_str!("cell/xarm.toml")),
            ("franka", "franka", include_str!("cell/franka.toml")),
            ("so101", "so101", include_str!("cell/so101.toml")),
            ("robotiq", "robotiq", include_str!("cell/robotiq.toml")),
            ("device", "device", include_str!("cell/device.toml")),
        ];
        for (table, driver, text) in tables {
            if given.contains_key(table) || names_driver(given, driver) {
                defaults.insert(table.into(), Value::Table(load::built_in(text)));
            }
        }
        teleop::add_defaults(&mut defaults, given);
        if let Some(second) = given.get("second").and_then(Value::as_table) {
            let own = second::defaults(Self::defaults(second));
            defaults.insert("second".into(), Value::Table(own));
        }
        defaults
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = self.limits.faults();
        faults.extend(self.teleop.faults());
        faults.extend(self.robot_faults());
        faults.extend(self.second_faults());
        let clock = self.device.as_ref().map(|device| device.clock);
        if self.arm.driver == ArmDriver::Sim && clock == Some(DeviceClock::Simulated) {
            faults.push(Fault::new(
                "device.clock",
                "cannot be simulated where the arm is simulated here: there would be two times",
                "Leave it out, or reach the arm by arm.driver = \"serl-http\"",
            ));
        }
        if let Some(server) = &self.serl_http
            && server.gripper_open == server.gripper_closed
        {
            faults.push(Fault::new(
                "serl_http.gripper_open",
                "is what a closed gripper says, too",
                "Read /get_gripper with open and with closed jaws, and write down both",
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
            faults.extend(self.capture_faults(i, camera));
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

#[cfg(test)]
mod tests;
