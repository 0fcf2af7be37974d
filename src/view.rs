//! `reins view RUN`: names the recordings of a run and opens them in the rerun viewer.
//!
//! The viewer is a program of its own; nothing of it is built into `reins`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use wire::ActorId;

/// The viewer must be of the same minor version as the library that wrote the recording.
const VIEWER_VERSION: &str = "0.36";
const VIEWER_RELEASE: &str = "0.36.3";

/// A process of a run that writes recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recorder {
    Actor(ActorId),
    Learner,
}

impl Recorder {
    fn name(self) -> String {
        match self {
            Self::Actor(ActorId(0)) => "actor".into(),
            Self::Actor(further) => format!("actor{further}"),
            Self::Learner => "learner".into(),
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "actor" => Some(Self::Actor(ActorId(0))),
            "learner" => Some(Self::Learner),
            _ => name.strip_prefix("actor")?.parse().ok().map(|n| Self::Actor(ActorId(n))),
        }
    }
}

/// `actor.rrd`, of further actors `actor1.rrd` and so on, and after a restart `actor-2.rrd`: a
/// recording is never written over.
fn recording(run_dir: &Path, recorder: Recorder, start: u32) -> PathBuf {
    let name = recorder.name();
    run_dir.join(if start == 1 { format!("{name}.rrd") } else { format!("{name}-{start}.rrd") })
}

/// Who wrote the recording at `path`, and at which of its starts.
fn origin(path: &Path) -> Option<(Recorder, u32)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".rrd")?;
    let (name, start) = match stem.split_once('-') {
        Some((name, start)) => (name, start.parse().ok()?),
        None => (stem, 1),
    };
    Some((Recorder::from_name(name)?, start))
}

/// The recordings of a run that are there: those of the actors, then those of the learner, each in
/// the order in which they were begun.
pub fn recordings(run_dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(run_dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = files.filter_map(|path| Some((origin(&path)?, path))).collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Recordings of one task share a layout. Actor and learner must use the same name.
pub fn application_id(task: &str) -> String {
    format!("reins-{task}")
}

/// Where a process that starts now writes its recording.
pub fn next_recording(run_dir: &Path, recorder: Recorder) -> PathBuf {
    let mut names = (1..).map(|start| recording(run_dir, recorder, start));
    names.find(|path| !path.exists()).expect("the numbers do not end")
}

/// Opens the recordings of a run and returns when the viewer is closed.
pub fn run(run_dir: &Path) -> Result<()> {
    ensure!(run_dir.is_dir(), "there is no run at {}", run_dir.display());
    let recordings = recordings(run_dir);
    ensure!(
        !recordings.is_empty(),
        "{} holds no recording: the run was made with viewing off, or has not begun",
        run_dir.display()
    );
    let viewer = find_viewer(&candidates())?;
    if !has_display() {
        bail!(headless_advice(&viewer, &recordings));
    }
    let status = Command::new(&viewer)
        .args(["--bind", "127.0.0.1"])
        .args(&recordings)
        .status()
        .with_context(|| format!("starting {}", viewer.display()))?;
    ensure!(status.success(), "the rerun viewer ended with {status}");
    Ok(())
}

/// Places where a viewer may lie: `PATH` first, then where a screenshot left one.
fn candidates() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<_> =
        env::split_paths(&path).map(|folder| folder.join("rerun")).collect();
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(env::home_dir()?.join(".cache")));
    candidates.extend(cache.map(|c| c.join(format!("rerun-cli-{VIEWER_RELEASE}")).join("rerun")));
    candidates.retain(|candidate| candidate.is_file());
    candidates
}

/// The first candidate of the right version.
fn find_viewer(candidates: &[PathBuf]) -> Result<PathBuf> {
    let mut others = String::new();
    for candidate in candidates {
        match version(candidate) {
            Some(version) if version.starts_with(&format!("{VIEWER_VERSION}.")) => {
                return Ok(candidate.clone());
            }
            version => {
                let version = version.unwrap_or("an unknown version".into());
                others += &format!("\n{} is {version}.", candidate.display());
            }
        }
    }
    bail!(
        "opening a recording needs the rerun viewer {VIEWER_VERSION}, which is not installed.{others}\n\
         Install it with one of\n  \
         pip install rerun-sdk=={VIEWER_RELEASE}\n  \
         cargo install --locked rerun-cli@{VIEWER_RELEASE}\n\
         and see that the folder it goes to is in PATH."
    )
}

/// What `rerun --version` calls itself, for example "0.36.3".
fn version(viewer: &Path) -> Option<String> {
    let output = Command::new(viewer).arg("--version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

fn parse_version(text: &str) -> Option<String> {
    let first = text.lines().next()?;
    let version =
        first.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(version.to_owned())
}

fn has_display() -> bool {
    cfg!(any(target_os = "macos", target_os = "windows"))
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn headless_advice(viewer: &Path, recordings: &[PathBuf]) -> String {
    let files: Vec<_> = recordings.iter().map(|path| path.display().to_string()).collect();
    let files = files.join(" ");
    format!(
        "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set). Copy the recordings \
         to a machine that has one and open them there:\n  rerun --bind 127.0.0.1 {files}\n\
         or take a picture here, which needs a Vulkan driver (Debian: mesa-vulkan-drivers):\n  \
         {} --headless --bind 127.0.0.1 --window-size 1600x1000 --screenshot-to view.png {files}",
        viewer.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_begins_a_new_recording() {
        let run = tempfile::tempdir().unwrap();
        assert!(recordings(run.path()).is_empty());
        let begin = |recorder, expected: &str| {
            let path = next_recording(run.path(), recorder);
            assert_eq!(path, run.path().join(expected));
            fs::write(path, "").unwrap();
        };
        begin(Recorder::Learner, "learner.rrd");
        begin(Recorder::Actor(ActorId(12)), "actor12.rrd");
        begin(Recorder::Actor(ActorId(12)), "actor12-2.rrd");
        begin(Recorder::Actor(ActorId(0)), "actor.rrd");
        begin(Recorder::Actor(ActorId(0)), "actor-2.rrd");
        fs::write(run.path().join("actor.json"), "").unwrap();
        let names: Vec<_> = recordings(run.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let expected = ["actor.rrd", "actor-2.rrd", "actor12.rrd", "actor12-2.rrd", "learner.rrd"];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_version_is_read_from_what_the_viewer_prints() {
        let printed = "rerun-cli 0.36.3 [rustc 1.95.0] x86_64\nVideo features: av1\n";
        assert_eq!(parse_version(printed).as_deref(), Some("0.36.3"));
        assert_eq!(parse_version(""), None);
    }

    /// A stand-in for a viewer that only knows its version.
    #[cfg(unix)]
    fn viewer_of_version(folder: &Path, version: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join(format!("rerun-{version}"));
        fs::write(&path, format!("#!/bin/sh\necho rerun-cli {version}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[cfg(unix)]
    #[test]
    fn a_viewer_of_another_version_is_passed_over_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let old = viewer_of_version(folder.path(), "0.21.0");
        let right = viewer_of_version(folder.path(), "0.36.3");
        assert_eq!(find_viewer(&[old.clone(), right.clone()]).unwrap(), right);
        let message = find_viewer(std::slice::from_ref(&old)).unwrap_err().to_string();
        assert!(message.contains("is 0.21.0"), "{message}");
    }

    #[test]
    fn without_a_viewer_the_message_says_how_to_install_one() {
        let message = find_viewer(&[]).unwrap_err().to_string();
        for way in ["pip install rerun-sdk==0.36.3", "cargo install --locked rerun-cli@0.36.3"] {
            assert!(message.contains(way), "{message}");
        }
    }

    #[test]
    fn a_folder_without_recordings_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let message = run(folder.path()).unwrap_err().to_string();
        assert!(message.contains("holds no recording"), "{message}");
    }
}
