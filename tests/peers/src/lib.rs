//! Foreign Python packages that tests speak with, so that a driver, a format or a protocol is not held
//! against our own reading of it alone. Each is installed into a virtual environment below the cache
//! folder of the project, once.

use std::{
    env, fs,
    fs::File,
    io::Write,
    path::PathBuf,
    process::{Command, Output},
};

/// Set by `cargo xtask test --hardware-sims`, and by `cargo xtask ci` to `if-there`.
pub const HARDWARE_SIMS: &str = "REINS_HARDWARE_SIMS";
/// What cannot be installed is no failure then.
const IF_THERE: &str = "if-there";
/// Set by `cargo xtask test --python-peers`.
pub const PYTHON_PEERS: &str = "REINS_PYTHON_PEERS";

/// What pip is given for LeRobot's own package and what its data sets import. It is installed without
/// what it asks for besides: robots, simulators, a viewer. It decodes videos with torchcodec, which wants
/// the system's FFmpeg.
const LEROBOT: [&[&str]; 2] = [
    &[
        "torch==2.11.0",
        "torchvision==0.26.0",
        "numpy==2.2.6",
        "datasets==4.8.5",
        "huggingface-hub==0.35.3",
        "av==15.1.0",
        "jsonlines==4.0.0",
        "packaging==25.0",
        "draccus==0.10.0",
        "pandas==2.3.3",
        "pyarrow==26.0.1",
        "safetensors==0.8.0",
        "pillow==13.0.0",
    ],
    // These ask for much that is not needed here.
    &["--no-deps", "accelerate==1.15.0", "torchcodec==0.11.1", "lerobot==0.4.4"],
];

/// Says that a test was skipped, past the test harness, which keeps what a passing test prints.
pub fn skip(what: &str, why: &str) {
    _ = writeln!(std::io::stderr(), "skipped: {what}: {why}");
}

/// A Python with these packages for a test that `cargo xtask test --hardware-sims` runs. None where it is
/// not wanted or, in CI, cannot be installed, and then it is said.
///
/// # Panics
/// When the packages are wanted and cannot be installed.
pub fn hardware_sim(what: &str, packages: &[&str]) -> Option<PathBuf> {
    let Some(wanted) = env::var_os(HARDWARE_SIMS) else {
        skip(what, "`cargo xtask test --hardware-sims` runs it");
        return None;
    };
    match python(&[packages]) {
        Ok(python) => Some(python),
        Err(why) if wanted == IF_THERE => {
            skip(what, &why);
            None
        }
        Err(why) => panic!("{what}: {why}"),
    }
}

/// A Python with LeRobot's own package for a test that `cargo xtask test --python-peers` runs. None, and
/// then it is said, where it is not wanted or cannot be installed.
pub fn lerobot(what: &str) -> Option<PathBuf> {
    if env::var_os(PYTHON_PEERS).is_none() {
        skip(what, "`cargo xtask test --python-peers` runs it; it downloads 2.5 GB once");
        return None;
    }
    python(&LEROBOT).map_err(|why| skip(what, &why)).ok()
}

/// A Python in which pip has been given each of these lists of packages and options, in this order. The
/// first package gives the environment its name.
///
/// # Errors
/// Why there is none: no Python, no package index, no such package.
pub fn python(installs: &[&[&str]]) -> Result<PathBuf, String> {
    let cache = cache().ok_or("neither HOME nor REINS_CACHE is set")?;
    let name = installs.iter().flat_map(|packages| packages.iter()).next();
    let name = name.expect("a package to install").replace("==", "-");
    let environments = cache.join("python");
    let folder = environments.join(&name);
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    let wanted = format!("{installs:?}");
    // Tests of one process and of several may want the same.
    let lock = environments.join(format!("{name}.lock"));
    let said = |error: std::io::Error| format!("{}: {error}", lock.display());
    fs::create_dir_all(&environments).map_err(said)?;
    let lock_file = File::create(&lock).map_err(said)?;
    lock_file.lock().map_err(said)?;
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    for packages in installs {
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--retries", "1"]);
        // The set-up has brought some packages already.
        install.arg("--find-links").arg(cache.join("downloads")).args(*packages);
        run(&mut install)?;
    }
    fs::write(&ready, wanted).map_err(said)?;
    Ok(python)
}

/// What the command printed, where it succeeds.
///
/// # Errors
/// What it complained of.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end()))
}

/// As `cargo xtask setup` chooses it.
fn cache() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("REINS_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("reins")))
        .or_else(|| Some(variable("HOME")?.join(".cache/reins")))
}
