//! The gate before the simulated arm: what it lets through, and what becomes of an arm that nobody
//! commands.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use drivers::{
    Arm, ArmError, ArmMode, ArmState, Command, Gate, GuardedArm, Jacobian, SafeTarget, Stamped,
    StopKind, gate::TICK,
};
use nalgebra::{UnitQuaternion, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sim::{Preset, SimArm, SimCell};
use wire::{GateEvents, Timestamp, geometry::Pose};

use crate::{
    blind, config, moved,
    rehearsal::{self, STEP},
};

const COMMANDS: u32 = 20_000;

/// What the arm was told, and where it was then.
#[derive(Clone, Debug)]
enum Told {
    Move { target: Pose, measured: Pose },
    Stop,
}

/// Writes down what the gate tells the arm.
struct Scribe {
    arm: SimArm,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Arm for Scribe {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        self.arm.state()
    }
    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        let measured = self.arm.state()?.value.tcp_pose;
        self.told.lock().unwrap().push(Told::Move { target: *target.pose(), measured });
        self.arm.command(target)
    }
    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.told.lock().unwrap().push(Told::Stop);
        self.arm.stop(how)
    }
    fn recover(&mut self) -> Result<(), ArmError> {
        self.arm.recover()
    }
    fn joint_ends(&self) -> &[[f64; 2]] {
        self.arm.joint_ends()
    }
    fn jacobian(&self) -> Option<Jacobian> {
        self.arm.jacobian()
    }
}

/// Judges a target by the limits alone.
fn fault(target: &Pose, measured: &Pose, last: Option<&Pose>) -> Option<String> {
    let limits = rehearsal::limits();
    let place = target.translation.vector;
    let workspace = &limits.workspace;
    if !place.iter().all(|x| x.is_finite()) {
        return Some(format!("{place} is not finite"));
    }
    if (0..3).any(|i| place[i] < workspace.min[i] || place[i] > workspace.max[i]) {
        return Some(format!("{place} is outside the box"));
    }
    let axis = workspace.orientation.inverse() * (target.rotation * Vector3::z());
    let tilt = axis.xy().norm().atan2(axis.z);
    if tilt > workspace.tilt_max_rad + 1e-9 {
        return Some(format!("a tilt of {tilt} rad"));
    }
    let ahead = (place - measured.translation.vector).norm();
    let turned = target.rotation.angle_to(&measured.rotation);
    if ahead > limits.lead_max_m + 2e-6 || turned > limits.lead_max_rad + 2e-6 {
        return Some(format!("{ahead} m and {turned} rad ahead of the arm"));
    }
    let last = last?;
    let speed = (place - last.translation.vector).norm() / TICK.as_secs_f64();
    let turning = target.rotation.angle_to(&last.rotation) / TICK.as_secs_f64();
    if speed > limits.linear.speed_max + 1e-6 || turning > limits.angular.speed_max + 1e-6 {
        return Some(format!("{speed} m/s and {turning} rad/s"));
    }
    None
}

fn any_pose(rng: &mut ChaCha8Rng, from: &Pose) -> Pose {
    let reach = [0.01, 0.05, 0.5][rng.random_range(0..3)];
    let mut offset = Vector3::from_fn(|_, _| rng.random_range(-reach..=reach));
    match rng.random_range(0..40) {
        0 => offset.x = f64::NAN,
        1 => offset.y = f64::INFINITY,
        2 => offset.z = -1e300,
        _ => {}
    }
    let turn = Vector3::from_fn(|_, _| rng.random_range(-reach..=reach)) * 4.0;
    let rotation = UnitQuaternion::from_scaled_axis(turn) * from.rotation;
    Pose::from_parts((from.translation.vector + offset).into(), rotation)
}

#[test]
fn whatever_is_commanded_the_simulated_arm_is_told_nothing_outside_the_limits() {
    let cell = SimCell::start(config(Preset::Default)).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let scribe = Scribe { arm: cell.arm, told: told.clone() };
    let mut gate = Gate::new(scribe, rehearsal::limits());
    let clock = gate.ticked(cell.clock);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut last: Option<Pose> = None;
    let (mut targets, mut recoveries) = (0, 0);
    for number in 0..COMMANDS {
        if rng.random_bool(0.05) {
            gate.hand_over();
        }
        let from = gate.state().unwrap().value.tcp_pose;
        let command = Command::every(STEP, any_pose(&mut rng, &from));
        if gate.command(clock.now(), &command).is_err() {
            gate.recover().unwrap();
            recoveries += 1;
        }
        let wait = if rng.random_bool(0.002) { 400 } else { 10 * rng.random_range(1..6) };
        clock.sleep_until(clock.now() + Duration::from_millis(wait));
        // Pulled back to an arm that something holds: nearer to it, at any speed.
        let pulled = gate.settle().unwrap().events.contains(GateEvents::LEAD);
        for told in told.lock().unwrap().drain(..) {
            let Told::Move { target, measured } = told else {
                last = None;
                continue;
            };
            targets += 1;
            let before = last.as_ref().filter(|_| !pulled);
            if let Some(fault) = fault(&target, &measured, before) {
                panic!("command {number}: {fault}");
            }
            last = Some(target);
        }
    }
    println!(
        "gate before the simulated arm: {COMMANDS} commands, {targets} targets, outside the limits \
         0, recovered {recoveries} times"
    );
    assert!(targets > 2 * COMMANDS, "{targets} targets are no test");
}

#[test]
fn an_arm_that_nobody_commands_holds_at_the_end_of_the_lease_and_stops_two_seconds_later() {
    let mut cell = blind(Preset::Default);
    let home = cell.tcp();
    cell.step(&moved(&home, [20.0, 0.0, 0.0]));
    let ends = Timestamp(0) + Duration::from_millis(250);
    let mode_at = |cell: &rehearsal::Rehearsal, at: Timestamp| {
        cell.clock.sleep_until(at);
        cell.gate.state().unwrap().value.mode
    };
    assert_eq!(mode_at(&cell, ends), ArmMode::Running);
    assert_eq!(mode_at(&cell, ends + TICK), ArmMode::Holding);
    let there = cell.tcp();
    let stops = ends + Duration::from_secs(2);
    assert_eq!(mode_at(&cell, stops), ArmMode::Holding);
    assert_eq!(mode_at(&cell, stops + TICK), ArmMode::Stopped);
    assert!((there.translation.vector - cell.tcp().translation.vector).norm() < 1e-3, "it drifted");
    let target = Command::every(STEP, home);
    assert!(cell.gate.command(cell.clock.now(), &target).is_err(), "it was not recovered");
}

#[test]
fn an_insertion_stays_below_the_limits_of_force_joints_and_singularity() {
    let mut cell = blind(Preset::Hard);
    for number in 0..10 {
        cell.episode(wire::EpisodeKind::Demonstration, number, |_, _| ());
    }
    let counts = cell.gate.counts();
    println!("the gate in ten demonstrations: {:?}", counts.named().collect::<Vec<_>>());
    for event in [GateEvents::FORCE, GateEvents::JOINT_MARGIN, GateEvents::SINGULARITY] {
        assert_eq!(counts.of(event), 0, "{:?}", event.names().collect::<Vec<_>>());
    }
}
