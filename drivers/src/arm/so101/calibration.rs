//! The calibration file that LeRobot writes for each arm: which position of a servo is which angle. Zero is
//! the middle of a joint's range.

use std::{collections::BTreeMap, f64::consts::TAU, fs, io, path::Path};

use serde::Deserialize;
use thiserror::Error;

use crate::feetech::registers::TURN;

/// Servos of the arm, id 1 first; the last is the gripper's.
pub(crate) const NAMES: [&str; SERVOS] =
    ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];
pub(crate) const SERVOS: usize = 6;
pub(crate) const IDS: [u8; SERVOS] = [1, 2, 3, 4, 5, 6];
/// What LeRobot calibrates an arm with.
const REMEDY: &str = "calibrate the arm anew with `lerobot-calibrate`";

#[derive(Debug, Error)]
pub enum CalibrationError {
    #[error("reading the calibration {path}: it is the file that `lerobot-calibrate` writes")]
    Read { path: String, source: io::Error },
    #[error("the calibration {path} is not one that `lerobot-calibrate` writes")]
    Parse { path: String, source: serde_json::Error },
    #[error("the calibration {path}: {joint} {wrong}: {REMEDY}")]
    Wrong { path: String, joint: String, wrong: String },
}

/// As LeRobot writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Servo {
    id: u8,
    drive_mode: u8,
    pub homing_offset: i32,
    pub range_min: i32,
    pub range_max: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calibration(pub [Servo; SERVOS]);

impl Calibration {
    pub fn load(path: &Path) -> Result<Self, CalibrationError> {
        let shown = || path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|source| CalibrationError::Read { path: shown(), source })?;
        Self::from_json(&text, &shown())
    }

    fn from_json(text: &str, path: &str) -> Result<Self, CalibrationError> {
        let parse = |source| CalibrationError::Parse { path: path.into(), source };
        let servos: BTreeMap<String, Servo> = serde_json::from_str(text).map_err(parse)?;
        let wrong = |joint: &str, wrong: &str| CalibrationError::Wrong {
            path: path.into(),
            joint: joint.into(),
            wrong: wrong.into(),
        };
        if let Some(name) = servos.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(wrong(name, "is no joint of an SO-101"));
        }
        let mut found = Vec::with_capacity(SERVOS);
        for (name, id) in NAMES.into_iter().zip(IDS) {
            let servo = *servos.get(name).ok_or_else(|| wrong(name, "is missing"))?;
            let range = servo.range_min..=servo.range_max;
            if servo.id != id {
                return Err(wrong(name, &format!("has the id {}, not {id}", servo.id)));
            }
            if servo.drive_mode != 0 {
                return Err(wrong(name, "is reversed, which no SO-101 has"));
            }
            if *range.start() < 0 || *range.end() > 4095 || range.end() - range.start() < 100 {
                return Err(wrong(name, &format!("has the range {range:?}")));
            }
            found.push(servo);
        }
        Ok(Self(found.try_into().expect("as many as there are names")))
    }

    pub fn radians(&self, servo: usize, ticks: i32) -> f64 {
        (f64::from(ticks) - self.middle(servo)) * (TAU / TURN)
    }

    /// Within the range.
    pub fn ticks(&self, servo: usize, radians: f64) -> i32 {
        let Servo { range_min, range_max, .. } = self.0[servo];
        let ticks = (radians * (TURN / TAU) + self.middle(servo)).round() as i32;
        ticks.clamp(range_min, range_max)
    }

    /// Lower and upper end.
    pub fn ends(&self, servo: usize) -> [f64; 2] {
        let Servo { range_min, range_max, .. } = self.0[servo];
        [range_min, range_max].map(|ticks| self.radians(servo, ticks))
    }

    /// 0 at the lower end of the range, 1 at the upper.
    pub fn share(&self, servo: usize, ticks: i32) -> f64 {
        let Servo { range_min, range_max, .. } = self.0[servo];
        (f64::from(ticks - range_min) / f64::from(range_max - range_min)).clamp(0.0, 1.0)
    }

    fn middle(&self, servo: usize) -> f64 {
        f64::from(self.0[servo].range_min + self.0[servo].range_max) / 2.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// As LeRobot lays it out.
    pub(crate) const FILE: &str = r#"{
    "shoulder_pan": {
        "id": 1, "drive_mode": 0, "homing_offset": -1046, "range_min": 740, "range_max": 3420
    },
    "shoulder_lift": {
        "id": 2, "drive_mode": 0, "homing_offset": 918, "range_min": 830, "range_max": 3220
    },
    "elbow_flex": {
        "id": 3, "drive_mode": 0, "homing_offset": -1377, "range_min": 860, "range_max": 3070
    },
    "wrist_flex": {
        "id": 4, "drive_mode": 0, "homing_offset": 1210, "range_min": 890, "range_max": 3180
    },
    "wrist_roll": {
        "id": 5, "drive_mode": 0, "homing_offset": -69, "range_min": 0, "range_max": 4095
    },
    "gripper": {
        "id": 6, "drive_mode": 0, "homing_offset": 1292, "range_min": 2030, "range_max": 3500
    }
}"#;

    pub(crate) fn calibration() -> Calibration {
        Calibration::from_json(FILE, "arm.json").unwrap()
    }

    #[track_caller]
    fn refused(text: &str, with: &str, says: &str) {
        assert!(FILE.contains(text));
        let error = Calibration::from_json(&FILE.replacen(text, with, 1), "arm.json").unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }

    #[test]
    fn the_middle_of_the_range_is_zero_and_ticks_come_back() {
        let arm = calibration();
        assert_eq!((arm.radians(0, 2080), arm.ticks(0, 0.0)), (0.0, 2080));
        assert!((arm.radians(0, 2080 + 1024) - TAU / 4.0).abs() < 1e-12);
        for ticks in (860..=3070).step_by(13) {
            assert_eq!(arm.ticks(2, arm.radians(2, ticks)), ticks);
        }
        assert_eq!(arm.ticks(2, 9.0), 3070, "no further than the joint goes");
        assert_eq!((arm.share(5, 2030), arm.share(5, 3500)), (0.0, 1.0));
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        refused("shoulder_pan", "shoulder", "shoulder is no joint");
        refused("\"id\": 2", "\"id\": 7", "shoulder_lift has the id 7, not 2");
        refused("\"drive_mode\": 0", "\"drive_mode\": 1", "shoulder_pan is reversed");
        refused("\"range_max\": 3420", "\"range_max\": 800", "740..=800");
        refused("\"range_max\": 3420", "\"range_max\": 5000", "740..=5000");
        refused("\"id\": 1,", "", "lerobot-calibrate");
    }
}
