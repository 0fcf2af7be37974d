//! Where the arms and grippers of a real cell are, and how they are driven. One table for each kind,
//! there only where a part of the cell names its driver.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{ArmDriver, CellConfig, GripperDriver, keys};
use crate::load::Fault;

/// A Universal Robots controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrConfig {
    pub host: String,
    pub rtde_port: u16,
    pub dashboard_port: u16,
    pub script_port: u16,
    /// Where this host listens for the arm's program.
    pub reverse_port: u16,
    /// This host as the controller sees it; without it the address of the connection to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_host: Option<String>,
    pub rate_hz: f64,
    pub lookahead_s: f64,
    pub gain: f64,
    /// Zero the force sensor at the start and use what it says.
    pub force: bool,
    /// Lower than this the speed slider may not stand.
    pub speed_fraction_min: f64,
}

/// The control box of a UFACTORY arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XarmConfig {
    pub host: String,
    pub command_port: u16,
    pub report_port: u16,
    pub joints: usize,
}

/// A Franka arm, its hand, or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrankaConfig {
    pub host: String,
    /// Refuse a machine that is not made for a loop of 1 ms.
    pub real_time: bool,
    /// From which force and torque on the robot stops by itself.
    pub collision_force_n: f64,
    pub collision_torque_nm: f64,
    /// Where a joint reset leads, and how fast.
    pub reset_joints_rad: [f64; 7],
    pub reset_speed_radps: f64,
    /// Measure the hand's fingers at the start.
    pub hand_homing: bool,
    /// Between its open jaws, until it has measured that.
    pub hand_width_m: f64,
    /// In the words of SERL's controller.
    pub compliance: BTreeMap<String, f64>,
}

/// The servos of an SO-101.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct So101Config {
    /// The serial line.
    pub device: PathBuf,
    /// LeRobot's file for this arm.
    pub calibration: PathBuf,
    pub rate_hz: f64,
    pub joint_speed_max_radps: f64,
    /// Of the joints' torque, what they may use.
    pub torque_share: f64,
    pub stall_torque_nm: f64,
}

/// A Robotiq gripper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotiqConfig {
    pub link: RobotiqLink,
    /// Without it the UR controller of the cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Without it that of the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The serial line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<PathBuf>,
    /// Without it that of the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slave: Option<u8>,
    /// Over Modbus TCP: the first register of orders and of the status.
    pub registers: [u16; 2],
    pub model: RobotiqModel,
    /// What it says (0 to 255) of open and of closed jaws.
    pub open_at: u8,
    pub closed_at: u8,
    pub activation_s: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RobotiqLink {
    /// The URCap's socket on a UR controller.
    Socket,
    ModbusTcp,
    ModbusRtu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RobotiqModel {
    #[serde(rename = "2f-85")]
    TwoF85,
    #[serde(rename = "2f-140")]
    TwoF140,
}

impl CellConfig {
    /// Where the Robotiq gripper answers, if it does on a network.
    pub fn robotiq_host(&self) -> Option<&str> {
        let own = self.robotiq.as_ref().and_then(|robotiq| robotiq.host.as_deref());
        own.or_else(|| self.ur.as_ref().map(|ur| ur.host.as_str()))
    }

    pub(super) fn robot_faults(&self) -> Vec<Fault> {
        let mut faults = self.franka.as_ref().map_or_else(Vec::new, compliance_faults);
        if self.gripper.driver == GripperDriver::So101 && self.arm.driver != ArmDriver::So101 {
            faults.push(Fault::new(
                "gripper.driver",
                "is that of an SO-101, and the arm is none",
                "Set arm.driver = \"so101\", or name the gripper that there is",
            ));
        }
        let Some(robotiq) = &self.robotiq else { return faults };
        if robotiq.open_at >= robotiq.closed_at {
            faults.push(Fault::new(
                "robotiq.closed_at",
                format!("is not above open_at ({} against {})", robotiq.closed_at, robotiq.open_at),
                "Read the position with open and with closed jaws, and write down both",
            ));
        }
        match robotiq.link {
            RobotiqLink::ModbusRtu if robotiq.device.is_none() => faults.push(Fault::new(
                "robotiq.device",
                "is missing: Modbus RTU goes over a serial line",
                "Add it: a path as /dev/serial/by-id/usb-…",
            )),
            RobotiqLink::Socket | RobotiqLink::ModbusTcp if self.robotiq_host().is_none() => {
                faults.push(Fault::new(
                    "robotiq.host",
                    "is missing, and the cell has no UR controller that it could be",
                    "Add it: the address of the UR controller or of the gripper's own",
                ));
            }
            _ => {}
        }
        faults
    }
}

/// The same names and ranges as those of HIL-SERL's server.
fn compliance_faults(franka: &FrankaConfig) -> Vec<Fault> {
    let fault = |(name, value): (&String, &f64)| {
        let at = format!("franka.compliance.{name}");
        let of_server = format!("serl_http.compliance.{name}");
        let Some(known) = keys::KEYS.iter().find(|key| key.path == of_server) else {
            let remedy = "Take one of those under serl_http.compliance in docs/configuration.md";
            return Some(Fault::new(at, "is no parameter of the controller", remedy));
        };
        let fits = known.allowed.admits(&toml::Value::Float(*value));
        (!fits).then(|| {
            Fault::new(at, format!("is {value}, and it may be {}", known.allowance()), "Correct it")
        })
    };
    franka.compliance.iter().filter_map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Result<CellConfig, String> {
        let limits = "limits = { workspace_min_m = [0, 0, 0], workspace_max_m = [1, 1, 1] }";
        let text = format!("name = \"cell\"\n{limits}\n{text}");
        CellConfig::from_toml(&text, "cell.toml").map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(text: &str, says: &str) {
        let error = cell(text).unwrap_err();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_driver_brings_the_defaults_of_its_table_and_needs_only_an_address() {
        let ur = cell("arm = { driver = \"ur\" }\nur = { host = \"10.0.0.5\" }").unwrap();
        assert_eq!(ur.arm.driver, ArmDriver::Ur);
        assert_eq!(ur.ur.as_ref().unwrap().rtde_port, 30_004);
        assert_eq!((ur.xarm, ur.so101, ur.robotiq, ur.device), (None, None, None, None));
        refused("arm = { driver = \"ur\" }", "ur.host");
        refused("arm = { driver = \"xarm\" }", "xarm.host");
        refused("arm = { driver = \"ur\" }\nur = { host = \"a\", hosst = 1 }", "ur.hosst");
    }

    #[test]
    fn a_franka_is_as_stiff_as_the_words_of_serl_say() {
        let franka = |more: &str| {
            cell(&format!("arm = {{ driver = \"franka\" }}\nfranka = {{ host = \"a\"{more} }}"))
        };
        let plain = franka("").unwrap().franka.unwrap();
        assert_eq!((plain.collision_force_n, plain.compliance.len()), (25.0, 0));
        let softer = franka(", compliance = { translational_stiffness = 1000 }").unwrap();
        assert_eq!(softer.franka.unwrap().compliance["translational_stiffness"], 1000.0);
        let wrong = franka(", compliance = { stiffness = 1000 }").unwrap_err();
        assert!(wrong.contains("franka.compliance.stiffness"), "{wrong}");
        let wrong = franka(", compliance = { translational_clip_x = 0.5 }").unwrap_err();
        assert!(wrong.contains("from 0 to 0.1"), "{wrong}");
        let hand = cell("gripper = { driver = \"franka\" }\nfranka = { host = \"a\" }").unwrap();
        assert_eq!(hand.gripper.driver, GripperDriver::Franka);
        refused("gripper = { driver = \"franka\" }", "franka.host");
    }

    #[test]
    fn the_gripper_of_an_so101_is_one_of_its_servos() {
        let arm = "arm = { driver = \"so101\" }\ngripper = { driver = \"so101\" }\n";
        let both = cell(&format!("{arm}so101 = {{ device = \"/dev/a\", calibration = \"b\" }}"));
        assert_eq!(both.unwrap().so101.unwrap().rate_hz, 100.0);
        refused(&format!("{arm}so101 = {{ device = \"/dev/a\" }}"), "so101.calibration");
        refused(&format!("{arm}so101 = {{ calibration = \"b\" }}"), "so101.device");
        refused("gripper = { driver = \"so101\" }", "so101.device");
        refused(
            "gripper = { driver = \"so101\" }\nso101 = { device = \"a\", calibration = \"b\" }",
            "the arm is none",
        );
    }

    #[test]
    fn a_gripper_is_looked_for_on_the_ur_controller_unless_it_has_an_address() {
        let both = "arm = { driver = \"ur\" }\nur = { host = \"a\" }\n\
                    gripper = { driver = \"robotiq\" }\n";
        let on_ur = cell(both).unwrap();
        assert_eq!(on_ur.gripper.driver, GripperDriver::Robotiq);
        assert_eq!(on_ur.robotiq_host(), Some("a"));
        let own = cell(&format!("{both}robotiq = {{ host = \"b\" }}")).unwrap();
        assert_eq!(own.robotiq_host(), Some("b"));
        refused("gripper = { driver = \"robotiq\" }", "robotiq.host");
        let serial = "gripper = { driver = \"robotiq\" }\nrobotiq = { link = \"modbus-rtu\"";
        refused(&format!("{serial} }}"), "robotiq.device");
        cell(&format!("{serial}, device = \"/dev/ttyUSB0\" }}")).unwrap();
        refused(
            &format!("{serial}, device = \"/dev/ttyUSB0\", open_at = 230, closed_at = 3 }}"),
            "closed_at",
        );
    }
}
