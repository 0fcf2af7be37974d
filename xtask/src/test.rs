//! `cargo xtask test`: set up, then every test once.

use crate::args::SetupOptions;
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;
use crate::{setup, shell};

/// Tests that install large Python packages look for this variable.
const PYTHON_PEERS: &str = "REINS_PYTHON_PEERS";

pub fn run(
    paths: &Paths,
    options: &SetupOptions,
    unit_only: bool,
    python_peers: bool,
) -> anyhow::Result<()> {
    setup::run(paths, options)?;
    let watch = Stopwatch::start();
    let kinds: &[&str] = if unit_only { &["--lib", "--bins"] } else { &[] };
    let mut test = shell::cargo(&paths.root);
    test.args(["test", "--workspace"]).args(kinds);
    if python_peers {
        test.env(PYTHON_PEERS, "1");
    }
    shell::run(&mut test)?;
    eprintln!("\nAll tests pass (built and run in {}).", watch.read());
    Ok(())
}
