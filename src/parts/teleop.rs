//! The person's hand, as the cell file names it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use drivers::{
    Teleop,
    teleop::{
        ButtonRole,
        gamepad::{self, Gamepad, GamepadConfig, PadButton, PadMap},
        spacemouse::{AxisMap, Choice, Feel, Origin, Places, SpaceMouse, SpaceMouseConfig},
    },
};
use tasks::{
    Finding, Severity,
    cell::{SpaceMouseSource, TeleopConfig, TeleopDriver},
};
use wire::{Clock, SystemClock};

/// What the defaults of a cell file make sure of.
const SETTINGS: &str = "a cell file that names a hand has its settings";
/// What the check of a cell file makes sure of.
const WORD: &str = "a word that is no axis and no button";

/// A hand on a device of this machine, and its name; `None` where the cell file has another one.
/// Samples are stamped by the cell's `clock`.
pub fn open(
    config: &TeleopConfig,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Option<(String, Box<dyn Teleop>)>> {
    let host = Arc::new(SystemClock::new());
    Ok(match config.driver {
        TeleopDriver::Spacemouse => {
            let mouse = SpaceMouse::open(spacemouse_config(config)?, host, clock)?;
            Some((mouse.name().to_owned(), Box::new(mouse)))
        }
        TeleopDriver::Gamepad => {
            let pad = Gamepad::open(gamepad_config(config)?, host, clock)?;
            Some((pad.name().to_owned(), Box::new(pad)))
        }
        TeleopDriver::Leader => Some(leader(config, host, clock)?),
        TeleopDriver::None | TeleopDriver::Scripted | TeleopDriver::Device => None,
    })
}

#[cfg(feature = "so101")]
fn leader(
    config: &TeleopConfig,
    host: Arc<dyn Clock>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(String, Box<dyn Teleop>)> {
    use drivers::teleop::leader::Leader;
    let leader = Leader::open(leader_config(config)?, host, clock)?;
    Ok((leader.name().to_owned(), Box::new(leader)))
}

#[cfg(not(feature = "so101"))]
fn leader(
    _: &TeleopConfig,
    _: Arc<dyn Clock>,
    _: Arc<dyn Clock>,
) -> anyhow::Result<(String, Box<dyn Teleop>)> {
    anyhow::bail!(
        "this program was built without the driver so101, to which leaders belong: build it with \
         `cargo build --features so101`"
    )
}

#[cfg(feature = "so101")]
fn leader_config(config: &TeleopConfig) -> anyhow::Result<drivers::teleop::leader::LeaderConfig> {
    let leader = config.leader.as_ref().context(SETTINGS)?;
    Ok(drivers::teleop::leader::LeaderConfig {
        device: leader.device.clone(),
        calibration: leader.calibration.clone(),
        feel: drivers::teleop::leader::LeaderFeel {
            speed_full_mps: leader.speed_full_mps,
            speed_full_radps: leader.speed_full_radps,
            still_mps: leader.still_mps,
            still_radps: leader.still_radps,
            hold: Duration::from_millis(leader.hold_ms),
            yaw_rad: leader.yaw_rad,
            close_below: leader.close_below,
            open_above: leader.open_above,
        },
        dead_man: config.age_max(),
    })
}

fn spacemouse_config(config: &TeleopConfig) -> anyhow::Result<SpaceMouseConfig> {
    let mouse = config.spacemouse.as_ref().context(SETTINGS)?;
    let ms = Duration::from_millis;
    Ok(SpaceMouseConfig {
        origin: match mouse.source {
            SpaceMouseSource::Spacenavd => Origin::Spacenavd(mouse.socket.clone()),
            SpaceMouseSource::Hidraw => Origin::Hidraw {
                places: Places::default(),
                choice: Choice { usb_path: mouse.usb_path.clone(), serial: mouse.serial.clone() },
            },
        },
        axes: AxisMap::from_words(&mouse.axes, mouse.yaw_rad).context(WORD)?,
        feel: Feel {
            dead_zone: mouse.dead_zone,
            release_zone: mouse.release_zone,
            engage_reports: mouse.engage_reports,
            hold: ms(mouse.hold_ms),
            silence_max: ms(mouse.silence_max_ms),
        },
        buttons: mouse
            .buttons
            .iter()
            .map(|word| ButtonRole::from_word(word).context(WORD))
            .collect::<anyhow::Result<_>>()?,
        dead_man: config.age_max(),
    })
}

fn gamepad_config(config: &TeleopConfig) -> anyhow::Result<GamepadConfig> {
    let pad = config.gamepad.as_ref().context(SETTINGS)?;
    let mut roles =
        vec![(PadButton::from_word(&pad.intervene).context(WORD)?, ButtonRole::Intervene)];
    for (word, role) in [
        (&pad.gripper_close, ButtonRole::GripperClose),
        (&pad.gripper_open, ButtonRole::GripperOpen),
        (&pad.gripper_toggle, ButtonRole::GripperToggle),
        (&pad.mark_success, ButtonRole::MarkSuccess),
        (&pad.mark_failure, ButtonRole::MarkFailure),
    ] {
        roles.extend(button(word)?.map(|button| (button, role)));
    }
    Ok(GamepadConfig {
        name: pad.name.clone(),
        map: PadMap {
            dead_zone: pad.dead_zone,
            yaw_rad: pad.yaw_rad,
            roles,
            turn: button(&pad.turn)?,
        },
        dead_man: config.age_max(),
    })
}

/// Which one, if any.
fn button(word: &str) -> anyhow::Result<Option<PadButton>> {
    match word {
        "none" => Ok(None),
        word => PadButton::from_word(word).context(WORD).map(Some),
    }
}

/// What keeps a person from the device that the cell file names.
pub fn examine(config: &TeleopConfig) -> Vec<Finding> {
    let Err(error) = open(config, Arc::new(SystemClock::new())) else { return Vec::new() };
    let remedy = match config.driver {
        TeleopDriver::Gamepad if !gamepad::denied(&Places::default()).is_empty() => {
            format!("One is there that may not be read: {}", gamepad::PERMISSION_REMEDY)
        }
        _ => "Say teleop.driver = \"none\" to go without".to_owned(),
    };
    vec![Finding::new(Severity::Error, format!("the teleop device: {error:#}"), remedy)]
}

#[cfg(test)]
mod tests {
    use tasks::CellConfig;

    use super::*;

    fn config(teleop: &str) -> TeleopConfig {
        let text = format!(
            "name = 'cell'\nlimits = {{ workspace_min_m = [0, 0, 0], workspace_max_m = [1, 1, 1] }}\n\
             {teleop}"
        );
        CellConfig::from_toml(&text, "cell.toml").unwrap().teleop
    }

    #[test]
    fn every_word_that_a_cell_file_may_hold_is_understood() {
        for role in [
            "none",
            "gripper-close",
            "gripper-open",
            "gripper-toggle",
            "mark-success",
            "mark-failure",
            "intervene",
        ] {
            spacemouse_config(&config(&format!("[teleop.spacemouse]\nbuttons = ['{role}']")))
                .unwrap();
        }
        for axis in ["x", "y", "z", "rx", "ry", "rz"] {
            for word in [format!("+{axis}"), format!("-{axis}")] {
                let axes = format!("axes = ['{word}', '0', '0', '0', '0', '0']");
                spacemouse_config(&config(&format!("[teleop.spacemouse]\n{axes}"))).unwrap();
            }
        }
        for button in [
            "south",
            "east",
            "north",
            "west",
            "left-shoulder",
            "right-shoulder",
            "left-trigger",
            "right-trigger",
            "select",
            "start",
            "left-stick",
            "right-stick",
            "up",
            "down",
            "left",
            "right",
        ] {
            let others = "turn = 'none'\ngripper_close = 'none'\ngripper_open = 'none'\n\
                          mark_success = 'none'\nmark_failure = 'none'";
            let text = format!("[teleop.gamepad]\nintervene = '{button}'\n{others}");
            assert_eq!(gamepad_config(&config(&text)).unwrap().map.roles.len(), 1, "{button}");
        }
    }

    #[test]
    fn settings_arrive_at_the_driver() {
        let mouse =
            "[teleop]\nage_max_ms = 170\n[teleop.spacemouse]\nusb_path = 'usb-1'\nhold_ms = 7";
        let mouse = spacemouse_config(&config(mouse)).unwrap();
        let choice = Choice { usb_path: Some("usb-1".into()), serial: None };
        assert_eq!(mouse.origin, Origin::Hidraw { places: Places::default(), choice });
        assert_eq!((mouse.feel.hold.as_millis(), mouse.dead_man.as_millis()), (7, 170));
        assert_eq!(mouse.buttons, [ButtonRole::GripperClose, ButtonRole::GripperOpen]);
        let daemon = "[teleop.spacemouse]\nsource = 'spacenavd'\nsocket = '/tmp/s'";
        let daemon = spacemouse_config(&config(daemon)).unwrap();
        assert_eq!(daemon.origin, Origin::Spacenavd("/tmp/s".into()));
        #[cfg(feature = "so101")]
        {
            let leader = "[teleop]\nage_max_ms = 170\n[teleop.leader]\ndevice = '/dev/a'\n\
                          calibration = 'b'\nhold_ms = 7";
            let leader = leader_config(&config(leader)).unwrap();
            assert_eq!((leader.feel.hold.as_millis(), leader.dead_man.as_millis()), (7, 170));
        }
        let pad = gamepad_config(&config("[teleop.gamepad]\nturn = 'none'")).unwrap();
        assert_eq!(pad.map.turn, None);
        assert!(pad.map.roles.contains(&(PadButton::North, ButtonRole::MarkSuccess)));
    }
}
