//! SpaceMice and gamepads.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use drivers::{
    Teleop,
    teleop::{
        gamepad,
        spacemouse::{
            self, AxisMap, Choice, Family, Feel, Found, Origin, Places, SpaceMouse,
            SpaceMouseConfig,
        },
    },
};
use tasks::cell::{TeleopConfig, TeleopDriver};
use wire::{Clock, SystemClock};

use super::{Section, samples::Samples};
use crate::parts;

/// Between two looks at a device that is watched; its own reports are further apart.
const LOOK: Duration = Duration::from_millis(2);

pub fn spacemice() -> Section {
    spacemice_at(&Places::default())
}

fn spacemice_at(places: &Places) -> Section {
    let class = places.sysfs.join("class/hidraw");
    let none = match class.is_dir() {
        true => format!("none is plugged in, says {}", class.display()),
        false => format!("none: this machine has no {}", class.display()),
    };
    let lines = spacemouse::list(places).iter().map(line_of).collect();
    Section { title: "SpaceMice", lines, none }
}

fn line_of(found: &Found) -> String {
    let family = match found.family() {
        Some(Family::OneReport) => "one motion report",
        Some(Family::TwoReports) => "two motion reports",
        None => "a model we do not know",
    };
    let may = match found.try_open() {
        Ok(_) => "readable".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            format!("not readable: {}", spacemouse::PERMISSION_REMEDY)
        }
        Err(error) => format!("not readable: {error}"),
    };
    format!(
        "{found} ({}, {:04x}:{:04x}, {family}): {may}",
        found.node.display(),
        found.vendor,
        found.product
    )
}

pub fn gamepads() -> Section {
    let mut lines = Vec::new();
    let mut none = "none is plugged in".to_owned();
    match gamepad::list() {
        Ok(pads) => lines.extend(
            pads.iter().map(|pad| format!("{} ({}): readable", pad.name, pad.node.display())),
        ),
        Err(error) => none = error.to_string(),
    }
    let places = Places::default();
    if !places.dev.join("input").is_dir() {
        none = format!("none: this machine has no {}", places.dev.join("input").display());
    }
    lines.extend(gamepad::denied(&places).iter().map(|pad| {
        let (name, node) = (&pad.name, pad.node.display());
        format!("{name} ({node}): not readable: {}", gamepad::PERMISSION_REMEDY)
    }));
    Section { title: "Gamepads", lines, none }
}

pub fn watch(config: &TeleopConfig, time: Duration) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock::new());
    let Some((name, mut hand)) = parts::teleop::open(config, clock.clone())? else {
        println!("Teleop: {}", elsewhere(config.driver));
        return Ok(());
    };
    println!("Teleop: {name}; move it for {} s", time.as_secs());
    let mut samples = Samples::default();
    let until = clock.now() + time;
    while clock.now() < until {
        let sample = hand.sample();
        samples.hear(clock.now(), sample, hand.mark());
        clock.sleep_until(clock.now() + LOOK);
    }
    samples.lines(time).iter().for_each(|line| println!("  {line}"));
    Ok(())
}

fn elsewhere(driver: TeleopDriver) -> &'static str {
    match driver {
        TeleopDriver::None => "the cell has none",
        TeleopDriver::Scripted => "the cell's hand is the simulated operator's",
        TeleopDriver::Device => "the cell's hand is at another process; probe it there",
        TeleopDriver::Spacemouse | TeleopDriver::Gamepad | TeleopDriver::Leader => {
            "none on this system"
        }
    }
}

/// Says of each SpaceMouse that it was touched, when it is, with what a cell file needs to name it.
pub fn touch(time: Duration) -> anyhow::Result<()> {
    let places = Places::default();
    let clock = Arc::new(SystemClock::new());
    let mut mice = Vec::new();
    for found in spacemouse::list(&places) {
        let choice = Choice {
            usb_path: Some(found.usb_path.clone()),
            serial: (!found.serial.is_empty()).then(|| found.serial.clone()),
        };
        let origin = Origin::Hidraw { places: places.clone(), choice };
        match SpaceMouse::open(any_push(origin), clock.clone(), clock.clone()) {
            Ok(mouse) => mice.push((found, mouse, false)),
            Err(error) => println!("{found}: {error}"),
        }
    }
    ensure!(!mice.is_empty(), "there is no SpaceMouse that can be read; `reins probe` says more");
    println!("touch one of {} SpaceMice; {} s", mice.len(), time.as_secs());
    let until = clock.now() + time;
    while clock.now() < until {
        for (found, mouse, touched) in &mut mice {
            let pushes = mouse.sample().is_ok_and(|sample| sample.value.engaged);
            if pushes && !*touched {
                println!("{found} was touched: usb_path = \"{}\"", found.usb_path);
            }
            *touched |= pushes;
        }
        clock.sleep_until(clock.now() + LOOK);
    }
    Ok(())
}

/// A clear push along or about any axis.
fn any_push(origin: Origin) -> SpaceMouseConfig {
    let axes = AxisMap::from_words(&["+x", "+y", "+z", "+rx", "+ry", "+rz"], 0.0);
    SpaceMouseConfig {
        origin,
        axes: axes.expect("each word is an axis"),
        feel: Feel {
            dead_zone: 0.3,
            release_zone: 0.3,
            engage_reports: 3,
            hold: Duration::ZERO,
            silence_max: Duration::from_millis(100),
        },
        buttons: Vec::new(),
        dead_man: Duration::from_millis(200),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_machine_without_devices_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { sysfs: folder.path().into(), dev: folder.path().into() };
        assert!(spacemice_at(&places).to_string().contains("this machine has no"));
        fs::create_dir_all(folder.path().join("class/hidraw")).unwrap();
        assert!(spacemice_at(&places).to_string().contains("none is plugged in"));
    }

    #[test]
    fn a_device_is_shown_with_path_model_and_whether_it_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { sysfs: folder.path().into(), dev: folder.path().join("dev") };
        let device = folder.path().join("class/hidraw/hidraw4/device");
        fs::create_dir_all(&device).unwrap();
        let uevent =
            "HID_ID=0003:0000256F:0000C635\nHID_NAME=x\nHID_PHYS=usb-0000:00:14.0-2/input0\n";
        fs::write(device.join("uevent"), uevent).unwrap();
        fs::write(device.join("report_descriptor"), [0x05, 0x01, 0x09, 0x08]).unwrap();
        let said = spacemice_at(&places).to_string();
        for word in [
            "SpaceMouse Compact at usb-0000:00:14.0-2/input0",
            "hidraw4",
            "256f:c635",
            "two motion reports",
            "not readable",
        ] {
            assert!(said.contains(word), "{word}: {said}");
        }
        fs::create_dir_all(&places.dev).unwrap();
        fs::write(places.dev.join("hidraw4"), "").unwrap();
        let said = spacemice_at(&places).to_string();
        assert!(said.ends_with(": readable"), "{said}");
    }
}
