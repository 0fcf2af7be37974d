//! The person's hand: which device it is on, and how that feels.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::load::{self, Fault};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeleopConfig {
    pub driver: TeleopDriver,
    /// A sample older than this counts as lost.
    pub age_max_ms: u64,
    /// Rest this long gives control back to the policy.
    pub release_hold_ms: u64,
    /// There where the driver needs it, or the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacemouse: Option<SpaceMouseConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gamepad: Option<GamepadConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<LeaderConfig>,
}

impl TeleopConfig {
    pub fn age_max(&self) -> Duration {
        Duration::from_millis(self.age_max_ms)
    }

    pub fn release_hold(&self) -> Duration {
        Duration::from_millis(self.release_hold_ms)
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(mouse) = &self.spacemouse {
            mouse.faults(&mut faults);
        }
        if let Some(pad) = &self.gamepad {
            pad.faults(&mut faults);
        }
        if let Some(leader) = &self.leader {
            leader.faults(&mut faults);
        }
        faults
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
    Spacemouse,
    Gamepad,
    /// An SO-101 that a person moves.
    Leader,
}

impl TeleopDriver {
    /// Whether a person's hand is on it, whose time is that of the wall clock.
    pub fn is_a_persons(self) -> bool {
        match self {
            Self::Spacemouse | Self::Gamepad | Self::Leader => true,
            Self::None | Self::Scripted | Self::Device => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceMouseConfig {
    pub source: SpaceMouseSource,
    /// Which of several; the only one otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Of spacenavd.
    pub socket: PathBuf,
    /// Which of the cap's axes moves the arm along and about each of its own: `+x` to `-rz`, or `0`.
    pub axes: [String; 6],
    /// Turns the person's place about the base's z axis.
    pub yaw_rad: f64,
    pub dead_zone: f64,
    pub release_zone: f64,
    pub engage_reports: u32,
    pub hold_ms: u64,
    pub silence_max_ms: u64,
    /// What each does, the first first.
    pub buttons: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpaceMouseSource {
    Hidraw,
    Spacenavd,
}

impl SpaceMouseConfig {
    fn faults(&self, faults: &mut Vec<Fault>) {
        let (release, dead) = (self.release_zone, self.dead_zone);
        if release > dead {
            faults.push(Fault::new(
                "teleop.spacemouse.release_zone",
                format!("is above the dead zone ({release} against {dead})"),
                "Lower it to dead_zone or less",
            ));
        }
        let axis = |word: &String| word.trim_start_matches(['+', '-']).to_owned();
        let used: Vec<String> = self.axes.iter().map(axis).filter(|axis| axis != "0").collect();
        if let Some(twice) = twice(&used) {
            faults.push(Fault::new(
                "teleop.spacemouse.axes",
                format!("uses the axis {twice} twice"),
                "Give each entry an axis of its own, or \"0\"",
            ));
        }
    }
}

/// Buttons by where they are, `none` for what no button does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GamepadConfig {
    /// A part of its name, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub dead_zone: f64,
    pub yaw_rad: f64,
    /// The person drives while it is held.
    pub intervene: String,
    /// While it is held the left stick turns.
    pub turn: String,
    pub gripper_close: String,
    pub gripper_open: String,
    pub gripper_toggle: String,
    pub mark_success: String,
    pub mark_failure: String,
}

impl GamepadConfig {
    fn faults(&self, faults: &mut Vec<Fault>) {
        let buttons = [
            &self.intervene,
            &self.turn,
            &self.gripper_close,
            &self.gripper_open,
            &self.gripper_toggle,
            &self.mark_success,
            &self.mark_failure,
        ];
        let used: Vec<String> =
            buttons.into_iter().filter(|button| *button != NO_BUTTON).cloned().collect();
        if let Some(twice) = twice(&used) {
            faults.push(Fault::new(
                "teleop.gamepad",
                format!("gives the button \"{twice}\" two things to do"),
                "Choose another one for one of them, or \"none\"",
            ));
        }
    }
}

/// An SO-101 without torque.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderConfig {
    /// The serial line.
    pub device: PathBuf,
    /// LeRobot's file for this leader.
    pub calibration: PathBuf,
    /// The speed of its tool that is a full command.
    pub speed_full_mps: f64,
    pub speed_full_radps: f64,
    /// Slower than both is no motion.
    pub still_mps: f64,
    pub still_radps: f64,
    pub hold_ms: u64,
    /// How it stands to the arm.
    pub yaw_rad: f64,
    /// How far open the trigger is.
    pub close_below: f64,
    pub open_above: f64,
}

impl LeaderConfig {
    fn faults(&self, faults: &mut Vec<Fault>) {
        for (key, still, full) in [
            ("still_mps", self.still_mps, self.speed_full_mps),
            ("still_radps", self.still_radps, self.speed_full_radps),
        ] {
            if still >= full {
                faults.push(Fault::new(
                    format!("teleop.leader.{key}"),
                    format!("is not below the speed of a full command ({still} against {full})"),
                    "Lower it: slower than this the leader counts as still",
                ));
            }
        }
        let (close, open) = (self.close_below, self.open_above);
        if close >= open {
            faults.push(Fault::new(
                "teleop.leader.close_below",
                format!("is not below open_above ({close} against {open})"),
                "Lower it, so that the trigger has a way between closing and opening",
            ));
        }
    }
}

/// How a button that is not there is written.
const NO_BUTTON: &str = "none";

fn twice(words: &[String]) -> Option<&String> {
    words.iter().enumerate().find(|(i, word)| words[..*i].contains(word)).map(|(_, word)| word)
}

/// Lays the settings of the hands that a cell names over its `defaults`.
pub(super) fn add_defaults(defaults: &mut Table, given: &Table) {
    let Some(teleop) = given.get("teleop").and_then(Value::as_table) else { return };
    let hands = load::built_in(include_str!("hands.toml"));
    let driver = teleop.get("driver").and_then(Value::as_str);
    for (name, settings) in hands {
        if (driver == Some(&name) || teleop.contains_key(&name))
            && let Some(Value::Table(teleop)) = defaults.get_mut("teleop")
        {
            teleop.insert(name, settings);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cell::CellConfig;

    fn cell(teleop: &str) -> Result<CellConfig, String> {
        let text = format!(
            "name = 'cell'\nlimits = {{ workspace_min_m = [0, 0, 0], workspace_max_m = [1, 1, 1] }}\n\
             {teleop}"
        );
        CellConfig::from_toml(&text, "cell.toml").map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(teleop: &str, words: &[&str]) {
        let error = cell(teleop).unwrap_err();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }

    #[test]
    fn a_hand_has_settings_where_it_is_named() {
        let mouse = cell("[teleop]\ndriver = 'spacemouse'").unwrap().teleop;
        let settings = mouse.spacemouse.unwrap();
        assert_eq!(settings.axes, ["+y", "+x", "-z", "+ry", "+rx", "-rz"]);
        assert_eq!(settings.buttons, ["gripper-close", "gripper-open"]);
        assert_eq!(mouse.gamepad, None);
        let pad = cell("[teleop.gamepad]\ndead_zone = 0.2").unwrap().teleop.gamepad.unwrap();
        assert_eq!((pad.dead_zone, pad.intervene.as_str()), (0.2, "right-shoulder"));
    }

    #[test]
    fn a_cell_without_one_has_none() {
        let teleop = cell("[teleop]\ndriver = 'none'").unwrap().teleop;
        assert_eq!((teleop.spacemouse, teleop.gamepad, teleop.leader), (None, None, None));
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        refused(
            "[teleop.spacemouse]\nrelease_zone = 0.2",
            &["release_zone", "above the dead zone", "cell.toml:4"],
        );
        refused(
            "[teleop.spacemouse]\naxes = ['+y', '-y', '-z', '0', '0', '0']",
            &["uses the axis y twice"],
        );
        refused(
            "[teleop.gamepad]\ngripper_open = 'right-shoulder'",
            &["\"right-shoulder\" two things"],
        );
    }

    #[test]
    fn a_leader_needs_its_line_and_its_calibration() {
        let driver = "[teleop]\ndriver = 'leader'\n";
        refused(driver, &["teleop.leader.device"]);
        let there = format!("{driver}leader = {{ device = '/dev/a', calibration = 'b'");
        let leader = cell(&format!("{there} }}")).unwrap().teleop.leader.unwrap();
        assert_eq!((leader.speed_full_mps, leader.hold_ms), (0.2, 200));
        refused(&format!("{there}, still_mps = 0.3 }}"), &["still_mps", "0.3 against 0.2"]);
        refused(&format!("{there}, close_below = 0.7 }}"), &["close_below", "0.7 against 0.6"]);
    }

    #[test]
    fn words_that_are_none_are_refused() {
        refused("[teleop]\ndriver = 'space-mouse'", &["Did you mean \"spacemouse\""]);
        refused("[teleop.spacemouse]\nbuttons = ['gripper-shut']", &["buttons"]);
        refused("[teleop.gamepad]\nintervene = 'none'", &["intervene"]);
    }
}
