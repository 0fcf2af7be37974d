//! The second arm of a pair: what a cell file says below `[second]`, in the words of the first arm's
//! tables; and each arm of a cell as a cell by itself.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{
    ArmConfig, ArmDriver, CameraDriver, CellConfig, DeviceClock, FixtureConfig, FixtureDriver,
    FrankaConfig, GripperConfig, GripperDriver, LimitsConfig, RobotiqConfig, RobotiqLink,
    SerlHttpConfig, So101Config, SpaceMouseSource, SuccessConfig, SuccessDriver, TeleopConfig,
    TeleopDriver, UrConfig, XarmConfig,
};
use crate::load::{ConfigFile, Fault};

/// What may stand below `[second]`.
pub(super) const TABLES: &[&str] = &[
    "arm",
    "gripper",
    "limits",
    "teleop",
    "serl_http",
    "ur",
    "xarm",
    "franka",
    "so101",
    "robotiq",
    "sim",
];

/// A simulated camera of this name is the second arm's `NAME`.
const CAMERA_PREFIX: &str = "second-";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondConfig {
    pub arm: ArmConfig,
    pub gripper: GripperConfig,
    pub limits: LimitsConfig,
    pub teleop: TeleopConfig,
    /// Each where a part of this arm names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serl_http: Option<SerlHttpConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ur: Option<UrConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xarm: Option<XarmConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub franka: Option<FrankaConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub so101: Option<So101Config>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robotiq: Option<RobotiqConfig>,
    /// Of a world of its own, beside the first arm's.
    pub sim: Table,
}

/// Of the defaults of a cell, those of its second arm.
pub(super) fn defaults(of_cell: Table) -> Table {
    of_cell.into_iter().filter(|(name, _)| TABLES.contains(&name.as_str())).collect()
}

impl SecondConfig {
    pub(super) fn is_simulated(&self) -> bool {
        self.arm.driver == ArmDriver::Sim
            || self.gripper.driver == GripperDriver::Sim
            || self.teleop.driver == TeleopDriver::Scripted
    }
}

impl CellConfig {
    /// How many arms the cell has.
    pub fn arms(&self) -> usize {
        1 + usize::from(self.second.is_some())
    }

    /// The person's hand for each arm.
    pub fn teleops(&self) -> impl Iterator<Item = &TeleopConfig> {
        std::iter::once(&self.teleop).chain(self.second.iter().map(|second| &second.teleop))
    }

    /// The cell as each of its arms has it. What belongs to no arm is with the first; a simulated
    /// fixture and a simulated sensor of success are those of each simulated arm.
    pub fn arm_cells(&self) -> Vec<Self> {
        let Some(second) = &self.second else { return vec![self.clone()] };
        let (mut theirs, mut cameras) = (Vec::new(), Vec::new());
        for camera in &self.cameras {
            match self.second_camera(&camera.name) {
                Some(name) => {
                    let mut camera = camera.clone();
                    camera.name = name.to_owned();
                    theirs.push(camera);
                }
                None => cameras.push(camera.clone()),
            }
        }
        let is_simulated = second.arm.driver == ArmDriver::Sim;
        let of_world = is_simulated && self.fixture.driver == FixtureDriver::Sim;
        let sensed = is_simulated && self.success.driver == SuccessDriver::Sim;
        let own = (**second).clone();
        let alone = Self {
            name: self.name.clone(),
            arm: own.arm,
            gripper: own.gripper,
            limits: own.limits,
            cameras: theirs,
            teleop: own.teleop,
            fixture: FixtureConfig {
                driver: if of_world { FixtureDriver::Sim } else { FixtureDriver::Person },
                ..self.fixture.clone()
            },
            success: SuccessConfig {
                driver: if sensed { SuccessDriver::Sim } else { SuccessDriver::None },
            },
            serl_http: own.serl_http,
            ur: own.ur,
            xarm: own.xarm,
            franka: own.franka,
            so101: own.so101,
            robotiq: own.robotiq,
            device: None,
            second: None,
            sim: own.sim,
        };
        vec![Self { cameras, second: None, ..self.clone() }, alone]
    }

    /// What the second arm's simulated world calls the camera that tasks call `name`; `None` where it is
    /// no camera of that world.
    pub fn second_camera<'a>(&self, name: &'a str) -> Option<&'a str> {
        self.second.as_ref()?;
        let is_simulated = self.camera(name)?.driver == CameraDriver::Sim;
        name.strip_prefix(CAMERA_PREFIX).filter(|_| is_simulated)
    }

    pub(super) fn second_faults(&self) -> Vec<Fault> {
        let cells = self.arm_cells();
        let [first, second] = cells.as_slice() else { return Vec::new() };
        let is_arms =
            |fault: &Fault| TABLES.contains(&fault.key.split('.').next().unwrap_or_default());
        let mut faults: Vec<Fault> = second
            .faults()
            .into_iter()
            .filter(is_arms)
            .map(|fault| Fault { key: format!("second.{}", fault.key), ..fault })
            .collect();
        if second.teleop.driver == TeleopDriver::Device {
            faults.push(Fault::new(
                "second.teleop.driver",
                "cannot be that of another process, which serves one arm",
                "Name a device that is opened here, or \"none\"",
            ));
        }
        if self.device.as_ref().is_some_and(|device| device.clock == DeviceClock::Simulated) {
            faults.push(Fault::new(
                "device.clock",
                "cannot be simulated in a cell of two arms: another process lets one arm's time pass",
                "Leave it out: two arms that are not both simulated here go along the wall clock",
            ));
        }
        let held = first.held();
        for (key, place) in second.held() {
            if let Some((of_first, _)) = held.iter().find(|(_, other)| *other == place) {
                faults.push(Fault::new(
                    format!("second.{key}"),
                    format!("is {place}, which the first arm has by {of_first}"),
                    "Give each arm one of its own; `reins probe` lists what is there, and `reins probe \
                     --touch` tells two SpaceMice apart",
                ));
            }
        }
        faults
    }

    /// What this arm and its hand have for themselves alone, and the key that says so.
    fn held(&self) -> Vec<(&'static str, String)> {
        let mut held = Vec::new();
        let mut hold = |key, place: String| held.push((key, place));
        let (arm, gripper) = (self.arm.driver, self.gripper.driver);
        if let (ArmDriver::Ur, Some(ur)) = (arm, &self.ur) {
            hold("ur.host", format!("the controller at {}:{}", ur.host, ur.rtde_port));
            hold("ur.reverse_port", format!("port {} of this machine", ur.reverse_port));
        }
        if let (ArmDriver::Xarm, Some(xarm)) = (arm, &self.xarm) {
            hold("xarm.host", format!("the controller at {}:{}", xarm.host, xarm.command_port));
        }
        let is_franka = arm == ArmDriver::Franka || gripper == GripperDriver::Franka;
        if let (true, Some(franka)) = (is_franka, &self.franka) {
            hold("franka.host", format!("the controller at {}", franka.host));
        }
        let is_http = arm == ArmDriver::SerlHttp || gripper == GripperDriver::SerlHttp;
        if let (true, Some(server)) = (is_http, &self.serl_http) {
            hold("serl_http.url", format!("the server at {}", server.url));
        }
        if let (ArmDriver::So101, Some(so101)) = (arm, &self.so101) {
            hold("so101.device", format!("the line {}", so101.device.display()));
        }
        if let (GripperDriver::Robotiq, Some(robotiq)) = (gripper, &self.robotiq) {
            match (robotiq.link, &robotiq.device, self.robotiq_host()) {
                (RobotiqLink::ModbusRtu, Some(line), _) => {
                    hold("robotiq.device", format!("the line {}", line.display()));
                }
                (RobotiqLink::Socket | RobotiqLink::ModbusTcp, _, Some(host)) => {
                    let of =
                        |number: Option<u16>| number.map_or_else(String::new, |n| format!(":{n}"));
                    let (port, slave) = (of(robotiq.port), of(robotiq.slave.map(u16::from)));
                    hold("robotiq.host", format!("the gripper at {host}{port}{slave}"));
                }
                _ => {}
            }
        }
        let teleop = &self.teleop;
        match teleop.driver {
            TeleopDriver::Spacemouse => {
                if let Some(mouse) = &teleop.spacemouse {
                    let which = mouse.usb_path.as_deref().or(mouse.serial.as_deref());
                    match mouse.source {
                        SpaceMouseSource::Hidraw => hold(
                            "teleop.spacemouse.usb_path",
                            format!("the SpaceMouse {}", which.unwrap_or("that is plugged in")),
                        ),
                        SpaceMouseSource::Spacenavd => hold(
                            "teleop.spacemouse.socket",
                            format!("the daemon at {}", mouse.socket.display()),
                        ),
                    }
                }
            }
            TeleopDriver::Gamepad => {
                if let Some(pad) = &teleop.gamepad {
                    let which = pad.name.as_deref().unwrap_or("that is plugged in");
                    hold("teleop.gamepad.name", format!("the gamepad {which}"));
                }
            }
            TeleopDriver::Leader => {
                if let Some(leader) = &teleop.leader {
                    hold("teleop.leader.device", format!("the line {}", leader.device.display()));
                }
            }
            TeleopDriver::None | TeleopDriver::Scripted | TeleopDriver::Device => {}
        }
        if let Some(log) = self.sim.get("truth_log").and_then(Value::as_str) {
            hold("sim.truth_log", format!("the file {log}"));
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: &str = "workspace_min_m = [0, 0, 0], workspace_max_m = [1, 1, 1]";

    fn cell(first: &str, second: &str) -> Result<CellConfig, String> {
        let text = format!(
            "name = \"pair\"\nlimits = {{ {BOX} }}\n{first}\n[second]\nlimits = {{ {BOX} }}\n{second}\n"
        );
        CellConfig::from_toml(&text, "cell.toml").map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(first: &str, second: &str, words: &[&str]) {
        let error = cell(first, second).unwrap_err();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }

    #[test]
    fn a_second_arm_is_described_as_the_first_is() {
        let first = "arm = { driver = \"ur\" }\nur = { host = \"a\" }";
        let second = "arm = { driver = \"ur\" }\nur = { host = \"b\", reverse_port = 50002 }\n\
                      teleop = { driver = \"gamepad\" }";
        let cell = cell(first, second).unwrap();
        let cells = cell.arm_cells();
        assert_eq!((cell.arms(), cells.len()), (2, 2));
        let [first, second] = [&cells[0], &cells[1]].map(|cell| cell.ur.as_ref().unwrap());
        assert_eq!((first.host.as_str(), second.host.as_str()), ("a", "b"));
        assert_eq!((first.rtde_port, second.reverse_port), (second.rtde_port, 50_002));
        assert_eq!(cells[1].limits.lease_ms, cells[0].limits.lease_ms);
        assert_eq!(cells[1].teleop.gamepad.as_ref().unwrap().intervene, "right-shoulder");
        assert!(cells[0].second.is_none() && !cell.is_simulated());
        let again = CellConfig::from_toml(&cell.to_toml(), "again.toml").unwrap();
        assert_eq!(again, cell);
    }

    #[test]
    fn a_cell_of_one_arm_is_that_arms_cell() {
        let text = format!("name = \"one\"\nlimits = {{ {BOX} }}\n");
        let cell = CellConfig::from_toml(&text, "cell.toml").unwrap();
        assert_eq!(cell.arm_cells(), std::slice::from_ref(&cell));
        assert!(!cell.to_toml().contains("second"));
    }

    #[test]
    fn two_simulated_arms_have_a_world_each_with_its_own_cameras() {
        let cell = cell(
            "camera = [{ name = \"wrist\" }, { name = \"second-wrist\" }]",
            "sim = { preset = \"easy\" }",
        )
        .unwrap();
        let names = |cell: &CellConfig| {
            cell.cameras.iter().map(|camera| camera.name.clone()).collect::<Vec<_>>()
        };
        let cells = cell.arm_cells();
        assert_eq!(
            (names(&cells[0]), names(&cells[1])),
            (vec!["wrist".into()], vec!["wrist".into()])
        );
        assert_eq!(cell.second_camera("second-wrist"), Some("wrist"));
        assert_eq!(cell.second_camera("wrist"), None);
        assert_eq!(cells[1].fixture.driver, FixtureDriver::Sim);
        assert_eq!(cells[1].sim["preset"].as_str(), Some("easy"));
        assert!(cells[0].sim.is_empty());
    }

    #[test]
    fn a_real_second_arm_has_no_simulated_fixture() {
        let second = "arm = { driver = \"xarm\" }\nxarm = { host = \"a\" }";
        let cells = cell("", second).unwrap().arm_cells();
        assert_eq!(cells[1].success.driver, SuccessDriver::None);
        assert!(cells[0].is_simulated() && !cells[1].is_simulated());
    }

    #[test]
    fn what_is_wrong_below_second_is_told_with_its_whole_key() {
        let text =
            format!("name = \"pair\"\nlimits = {{ {BOX} }}\n[second.arm]\ndriver = \"sim\"\n");
        let error = CellConfig::from_toml(&text, "cell.toml").unwrap_err().to_string();
        assert!(error.contains("cell.toml:3: second.limits.workspace_min_m is missing"), "{error}");
        refused("", "limitz = 1", &["second.limitz", "Did you mean second.limits?"]);
        refused("", "camera = 1", &["second.camera", "known here are arm, gripper"]);
        refused("", "arm = { driver = \"urr\" }", &["second.arm.driver", "Did you mean \"ur\"?"]);
        refused("", "gripper = { force = 1 }", &["second.gripper.force"]);
        refused("", "arm = { driver = \"ur\" }", &["second.ur.host is missing"]);
        refused(
            "",
            "gripper = { driver = \"so101\" }\nso101 = { device = \"a\", calibration = \"b\" }",
            &["second.gripper.driver"],
        );
        refused("", "second = 1", &["second.second"]);
        refused("", "teleop = { driver = \"device\" }", &["second.teleop.driver", "one arm"]);
    }

    #[test]
    fn two_arms_share_no_controller_no_line_and_no_hand() {
        let ur = |host: &str| format!("arm = {{ driver = \"ur\" }}\nur = {{ host = \"{host}\" }}");
        refused(
            &ur("a"),
            &ur("a"),
            &["second.ur.host = \"a\" is the controller at a:30004", "ur.host"],
        );
        refused(&ur("a"), &ur("b"), &["second.ur.reverse_port", "port 50001 of this machine"]);
        let mouse = "teleop = { driver = \"spacemouse\" }";
        refused(mouse, mouse, &["second.teleop.spacemouse.usb_path", "--touch"]);
        let left = "teleop = { driver = \"spacemouse\", spacemouse = { usb_path = \"usb-1\" } }";
        cell(left, mouse).unwrap();
        refused(left, left, &["the SpaceMouse usb-1"]);
        let follower =
            "arm = { driver = \"so101\" }\nso101 = { device = \"/dev/a\", calibration = \"b\" }";
        let leader = "teleop = { driver = \"leader\", leader = { device = \"/dev/a\", calibration = \"b\" } }";
        refused(follower, leader, &["second.teleop.leader.device", "by so101.device"]);
        let hand = "gripper = { driver = \"robotiq\" }\nrobotiq = { host = \"c\" }";
        refused(hand, hand, &["second.robotiq.host", "the gripper at c"]);
        let log = "sim = { truth_log = \"t\" }";
        refused(log, log, &["second.sim.truth_log"]);
    }
}
