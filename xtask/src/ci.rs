//! `cargo xtask ci`: what the merge gate runs. Stops at the first failure and ends with a table.

use crate::args::SetupOptions;
use crate::paths::Paths;
use crate::stopwatch::{Stopwatch, Took};
use crate::{check_deps, setup, shell, test};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

type Check = fn(&Paths) -> anyhow::Result<()>;

/// Drivers that are not built otherwise, too.
const ALL_DRIVERS: [&str; 2] = ["--features", "franka"];

/// Cheap ones first. Tests and doctests run once; clippy and the docs share their type checks.
const STEPS: &[(&str, Check)] = &[
    ("format", format),
    ("which crate uses which", check_deps::run),
    ("licences, bans, sources", licences),
    ("set-up", set_up),
    ("clippy", clippy),
    ("tests", tests),
    ("Franka's arm, simulated", franka),
    ("docs", docs),
];

enum Outcome {
    Passed(Took),
    Failed(Took),
    NotRun,
}

pub fn run(paths: &Paths) -> anyhow::Result<()> {
    let mut outcomes = Vec::new();
    let mut failure = None;
    for (name, check) in STEPS {
        if failure.is_some() {
            outcomes.push((*name, Outcome::NotRun));
            continue;
        }
        eprintln!("\n==== {name} ====");
        let watch = Stopwatch::start();
        let result = check(paths);
        let took = watch.read();
        outcomes.push(match &result {
            Ok(()) => (*name, Outcome::Passed(took)),
            Err(_) => (*name, Outcome::Failed(took)),
        });
        failure = result.err().map(|error| error.context(format!("{name} failed")));
    }
    eprintln!("\n{}", table(&outcomes));
    failure.map_or(Ok(()), Err)
}

fn table(outcomes: &[(&str, Outcome)]) -> String {
    let line = |(name, outcome): &(&str, Outcome)| match outcome {
        Outcome::Passed(took) => format!("{name:<26} passed   {took:>12}"),
        Outcome::Failed(took) => format!("{name:<26} FAILED   {took:>12}"),
        Outcome::NotRun => format!("{name:<26} not run"),
    };
    outcomes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn format(paths: &Paths) -> anyhow::Result<()> {
    shell::run(shell::cargo(&paths.root).args(["fmt", "--all", "--check"]))
}

fn set_up(paths: &Paths) -> anyhow::Result<()> {
    setup::run(paths, &SetupOptions { yes: true, ..SetupOptions::default() }).map(drop)
}

fn clippy(paths: &Paths) -> anyhow::Result<()> {
    let lints = ["--", "-D", "warnings"];
    let scope = ["clippy", "--workspace", "--all-targets", "--locked"];
    shell::run(shell::cargo(&paths.root).args(scope).args(ALL_DRIVERS).args(lints))
}

/// As a newcomer types it; the drivers' foreign peers too, where they can be installed.
fn tests(paths: &Paths) -> anyhow::Result<()> {
    let mut test = shell::cargo(&paths.root);
    test.args(["xtask", "test", "--yes"]).env(test::HARDWARE_SIMS, test::IF_THERE);
    shell::run(&mut test)
}

/// The loop of 1 ms against the simulator, with nothing beside it: by themselves, one after the other.
fn franka(paths: &Paths) -> anyhow::Result<()> {
    let mut test = shell::cargo(&paths.root);
    test.args(["test", "--workspace", "--lib"]).args(ALL_DRIVERS);
    test.args(["arm::franka", "--", "--test-threads=1"]);
    shell::run(test.env(test::HARDWARE_SIMS, test::IF_THERE))
}

fn docs(paths: &Paths) -> anyhow::Result<()> {
    let scope = ["doc", "--workspace", "--no-deps", "--locked"];
    let mut doc = shell::cargo(&paths.root);
    shell::run(doc.env("RUSTDOCFLAGS", "-D warnings").args(scope).args(ALL_DRIVERS))
}

const CARGO_DENY: &str = "0.20.2";

fn licences(paths: &Paths) -> anyhow::Result<()> {
    let mut deny = Command::new(cargo_deny(paths)?);
    deny.current_dir(&paths.root);
    shell::run(deny.args(["--log-level", "error", "check", "licenses", "bans", "sources"]))
}

/// Builds it once into the cache, unoptimised: that takes two minutes instead of ten.
fn cargo_deny(paths: &Paths) -> anyhow::Result<PathBuf> {
    let tools = paths.cache.join("tools");
    let root = tools.join(format!("cargo-deny-{CARGO_DENY}"));
    let binary = root.join("bin/cargo-deny");
    if binary.is_file() {
        return Ok(binary);
    }
    eprintln!("cargo-deny {CARGO_DENY} is not there: building it into {}", root.display());
    let build = tools.join("build");
    let mut install = shell::cargo(&paths.root);
    install
        .args(["install", "--debug", "--locked", "--quiet", "--root"])
        .arg(&root)
        .arg(format!("cargo-deny@{CARGO_DENY}"))
        .env("CARGO_TARGET_DIR", &build)
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    shell::run(&mut install)?;
    fs::remove_dir_all(&build).ok();
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_table_tells_what_failed_and_what_was_not_run() {
        let second = Took(Duration::from_secs(1));
        let outcomes = [
            ("format", Outcome::Passed(second)),
            ("clippy", Outcome::Failed(second)),
            ("docs", Outcome::NotRun),
        ];
        let table = table(&outcomes);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<Vec<String>> = table.lines().map(words).collect();
        assert_eq!(lines[0], ["format", "passed", "1.0", "s"]);
        assert_eq!(lines[1], ["clippy", "FAILED", "1.0", "s"]);
        assert_eq!(lines[2], ["docs", "not", "run"]);
    }
}
