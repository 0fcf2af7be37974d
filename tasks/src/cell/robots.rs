//! Where the arms and grippers of a real cell are, and how they are driven. One table for each kind,
//! there only where a part of the cell names its driver.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::CellConfig;
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
        let mut faults = Vec::new();
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
