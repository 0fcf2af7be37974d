//! Sequences of random and malicious commands. What reaches the arm is judged by a checker that
//! knows the limits and none of the gate's own functions.
//!
//! `REINS_GATE_SEQUENCES` says how many sequences; a million take about 13 s.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::*;

const SEQUENCES: u64 = 1_000_000;

/// Judges the targets one after another.
struct Checker {
    limits: GateLimits,
    last: Option<Pose>,
    last_velocity: Vector3<f64>,
    last_acceleration: Vector3<f64>,
    checked: u64,
}

impl Checker {
    fn new(limits: &GateLimits) -> Self {
        Self {
            limits: limits.clone(),
            last: None,
            last_velocity: Vector3::zeros(),
            last_acceleration: Vector3::zeros(),
            checked: 0,
        }
    }

    /// The arm was held: what comes next starts from rest.
    fn held(&mut self) {
        self.last = None;
        self.last_velocity = Vector3::zeros();
        self.last_acceleration = Vector3::zeros();
    }

    /// What is wrong with sending an arm that is in `measured` to `target`.
    fn fault(&mut self, target: &Pose, measured: &Pose) -> Option<String> {
        self.checked += 1;
        let (place, limits) = (target.translation.vector, &self.limits);
        let ws = &limits.workspace;
        if !place.iter().chain(target.rotation.coords.iter()).all(|x| x.is_finite()) {
            return Some("it is not finite".into());
        }
        if (0..3).any(|i| place[i] < ws.min[i] || place[i] > ws.max[i]) {
            return Some(format!("{place} is outside the box"));
        }
        let axis = ws.orientation.inverse() * (target.rotation * Vector3::z());
        let tilt = axis.xy().norm().atan2(axis.z);
        if tilt > ws.tilt_max_rad + 1e-9 {
            return Some(format!("a tilt of {tilt} rad"));
        }
        // The turn that is left when the tool's axis is put back the shortest way.
        let upright = UnitQuaternion::rotation_between(&axis, &Vector3::z()).unwrap();
        let yaw = (upright * ws.orientation.inverse() * target.rotation).angle();
        if yaw > ws.yaw_max_rad + 1e-7 {
            return Some(format!("a yaw of {yaw} rad"));
        }
        let lead = (place - measured.translation.vector).norm();
        let turn_ahead = target.rotation.angle_to(&measured.rotation);
        if lead > limits.lead_max_m + 2e-6 || turn_ahead > limits.lead_max_rad + 2e-6 {
            return Some(format!("{lead} m and {turn_ahead} rad ahead of the arm"));
        }
        let seconds = 0.01;
        // An arm that held starts from rest where it is.
        let last = self.last.unwrap_or(*measured);
        let velocity = (place - last.translation.vector) / seconds;
        let acceleration = (velocity - self.last_velocity) / seconds;
        let jerk = (acceleration - self.last_acceleration) / seconds;
        let turning = target.rotation.angle_to(&last.rotation) / seconds;
        self.last = Some(*target);
        (self.last_velocity, self.last_acceleration) = (velocity, acceleration);
        [
            ("speed", velocity.norm(), limits.linear.speed_max),
            ("acceleration", acceleration.norm(), limits.linear.acceleration_max),
            ("jerk", jerk.norm(), limits.linear.jerk_max),
            ("turning", turning, limits.angular.speed_max),
        ]
        .into_iter()
        .find(|(_, value, max)| *value > max * (1.0 + 1e-6) + 1e-6)
        .map(|(name, value, max)| format!("{name} is {value}, not {max}"))
    }
}

/// Anything at all: coordinates near and far, infinite and no numbers, every turn.
fn any_pose(rng: &mut ChaCha8Rng) -> Pose {
    let number = |rng: &mut ChaCha8Rng| match rng.random_range(0..20) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -1e300,
        3 | 4 => rng.random_range(-1e6..1e6),
        _ => rng.random_range(-0.3..0.3),
    };
    let place = Vector3::from_fn(|_, _| number(rng));
    let turn = Vector3::from_fn(|_, _| rng.random_range(-3.2..3.2));
    let mut rotation = UnitQuaternion::from_scaled_axis(turn);
    if rng.random_bool(0.1) {
        let scale = *[0.0, 0.3, 5.0, f64::NAN, 1e200].choose(rng).unwrap();
        rotation = UnitQuaternion::new_unchecked(rotation.into_inner() * scale);
    }
    Pose::from_parts(place.into(), rotation)
}

/// A stubborn adversary pushes for a while in one direction, a confused one anywhere.
fn wanted(rng: &mut ChaCha8Rng, from: &Pose, push: &Vector3<f64>) -> Pose {
    if rng.random_bool(0.4) {
        return any_pose(rng);
    }
    let turn = UnitQuaternion::from_scaled_axis(push * 20.0);
    Pose::from_parts((from.translation.vector + push).into(), turn * from.rotation)
}

fn any_limits(rng: &mut ChaCha8Rng) -> GateLimits {
    let mut limits = limits();
    if rng.random_bool(0.5) {
        let speed_max = rng.random_range(0.05..0.5);
        let acceleration_max = rng.random_range(0.5..13.0);
        let jerk_max = rng.random_range(acceleration_max * 5.0..6500.0);
        limits.linear = MotionLimits { speed_max, acceleration_max, jerk_max };
        let acceleration_max = rng.random_range(1.0..25.0);
        let jerk_max = rng.random_range(acceleration_max * 5.0..12_500.0);
        limits.angular = MotionLimits { speed_max, acceleration_max, jerk_max };
        limits.workspace.tilt_max_rad = rng.random_range(0.0..1.2);
        limits.workspace.yaw_max_rad = rng.random_range(0.0..3.1);
        // Walls so near that an arm is soon at them.
        let half = Vector3::from_fn(|_, _| rng.random_range(0.005..0.1));
        limits.workspace.min = middle().translation.vector - half;
        limits.workspace.max = middle().translation.vector + half;
        let turn = Vector3::from_fn(|_, _| rng.random_range(-3.0..3.0));
        limits.workspace.orientation = UnitQuaternion::from_scaled_axis(turn);
    }
    limits
}

/// One sequence; the targets that were checked, or what was wrong.
fn run(seed: u64) -> Result<u64, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let limits = any_limits(&mut rng);
    let mut start = middle();
    start.rotation = limits.workspace.orientation;
    let mut core = Core::new(limits.clone());
    let mut checker = Checker::new(&limits);
    let mut arm = obedient(start).state;
    let mut now = Timestamp(rng.random_range(0..10_000) * MS);
    let mut push = Vector3::zeros();
    for _ in 0..rng.random_range(1..8) {
        if rng.random_bool(0.4) {
            push = Vector3::from_fn(|_, _| rng.random_range(-0.05..0.05));
        }
        if rng.random_bool(0.25) {
            core.hand_over();
        }
        let order = match rng.random_range(0..40) {
            0 => core.stopped(StopKind::Hold, Some(arm.value.tcp_pose)),
            1 => core.emergency("drill"),
            2..8 => {
                core.recovered();
                _ = core.clear_emergency();
                Order::Stop(StopKind::Hold)
            }
            8 => {
                core.expect_pause();
                Order::Nothing
            }
            _ => Order::Nothing,
        };
        if order != Order::Nothing {
            checker.held();
        }
        let from = core.target(now).unwrap_or(arm.value.tcp_pose);
        let valid_for = Duration::from_millis(rng.random_range(0..400));
        let pose = wanted(&mut rng, &from, &push);
        let said = match rng.random_range(0..12) {
            0 => Timestamp(now.0.saturating_sub(rng.random_range(0..400 * MS))),
            1 => Timestamp(now.0 + rng.random_range(0..400 * MS)),
            _ => now,
        };
        let refused = core
            .command(said, &arm, &Command { valid_for, ..Command::every(PERIOD, pose) })
            .is_err();
        let stale = rng.random_bool(0.05);
        for _ in 0..rng.random_range(0..15) {
            if !stale {
                arm.at = now;
            }
            let state = Some(&arm);
            match core.tick(now, &Seen { state, ..Seen::default() }) {
                Order::Move(target) => {
                    if refused {
                        return Err("it moved on a command that was refused".into());
                    }
                    if let Some(fault) = checker.fault(target.pose(), &arm.value.tcp_pose) {
                        return Err(fault);
                    }
                    arm.value.tcp_pose = *target.pose();
                    arm.value.mode = ArmMode::Running;
                }
                Order::Stop(_) => checker.held(),
                Order::Nothing => {}
            }
            now = match rng.random_range(0..100) {
                0 => Timestamp(now.0.saturating_sub(50 * MS)),
                1 => now + Duration::from_millis(rng.random_range(0..3000)),
                _ => now + TICK,
            };
        }
    }
    Ok(checker.checked)
}

#[test]
fn nothing_outside_the_limits_reaches_the_arm() {
    let sequences = std::env::var("REINS_GATE_SEQUENCES")
        .map_or(SEQUENCES, |text| text.parse().expect("REINS_GATE_SEQUENCES is a whole number"));
    let mut checked = 0;
    for seed in 0..sequences {
        match run(seed) {
            Ok(targets) => checked += targets,
            Err(fault) => panic!("sequence {seed}: {fault}"),
        }
    }
    println!("gate: {sequences} sequences, {checked} targets, outside the limits 0");
    assert!(checked > 5 * sequences, "{checked} targets of {sequences} sequences are no test");
}
