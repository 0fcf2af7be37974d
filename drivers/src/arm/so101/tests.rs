//! The driver against servos of its own protocol, on a pseudo-terminal.

mod peer;

use std::fs;

use nalgebra::{UnitQuaternion, Vector3};
use tempfile::TempDir;
use wire::{SystemClock, geometry::Pose};

use super::{calibration::tests::FILE, *};
use crate::{
    Gripper,
    arm::bench::{self, PATIENCE},
    conformance::{self, Stand},
    feetech::{
        mock::{Inside, MockServos},
        registers::{OFFSET_SIGN, with_sign},
    },
    gate::SafeGrip,
};

/// The tool points down, well within reach.
const HOME: [f64; JOINTS] = [0.1, -0.6, 0.8, 1.3, 0.0];

/// Servos that are calibrated as `FILE` says, at `HOME` and without torque, and that file.
pub(crate) struct Rig {
    pub(crate) servos: MockServos,
    folder: TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("arm.json"), FILE).unwrap();
        let rig = Self { servos: MockServos::start(), folder };
        let calibration = rig.calibration();
        rig.servos.set(|inside| {
            for (i, servo) in inside.servos.iter_mut().enumerate() {
                let of_file = calibration.0[i];
                let offset = with_sign(of_file.homing_offset, OFFSET_SIGN);
                servo.registers[31..33].copy_from_slice(&offset);
                servo.put(9, of_file.range_min as u16);
                servo.put(11, of_file.range_max as u16);
                let angle = HOME.get(i).copied().unwrap_or(0.0);
                servo.ticks = calibration.ticks(i, angle).into();
            }
        });
        rig
    }

    fn calibration(&self) -> Calibration {
        Calibration::load(&self.folder.path().join("arm.json")).unwrap()
    }

    /// So slow that a way takes its time.
    pub(crate) fn config(&self) -> So101Config {
        let file = self.folder.path().join("arm.json");
        So101Config { joint_speed_max_radps: 0.7, ..So101Config::at(&self.servos.device, file) }
    }

    fn joints(&self) -> Joints {
        let calibration = self.calibration();
        let inside = self.servos.inside();
        Joints::from_fn(|i, _| calibration.radians(i, inside.servos[i].ticks.round() as i32))
    }

    fn tcp_pose(&self) -> Pose {
        Kinematics::new().forward(&self.joints())
    }
}

type Bench = bench::Bench<So101Arm, Rig>;

impl Bench {
    fn new() -> Self {
        Self::at(Rig::new())
    }

    /// A servo's ticks bring it a millimetre near.
    fn at(rig: Rig) -> Self {
        Self::of(rig, 1e-3, |rig, clock| So101Arm::connect(rig.config(), clock).unwrap())
    }

    fn set(&self, change: impl FnOnce(&mut Inside)) {
        self.mock.servos.set(change);
    }

    /// Again when an answer was lost on a busy machine.
    fn recover(&mut self) -> Result<(), ArmError> {
        let until = self.clock.now() + PATIENCE;
        loop {
            match self.arm.recover() {
                Err(error)
                    if error.to_string().contains("does not answer")
                        && self.clock.now() < until => {}
                outcome => return outcome,
            }
        }
    }
}

#[test]
fn the_state_is_what_the_servos_say() {
    let bench = Bench::new();
    let state = bench.arm.state().unwrap();
    assert_eq!((state.value.joints.len(), state.value.mode), (JOINTS, ArmMode::Idle));
    for (joint, home) in state.value.joints.iter().zip(HOME) {
        assert!((joint - home).abs() < 2e-3, "{:?}", state.value.joints);
    }
    let at = state.value.tcp_pose.translation.vector;
    assert!((at - Vector3::new(0.164_737, -0.013_03, 0.044_227)).norm() < 1e-3, "{at}");
    assert!(bench.clock.now().since(state.at) < Duration::from_millis(100));
    let skeleton = bench.arm.skeleton();
    assert_eq!((skeleton.len(), skeleton[0]), (JOINTS + 2, [0.0; 3]));
}

#[test]
fn torque_comes_on_without_a_jump_and_with_the_limits_of_a_gripper() {
    let bench = Bench::new();
    let inside = bench.mock.servos.inside();
    for (i, servo) in inside.servos.iter().enumerate() {
        assert!(servo.torque());
        assert!((f64::from(servo.word(42)) - servo.ticks).abs() < 1.0, "servo {}", i + 1);
        assert_eq!(servo.registers[21..24], [16, 32, 0]);
        assert_eq!(servo.registers[55], 1, "permanent memory is locked again");
    }
    let gripper = &inside.servos[5];
    assert_eq!((gripper.word(16), gripper.word(28), gripper.registers[36]), (500, 250, 25));
    assert_eq!(gripper.word(48), 500);
    let torque_at = |id| inside.written.iter().position(|it| *it == (id, 40)).unwrap();
    let goal_at = |id| inside.written.iter().position(|it| *it == (id, 42)).unwrap();
    assert!((1..=6).all(|id| goal_at(id) < torque_at(id)), "goals come first");
}

#[test]
fn permanent_memory_is_not_written_where_it_holds_what_it_should() {
    let Bench { mock: rig, arm, .. } = Bench::new();
    drop(arm);
    rig.servos.set(|inside| inside.written.clear());
    let bench = Bench::at(rig);
    let inside = bench.mock.servos.inside();
    assert!(inside.written.iter().all(|(_, address)| *address >= 40), "{:?}", inside.written);
}

#[test]
fn it_goes_where_it_is_told_and_turns_about_the_axis_that_it_has() {
    let mut bench = Bench::new();
    let mut goal = bench.above(0.03);
    goal.translation.vector += Vector3::new(0.01, 0.02, 0.0);
    goal.rotation *= UnitQuaternion::from_scaled_axis(Vector3::z() * 0.3);
    bench.go_to(goal);
    assert_eq!(bench.mode(), ArmMode::Running);
    let until = bench.clock.now() + PATIENCE;
    while bench.pose().rotation.angle_to(&goal.rotation) > 0.06 {
        assert!(bench.clock.now() < until, "{}", bench.pose());
        bench.command(goal).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    let off = bench.mock.tcp_pose().translation.vector - goal.translation.vector;
    assert!(off.norm() < 2e-3, "the servos themselves are {off} away");
}

#[test]
fn it_measures_how_fast_it_goes() {
    let mut bench = Bench::new();
    let goal = bench.above(0.15);
    bench.command(goal).unwrap();
    bench.wait_within(PATIENCE, "speed", |bench| {
        let state = bench.arm.state().unwrap().value;
        (0.03..0.4).contains(&state.twist.linear.z) && state.joint_velocities[1] < -0.1
    });
}

#[test]
fn no_goal_goes_faster_than_it_may_nor_far_ahead_of_its_joint() {
    let mut bench = Bench::new();
    // Joints that cannot move.
    bench.set(|inside| inside.servos.iter_mut().for_each(|servo| servo.put(46, 1)));
    let goal = bench.above(0.15);
    let begun = bench.clock.now();
    let told = |bench: &Bench| {
        let inside = bench.mock.servos.inside();
        let ahead = |i: usize| f64::from(inside.servos[i].word(42)) - inside.servos[i].ticks;
        (0..JOINTS).map(|i| ahead(i).abs() * TAU / TURN).fold(0.0, f64::max)
    };
    while bench.clock.now().since(begun) < Duration::from_millis(1500) {
        bench.command(goal).unwrap();
        let seconds = bench.clock.now().since(begun).as_secs_f64();
        let most = 0.7 * (seconds + 0.05) + SAG_MAX;
        assert!(told(&bench) < most.min(0.3 + SAG_MAX + 0.01), "{} rad", told(&bench));
        thread::sleep(Duration::from_millis(5));
    }
    assert!(told(&bench) > 0.25, "it pushes: {}", told(&bench));
    // With the lease the push ends, too.
    bench.wait_for_mode(ArmMode::Holding);
    bench.wait_within(PATIENCE, "rest", |bench| told(bench) < SAG_MAX + 0.01);
}

#[test]
fn under_a_load_it_comes_to_its_target_and_does_not_sink_when_told_to_stay() {
    let mut bench = Bench::new();
    let sag = 0.05 * TURN / TAU;
    bench.set(|inside| inside.servos[1].sag = -sag);
    bench.wait_within(PATIENCE, "it sinks once", |bench| {
        (bench.mock.joints()[1] - HOME[1]).abs() > 0.04
    });
    thread::sleep(Duration::from_millis(100));
    let height = bench.pose().translation.z;
    // Told to stay where it is, again and again, as one is that is taken over.
    for _ in 0..10 {
        let here = bench.pose();
        bench.command(here).unwrap();
        thread::sleep(Duration::from_millis(30));
        bench.arm.stop(StopKind::Hold).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    let sunk = (bench.pose().translation.z - height).abs();
    assert!(sunk < 3e-3, "it moved {sunk} m");
    let goal = bench.above(0.02);
    bench.go_to(goal);
}

#[test]
fn a_target_out_of_reach_is_held_and_not_jumped_at() {
    let mut bench = Bench::new();
    let before = bench.mock.joints();
    let mut goal = bench.pose();
    goal.translation.vector.x += 0.6;
    let begun = bench.clock.now();
    while bench.clock.now().since(begun) < Duration::from_millis(300) {
        bench.command(goal).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(bench.mode(), ArmMode::Running);
    let moved = (bench.mock.joints() - before).amax();
    assert!(moved < 5e-3, "it moved {moved} rad");
    let near = bench.above(0.01);
    bench.go_to(near);
}

#[test]
fn an_alarm_is_a_reflex_with_its_name_and_only_recovery_ends_it() {
    let mut bench = Bench::new();
    let goal = bench.above(0.1);
    bench.command(goal).unwrap();
    bench.set(|inside| inside.servos[2].alarms = 0x20);
    bench.wait_for_mode(ArmMode::Reflex);
    bench.needs_operator("elbow_flex reports overload");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(bench.mode(), ArmMode::Reflex);
    bench.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
    let next = bench.above(0.01);
    bench.go_to(next);
}

#[test]
fn an_alarm_whose_cause_stays_is_not_recovered_from() {
    let mut bench = Bench::new();
    bench.set(|inside| {
        let servo = &mut inside.servos[3];
        (servo.alarms, servo.cause) = (0x04, 0x04);
    });
    bench.wait_for_mode(ArmMode::Reflex);
    let refused = bench.recover().unwrap_err().to_string();
    assert!(refused.contains("wrist_flex reports overheating"), "{refused}");
    assert_eq!(bench.mode(), ArmMode::Reflex);
    bench.set(|inside| inside.servos[3].cause = 0);
    bench.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
}

#[test]
fn one_whose_power_was_cut_says_so_and_is_set_up_anew_without_a_jump() {
    let mut bench = Bench::new();
    let goal = bench.above(0.02);
    bench.go_to(goal);
    bench.set(|inside| {
        for servo in &mut inside.servos {
            servo.registers[40] = 0;
            servo.put(46, 0);
            servo.ticks -= 60.0; // It fell a little.
        }
    });
    bench.wait_for_mode(ArmMode::Reflex);
    bench.needs_operator("shoulder_pan holds no more");
    assert!(!bench.mock.servos.inside().servos[0].torque(), "not by itself");
    let before = bench.mock.joints();
    bench.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
    let inside = bench.mock.servos.inside();
    assert!(inside.servos.iter().all(|servo| servo.torque()));
    assert!(inside.servos[..JOINTS].iter().all(|servo| servo.word(46) > 0), "its speed limit");
    drop(inside);
    thread::sleep(Duration::from_millis(50));
    assert!((bench.mock.joints() - before).amax() < 2e-3);
}

#[test]
fn a_servo_that_falls_silent_is_a_lost_link_within_a_second() {
    let mut bench = Bench::new();
    bench.set(|inside| inside.servos[4].silent = true);
    let second = Duration::from_secs(1);
    bench.wait_within(second, "Disconnected", |bench| bench.mode() == ArmMode::Disconnected);
    assert!(matches!(bench.arm.recover(), Err(ArmError::Gone(_))));
    bench.set(|inside| inside.servos[4].silent = false);
    bench.wait_for_mode(ArmMode::Reflex);
    bench.needs_operator("did not answer");
    bench.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
}

#[test]
fn an_answer_now_and_then_lost_is_no_matter() {
    let mut bench = Bench::new();
    let goal = bench.above(0.02);
    for _ in 0..5 {
        bench.set(|inside| inside.servos[4].silent = true);
        thread::sleep(Duration::from_millis(30));
        bench.set(|inside| inside.servos[4].silent = false);
        bench.command(goal).unwrap();
        thread::sleep(Duration::from_millis(60));
    }
    bench.go_to(goal);
}

#[test]
fn the_file_of_another_arm_is_refused_before_torque_comes_on() {
    let rig = Rig::new();
    rig.servos.set(|inside| inside.servos[1].put(31, 17));
    let clock = Arc::new(SystemClock::new());
    let Err(So101Error::NotReady { source, .. }) = So101Arm::connect(rig.config(), clock) else {
        panic!("it connected")
    };
    let says = "shoulder_lift is calibrated otherwise than the file says (offset 17";
    assert!(source.to_string().contains(says), "{source}");
    let inside = rig.servos.inside();
    assert!(inside.written.is_empty() && !inside.servos[0].torque());
}

#[test]
fn one_that_is_not_there_is_refused_with_what_to_check() {
    let rig = Rig::new();
    let config = So101Config { device: rig.folder.path().join("none"), ..rig.config() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let error = So101Arm::connect(config, clock.clone()).err().unwrap().to_string();
    assert!(error.contains("is the cable in"), "{error}");
    rig.servos.set(|inside| inside.frozen = true);
    let Err(So101Error::Reach { source, .. }) = So101Arm::connect(rig.config(), clock) else {
        panic!("it connected")
    };
    assert!(source.to_string().contains("servo 1 does not answer"), "{source}");
}

#[test]
fn a_line_that_another_driver_has_is_not_shared() {
    let bench = Bench::new();
    let clock = Arc::new(SystemClock::new());
    let Err(So101Error::Reach { source, .. }) = So101Arm::connect(bench.mock.config(), clock)
    else {
        panic!("it connected")
    };
    assert!(source.to_string().contains("another program"), "{source}");
}

#[test]
fn a_dropped_arm_holds_with_its_torque_on() {
    let mut bench = Bench::new();
    let goal = bench.above(0.15);
    bench.command(goal).unwrap();
    thread::sleep(Duration::from_millis(100));
    let Bench { mock: rig, arm, .. } = bench;
    drop(arm);
    let inside = rig.servos.inside();
    assert!(inside.servos.iter().all(|servo| servo.torque()));
    let ahead = (f64::from(inside.servos[1].word(42)) - inside.servos[1].ticks).abs();
    assert!(ahead < 0.05 * TURN / TAU, "it still goes {ahead} ticks");
}

#[test]
fn servos_are_read_as_often_as_the_rate_says() {
    let bench = Bench::new();
    let reads = || bench.mock.servos.inside().reads;
    let (before, begun) = (reads(), bench.clock.now());
    thread::sleep(Duration::from_secs(1));
    let seconds = bench.clock.now().since(begun).as_secs_f64();
    let rate = f64::from(reads() - before) / seconds;
    // Five looks at the torque come on top.
    assert!((60.0..115.0).contains(&rate), "{rate} Hz");
}

fn grip(opens: bool, force_n: f64) -> SafeGrip {
    SafeGrip::under_test(opens, force_n, 0.1)
}

#[test]
fn the_gripper_opens_and_closes_with_the_force_that_the_gate_allows() {
    let bench = Bench::new();
    let mut gripper = bench.arm.gripper();
    let opening = |gripper: &So101Gripper| gripper.state().unwrap().value.opening;
    gripper.command(grip(false, 5.0)).unwrap();
    bench.wait_within(PATIENCE, "closed", |_| opening(&gripper) == 0.0);
    {
        let inside = bench.mock.servos.inside();
        // 5 N on 80 mm of 1.9 Nm; 0.1 m/s on 80 mm.
        assert_eq!((inside.servos[5].word(48), inside.servos[5].word(46)), (210, 814));
    }
    bench.set(|inside| inside.written.clear());
    gripper.command(grip(false, 5.0)).unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(bench.mock.servos.inside().written, [], "a repeated command is not sent again");
    gripper.command(grip(true, 100.0)).unwrap();
    bench.wait_within(PATIENCE, "open", |_| opening(&gripper) == 1.0);
    assert_eq!(bench.mock.servos.inside().servos[5].word(48), 500, "never more than half");
    assert_eq!(bench.mode(), ArmMode::Idle, "the arm has not moved");
}

#[test]
fn an_overloaded_gripper_goes_on_and_a_hot_one_is_gone_while_the_arm_goes_on() {
    let mut bench = Bench::new();
    let mut gripper = bench.arm.gripper();
    bench.set(|inside| inside.servos[5].alarms = 0x20);
    thread::sleep(Duration::from_millis(50));
    gripper.command(grip(true, 5.0)).unwrap();
    bench.set(|inside| inside.servos[5].alarms = 0x04);
    bench.wait_within(PATIENCE, "gone", |_| gripper.state().is_err());
    let told = gripper.command(grip(false, 5.0)).unwrap_err().to_string();
    assert!(told.contains("gripper reports overheating"), "{told}");
    let goal = bench.above(0.01);
    bench.go_to(goal);
    let Bench { arm, .. } = bench;
    drop(arm);
    assert!(gripper.state().is_err(), "without its arm it is gone");
}

/// Servos whose arm is connected to once.
struct OnTerminal {
    rig: Rig,
    clock: Arc<SystemClock>,
}

impl Stand for OnTerminal {
    type Arm = So101Arm;

    fn connect(&mut self) -> So101Arm {
        So101Arm::connect(self.rig.config(), self.clock.clone()).unwrap()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn tcp_pose(&mut self) -> Pose {
        self.rig.tcp_pose()
    }

    fn cut(&mut self) -> bool {
        self.rig.servos.set(|inside| inside.cut = true);
        true
    }

    fn mend(&mut self) {
        self.rig.servos.set(|inside| inside.cut = false);
    }

    fn reflex(&mut self) -> bool {
        self.rig.servos.set(|inside| inside.servos[1].alarms = 0x20);
        true
    }
}

#[test]
fn it_keeps_the_rules_for_arms() {
    conformance::check(|| OnTerminal { rig: Rig::new(), clock: Arc::new(SystemClock::new()) });
}
