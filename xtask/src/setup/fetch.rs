//! Brings archives from the Python package index, by pip, so that a configured mirror or proxy is
//! used. Runs no code of any package: wheels are data, and for source archives a stand-in answers
//! in place of their own build code.

use super::hash;
use super::parts::Archive;
use crate::progress::{Progress, bytes_text};
use crate::shell;
use anyhow::{Context, anyhow, bail};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

const BUILD_BACKEND: &str = include_str!("fetch/build_backend.py");

/// True if the archive lies in `downloads` unharmed. A damaged one is removed.
pub fn is_at_hand(archive: &Archive, downloads: &Path) -> bool {
    let file = downloads.join(archive.file);
    if !file.exists() {
        return false;
    }
    let checked = hash::check(archive, &file);
    if let Err(error) = &checked {
        eprintln!("warning: {error:#}; it is downloaded anew");
        fs::remove_file(&file).ok();
    }
    checked.is_ok()
}

/// Downloads, checks, and only then gives the file its name.
pub fn download(archive: &Archive, downloads: &Path) -> anyhow::Result<()> {
    let incoming = downloads.join(".incoming");
    if incoming.exists() {
        fs::remove_dir_all(&incoming).context("could not clear an earlier download")?;
    }
    let outcome = download_into(archive, &incoming, downloads);
    fs::remove_dir_all(&incoming).ok();
    outcome.map_err(|error| {
        anyhow!(
            "{} {} ({}) could not be downloaded: {error:#}\n\nWhen the network is there, type\n\n    \
             {}\n\nor copy {} into {} from another machine; then run this again",
            archive.package,
            archive.version,
            bytes_text(archive.bytes),
            shell::text(&pip(archive, downloads)),
            archive.file,
            downloads.display()
        )
    })
}

fn download_into(archive: &Archive, incoming: &Path, downloads: &Path) -> anyhow::Result<()> {
    let backend = incoming.join("backend");
    let out = incoming.join("out");
    let scratch = incoming.join("scratch");
    let log = incoming.join("pip.log");
    let making = || format!("could not write to {}", incoming.display());
    fs::create_dir_all(backend.join("setuptools")).with_context(making)?;
    fs::create_dir_all(&scratch).with_context(making)?;
    fs::write(backend.join("setuptools/__init__.py"), "").with_context(making)?;
    fs::write(backend.join("setuptools/build_meta.py"), BUILD_BACKEND).with_context(making)?;

    let mut pip = pip(archive, &out);
    pip.args(["--quiet", "--no-input", "--no-cache-dir", "--disable-pip-version-check"])
        .args(["--progress-bar", "off"])
        // On the disk of the cache: /tmp may be small, and here its growth can be seen.
        .env("TMPDIR", &scratch)
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).with_context(making)?);
    if !is_wheel(archive) {
        pip.args(["--no-build-isolation", "--use-pep517"])
            .env("PYTHONPATH", &backend)
            .env("REINS_ARCHIVE_NAME", archive.package.replace('-', "_"))
            .env("REINS_ARCHIVE_VERSION", archive.version);
    }
    let child = pip.spawn().context("could not start python3")?;
    let succeeded = wait(child, archive, incoming)?;
    if !succeeded {
        bail!("pip failed, saying\n{}", errors(&log));
    }

    let file = out.join(archive.file);
    if !file.exists() {
        bail!("pip brought another file than {}", archive.file);
    }
    hash::check(archive, &file)?;
    fs::rename(&file, downloads.join(archive.file)).with_context(making)
}

/// The bare command, as a person could type it.
fn pip(archive: &Archive, out: &Path) -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--dest"]).arg(out);
    match wheel_tags(archive.file) {
        Some(tags) => {
            pip.args(["--only-binary", ":all:", "--implementation", tags.implementation]);
            pip.args(["--python-version", tags.python, "--abi", tags.abi]);
            for platform in tags.platforms {
                pip.args(["--platform", platform]);
            }
        }
        None => {
            pip.args(["--no-binary", ":all:"]);
        }
    }
    pip.arg(format!("{}=={}", archive.package, archive.version));
    pip
}

fn is_wheel(archive: &Archive) -> bool {
    archive.file.ends_with(".whl")
}

/// What to ask pip for so that it brings just this wheel, whatever Python runs it.
#[derive(Debug, PartialEq)]
struct WheelTags<'a> {
    implementation: &'a str,
    python: &'a str,
    abi: &'a str,
    platforms: Vec<&'a str>,
}

/// From `name-version-python-abi-platform.platform.whl`.
fn wheel_tags(file: &str) -> Option<WheelTags<'_>> {
    let mut parts = file.strip_suffix(".whl")?.rsplitn(4, '-');
    let platforms = parts.next()?.split('.').collect();
    let abi = parts.next()?;
    let python_tag = parts.next()?;
    let (implementation, python) = python_tag.split_at_checked(2)?;
    // `py3`: any Python 3 would do, and pip wants a number.
    let python = if python == "3" { "311" } else { python };
    Some(WheelTags { implementation, python, abi, platforms })
}

/// True if pip succeeded.
fn wait(mut pip: Child, archive: &Archive, incoming: &Path) -> anyhow::Result<bool> {
    let label = format!("downloading {} {}", archive.package, archive.version);
    let mut progress = Progress::new(&label, archive.bytes);
    loop {
        if let Some(status) = pip.try_wait().context("could not wait for pip")? {
            if status.success() {
                progress.finish();
            }
            return Ok(status.success());
        }
        progress.set(size_below(incoming));
        sleep(Duration::from_millis(200));
    }
}

/// Bytes of all files below a folder in which pip is at work: what vanishes meanwhile counts zero.
fn size_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// The last lines of pip's log, less the announcements of another try.
fn errors(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let tells = |line: &&str| !line.trim().is_empty() && !line.contains("Retrying");
    let lines: Vec<_> = text.lines().filter(tells).collect();
    lines[lines.len().saturating_sub(4)..].join("\n")
}

#[cfg(test)]
mod test {
    use super::*;

    fn archive(package: &'static str, version: &'static str, file: &'static str) -> Archive {
        Archive { package, version, file, sha256: "", bytes: 1 }
    }

    #[track_caller]
    fn check(archive: &Archive, expected: &str) {
        let text = shell::text(&pip(archive, Path::new("/d")));
        assert_eq!(text, format!("python3 -m pip download --no-deps --dest /d {expected}"));
    }

    #[test]
    fn a_wheel_is_asked_for_by_its_tags() {
        check(
            &archive(
                "mujoco",
                "3.17.0",
                "mujoco-3.17.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
            ),
            "--only-binary :all: --implementation cp --python-version 311 --abi cp311 \
             --platform manylinux_2_27_x86_64 --platform manylinux_2_28_x86_64 mujoco==3.17.0",
        );
    }

    #[test]
    fn a_wheel_for_any_python_is_asked_for_without_abi() {
        check(
            &archive(
                "nvidia-nccl-cu13",
                "2.28.9",
                "nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl",
            ),
            "--only-binary :all: --implementation py --python-version 311 --abi none \
             --platform manylinux_2_18_x86_64 nvidia-nccl-cu13==2.28.9",
        );
    }

    #[test]
    fn a_source_archive_is_asked_for_as_such() {
        check(
            &archive("weights", "0.1.0", "weights-0.1.0.tar.gz"),
            "--no-binary :all: weights==0.1.0",
        );
    }

    #[test]
    fn a_damaged_download_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let letters = archive("letters", "1", "letters-1.tar.gz");
        assert!(!is_at_hand(&letters, folder.path()));
        fs::write(folder.path().join(letters.file), "torn").unwrap();
        assert!(!is_at_hand(&letters, folder.path()));
        assert!(!folder.path().join(letters.file).exists());
    }
}
