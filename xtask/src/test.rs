//! `cargo xtask test`: set up, then every test once.

use crate::args::SetupOptions;
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;
use crate::{setup, shell};

pub fn run(paths: &Paths, options: &SetupOptions, unit_only: bool) -> anyhow::Result<()> {
    setup::run(paths, options)?;
    let watch = Stopwatch::start();
    let kinds: &[&str] = if unit_only { &["--lib", "--bins"] } else { &[] };
    shell::run(shell::cargo(&paths.root).args(["test", "--workspace"]).args(kinds))?;
    eprintln!("\nAll tests pass (built and run in {}).", watch.read());
    Ok(())
}
