//! SDU's ur_rtde at the mock, beside the driver: both read the same, and what it writes arrives.

use serde_json::json;

use super::*;
use crate::arm::{peer, ur::rtde::Value};

const PACKAGE: &str = "ur_rtde==1.6.5";
const SCRIPT: &str = "ur_peer.py";
/// The client knows only the controller's own ports, so these have an address of their own.
const ADDRESS: &str = "127.77.0.4";
const PORTS: [u16; 3] = [30_004, 29_999, 30_002];

#[test]
fn ur_rtde_reads_from_the_mock_what_the_driver_reads() {
    let mock = MockUr::on(ADDRESS.parse().unwrap(), PORTS);
    let bench = Bench::at(mock, |_| UrConfig { reverse_port: 0, ..UrConfig::at(ADDRESS) });
    bench.mock.set(|world| {
        world.pose = [0.31, -0.22, 0.13, 1.0, -2.0, 0.5];
        world.force = [1.5, -2.5, 30.0, 0.1, 0.2, -0.3];
        world.speed_fraction = 0.75;
    });
    let Some(told) = peer::run(PACKAGE, SCRIPT, &[ADDRESS, "write"]) else { return };
    let state = bench.arm.state().unwrap().value;
    let six: Vec<f64> = serde_json::from_value(told["tcp_pose"].clone()).unwrap();
    let theirs = pose_of(&six.try_into().unwrap());
    assert!((theirs.translation.vector - state.tcp_pose.translation.vector).norm() < 1e-12);
    assert!(theirs.rotation.angle_to(&state.tcp_pose.rotation) < 1e-9);
    let wrench = state.wrench.unwrap();
    let ours = json!([wrench.force.x, wrench.force.y, wrench.force.z]);
    assert_eq!(json!(told["tcp_force"].as_array().unwrap()[..3]), ours);
    let speed = state.twist;
    let ours = json!([speed.linear.x, speed.linear.y, speed.linear.z]);
    assert_eq!(json!(told["tcp_speed"].as_array().unwrap()[..3]), ours);
    assert_eq!(told["q"], json!(state.joints));
    assert_eq!(
        (&told["robot_mode"], &told["safety_mode"], &told["runtime_state"]),
        (&json!(7), &json!(1), &json!(2))
    );
    assert_eq!(told["speed_fraction"], json!(0.75));
    assert_eq!(
        (&told["protective_stopped"], &told["emergency_stopped"]),
        (&json!(false), &json!(false))
    );
    assert_eq!((&told["remote"], &told["running"]), (&json!(true), &json!(true)));
    assert_eq!(told["robotmode"], json!("Robotmode: RUNNING"));
    assert_eq!(told["wrote"], json!([true, true, true]));
    let world = bench.mock.world();
    let written = |name: &str| world.input_values[name];
    assert_eq!(written("input_int_register_19"), Value::Int32(-1_234_567));
    assert_eq!(written("input_double_register_18"), Value::Double(-0.125));
    drop(world);

    bench.mock.protective_stop();
    bench.wait_for_mode(ArmMode::Reflex);
    let told = peer::run(PACKAGE, SCRIPT, &[ADDRESS, "unlock"]).unwrap();
    assert_eq!((&told["protective_stopped"], &told["safety_mode"]), (&json!(true), &json!(3)));
    assert_eq!(told["safetystatus"], json!("Safetystatus: PROTECTIVE_STOP"));
    assert_eq!(bench.mock.world().safety_mode, 1, "its unlocking is ours");
    assert_eq!(bench.mode(), ArmMode::Reflex, "and is no recovery");
}
