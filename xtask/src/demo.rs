//! `cargo xtask demo`: set up, build, run the main job; the three times apart.

use crate::args::SetupOptions;
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;
use crate::{setup, shell};
use anyhow::Context;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn run(paths: &Paths, options: &SetupOptions, pass_on: &[OsString]) -> anyhow::Result<()> {
    // Ctrl-C reaches the demo, which ends in order; we wait for it and then tell the times.
    ctrlc::set_handler(|| {}).context("could not take over Ctrl-C")?;
    let set_up = setup::run(paths, options)?;

    let watch = Stopwatch::start();
    eprintln!("Building (several minutes the first time, seconds afterwards)");
    shell::run(shell::cargo(&paths.root).args(["build", "--workspace", "--bin", "reins"]))?;
    let build = watch.read();

    let watch = Stopwatch::start();
    let binary = target_folder(&paths.root)?.join("debug/reins");
    let mut demo = Command::new(binary);
    let outcome = shell::run(demo.current_dir(&paths.root).arg("demo").args(pass_on));
    eprintln!("\nset-up {set_up}, build {build}, run {}", watch.read());
    outcome
}

/// Where cargo puts what it builds.
pub fn target_folder(root: &Path) -> anyhow::Result<PathBuf> {
    let metadata = crate::check_deps::metadata(root, &["--no-deps"])?;
    let folder = metadata["target_directory"].as_str();
    Ok(folder.context("`cargo metadata` names no target_directory")?.into())
}
