//! Feetech's SDK, with which LeRobot drives the arm, at the mock: it reads what the driver reads, finds the
//! settings that the driver made, and moves the servos.

use serde_json::{Value, json};

use super::*;
use crate::arm::peer;

const PACKAGE: &str = "feetech-servo-sdk==1.0.0";
const SCRIPT: &str = "so101_peer.py";

fn numbers(told: &Value) -> Vec<i32> {
    told.as_array().unwrap().iter().map(|x| x.as_i64().unwrap() as i32).collect()
}

/// Result 0 and what was read.
#[track_caller]
fn together(told: &Value) -> Vec<i32> {
    assert_eq!(told[0], json!(0));
    numbers(&told[1])
}

#[test]
fn feetechs_sdk_reads_what_the_driver_reads_and_finds_what_the_driver_set() {
    let Bench { mock: rig, arm, .. } = Bench::new();
    let ours = arm.state().unwrap().value.joints;
    drop(arm);
    let device = rig.servos.device.to_str().unwrap();
    let Some(told) = peer::run(PACKAGE, SCRIPT, &[device]) else { return };
    for answer in told["ping"].as_array().unwrap() {
        assert_eq!(answer, &json!([777, 0, 0]), "an STS3215 without alarms");
    }
    let calibration = rig.calibration();
    let theirs = together(&told["positions"]);
    for (i, joint) in ours.iter().enumerate() {
        assert!((calibration.radians(i, theirs[i]) - joint).abs() < 1e-9, "joint {i}");
    }
    assert_eq!(together(&told["torque"]), [1; 6]);
    assert_eq!(told["gripper"], json!([[500, 0, 0], [250, 0, 0], [25, 0, 0]]));
    let offsets = calibration.0.map(|servo| servo.homing_offset);
    assert_eq!(numbers(&told["offset"]), offsets);
    let limits = calibration.0.map(|servo| json!([servo.range_min, servo.range_max]));
    assert_eq!(told["limits"], json!(limits));
}

#[test]
fn feetechs_sdk_moves_the_mock_and_reads_its_alarms() {
    let rig = Rig::new();
    rig.servos.set(|inside| inside.servos[2].cause = 0x04);
    let device = rig.servos.device.to_str().unwrap();
    let Some(told) = peer::run(PACKAGE, SCRIPT, &[device, "move"]) else { return };
    assert_eq!(told["enable"][2], json!([0, 4]), "overheating");
    assert_eq!((&told["enable"][0], &told["goals"]), (&json!([0, 0]), &json!(0)));
    let (before, after) = (together(&told["positions"]), together(&told["moved"]));
    for (i, (before, after)) in before.iter().zip(after).enumerate() {
        assert_eq!(after - before, 20, "servo {}", i + 1);
        let ticks = rig.servos.inside().servos[i].ticks;
        assert_eq!(after, ticks.round() as i32);
    }
}
