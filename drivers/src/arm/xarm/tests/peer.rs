//! The vendor's SDK at the mock: it starts, reads and moves it as the driver does.

use serde_json::{Value, json};

use super::*;
use crate::arm::peer;

const PACKAGE: &str = "xarm-python-sdk==1.18.4";
const SCRIPT: &str = "xarm_peer.py";

fn floats(told: &Value) -> Vec<f64> {
    told.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_near(got: &[f64], wanted: &[f64], off: f64) {
    assert!(got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < off), "{got:?} is not {wanted:?}");
}

#[test]
fn the_vendors_sdk_starts_and_moves_the_mock_and_reads_what_the_driver_reads() {
    let mock = MockXarm::start();
    let ports = [mock.commands, mock.reports].map(|address| address.port().to_string());
    let before = mock.inside().pose;
    let arguments = ["127.0.0.1", &ports[0], &ports[1], "start"];
    let Some(told) = peer::run(PACKAGE, SCRIPT, &arguments) else { return };
    assert_eq!(mock.inside().written, [16, 17, 11, 19, 12], "as the driver starts it");
    assert_eq!(told["start"], json!([0, 0, 0, 0, 0]));
    assert_eq!(
        (&told["version"], &told["error"]),
        (&json!("6,6,XI1304,AC1300,v1.12.10"), &json!([0, [0, 0]]))
    );
    assert_near(&floats(&told["position"]), &before, 1e-3);
    assert_eq!(told["servo"], json!(0));
    let moved = mock.inside().pose;
    assert_near(&moved[..3], &[before[0] + 5.0, before[1], before[2]], 1e-2);
    assert_eq!((&told["state"], &told["mode"]), (&json!(2), &json!(1)));

    let arm = XarmArm::connect(config(&mock), Arc::new(SystemClock::new())).unwrap();
    let state = arm.state().unwrap().value;
    let reported = floats(&told["reported_position"]);
    let theirs = pose_of(&reported.try_into().unwrap());
    let ours = state.tcp_pose;
    assert!((theirs.translation.vector - ours.translation.vector).norm() < 1e-5);
    assert!(theirs.rotation.angle_to(&ours.rotation) < 1e-4);
    let turned = nalgebra::UnitQuaternion::from_scaled_axis(Vector3::y() * 3.0);
    assert!(ours.rotation.angle_to(&turned) < 1e-4, "the axis and angle that the SDK was given");
    assert_near(&floats(&told["angles"]), &state.joints, 1e-4);
}

#[test]
fn the_vendors_sdk_reads_an_error_of_the_mock() {
    let mock = MockXarm::start();
    mock.fail(31);
    let ports = [mock.commands, mock.reports].map(|address| address.port().to_string());
    let Some(told) = peer::run(PACKAGE, SCRIPT, &["127.0.0.1", &ports[0], &ports[1]]) else {
        return;
    };
    assert_eq!(told["error"], json!([0, [31, 0]]));
    assert_eq!(told["state"], json!(4));
}
