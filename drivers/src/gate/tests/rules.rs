//! One rule after another.

use nalgebra::Quaternion;
use wire::geometry::Wrench;

use super::*;

/// What one step towards `wanted` comes to, from the middle of the workspace.
#[track_caller]
fn check(wanted: Pose, expected: Pose, events: GateEvents) {
    let mut bench = Bench::in_the_middle();
    let executed = bench.step(wanted);
    assert_events(executed.events, events);
    assert_near(&executed.target, &expected);
    assert_near(&bench.sent(), &executed.target);
}

#[test]
fn a_small_move_inside_passes_as_it_is() {
    let wanted = pose(0.01, 0.0, 0.1);
    check(wanted, wanted, GateEvents::default());
}

#[test]
fn a_large_move_is_cut_to_one_step() {
    check(pose(0.05, 0.0, 0.1), pose(0.02, 0.0, 0.1), GateEvents::STEP);
}

fn turned(angle: f64) -> Pose {
    let mut turned = middle();
    turned.rotation = UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.0, angle));
    turned
}

#[test]
fn a_large_turn_is_cut_to_one_step() {
    check(turned(0.4), turned(0.1), GateEvents::STEP);
}

#[test]
fn a_command_that_is_not_finite_becomes_the_pose_that_the_arm_has() {
    let here = middle();
    check(pose(f64::NAN, 0.0, 0.1), here, GateEvents::NOT_FINITE);
    check(pose(0.0, f64::INFINITY, 0.1), here, GateEvents::NOT_FINITE);
    for length in [f64::NAN, 0.0, 0.49, f64::INFINITY] {
        let mut broken = here;
        broken.rotation = UnitQuaternion::new_unchecked(Quaternion::new(length, 0.0, 0.0, 0.0));
        check(broken, here, GateEvents::NOT_FINITE);
    }
}

#[test]
fn a_quaternion_of_another_length_is_normalised() {
    let mut long = turned(0.05);
    long.rotation = UnitQuaternion::new_unchecked(long.rotation.into_inner() * 3.0);
    check(long, turned(0.05), GateEvents::default());
    let goal = Bench::in_the_middle().command(long).unwrap().goal;
    assert!((goal.rotation.into_inner().norm() - 1.0).abs() < 1e-12);
}

#[test]
fn the_workspace_ends_at_its_walls_however_often_they_are_run_against() {
    let mut bench = Bench::in_the_middle();
    let mut last =
        Executed { target: middle(), gripper: GripperCommand::Stay, events: GateEvents::default() };
    for _ in 0..10 {
        let mut beyond = last.target;
        beyond.translation.x += 0.018;
        last = bench.step(beyond);
    }
    assert_near(&last.target, &pose(0.1, 0.0, 0.1));
    assert_events(last.events, GateEvents::WORKSPACE);
    assert_eq!(bench.gate.counts().of(GateEvents::WORKSPACE), 5);
}

#[test]
fn an_arm_outside_the_workspace_is_not_dragged_back_from_afar() {
    let mut near = Bench::new(pose(0.11, 0.0, 0.1), limits());
    assert_near(&near.step(pose(0.1, 0.0, 0.1)).target, &pose(0.1, 0.0, 0.1));
    let mut far = Bench::new(pose(0.15, 0.0, 0.1), limits());
    assert!(matches!(far.refusal(), Trip::OutsideWorkspace { at: [0.15, 0.0, 0.1], .. }));
    far.ticks(3);
    assert!(far.arm(|arm| arm.got.is_empty()));
}

#[test]
fn an_arm_that_does_not_know_its_pose_gets_nothing() {
    let mut bench = Bench::new(pose(f64::NAN, 0.0, 0.1), limits());
    let refused = bench.command(middle());
    assert!(matches!(refused, Err(ArmError::NoState)), "{refused:?}");
    bench.ticks(3);
    assert!(bench.arm(|arm| arm.got.is_empty()));
}

#[test]
fn a_pause_is_no_leave_to_jump() {
    let mut bench = Bench::in_the_middle();
    bench.step(middle());
    bench.gate.expect_pause();
    bench.ticks(1000);
    let report = bench.command(pose(0.1, 0.0, 0.1)).unwrap();
    assert!(report.goal.translation.vector.x <= limits().step_max_m + 1e-12);
}

#[test]
fn a_target_does_not_run_away_from_an_arm_that_is_blocked() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.02, 0.0, 0.1)).unwrap();
    bench.ticks(10);
    // Something pushes the arm back by 4 cm, and the lead is 3.
    let pushed = pose(-0.02, 0.0, 0.1);
    bench.arm(|arm| arm.state.value.tcp_pose = pushed);
    bench.ticks(1);
    assert_near(&bench.sent(), &pose(0.01, 0.0, 0.1));
    assert!(bench.gate.settle().unwrap().events.contains(GateEvents::LEAD));
}

#[test]
fn what_the_profile_cannot_reach_in_a_step_is_not_claimed() {
    let mut limits = limits();
    limits.linear = MotionLimits { speed_max: 0.25, acceleration_max: 1.0, jerk_max: 10.0 };
    let mut bench = Bench::new(middle(), limits);
    let wanted = pose(0.01, 0.0, 0.1);
    let executed = bench.step(wanted);
    let x = executed.target.translation.x;
    assert!((0.0001..0.005).contains(&x), "{x} m in 0.1 s from rest");
    assert_events(executed.events, GateEvents::PROFILE);
    // The way is gone on with until the goal is reached, while somebody wants it.
    for _ in 0..5 {
        bench.step(wanted);
    }
    assert_near(&bench.step(wanted).target, &wanted);
}

/// The arm of a control loop that fell silent after one command: the time of each order (ms).
#[test]
fn a_lease_that_nobody_renews_ends_in_a_hold_and_then_in_a_stop() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.01, 0.0, 0.1)).unwrap();
    bench.ticks(25);
    assert!(bench.stops().is_empty());
    assert_eq!(bench.now, Timestamp(250 * MS));
    assert_eq!(bench.gate.target(bench.now), None);
    bench.ticks(1);
    assert_eq!(bench.stops(), [StopKind::Hold]);
    assert_eq!(bench.mode(), ArmMode::Holding);
    // Ticks at 260 ms to 2240 ms.
    bench.ticks(199);
    assert_eq!(bench.stops(), [StopKind::Hold]);
    bench.ticks(1);
    assert_eq!(bench.stops(), [StopKind::Hold, StopKind::Controlled]);
    assert_eq!(bench.mode(), ArmMode::Stopped);
    assert_eq!(bench.refusal(), Trip::LeaseLost);
    let events = bench.gate.settle().unwrap().events;
    assert_events(events, GateEvents::LEASE_EXPIRED.with(GateEvents::STOPPED));
    bench.gate.recover().unwrap();
    bench.command(middle()).unwrap();
}

#[test]
fn a_command_carries_its_own_lease_and_the_gates_is_the_longest() {
    for (valid_for_ms, ends_ms) in [(60, 60), (10_000, 250)] {
        let mut bench = Bench::in_the_middle();
        let valid_for = Duration::from_millis(valid_for_ms);
        bench
            .gate
            .command(bench.now, &Command { valid_for, ..Command::every(PERIOD, middle()) })
            .unwrap();
        bench.ticks(1);
        let until = bench.arm(|arm| arm.got[0].valid_until());
        assert_eq!(until, Timestamp(ends_ms * MS));
    }
}

#[test]
fn a_pause_that_was_announced_ends_in_a_hold_alone() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.01, 0.0, 0.1)).unwrap();
    bench.gate.expect_pause();
    bench.ticks(1000);
    assert_eq!(bench.stops(), [StopKind::Hold]);
    assert!(bench.gate.settle().unwrap().events.is_empty());
    bench.command(middle()).unwrap();
}

#[test]
fn a_command_in_time_goes_on_after_a_hold() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.01, 0.0, 0.1)).unwrap();
    bench.ticks(100);
    assert_near(&bench.step(pose(0.02, 0.0, 0.1)).target, &pose(0.02, 0.0, 0.1));
}

#[test]
fn a_clock_that_goes_back_makes_no_lease_longer() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.01, 0.0, 0.1)).unwrap();
    bench.ticks(20);
    bench.now = Timestamp(0);
    bench.ticks(5);
    assert!(bench.stops().is_empty());
    bench.ticks(1);
    assert_eq!(bench.stops(), [StopKind::Hold]);
}

#[test]
fn an_old_state_holds_the_arm_and_a_lost_one_stops_it() {
    let mut bench = Bench::in_the_middle();
    bench.gate.0.lock().unwrap().core =
        Core::new(GateLimits { lease: Duration::from_secs(10), ..limits() });
    let valid_for = Duration::from_secs(10);
    bench
        .gate
        .command(bench.now, &Command { valid_for, ..Command::every(PERIOD, pose(0.01, 0.0, 0.1)) })
        .unwrap();
    bench.fresh = false;
    bench.ticks(11);
    assert!(bench.stops().is_empty());
    bench.ticks(1);
    assert_eq!(bench.stops(), [StopKind::Hold]);
    let report = bench.command(pose(0.02, 0.0, 0.1)).unwrap();
    assert_events(report.events, GateEvents::STALE_STATE);
    bench.ticks(39);
    assert_eq!(bench.stops(), [StopKind::Hold]);
    bench.ticks(1);
    assert_eq!(bench.stops(), [StopKind::Hold, StopKind::Controlled]);
    assert_eq!(bench.gate.refusal(), Some(Trip::StateLost));
}

fn wrench(force: f64, torque: f64) -> Option<Wrench> {
    Some(Wrench { force: Vector3::z() * force, torque: Vector3::x() * torque })
}

#[test]
fn a_hard_contact_backs_off_along_the_last_motion() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.0, 0.0, 0.09)).unwrap();
    bench.ticks(4);
    let touched_at = bench.sent();
    bench.arm(|arm| arm.state.value.wrench = wrench(31.0, 0.0));
    bench.ticks(2);
    assert_eq!(bench.gate.refusal(), None, "it takes 20 ms");
    bench.ticks(1);
    assert_eq!(bench.mode(), ArmMode::Reflex);
    assert_eq!(bench.refusal(), Trip::Force);
    let here = bench.sent();
    // The actor ends its episode with a hold, which does not cut the way back.
    bench.gate.stop(StopKind::Hold).unwrap();
    bench.ticks(50);
    let back = bench.sent().translation.z - here.translation.z;
    assert!((back - 0.005).abs() < 1e-9, "{back} m back, from {touched_at}");
    assert_events(bench.gate.settle().unwrap().events, GateEvents::FORCE);
    bench.ticks(100);
    assert_eq!(bench.stops(), [StopKind::Hold]);
    bench.arm(|arm| arm.state.value.wrench = wrench(0.0, 0.0));
    bench.gate.recover().unwrap();
    bench.command(middle()).unwrap();
}

#[test]
fn a_torque_or_a_reading_that_is_not_finite_counts_and_a_short_knock_does_not() {
    let trips = |force, torque, ticks| {
        let mut bench = Bench::in_the_middle();
        bench.command(pose(0.0, 0.0, 0.09)).unwrap();
        bench.ticks(1);
        bench.arm(|arm| arm.state.value.wrench = wrench(force, torque));
        bench.ticks(ticks);
        bench.arm(|arm| arm.state.value.wrench = wrench(29.0, 9.0));
        bench.ticks(3);
        bench.gate.refusal().is_some()
    };
    assert!(trips(0.0, 10.5, 3));
    assert!(trips(f64::NAN, 0.0, 3));
    assert!(!trips(31.0, 0.0, 2));
    assert!(!trips(29.9, 9.9, 20));
}

#[test]
fn without_a_way_back_a_contact_only_holds() {
    let mut bench = Bench::in_the_middle();
    bench.gate.device().core = Core::new(GateLimits {
        force: ForceLimits { back_off_m: 0.0, ..ForceLimits::default() },
        ..limits()
    });
    bench.command(pose(0.0, 0.0, 0.09)).unwrap();
    bench.ticks(3);
    bench.arm(|arm| arm.state.value.wrench = wrench(31.0, 0.0));
    bench.ticks(20);
    assert_eq!(bench.stops(), [StopKind::Hold]);
}

#[test]
fn an_emergency_stop_stays_until_it_is_recovered_and_cleared() {
    let mut bench = Bench::in_the_middle();
    bench.step(pose(0.01, 0.0, 0.1));
    bench.gate.emergency_stop("the operator asked for it").unwrap();
    assert_eq!(bench.stops(), [StopKind::Controlled]);
    assert_eq!(bench.mode(), ArmMode::EmergencyStop);
    let sent = bench.arm(|arm| arm.got.len());
    // What a new episode does ends nothing.
    bench.gate.stop(StopKind::Hold).unwrap();
    bench.gate.hand_over();
    assert!(matches!(bench.refusal(), Trip::Emergency(_)));
    assert!(bench.gate.clear_emergency().is_err(), "cleared before it was recovered");
    bench.gate.recover().unwrap();
    assert!(matches!(bench.refusal(), Trip::Emergency(_)), "recovering is not clearing");
    bench.ticks(300);
    assert_eq!(bench.arm(|arm| arm.got.len()), sent, "it moved");
    bench.gate.clear_emergency().unwrap();
    bench.step(middle());
    assert_eq!(bench.gate.counts().of(GateEvents::EMERGENCY_STOP), 1);
}

#[test]
fn the_robots_own_stop_latches() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.01, 0.0, 0.1)).unwrap();
    bench.ticks(1);
    bench.arm(|arm| arm.state.value.mode = ArmMode::EmergencyStop);
    // Noticed by whoever looks first, and not forgotten when a stop changes the arm's mode.
    bench.gate.stop(StopKind::Controlled).unwrap();
    bench.arm(|arm| arm.state.value.mode = ArmMode::Idle);
    assert_eq!(bench.mode(), ArmMode::EmergencyStop);
    assert!(matches!(bench.refusal(), Trip::Emergency(_)));
}

#[test]
fn a_takeover_starts_from_the_arm_and_speeds_up_from_nothing() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.02, 0.0, 0.1)).unwrap();
    bench.ticks(10);
    // A soft arm that has come half the way.
    let measured = pose(0.01, 0.0, 0.1);
    bench.arm(|arm| arm.state.value.tcp_pose = measured);
    bench.gate.hand_over();
    assert_eq!(bench.gate.target(bench.now), None);
    let before = bench.arm(|arm| arm.got.len());
    let report = bench.command(pose(0.01, 0.05, 0.1)).unwrap();
    assert_events(report.events, GateEvents::STEP.with(GateEvents::TAKEOVER));
    assert_near(&report.goal, &pose(0.01, 0.02, 0.1));
    bench.ticks(5);
    let places = bench.arm(|arm| arm.got[before - 1..].to_vec());
    let seconds = TICK.as_secs_f64();
    for (tick, pair) in places.windows(2).enumerate() {
        let way = (pair[1].pose().translation.vector - pair[0].pose().translation.vector).norm();
        let allowed = limits().linear.speed_max * (tick + 1) as f64 / 10.0;
        assert!(way / seconds <= allowed + 1e-9, "{} m/s in tick {tick}", way / seconds);
    }
    bench.ticks(8);
    assert_near(&bench.sent(), &report.goal);
}

/// An arm of six joints, each of which moves the TCP along or about one axis.
fn jointed(joints: [f64; 6], gains: [f64; 6]) -> Bench {
    let mut bench = Bench::in_the_middle();
    bench.arm(|arm| {
        arm.state.value.joints = joints.to_vec();
        arm.ends = vec![[-1.0, 1.0]; 6];
        arm.jacobian = Some(Jacobian::from_diagonal_element(6, 1.0));
        for (i, gain) in gains.into_iter().enumerate() {
            arm.jacobian.as_mut().unwrap()[(i, i)] = gain;
        }
    });
    bench
}

#[test]
fn a_joint_near_its_end_moves_away_from_it_but_not_on() {
    let near_its_end = [0.95, 0.0, 0.0, 0.0, 0.0, 0.0];
    let mut bench = jointed(near_its_end, [1.0; 6]);
    assert_events(bench.step(pose(0.01, 0.0, 0.1)).events, GateEvents::JOINT_MARGIN);
    assert!(bench.arm(|arm| arm.got.is_empty()));
    assert_near(&bench.step(pose(-0.01, 0.0, 0.1)).target, &pose(-0.01, 0.0, 0.1));
    let mut bench = jointed([0.89, 0.0, 0.0, 0.0, 0.0, 0.0], [1.0; 6]);
    assert_near(&bench.step(pose(0.01, 0.0, 0.1)).target, &pose(0.01, 0.0, 0.1));
}

#[test]
fn near_a_singular_pose_the_arm_slows_down_and_is_then_held() {
    let with_condition = |condition: f64| {
        let mut bench = jointed([0.0; 6], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0 / condition]);
        bench.command(pose(0.02, 0.0, 0.1)).unwrap();
        bench.ticks(3);
        let moved = bench.arm(|arm| arm.state.value.tcp_pose.translation.x);
        (moved, bench.gate.settle().unwrap().events, bench.gate.refusal())
    };
    let (free, events, _) = with_condition(16.0);
    assert!(!events.contains(GateEvents::SINGULARITY));
    let (slowed, events, refusal) = with_condition(28.0);
    assert!(slowed < 0.5 * free && slowed > 0.0, "{slowed} of {free} m");
    assert!(events.contains(GateEvents::SINGULARITY) && refusal.is_none());
    let (held, events, refusal) = with_condition(31.0);
    assert_eq!(held, 0.0);
    assert!(events.contains(GateEvents::SINGULARITY) && refusal.is_none(), "{refusal:?}");
}

#[test]
fn an_arm_that_stopped_by_itself_gets_no_more_targets() {
    let mut bench = Bench::in_the_middle();
    bench.command(pose(0.02, 0.0, 0.1)).unwrap();
    bench.ticks(1);
    bench.arm(|arm| arm.state.value.mode = ArmMode::Reflex);
    let sent = bench.arm(|arm| arm.got.len());
    bench.ticks(10);
    assert_eq!(bench.arm(|arm| arm.got.len()), sent);
    assert_eq!(bench.mode(), ArmMode::Reflex);
}

#[test]
fn a_gate_that_goes_away_stops_the_arm() {
    let gate = Bench::in_the_middle().gate;
    let device = gate.0.clone();
    drop(gate);
    assert_eq!(lock(&device).arm.stops, [StopKind::Controlled]);
}

#[test]
fn who_sleeps_on_a_ticked_clock_makes_the_device_loop_run() {
    let mut bench = Bench::in_the_middle();
    let clock = bench.gate.ticked(Arc::new(wire::ManualClock::default()));
    bench.command(pose(0.01, 0.0, 0.1)).unwrap();
    clock.sleep_until(Timestamp(100 * MS));
    assert_eq!(bench.arm(|arm| arm.got.len()), 10);
    assert_near(&bench.sent(), &pose(0.01, 0.0, 0.1));
}

#[test]
fn in_real_time_the_device_loop_runs_by_itself() {
    let bench = Bench::in_the_middle();
    let clock = Arc::new(wire::SystemClock::new());
    let mut gate = bench.gate;
    gate.device().core = Core::new(GateLimits { state_age_max: Duration::MAX, ..limits() });
    gate.run_in_real_time(clock.clone()).unwrap();
    gate.command(wire::Clock::now(&*clock), &Command::every(PERIOD, middle())).unwrap();
    // Waits for the condition, however slow the machine is.
    while gate.device().arm.stops.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(gate.device().arm.stops[0], StopKind::Hold, "the lease ran out");
}

#[test]
fn an_arm_that_says_that_its_link_is_lost_takes_no_command() {
    let mut bench = Bench::in_the_middle();
    bench.arm(|arm| arm.state.value.mode = ArmMode::Disconnected);
    assert!(matches!(bench.command(middle()), Err(ArmError::Gone(_))));
    bench.arm(|arm| arm.state.value.mode = ArmMode::Idle);
    bench.command(middle()).unwrap();
}
