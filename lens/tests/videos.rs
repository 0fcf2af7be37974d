//! Video files by way of `reins-lens`: in order, complete, and as near to the pictures as H.264 is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "cameras/scene.rs"]
#[expect(dead_code, reason = "the cameras' tests use more of it")]
mod scene;

use std::{fs, path::Path};

use drivers::camera::{Lens, VideoReader};
use scene::{HEIGHT, WIDTH};
use wire::Frame;

/// H.264 keeps colours at half the resolution, and rounds.
const OFF: u8 = 16;

fn lens() -> Lens {
    Lens::at(env!("CARGO_BIN_EXE_reins-lens"))
}

fn read(path: &Path) -> VideoReader {
    lens().read_video(path).unwrap()
}

fn refusal(path: &Path) -> String {
    let first = read(path).next().expect("no end without a word");
    first.unwrap_err().to_string()
}

#[test]
fn every_picture_comes_back_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let mut writer = lens().write_video(&path, 10.0, (WIDTH, HEIGHT)).unwrap();
    for number in 0..=255 {
        writer.write(&scene::rgb(number)).unwrap();
    }
    writer.finish().unwrap();
    let mut numbers = Vec::new();
    for frame in read(&path) {
        let frame = frame.unwrap();
        assert_eq!((frame.width, frame.height), (WIDTH, HEIGHT));
        scene::check_colours(&frame, OFF);
        numbers.push(scene::number(&frame));
    }
    assert_eq!(numbers, (0..=255).collect::<Vec<u8>>());
}

/// AV1, as LeRobot 0.4.4 wrote it: two episodes of three grey pictures.
#[test]
fn a_video_of_lerobot_is_read() {
    let path = "../exchange/tests/fixtures/lerobot-0.4.4-video/videos/observation.images.wrist/\
                chunk-000/file-000.mp4";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let grey = |frame: std::io::Result<Frame>| {
        let frame = frame.unwrap();
        assert_eq!((frame.width, frame.height), (64, 64));
        frame.pixels[frame.pixels.len() / 2]
    };
    let seen: Vec<u8> = read(&path).map(grey).collect();
    assert_eq!(seen.len(), 6);
    for (seen, wanted) in seen.iter().zip([0, 60, 120, 20, 80, 140u8]) {
        assert!(seen.abs_diff(wanted) <= 3, "{seen} is not {wanted}");
    }
}

#[test]
fn what_is_no_video_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    assert!(refusal(&path).contains("there is no file"), "{}", refusal(&path));
    fs::write(&path, "not a film").unwrap();
    let said = refusal(&path);
    assert!(said.contains("film.mp4 as a video"), "{said}");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let said = lens().write_video(&path, 10.0, (63, 48)).unwrap_err().to_string();
    assert!(said.contains("63x48"), "{said}");
    let nowhere = folder.path().join("nowhere/film.mp4");
    let said = lens().write_video(&nowhere, 10.0, (64, 48)).unwrap_err().to_string();
    assert!(said.contains("nowhere/film.mp4"), "{said}");

    // Another size in the middle; it may show in the next call.
    let mut writer = lens().write_video(&path, 10.0, (WIDTH, HEIGHT)).unwrap();
    writer.write(&scene::rgb(1)).unwrap();
    writer.write(&Frame::new(2, 2, vec![0; 12]).unwrap()).unwrap();
    let said = writer.finish().unwrap_err().to_string();
    assert!(said.contains("2x2"), "{said}");
}
