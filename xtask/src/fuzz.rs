//! `cargo xtask fuzz`: libFuzzer on every decoder, one after the other, on the ordinary toolchain.
//!
//! Only this workspace's crates get coverage counters; everything else is used as it is built
//! already. No sanitizer: `unsafe` is denied here, so what can go wrong is a panic, a hang, or too
//! much memory, and those libFuzzer sees by itself.

use crate::{paths::Paths, shell};
use anyhow::{Context, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

pub const TARGETS: [&str; 9] = [
    "messages",
    "journal",
    "checkpoint",
    "policy",
    "classifier",
    "weights",
    "settings",
    "json_files",
    "hil_serl",
];

/// Inputs longer than this find nothing that shorter ones do not.
const INPUT_MAX: usize = 8 << 10;
/// A decoder that takes more for so little input allocates before it checks (MiB).
const MEMORY_MAX_MIB: usize = 2048;

#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// For each target.
    pub seconds: u64,
    /// All of them when none is named.
    pub targets: Vec<String>,
}

pub fn run(paths: &Paths, options: &Options) -> anyhow::Result<()> {
    if let Some(unknown) = options.targets.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        bail!("there is no fuzz target `{unknown}`: the targets are {}", TARGETS.join(", "));
    }
    let wanted =
        |name: &&str| options.targets.is_empty() || options.targets.iter().any(|t| t == name);
    let mut build = shell::cargo(&paths.root);
    build
        .args(["build", "--locked", "--workspace", "--features", "fuzz/libfuzzer"])
        .args(["--bin", "fuzz_*"])
        .env("RUSTC_WORKSPACE_WRAPPER", paths.root.join("fuzz/instrument.sh"));
    shell::run(&mut build)?;
    let built = target_folder(&paths.root).join("debug");
    for name in TARGETS.iter().filter(|name| wanted(name)) {
        run_target(paths, &built, name, options.seconds)?;
    }
    println!("fuzz: {} s each, no crash", options.seconds);
    Ok(())
}

/// New inputs go to a folder beside the build; the corpus in the repository stays as it is.
fn run_target(paths: &Paths, built: &Path, name: &str, seconds: u64) -> anyhow::Result<()> {
    let found = built.join("fuzz").join(name);
    fs::create_dir_all(&found).with_context(|| format!("making {}", found.display()))?;
    let mut target = Command::new(built.join(format!("fuzz_{name}")));
    target
        .current_dir(&paths.root)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MAX_MIB}"))
        .arg("-timeout=20")
        .arg(format!("-artifact_prefix={}/crash-{name}-", built.join("fuzz").display()))
        .arg("-print_final_stats=1")
        .arg(&found)
        .arg(paths.root.join("fuzz/corpus").join(name));
    shell::run(&mut target)
        .with_context(|| format!("{name}: put the crashing input into fuzz/corpus/{name}"))
}

fn target_folder(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
