//! Measures the simulated cell: demonstrations per preset, physics per step, pictures.
//! `cargo run -p sim --example measure [seeds]`

#[path = "../tests/rehearsal.rs"]
#[allow(dead_code, reason = "shared with the tests, which use other parts")]
mod rehearsal;

use std::time::Duration;

use drivers::Camera;
use rehearsal::{Rehearsal, STEP};
use sim::{CameraConfig, Preset, SimCell, SimConfig};
use wire::{Clock, EpisodeKind, SystemClock};

fn main() {
    let seeds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(50);
    let wall = SystemClock::new();
    for preset in [Preset::Easy, Preset::Default, Preset::Hard] {
        demonstrations(preset, seeds, &wall);
    }
    physics(&wall);
    pictures(&wall);
}

fn cell(preset: Preset, names: &[&str]) -> SimCell {
    let camera = |name: &&str| CameraConfig { name: (*name).into(), width: 128, height: 128 };
    let cameras = names.iter().map(camera).collect();
    SimCell::start(SimConfig { preset, cameras, ..SimConfig::default() }).expect("a cell starts")
}

fn demonstrations(preset: Preset, seeds: u32, wall: &SystemClock) {
    let mut rehearsal = Rehearsal::new(cell(preset, &[]));
    let (mut successes, mut steps) = (0_u32, 0_u32);
    let (mut penetration, mut force) = (0.0_f64, 0.0_f64);
    let begin = wall.now();
    let mut failed = Vec::new();
    for seed in 0..seeds {
        let outcome = rehearsal.episode(EpisodeKind::Demonstration, seed, |_, _| ());
        if outcome.success {
            successes += 1;
            steps += outcome.steps;
        } else {
            failed.push(seed);
        }
        penetration = penetration.max(outcome.penetration_m);
        force = force.max(outcome.force_n);
    }
    println!(
        "{preset:?}: {successes}/{seeds} demonstrations, {:.1} steps when successful, \
         penetration at most {:.3} mm, force at most {force:.1} N, {:?} in all, failed {failed:?}",
        f64::from(steps) / f64::from(successes.max(1)),
        penetration * 1e3,
        wall.now().since(begin),
    );
}

fn physics(wall: &SystemClock) {
    let cell = cell(Preset::Default, &[]);
    let begin = wall.now();
    let steps = 200;
    cell.clock.sleep_until(cell.clock.now() + STEP * steps);
    println!("physics: {:?} per step of {STEP:?}", wall.now().since(begin) / steps);
}

fn pictures(wall: &SystemClock) {
    let mut rehearsal = Rehearsal::new(cell(Preset::Default, &["wrist", "side"]));
    let mut spent = [Duration::ZERO; 2];
    let mut count = 0;
    for seed in 0..5 {
        rehearsal.episode(EpisodeKind::Demonstration, seed, |cell, _| {
            count += 1;
            for (camera, spent) in cell.cameras.iter_mut().zip(&mut spent) {
                let begin = wall.now();
                camera.latest(Duration::MAX).expect("a picture is drawn");
                *spent += wall.now().since(begin);
            }
        });
    }
    for (camera, spent) in rehearsal.cameras.iter().zip(spent) {
        println!("picture of {}: {:?}, mean of {count}", camera.info().name, spent / count);
    }
}
