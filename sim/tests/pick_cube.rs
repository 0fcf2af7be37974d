//! The gripper and the cube, driven as the actor drives them: the task of `configs/tasks/pick-cube.toml`
//! in the cells that go with it.

use std::{sync::Arc, time::Duration};

use drivers::{
    Camera, Command, EpisodeBrief, Fixture, Gate, GateLimits, GripperLimits, GuardedArm,
    SuccessSensor, Teleop, WorkspaceBox,
    gate::{ForceLimits, JointLimits, MotionLimits},
};
use nalgebra::Vector3;
use sim::{
    ActionScale, CameraConfig, ScriptedOperator, SimArm, SimCamera, SimCell, SimConfig, SimError,
    SimFixture, SimSuccess, Spawn, Truth, impedance::ImpedanceConfig,
};
use wire::{Clock, EpisodeId, EpisodeKind, GateEvents, GripperCommand, geometry::Pose};

use crate::rehearsal::{STEP, STEP_LIMIT, tool_down};

const STEP_M: f64 = 0.025;

struct Bench {
    clock: Arc<dyn Clock>,
    gate: Gate<SimArm>,
    cameras: Vec<SimCamera>,
    teleop: ScriptedOperator,
    fixture: SimFixture,
    success: SimSuccess,
    truth: Truth,
}

fn config(spawn: Spawn) -> SimConfig {
    SimConfig {
        preset: sim::Preset::PickCube,
        spawn,
        cameras: Vec::new(),
        action_scale: ActionScale { linear_m: STEP_M, ..ActionScale::default() },
        operator: sim::OperatorConfig {
            speed_max: 0.6,
            tremor: 0.1,
            ..sim::OperatorConfig::default()
        },
        controller: ImpedanceConfig { clip_linear: 0.04, ..ImpedanceConfig::default() },
        ..SimConfig::default()
    }
}

fn limits() -> GateLimits {
    GateLimits {
        linear: MotionLimits { speed_max: 0.5, acceleration_max: 13.0, jerk_max: 6500.0 },
        angular: MotionLimits { speed_max: 1.0, acceleration_max: 25.0, jerk_max: 12_500.0 },
        force: ForceLimits { force_max_n: 150.0, torque_max_nm: 30.0, ..ForceLimits::default() },
        lead_max_m: 0.06,
        joints: JointLimits { margin_rad: 0.03, ..JointLimits::default() },
        ..GateLimits::new(WorkspaceBox {
            min: Vector3::new(0.2, -0.3, 0.0),
            max: Vector3::new(0.6, 0.3, 0.5),
            orientation: tool_down(),
            tilt_max_rad: 0.05,
            yaw_max_rad: 0.1,
        })
    }
}

impl Bench {
    fn new(config: SimConfig) -> Self {
        Self::within(config, limits())
    }

    fn within(config: SimConfig, limits: GateLimits) -> Self {
        let cell = SimCell::start(config).unwrap();
        let jaws = GripperLimits { force_n: 25.0, speed_mps: 0.15, change_min: Duration::ZERO };
        let gripper = cell.gripper.expect("the scene has a gripper");
        let gate = Gate::new(cell.arm, limits).with_gripper(Box::new(gripper), jaws);
        Self {
            clock: gate.ticked(cell.clock),
            gate,
            cameras: cell.cameras,
            teleop: cell.teleop,
            fixture: cell.fixture,
            success: cell.success,
            truth: cell.truth,
        }
    }

    fn tcp(&self) -> Vector3<f64> {
        self.gate.state().unwrap().value.tcp_pose.translation.vector
    }

    fn opening(&self) -> f64 {
        self.gate.state().unwrap().value.gripper.expect("the gripper says how far it is open")
    }

    fn cube(&self) -> Vector3<f64> {
        self.truth.piece_pose().expect("there is a cube").translation.vector
    }

    /// Moves the target by `by` and tells the gripper, for one step.
    fn step(&mut self, by: &Vector3<f64>, gripper: GripperCommand) {
        let now = self.clock.now();
        let from = self.gate.target(now).map_or_else(|| self.tcp(), |pose| pose.translation.vector);
        let pose = Pose::from_parts((from + by).into(), tool_down());
        self.gate.command(now, &Command::every(STEP, pose).gripping(gripper)).unwrap();
        self.clock.sleep_until(now + STEP);
    }

    fn go_to(&mut self, goal: [f64; 3], gripper: GripperCommand) {
        for _ in 0..80 {
            let now = self.clock.now();
            let from =
                self.gate.target(now).map_or_else(|| self.tcp(), |pose| pose.translation.vector);
            let way = Vector3::from(goal) - from;
            self.step(&(way * (STEP_M / way.norm().max(STEP_M))), gripper);
            if (Vector3::from(goal) - self.tcp()).norm() < 0.002 {
                break;
            }
        }
    }

    /// Lets go, lifts, has the cube put down and goes to the start.
    fn reset(&mut self, brief: &EpisodeBrief) {
        let at = self.tcp();
        self.go_to([at.x, at.y, 0.2], GripperCommand::Open);
        self.fixture.prepare(brief).unwrap();
        self.go_to([0.49, 0.0, 0.2], GripperCommand::Open);
        self.go_to([0.49, 0.0, 0.081], GripperCommand::Open);
        self.teleop.announce(brief);
        self.gate.hand_over();
    }

    /// The steps until success, if it comes.
    fn episode(&mut self, kind: EpisodeKind, number: u32) -> Option<u32> {
        let seed = u64::from(number);
        self.reset(&EpisodeBrief { episode: EpisodeId(number), kind, seed });
        for step in 1..=STEP_LIMIT {
            let sample = self.teleop.sample().unwrap().value;
            let by = Vector3::from_column_slice(&sample.twist[..3]) * STEP_M;
            self.step(&by, sample.gripper);
            if self.success.succeeded() {
                return Some(step);
            }
        }
        None
    }
}

/// At least 19 of 20 demonstrations succeed.
fn check_demonstrations(spawn: Spawn) {
    let mut bench = Bench::new(config(spawn));
    let steps: Vec<_> = (2000..2020)
        .map(|number| {
            let steps = bench.episode(EpisodeKind::Demonstration, number);
            assert!(bench.truth.penetration_m() < 1e-3, "the pads sink in");
            steps
        })
        .collect();
    let successes = steps.iter().flatten().count();
    println!("{spawn:?}: {successes} of 20, steps {steps:?}");
    assert!(successes >= 19, "{successes} of 20: {steps:?}");
}

/// A random policy gets everywhere, and nobody is there to move the arm by hand.
#[test]
fn an_arm_is_held_before_a_singular_pose_and_comes_away_from_it_by_itself() {
    let joints = JointLimits { margin_rad: 0.03, condition_slow: 10.0, condition_stop: 13.0 };
    let mut bench = Bench::within(config(Spawn::Fixed), GateLimits { joints, ..limits() });
    let inwards = Vector3::new(-STEP_M, 0.0, 0.0);
    for _ in 0..40 {
        bench.step(&inwards, GripperCommand::Stay);
    }
    let held = bench.tcp();
    println!("held at {:.3}, {:.3}, {:.3} m", held.x, held.y, held.z);
    assert!((0.25..0.45).contains(&held.x), "held at {held}");
    assert!(bench.gate.settle().unwrap().events.contains(GateEvents::SINGULARITY));
    for _ in 0..10 {
        bench.step(&-inwards, GripperCommand::Stay);
    }
    assert!(bench.tcp().x > held.x + 0.05, "it stayed at {}", bench.tcp());
}

#[test]
fn the_person_picks_up_the_cube_where_it_always_lies() {
    check_demonstrations(Spawn::Fixed);
}

#[test]
fn the_person_picks_up_the_cube_wherever_it_lies() {
    check_demonstrations(Spawn::Random);
}

#[test]
fn the_person_helps_a_policy_that_does_nothing() {
    let mut bench = Bench::new(config(Spawn::Random));
    let successes =
        (0..12).filter(|&number| bench.episode(EpisodeKind::Training, number).is_some()).count();
    assert!((1..=9).contains(&successes), "{successes} of 12 were helped to success");
    assert_eq!(bench.teleop.trust(), 0.0, "helped successes are not the policy's");
}

#[test]
fn in_an_evaluation_nobody_picks_up_anything() {
    let mut bench = Bench::new(config(Spawn::Fixed));
    assert_eq!(bench.episode(EpisodeKind::Evaluation, 3), None);
}

/// Goes about the cube with open jaws.
fn about_the_cube() -> Bench {
    let mut bench = Bench::new(config(Spawn::Fixed));
    let kind = EpisodeKind::Evaluation;
    bench.reset(&EpisodeBrief { episode: EpisodeId(0), kind, seed: 0 });
    assert!(bench.opening() > 0.99);
    bench.go_to([0.5, 0.0, 0.081], GripperCommand::Stay);
    bench.go_to([0.5, 0.0, 0.02], GripperCommand::Stay);
    bench
}

#[test]
fn a_gripped_cube_is_carried_without_slipping_and_falls_when_it_is_let_go() {
    let mut bench = about_the_cube();
    (0..6).for_each(|_| bench.step(&Vector3::zeros(), GripperCommand::Close));
    let held = bench.opening();
    assert!((0.44..0.49).contains(&held), "a cube of 40 mm between jaws of 85 mm: {held}");
    let before = bench.cube() - bench.tcp();
    // Up, then to and fro as fast as an action may.
    bench.go_to([0.5, 0.0, 0.25], GripperCommand::Stay);
    for to in [[0.35, 0.15, 0.3], [0.35, -0.15, 0.25], [0.5, 0.0, 0.2]] {
        bench.go_to(to, GripperCommand::Stay);
    }
    let after = bench.cube() - bench.tcp();
    assert!((after - before).norm() < 0.003, "it slipped by {} m", (after - before).norm());
    assert!(bench.success.succeeded(), "it was lifted by more than 0.1 m");
    (0..4).for_each(|_| bench.step(&Vector3::zeros(), GripperCommand::Open));
    (0..4).for_each(|_| bench.step(&Vector3::zeros(), GripperCommand::Stay));
    assert!(bench.cube().z < 0.03, "it fell to {} m", bench.cube().z);
    assert!(!bench.success.succeeded());
}

#[test]
fn jaws_that_are_told_nothing_keep_their_grip_when_the_arm_is_stopped() {
    let mut bench = about_the_cube();
    (0..6).for_each(|_| bench.step(&Vector3::zeros(), GripperCommand::Close));
    bench.go_to([0.5, 0.0, 0.2], GripperCommand::Stay);
    bench.gate.stop(drivers::StopKind::Controlled).unwrap();
    bench.clock.sleep_until(bench.clock.now() + STEP * 50);
    assert!(bench.cube().z > 0.15, "it was dropped to {} m", bench.cube().z);
}

#[test]
fn a_cube_that_is_pushed_out_of_reach_is_lost() {
    let mut bench = Bench::new(config(Spawn::Fixed));
    let brief = EpisodeBrief { episode: EpisodeId(0), kind: EpisodeKind::Evaluation, seed: 0 };
    bench.reset(&brief);
    bench.go_to([0.45, 0.0, 0.081], GripperCommand::Close);
    bench.go_to([0.45, 0.0, 0.02], GripperCommand::Stay);
    bench.go_to([0.5, 0.0, 0.02], GripperCommand::Stay);
    assert!(bench.cube().x > 0.51 && !bench.success.lost(), "it is at {}", bench.cube().x);
    bench.go_to([0.55, 0.0, 0.02], GripperCommand::Stay);
    assert!(bench.success.lost(), "it is at {}", bench.cube().x);
    bench.reset(&brief);
    assert!(!bench.success.lost(), "the next episode begins anew");
}

#[test]
fn the_jaws_take_their_time() {
    let mut bench = Bench::new(config(Spawn::Fixed));
    bench.step(&Vector3::zeros(), GripperCommand::Close);
    let after_one_step = bench.opening();
    assert!((0.5..0.9).contains(&after_one_step), "0.1 s at 0.15 m/s: {after_one_step}");
    (0..3).for_each(|_| bench.step(&Vector3::zeros(), GripperCommand::Close));
    assert!(bench.opening() < 0.02);
}

#[test]
fn the_same_seed_gives_the_same_grasp() {
    let run = || {
        let mut bench = Bench::new(config(Spawn::Random));
        let steps = bench.episode(EpisodeKind::Demonstration, 7);
        let cube = bench.truth.piece_pose().unwrap().translation.vector;
        (steps, cube.map(f64::to_bits))
    };
    assert_eq!(run(), run());
}

#[test]
fn both_cameras_see_the_cube() {
    let camera = |name: &str| CameraConfig { name: name.into(), width: 128, height: 128 };
    let cameras = vec![camera("front"), camera("wrist")];
    match SimCell::start(SimConfig { cameras: cameras.clone(), ..config(Spawn::Fixed) }) {
        Ok(_) => {}
        Err(error @ SimError::Render(_)) => {
            eprintln!("SKIPPED: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    let mut bench = Bench::new(SimConfig { cameras, ..config(Spawn::Fixed) });
    let kind = EpisodeKind::Evaluation;
    bench.reset(&EpisodeBrief { episode: EpisodeId(0), kind, seed: 0 });
    for (camera, least) in bench.cameras.iter_mut().zip([40, 150]) {
        let picture = camera.latest(Duration::ZERO).unwrap().value;
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        let purple = pixels
            .iter()
            .filter(|[r, g, b]| {
                i32::from(*r) > i32::from(*g) + 40 && i32::from(*b) > i32::from(*g) + 40
            })
            .count();
        assert!(purple >= least, "{}: {purple} purple pixels", camera.info().name);
    }
}
