//! Python clients that are not ours, run against the mocks of the arms: so that driver and mock do
//! not share one misreading of a protocol.

use std::{path::Path, process::Command};

/// The last line that a script of `tests/peers` prints, read as JSON. None where the clients are not
/// wanted.
pub(super) fn run(package: &str, script: &str, arguments: &[&str]) -> Option<serde_json::Value> {
    let python = peers::hardware_sim(&format!("{package} against the mock"), &[package])?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(script);
    let output = peers::run(Command::new(python).arg(script).args(arguments)).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    Some(serde_json::from_str(said.lines().last().unwrap()).unwrap())
}
