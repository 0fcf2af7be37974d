//! The simulated cell through its driver traits, driven as the actor drives it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod conformance;
mod gate;
mod pick_cube;
mod rehearsal;
mod two_arms;
mod usb;

use std::time::Duration;

use drivers::{
    Arm, ArmMode, Camera, Command, EpisodeBrief, Fixture, GuardedArm, StopKind, SuccessSensor,
    Teleop,
};
use nalgebra::Vector3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rehearsal::{Rehearsal, STEP, tool_down};
use sim::{CameraConfig, ClockMode, Happening, Preset, SimCell, SimConfig, SimError};
use wire::{EpisodeId, EpisodeKind, Mark, Timestamp, geometry::Pose};

fn config(preset: Preset) -> SimConfig {
    SimConfig { preset, cameras: Vec::new(), ..SimConfig::default() }
}

fn blind(preset: Preset) -> Rehearsal {
    Rehearsal::new(SimCell::start(config(preset)).unwrap())
}

/// A cell with both cameras, or `None` (and a line that says so) where EGL is missing.
fn seeing() -> Option<Rehearsal> {
    let camera = |name: &str| CameraConfig { name: name.into(), width: 128, height: 128 };
    let cameras = vec![camera("wrist"), camera("side")];
    match SimCell::start(SimConfig { cameras, ..SimConfig::default() }) {
        Ok(cell) => Some(Rehearsal::new(cell)),
        Err(error @ SimError::Render(_)) => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn moved(pose: &Pose, by_mm: [f64; 3]) -> Pose {
    Pose::from_parts((pose.translation.vector + Vector3::from(by_mm) * 1e-3).into(), pose.rotation)
}

fn distance_mm(a: &Pose, b: &Pose) -> f64 {
    (a.translation.vector - b.translation.vector).norm() * 1e3
}

#[test]
fn the_arm_starts_over_the_workspace_with_the_tool_down() {
    let cell = blind(Preset::Default);
    let home = Pose::from_parts(Vector3::new(0.5, 0.0, 0.11).into(), tool_down());
    assert!(distance_mm(&cell.tcp(), &home) < 0.01);
    assert!(cell.tcp().rotation.angle_to(&home.rotation) < 1e-4);
    let state = cell.gate.state().unwrap().value;
    assert_eq!(state.mode, ArmMode::Idle);
    assert_eq!(cell.gate.skeleton().len(), 10, "base, seven joints, hand, TCP");
}

#[test]
fn an_arm_without_a_target_keeps_its_home_pose() {
    let cell = blind(Preset::Default);
    let home = cell.tcp();
    cell.clock.sleep_until(Timestamp(5_000_000_000));
    assert!(distance_mm(&cell.tcp(), &home) < 0.05);
    let force = cell.gate.state().unwrap().value.wrench.unwrap().force.norm();
    assert!(force < 0.05, "{force} N in free space");
}

/// How far the TCP has come (mm) on its way to a target `by_mm` away: after 0.1 s, at most, and
/// after 1 s.
fn check_step_response(by_mm: [f64; 3]) {
    let mut cell = blind(Preset::Default);
    let home = cell.tcp();
    let target = moved(&home, by_mm);
    let size = distance_mm(&home, &target);
    cell.step(&target);
    let first = distance_mm(&cell.tcp(), &home);
    let mut farthest = first;
    for _ in 0..9 {
        cell.step(&target);
        farthest = farthest.max(distance_mm(&cell.tcp(), &home));
    }
    assert!((0.5 * size..size * 1.3).contains(&first), "{first} mm of {size} in 0.1 s");
    assert!(farthest < size * 1.5, "{farthest} mm of {size} at most");
    let off = distance_mm(&cell.tcp(), &target);
    assert!(off < 0.3, "{off} mm off after a second");
}

#[test]
fn a_step_of_ten_millimetres_is_followed_in_free_space() {
    check_step_response([10.0, 0.0, 0.0]);
    check_step_response([0.0, -10.0, 0.0]);
    check_step_response([0.0, 0.0, -10.0]);
}

#[test]
fn a_pressing_arm_pushes_no_harder_than_its_spring() {
    let mut cell = blind(Preset::Default);
    let on_the_block = Vector3::new(0.5, 0.018, 0.0);
    for height_mm in (0..100).rev().step_by(10) {
        let at = on_the_block + Vector3::z() * f64::from(height_mm) * 1e-3;
        cell.step(&Pose::from_parts(at.into(), tool_down()));
    }
    let force = cell.gate.state().unwrap().value.wrench.unwrap().force;
    assert!((19.0..20.5).contains(&force.z), "the socket pushes up with {} N", force.z);
    assert!(cell.truth.penetration_m() < 1e-4);
}

#[test]
fn an_arm_whose_lease_ran_out_holds_where_it_is() {
    let mut cell = blind(Preset::Default);
    let home = cell.tcp();
    cell.step(&moved(&home, [40.0, 0.0, 0.0]));
    let lease = rehearsal::limits().lease;
    let ends = Timestamp(0) + lease;
    cell.clock.sleep_until(ends);
    assert_eq!(cell.gate.state().unwrap().value.mode, ArmMode::Running);
    let there = cell.tcp();
    cell.clock.sleep_until(ends + STEP * 20);
    let state = cell.gate.state().unwrap().value;
    assert_eq!(state.mode, ArmMode::Holding);
    assert!(distance_mm(&there, &cell.tcp()) < 1.0, "it drifted");
    assert!(distance_mm(&home, &cell.tcp()) > 10.0, "it had moved");
    assert!(state.twist.linear.norm() < 1e-3);
}

#[test]
fn a_stopped_arm_takes_no_command_until_it_is_recovered() {
    let mut cell = blind(Preset::Default);
    let home = cell.tcp();
    cell.gate.stop(StopKind::Controlled).unwrap();
    let target = moved(&home, [0.0, 10.0, 0.0]);
    let command = Command::every(STEP, target);
    assert!(cell.gate.command(cell.clock.now(), &command).is_err());
    cell.gate.stop(StopKind::Hold).unwrap();
    assert!(cell.gate.command(cell.clock.now(), &command).is_err(), "a milder stop ended the stop");
    cell.gate.recover().unwrap();
    assert_eq!(cell.gate.state().unwrap().value.mode, ArmMode::Idle);
    cell.step(&target);
    assert!(distance_mm(&home, &cell.tcp()) > 5.0);
}

/// At least 19 of 20 demonstrations succeed, gently.
fn check_demonstrations(preset: Preset) {
    let mut cell = blind(preset);
    let outcomes: Vec<_> = (1000..1020)
        .map(|number| cell.episode(EpisodeKind::Demonstration, number, |_, _| ()))
        .collect();
    let successes = outcomes.iter().filter(|o| o.success).count();
    assert!(successes >= 19, "{successes} of 20: {outcomes:?}");
    for outcome in outcomes {
        assert_eq!(outcome.human_steps, outcome.steps, "a demonstration is driven by the person");
        assert!(outcome.penetration_m < 2e-4, "{outcome:?}");
        assert!(outcome.force_n < 60.0, "{outcome:?}");
    }
}

#[test]
fn demonstrations_succeed_easy() {
    check_demonstrations(Preset::Easy);
}

#[test]
fn demonstrations_succeed_default() {
    check_demonstrations(Preset::Default);
}

#[test]
fn demonstrations_succeed_hard() {
    check_demonstrations(Preset::Hard);
}

#[test]
fn in_training_the_person_helps_a_policy_that_does_nothing_in_some_episodes() {
    let mut cell = blind(Preset::Default);
    let outcomes: Vec<_> =
        (0..12).map(|number| cell.episode(EpisodeKind::Training, number, |_, _| ())).collect();
    let helped = outcomes.iter().filter(|o| o.human_steps > 0).count();
    assert!((3..=9).contains(&helped), "{helped} of 12 episodes: {outcomes:?}");
    assert!(outcomes.iter().all(|o| o.human_steps < o.steps), "patience comes first");
    assert!(outcomes.iter().any(|o| o.success), "help leads to success");
    assert_eq!(cell.teleop.trust(), 0.0, "helped successes are not the policy's");
}

#[test]
fn in_training_the_person_rescues_a_policy_that_moves_at_random() {
    let mut cell = blind(Preset::Default);
    cell.policy = Some(ChaCha8Rng::seed_from_u64(0));
    let outcomes: Vec<_> =
        (0..40).map(|number| cell.episode(EpisodeKind::Training, number, |_, _| ())).collect();
    let helped: Vec<_> = outcomes.iter().filter(|o| o.human_steps > 0).collect();
    let rescued = helped.iter().filter(|o| o.success).count();
    assert!(helped.len() >= 10, "{outcomes:?}");
    assert!(rescued * 10 >= helped.len() * 8, "{rescued} of {}: {helped:?}", helped.len());
}

/// Whether the hand is still on the device when a demonstration has succeeded.
fn holds_on_when_done(lets_go: bool) -> bool {
    let mut operator = config(Preset::Easy).operator;
    operator.lets_go = lets_go;
    let config = SimConfig { operator, ..config(Preset::Easy) };
    let mut cell = Rehearsal::new(SimCell::start(config).unwrap());
    let outcome = cell.episode(EpisodeKind::Demonstration, 0, |_, _| ());
    assert!(outcome.success && outcome.human_steps == outcome.steps, "{outcome:?}");
    cell.teleop.sample().unwrap().value.engaged
}

#[test]
fn the_hand_leaves_the_device_when_the_task_is_done_if_it_is_told_to() {
    assert!(holds_on_when_done(false) && !holds_on_when_done(true));
}

#[test]
fn in_an_evaluation_the_person_only_watches() {
    let mut cell = blind(Preset::Default);
    let outcome = cell.episode(EpisodeKind::Evaluation, 3, |_, _| ());
    assert_eq!((outcome.human_steps, outcome.success), (0, false));
}

#[test]
fn success_without_help_earns_trust() {
    let mut cell = blind(Preset::Easy);
    let brief = EpisodeBrief { episode: EpisodeId(7), kind: EpisodeKind::Training, seed: 7 };
    cell.reset(&brief);
    let seat = moved(&cell.truth.socket_pose(), [0.0, 0.0, -18.0]).translation;
    while !cell.success.succeeded() {
        assert!(cell.clock.now() < Timestamp(30_000_000_000), "the script must insert the peg");
        // Straight over the slot first, then down; the person is asked but never needed.
        let way = seat.vector - cell.tcp().translation.vector;
        let over = way.xy().norm() > 2e-4;
        let down = if over { 0.0 } else { way.z.max(-0.008) };
        let next = cell.tcp().translation.vector + Vector3::new(way.x, way.y, down);
        let upright = cell.truth.socket_pose().rotation * tool_down();
        cell.step(&Pose::from_parts(next.into(), upright));
        cell.teleop.sample().unwrap();
    }
    cell.teleop.announce(&EpisodeBrief { episode: EpisodeId(8), ..brief });
    assert!((cell.teleop.trust() - 0.1).abs() < 1e-9, "{}", cell.teleop.trust());
}

#[test]
fn the_socket_waits_for_the_peg_to_leave_before_it_moves() {
    let mut cell = blind(Preset::Default);
    assert!(cell.episode(EpisodeKind::Demonstration, 1, |_, _| ()).success);
    let old = cell.truth.socket_pose();
    let brief = EpisodeBrief { episode: EpisodeId(2), kind: EpisodeKind::Demonstration, seed: 2 };
    cell.fixture.prepare(&brief).unwrap();
    assert_eq!(cell.truth.socket_pose(), old);
    cell.reset(&brief);
    assert!(distance_mm(&cell.truth.socket_pose(), &old) > 1.0);
}

/// The socket stays within 20 mm of its middle and within this yaw, and the seed alone places it.
fn check_socket_range(preset: Preset, yaw_max_rad: f64) {
    let mut cell = blind(preset);
    let mut place = |episode, seed| {
        let kind = EpisodeKind::Training;
        cell.fixture.prepare(&EpisodeBrief { episode: EpisodeId(episode), kind, seed }).unwrap();
        cell.truth.socket_pose()
    };
    assert_eq!(place(0, 5), place(9, 5));
    let mut widest = [0.0_f64; 3];
    for seed in 0..50 {
        let socket = place(1, seed);
        let at = socket.translation.vector - Vector3::new(0.5, 0.0, 0.025);
        assert_eq!(at.z, 0.0);
        for (widest, value) in widest.iter_mut().zip([at.x, at.y, socket.rotation.angle()]) {
            *widest = widest.max(value.abs());
        }
    }
    for (widest, range) in widest.into_iter().zip([0.02, 0.02, yaw_max_rad]) {
        assert!((0.9 * range..=1.001 * range).contains(&widest), "{widest} of {range}");
    }
}

#[test]
fn the_socket_stands_where_the_seed_says_and_within_its_range() {
    check_socket_range(Preset::Easy, 0.0);
    check_socket_range(Preset::Default, 0.10472);
    check_socket_range(Preset::Hard, 0.10472);
}

/// Everything that can be read off an episode, as bytes.
fn trace(cell: &mut Rehearsal) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..2 {
        cell.episode(EpisodeKind::Training, number, |cell, step| {
            let state = cell.gate.state().unwrap();
            bytes.extend(state.at.0.to_le_bytes());
            let wrench = state.value.wrench.unwrap();
            let numbers = state.value.joints.iter().chain(&state.value.joint_velocities);
            bytes.extend(numbers.chain(wrench.force.iter()).flat_map(|x| x.to_le_bytes()));
            if step % 20 == 0 {
                for camera in &mut cell.cameras {
                    bytes.extend_from_slice(&camera.latest(Duration::ZERO).unwrap().value.pixels);
                }
            }
        });
    }
    bytes.extend(cell.clock.wall_now().0.to_le_bytes());
    bytes
}

#[test]
fn the_same_seed_gives_the_same_states() {
    let run = |seed| {
        trace(&mut Rehearsal::new(
            SimCell::start(SimConfig { seed, ..config(Preset::Default) }).unwrap(),
        ))
    };
    let first = run(1);
    assert!(first == run(1), "two runs of one seed differ");
    assert!(first != run(2), "the seed has no effect");
}

#[test]
fn the_same_seed_gives_the_same_pictures() {
    let (Some(mut first), Some(mut second)) = (seeing(), seeing()) else {
        return;
    };
    assert!(trace(&mut first) == trace(&mut second), "two runs of one seed differ");
}

/// How many pixels of a picture have about this colour's hue.
fn pixels_like(pixels: &[u8], is_like: impl Fn(i32, i32, i32) -> bool) -> usize {
    let (pixels, _) = pixels.as_chunks::<3>();
    pixels.iter().filter(|[r, g, b]| is_like((*r).into(), (*g).into(), (*b).into())).count()
}

/// The start of an episode shows so many pixels at least of each thing.
fn check_colours(camera: usize, green: usize, gold: usize, blue: usize, mat: usize) {
    let Some(mut cell) = seeing() else {
        return;
    };
    let kind = EpisodeKind::Demonstration;
    cell.reset(&EpisodeBrief { episode: EpisodeId(0), kind, seed: 0 });
    let picture = cell.cameras[camera].latest(Duration::ZERO).unwrap();
    assert_eq!(picture.at, cell.clock.now(), "a picture shows the present");
    let pixels = &picture.value.pixels;
    for (name, least, found) in [
        ("green", green, pixels_like(pixels, |r, g, b| g > 2 * r && g > 2 * b)),
        ("gold", gold, pixels_like(pixels, |r, g, b| r > 3 * b && g > 2 * b && r > g)),
        ("blue", blue, pixels_like(pixels, |r, g, b| b > 3 * r && b > g + 40)),
        ("mat", mat, pixels_like(pixels, |r, g, b| r > 100 && (r - b).abs() < 40 && g < r)),
    ] {
        assert!(found >= least, "{found} {name} pixels, not {least}");
    }
}

#[test]
fn the_wrist_camera_sees_peg_tip_and_socket() {
    check_colours(0, 300, 30, 1500, 5000);
}

#[test]
fn the_side_camera_sees_peg_tip_and_socket() {
    check_colours(1, 200, 30, 1000, 5000);
}

#[test]
fn a_camera_sees_what_has_moved_though_no_time_has_passed() {
    let Some(mut cell) = seeing() else {
        return;
    };
    let mut pictures = (0..2).map(|seed| {
        let kind = EpisodeKind::Training;
        cell.fixture.prepare(&EpisodeBrief { episode: EpisodeId(0), kind, seed }).unwrap();
        cell.cameras[1].latest(Duration::ZERO).unwrap().value
    });
    assert!(pictures.next() != pictures.next());
}

#[test]
fn an_unknown_camera_is_refused_by_name() {
    let camera = CameraConfig { name: "ceiling".into(), width: 64, height: 64 };
    let error = SimCell::start(SimConfig { cameras: vec![camera], ..SimConfig::default() });
    assert!(error.unwrap_err().to_string().contains("ceiling"));
}

#[test]
fn in_real_time_the_physics_follows_the_wall_clock() {
    let cell =
        SimCell::start(SimConfig { clock: ClockMode::Real, ..config(Preset::Default) }).unwrap();
    // Waits for the condition, however slow the machine is.
    while cell.arm.state().unwrap().at < Timestamp(20_000_000) {
        std::thread::yield_now();
    }
    assert!(cell.arm.state().unwrap().at <= cell.clock.now());
}

#[test]
fn the_cell_writes_down_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let mut wanted = Vec::new();
    for _ in 0..2 {
        let truth_log = Some(path.clone());
        let cell = SimCell::start(SimConfig { truth_log, ..config(Preset::Default) }).unwrap();
        let mut cell = Rehearsal::new(cell);
        let brief = EpisodeBrief { episode: EpisodeId(7), kind: EpisodeKind::Training, seed: 1 };
        cell.fixture.prepare(&brief).unwrap();
        let target = moved(&cell.tcp(), [0.0, 1.0, 0.0]);
        cell.step(&target);
        wanted.push(target);
        cell.gate.stop(StopKind::Hold).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let happenings: Vec<Happening> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lives: Vec<&[Happening]> =
        happenings.split(|happening| *happening == Happening::Started).skip(1).collect();
    assert_eq!(lives.len(), 2, "one line for each cell that came up");
    for (life, wanted) in lives.iter().zip(&wanted) {
        assert_eq!(life[0], Happening::Prepared { episode: EpisodeId(7) });
        let targets: Vec<_> = life
            .iter()
            .filter_map(|happening| match happening {
                Happening::Commanded { at, target } => Some((*at, *target)),
                _ => None,
            })
            .collect();
        assert!(targets.is_sorted_by_key(|(at, _)| *at), "{targets:?}");
        let (last, reached) = targets.last().expect("the device loop commands the arm");
        assert!(*last > Timestamp(0) && *last <= Timestamp(0) + STEP, "{last:?}");
        assert!(distance_mm(reached, wanted) < 0.01, "{reached:?}");
        let measured = |happening: &&Happening| matches!(happening, Happening::Measured { .. });
        assert!(life.iter().filter(measured).count() > 1);
        let stopped = |happening: &&Happening| matches!(happening, Happening::Stopped { .. });
        assert!(life.iter().rfind(|happening| !measured(happening)).is_some_and(|h| stopped(&h)));
    }
}

/// What a reward classifier is to learn from: the peg seated, and everything that looks like it.
#[test]
fn the_person_shows_what_is_success_and_what_is_not_and_marks_it() {
    let mut cell = blind(Preset::Default);
    let (mut seated, mut half, mut beside_slot, mut over_slot, mut beside_block) = (0, 0, 0, 0, 0);
    const EPISODES: u32 = 12;
    let mut steps = 0;
    for number in 0..EPISODES {
        let outcome = cell.episode(EpisodeKind::Labelling, number, |cell, step| {
            let marked = cell.teleop.mark() == Some(Mark::Success);
            assert_eq!(marked, cell.success.succeeded(), "episode {number}, step {step}");
            let tip = cell.truth.relative_pose().translation.vector * 1e3;
            let (aside, height) = (tip.xy().norm(), tip.z);
            seated += u32::from(marked);
            half += u32::from(!marked && aside < 2.5 && (-14.0..-2.0).contains(&height));
            beside_slot += u32::from((3.0..16.0).contains(&aside) && (-2.0..3.0).contains(&height));
            over_slot += u32::from(aside < 3.0 && (0.0..9.0).contains(&height));
            beside_block += u32::from(aside > 25.0 && height < -10.0);
        });
        steps += outcome.steps;
        assert_eq!(outcome.human_steps, outcome.steps);
    }
    assert_eq!(steps, 100 * EPISODES, "no episode ends with success");
    let counts = [half, beside_slot, over_slot, beside_block];
    eprintln!("{seated} seated of {steps}; half, beside slot, over slot, beside block: {counts:?}");
    assert!((steps / 8..steps / 2).contains(&seated), "{seated} of {steps} seated");
    assert!(half > 40 && beside_slot > 20 && over_slot > 20 && beside_block > 2, "{counts:?}");
}

#[test]
fn who_is_not_asked_for_labels_presses_no_button() {
    let mut cell = blind(Preset::Default);
    let outcome = cell.episode(EpisodeKind::Demonstration, 3, |cell, _| {
        assert_eq!(cell.teleop.mark(), None);
    });
    assert!(outcome.success);
}

#[test]
fn the_cells_own_log_says_once_when_the_peg_was_seated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let truth_log = Some(path.clone());
    let cell = SimCell::start(SimConfig { truth_log, ..config(Preset::Default) }).unwrap();
    let mut cell = Rehearsal::new(cell);
    assert!(cell.episode(EpisodeKind::Labelling, 5, |_, _| {}).steps == 100);
    let text = std::fs::read_to_string(&path).unwrap();
    let happenings = text.lines().map(|line| serde_json::from_str::<Happening>(line).unwrap());
    let seated: Vec<_> = happenings.filter(|h| matches!(h, Happening::Seated { .. })).collect();
    assert_eq!(seated.len(), 1, "{seated:?}");
    assert!(matches!(seated[0], Happening::Seated { episode: EpisodeId(5), .. }));
}
