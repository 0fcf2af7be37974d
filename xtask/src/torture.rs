//! `cargo xtask torture`: kills the real processes again and again, and compares.

use std::ffi::OsString;

use crate::args::SetupOptions;
use crate::paths::Paths;
use crate::{setup, shell};

pub fn run(paths: &Paths, pass_on: &[OsString]) -> anyhow::Result<()> {
    setup::run(paths, &SetupOptions::default())?;
    let harness = ["test", "--package", "reins", "--test", "torture", "--"];
    shell::run(shell::cargo(&paths.root).args(harness).args(pass_on))
}
