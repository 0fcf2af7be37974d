//! Proven against Intel's own SDK, as its Python package has it: a recording that it made of a device
//! that it made up, played by it through the functions that a device would be read by.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use super::*;

const PACKAGES: [&str; 2] = ["pyrealsense2==2.59.1.11053", "numpy==2.2.6"];

/// The SDK, and numbered pictures 0 to 24 that it has recorded.
struct Stand {
    folder: tempfile::TempDir,
    told: Value,
}

impl Stand {
    /// None where the SDK is not wanted.
    fn new() -> Option<Self> {
        const WHAT: &str = "a RealSense by its maker's SDK";
        let python = peers::hardware_sim(WHAT, &PACKAGES)?;
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cameras/realsense_peer.py");
        let output = peers::run(Command::new(python).arg(script).arg(folder.path())).unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        if told["python"].is_null() {
            peers::skip(WHAT, "its package needs a Python that is a shared library (libpython3)");
            return None;
        }
        Some(Self { folder, told })
    }

    fn said(&self, what: &str) -> &str {
        self.told[what].as_str().unwrap()
    }

    fn recording(&self, repeat: bool) -> DeviceSettings {
        settings(Source::RealSense { name: self.said("recording").into(), repeat })
    }

    /// The package's library is an extension of Python's and stands on it; the SDK's own does not.
    fn lens(&self) -> Lens {
        wrapped(self.folder.path(), self.said("library"), self.said("python"))
    }

    fn open(&self, settings: &DeviceSettings) -> Result<DeviceCamera, CameraError> {
        let cameras = Device::open(&self.lens(), settings, &[("eye".into(), WHOLE)], &clock());
        cameras.map(|mut cameras| cameras.remove(0))
    }

    fn refusal(&self, settings: &DeviceSettings) -> String {
        self.open(settings).err().expect("the device must not open").to_string()
    }
}

/// `reins-lens` where that library of the SDK is named.
fn wrapped(folder: &Path, library: &str, preload: &str) -> Lens {
    let program = folder.join("lens");
    let lens = env!("CARGO_BIN_EXE_reins-lens");
    let text = format!(
        "#!/bin/sh\nREINS_REALSENSE='{library}' LD_PRELOAD='{preload}' exec '{lens}' \"$@\"\n"
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Lens::at(program)
}

#[test]
fn a_recording_of_the_sdk_is_played_in_order_and_then_is_over() {
    let Some(stand) = Stand::new() else { return };
    let mut camera = stand.open(&stand.recording(false)).unwrap();
    let format = camera.device().format();
    assert_eq!((format.width, format.height), (u32::from(WIDTH), u32::from(HEIGHT)));
    assert_eq!((format.fps, format.pixel_format.as_deref()), (Some(30.0), Some("BGR8")));
    let mut numbers: Vec<u8> = Vec::new();
    let over = wait_for("the end of the recording", || {
        if let Ok(picture) = camera.latest(PATIENCE) {
            scene::check_colours(&picture.value, 0);
            let number = scene::number(&picture.value);
            assert_eq!(picture.value, scene::rgb(number));
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
        match camera.latest(Duration::from_millis(100)) {
            Err(CameraError::Device { reason, .. }) => Some(reason),
            _ => None,
        }
    });
    assert!(over.contains("over"), "{over}");
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers.len() > 10 && numbers.last() >= Some(&22), "{numbers:?}");
}

#[test]
fn a_recording_begins_again() {
    let Some(stand) = Stand::new() else { return };
    let mut camera = stand.open(&stand.recording(true)).unwrap();
    let mut last = 0;
    let mut rounds = 0;
    wait_for("a second round", || {
        let number = scene::number(&camera.latest(PATIENCE).unwrap().value);
        rounds += u32::from(number < last);
        last = number;
        (rounds == 2).then_some(())
    });
    assert_eq!(camera.device().openings(), 1, "to begin again is not to be lost");
}

#[test]
fn what_the_sdk_does_not_have_is_said() {
    let Some(stand) = Stand::new() else { return };
    let said = stand.refusal(&settings(Source::RealSense { name: "999".into(), repeat: false }));
    assert!(said.contains("no RealSense is plugged in"), "{said}");
    let larger = DeviceSettings { size: Some([640, 480]), ..stand.recording(false) };
    let said = stand.refusal(&larger);
    assert!(said.contains("640x480"), "{said}");
    let exposure_us = Some(8000.0);
    let fixed = Fixed { exposure_us, ..Fixed::default() };
    let said = stand.refusal(&DeviceSettings { fixed, ..stand.recording(false) });
    assert!(said.contains("exposure cannot be set"), "{said}");
}

#[test]
fn without_the_sdk_it_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let lens = wrapped(folder.path(), "/nowhere/librealsense2.so", "");
    let settings = settings(Source::RealSense { name: "any".into(), repeat: false });
    let opened = Device::open(&lens, &settings, &[("eye".into(), WHOLE)], &clock());
    let said = opened.err().expect("there is no SDK").to_string();
    assert!(said.contains("REINS_REALSENSE") && said.contains("librealsense2"), "{said}");
}
