//! An export opened with LeRobot's own Python package: every value the same, every picture exact.
//! Installing that package takes 2.5 GB of downloads (its torch brings CUDA), so this runs on
//! `cargo xtask test --python-peers` alone and says so elsewhere.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../src/testing.rs"]
mod testing;

use std::{path::Path, process::Command};

use exchange::{Episode, finished, lerobot};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire::{Action, ActionSource, Outcome};

#[test]
fn lerobots_own_package_reads_what_is_exported() {
    let Some(python) = peers::lerobot("LeRobot's own package") else { return };
    for cameras in [&["wrist"][..], &["wrist", "side"]] {
        check(&python, cameras);
    }
}

fn check(python: &Path, cameras: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let task = testing::task(cameras);
    let (journal, data) = (home.path().join("journal"), home.path().join("data"));
    testing::journal(&journal, &testing::run(&task));
    let source = lerobot::Source { journal: &journal, task: &task, robot: "sim" };
    // Several data files, as in a large export.
    let options = lerobot::ExportOptions { data_file_bytes: 1, ..Default::default() };
    lerobot::export(&source, &options, &data).unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lerobot_peer.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(&data)
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", home.path().join("hf"));
    let output = peers::run(&mut command).unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();

    let episodes: Vec<Episode> = finished(&journal).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(told["episodes"], episodes.len());
    assert_eq!((&told["fps"], &told["robot"]), (&json!(10), &json!("sim")));
    assert_eq!(told["tasks"], json!(["peg"]));
    assert_eq!(told["image_mean_shape"], json!(vec![[3, 1, 1]; cameras.len()]));
    assert_eq!(told["action_mean"].as_array().unwrap().len(), 3);
    let mut index = 0;
    for (number, episode) in episodes.iter().enumerate() {
        let steps = episode.steps.len();
        assert_eq!(told["bounds"][number], json!([index, index + steps, steps]));
        for step in 0..steps {
            check_row(&told["rows"][index], cameras, (number, step, index), episode);
            index += 1;
        }
    }
    assert_eq!(told["frames"], index);
}

fn check_row(
    row: &Value,
    cameras: &[&str],
    (number, at, index): (usize, usize, usize),
    episode: &Episode,
) {
    let (step, seen) = (&episode.steps[at], episode.seen_before(at));
    let last = at + 1 == episode.steps.len();
    let numbers = |values: &[f32]| json!(values);
    let action = |action: &Action| numbers(action.as_slice());
    let or_zeros =
        |given: &Option<Action>| given.as_ref().map_or_else(|| numbers(&[0.0; 3]), action);
    let expected = [
        ("observation.state", numbers(&seen.proprio)),
        ("action", action(&step.executed_action)),
        ("next.reward", json!(step.reward)),
        ("next.done", json!(step.terminated || step.truncated)),
        ("next.terminated", json!(step.terminated)),
        ("next.truncated", json!(step.truncated)),
        ("next.success", json!(last && episode.end.outcome == Outcome::Success)),
        ("complementary_info.is_intervention", json!(step.source == ActionSource::Human)),
        ("complementary_info.policy_version", json!(step.policy_version.0)),
        ("complementary_info.commanded_action", action(&step.commanded_action)),
        ("complementary_info.policy_action", or_zeros(&step.policy_action)),
        ("complementary_info.human_action", or_zeros(&step.human_action)),
        ("complementary_info.gate_events", json!(step.gate_events.0)),
        ("timestamp", json!(at as f32 / 10.0)),
        ("frame_index", json!(at)),
        ("episode_index", json!(number)),
        ("index", json!(index)),
        ("task", json!("peg")),
    ];
    for (key, value) in expected {
        assert!(same(&row[key], &value), "{key} of row {index}: {} is not {value}", row[key]);
    }
    for (camera, frame) in cameras.iter().zip(&seen.frames) {
        let hash: String =
            Sha256::digest(&frame.pixels).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(row[format!("observation.images.{camera}")], hash, "{camera} of row {index}");
    }
}

/// Numbers are those of an f32: JSON's way through decimals may cost the last bit of an f64.
fn same(told: &Value, wanted: &Value) -> bool {
    match (told, wanted) {
        (Value::Array(told), Value::Array(wanted)) => {
            told.len() == wanted.len() && told.iter().zip(wanted).all(|(a, b)| same(a, b))
        }
        (Value::Number(told), Value::Number(wanted)) => {
            let short = |number: &serde_json::Number| number.as_f64().map(|number| number as f32);
            short(told) == short(wanted)
        }
        _ => told == wanted,
    }
}
