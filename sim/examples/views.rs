//! Writes what the cameras see at several moments of a demonstration as PNG files.
//! `cargo run -p sim --example views [folder]`

#[path = "../tests/rehearsal.rs"]
#[allow(dead_code, reason = "shared with the tests, which use other parts")]
mod rehearsal;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use drivers::Camera;
use rehearsal::Rehearsal;
use sim::{CameraConfig, SimCell, SimConfig};
use wire::{EpisodeKind, Frame};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "views".into()));
    std::fs::create_dir_all(&folder)?;
    let camera = |name: &str| CameraConfig { name: name.into(), width: 128, height: 128 };
    let cameras = vec![camera("wrist"), camera("side")];
    let cell = SimCell::start(SimConfig { cameras, ..SimConfig::default() })?;
    let mut rehearsal = Rehearsal::new(cell);

    let mut written = Ok(());
    for number in 0..3 {
        let outcome = rehearsal.episode(EpisodeKind::Demonstration, number, |cell, step| {
            if step % 6 == 0 || cell.truth.relative_pose().translation.z < -0.015 {
                for camera in &mut cell.cameras {
                    let name = format!("{number}-{step:02}-{}.png", camera.info().name);
                    let picture = camera.latest(Duration::MAX).expect("a picture is drawn");
                    let saved = save(&folder.join(name), &picture.value);
                    written = std::mem::replace(&mut written, Ok(())).and(saved);
                }
            }
        });
        println!("demonstration {number}: {outcome:?}");
    }
    written?;
    println!("pictures are in {}", folder.display());
    Ok(())
}

fn save(path: &Path, frame: &Frame) -> io::Result<()> {
    let mut encoder =
        png::Encoder::new(File::create(path)?, frame.width.into(), frame.height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().map_err(io::Error::other)?.write_image_data(&frame.pixels)?;
    Ok(())
}
