//! `cargo xtask test`: set up, then every test once.

use crate::args::{SetupOptions, Tests};
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;
use crate::{setup, shell};

/// Tests that install large Python packages look for this variable.
const PYTHON_PEERS: &str = "REINS_PYTHON_PEERS";
/// Drivers' tests that install a foreign package to speak with look for this one.
pub const HARDWARE_SIMS: &str = "REINS_HARDWARE_SIMS";
/// Its value where a package that cannot be installed leaves its tests out.
pub const IF_THERE: &str = "if-there";

pub fn run(paths: &Paths, options: &SetupOptions, which: Tests) -> anyhow::Result<()> {
    setup::run(paths, options)?;
    let watch = Stopwatch::start();
    let mut test = shell::cargo(&paths.root);
    test.args(["test", "--workspace"]);
    match which {
        Tests::All => {}
        Tests::Unit => drop(test.args(["--lib", "--bins"])),
        Tests::PythonPeers => drop(test.env(PYTHON_PEERS, "1")),
        // Drivers that are not built otherwise are tested here.
        Tests::HardwareSims => drop(test.args(["--features", "franka"]).env(HARDWARE_SIMS, "1")),
        Tests::Browser => {
            test.args(["--test", "system", "console_browser", "--", "--nocapture"]);
            test.env("REINS_TEST_BROWSER", "1");
        }
    }
    shell::run(&mut test)?;
    eprintln!("\nAll tests pass (built and run in {}).", watch.read());
    Ok(())
}
