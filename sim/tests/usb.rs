//! The stick that is grasped, inserted and let go by the scripted person.

use std::{sync::Arc, time::Duration};

use drivers::{
    Command, EpisodeBrief, Fixture, Gate, GateLimits, GripperLimits, GuardedArm, SuccessSensor,
    Teleop, WorkspaceBox,
    gate::{ForceLimits, MotionLimits},
};
use nalgebra::{UnitQuaternion, Vector3};
use sim::{ActionScale, Preset, SimArm, SimCell, SimConfig};
use wire::{Clock, EpisodeId, EpisodeKind, GripperCommand, geometry::Pose};

use crate::rehearsal::{STEP, tool_down};

const STEPS_MAX: u32 = 120;
const SCALE: ActionScale = ActionScale { linear_m: 0.015, angular_rad: 0.08 };

fn limits() -> GateLimits {
    GateLimits {
        linear: MotionLimits { speed_max: 0.3, acceleration_max: 13.0, jerk_max: 6500.0 },
        angular: MotionLimits { speed_max: 1.5, acceleration_max: 25.0, jerk_max: 12_500.0 },
        force: ForceLimits { force_max_n: 80.0, torque_max_nm: 20.0, ..ForceLimits::default() },
        lead_max_m: 0.02,
        ..GateLimits::new(WorkspaceBox {
            min: Vector3::new(0.4, -0.14, 0.01),
            max: Vector3::new(0.6, 0.14, 0.2),
            orientation: tool_down(),
            tilt_max_rad: 0.1,
            yaw_max_rad: 0.4,
        })
    }
}

fn step(gate: &mut Gate<SimArm>, clock: &Arc<dyn Clock>, to: Pose, gripper: GripperCommand) {
    let now = clock.now();
    gate.command(now, &Command::every(STEP, to).gripping(gripper)).unwrap();
    clock.sleep_until(now + STEP);
}

#[test]
fn the_person_grasps_inserts_and_lets_go() {
    let config = SimConfig {
        preset: Preset::UsbInsertion,
        cameras: Vec::new(),
        action_scale: SCALE,
        ..SimConfig::default()
    };
    let mut cell = SimCell::start(config).unwrap();
    let jaws = GripperLimits { force_n: 20.0, speed_mps: 0.1, change_min: Duration::ZERO };
    let gripper = Box::new(cell.gripper.take().expect("the scene has a gripper"));
    let mut gate = Gate::new(cell.arm, limits()).with_gripper(gripper, jaws);
    let clock = gate.ticked(cell.clock);
    let mut outcomes = Vec::new();
    for number in 3000..3020 {
        let kind = EpisodeKind::Demonstration;
        let brief = EpisodeBrief { episode: EpisodeId(number), kind, seed: number.into() };
        let pose = |gate: &Gate<SimArm>| gate.state().unwrap().value.tcp_pose;
        let start = Pose::from_parts(Vector3::new(0.5, -0.03, 0.15).into(), tool_down());
        let mut lifted = pose(&gate);
        lifted.translation.z = 0.15;
        for goal in [lifted, start] {
            for _ in 0..20 {
                let from = gate.target(clock.now()).unwrap_or(pose(&gate));
                let way = goal.translation.vector - from.translation.vector;
                let reach = (0.015 / way.norm()).min(1.0);
                let to = from.lerp_slerp(&goal, reach);
                step(&mut gate, &clock, to, GripperCommand::Open);
            }
        }
        cell.fixture.prepare(&brief).unwrap();
        cell.teleop.announce(&brief);
        gate.hand_over();
        let mut done = None;
        for count in 1..=STEPS_MAX {
            let sample = cell.teleop.sample().unwrap().value;
            let from = gate.target(clock.now()).unwrap_or(pose(&gate));
            let linear = Vector3::from_column_slice(&sample.twist[..3]) * SCALE.linear_m;
            let angular = Vector3::from_column_slice(&sample.twist[3..]) * SCALE.angular_rad;
            let to = Pose::from_parts(
                (from.translation.vector + linear).into(),
                UnitQuaternion::from_scaled_axis(angular) * from.rotation,
            );
            step(&mut gate, &clock, to, sample.gripper);
            if cell.success.succeeded() {
                done = Some(count);
                break;
            }
        }
        println!("{number}: {done:?} {:?}", cell.truth.relative_pose().translation.vector);
        outcomes.push(done);
    }
    let successes = outcomes.iter().flatten().count();
    assert!(successes >= 19, "{successes} of 20: {outcomes:?}");
}
