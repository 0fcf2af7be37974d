//! Python programs that are not ours: clients run against the mocks of the arms, so that driver and mock
//! do not share one misreading of a protocol, and simulators of arms.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The last line that a script of `tests/peers` prints, read as JSON. None where the clients are not
/// wanted.
#[cfg(any(feature = "ur", feature = "xarm"))]
pub(super) fn run(package: &str, script: &str, arguments: &[&str]) -> Option<serde_json::Value> {
    let output = peers::run(prepared(package, script)?.args(arguments)).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    Some(serde_json::from_str(said.lines().last().unwrap()).unwrap())
}

/// To start a script of `tests/peers` with its package. None where it is not wanted.
pub(super) fn prepared(package: &str, script: &str) -> Option<Command> {
    let python = peers::hardware_sim(&format!("a test with {package}"), &[package])?;
    let mut command = Command::new(python);
    command.arg(scripts().join(script));
    Some(command)
}

pub(super) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}
