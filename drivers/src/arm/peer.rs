//! Python programs that are not ours: clients run against the mocks of the arms, so that driver and mock
//! do not share one misreading of a protocol, and simulators of arms. They are installed and run by
//! `cargo xtask test --hardware-sims`, and elsewhere say that they are skipped.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Set by `cargo xtask test --hardware-sims`.
const WANTED: &str = "REINS_HARDWARE_SIMS";

/// The last line that a script of `tests/peers` prints, read as JSON. None where the clients are not
/// wanted.
#[cfg(any(feature = "ur", feature = "xarm"))]
pub(super) fn run(package: &str, script: &str, arguments: &[&str]) -> Option<serde_json::Value> {
    let output = done(prepared(package, script)?.args(arguments));
    let said = String::from_utf8(output.stdout).unwrap();
    Some(serde_json::from_str(said.lines().last().unwrap()).unwrap())
}

/// To start a script of `tests/peers` with its package. None where it is not wanted.
pub(super) fn prepared(package: &str, script: &str) -> Option<Command> {
    if env::var_os(WANTED).is_none() {
        // Past the test harness, which keeps what a passing test prints.
        let why = "`cargo xtask test --hardware-sims` runs it";
        _ = writeln!(std::io::stderr(), "skipped: a test with {package}: {why}");
        return None;
    }
    let mut command = Command::new(python(package));
    command.arg(peers().join(script));
    Some(command)
}

pub(super) fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}

/// An interpreter that has the package, from the cache or freshly installed.
fn python(package: &str) -> PathBuf {
    let folder = cache().join("python").join(package.replace("==", "-"));
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    if !ready.exists() {
        done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let install = ["-m", "pip", "install", "--quiet", "--no-cache-dir", "--retries", "1"];
        done(Command::new(&python).args(install).arg(package));
        fs::write(&ready, "").unwrap();
    }
    python
}

/// As `cargo xtask setup` chooses it.
fn cache() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("REINS_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("reins")))
        .or_else(|| Some(variable("HOME")?.join(".cache/reins")))
        .expect("HOME or REINS_CACHE is set")
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {said}");
    output
}
