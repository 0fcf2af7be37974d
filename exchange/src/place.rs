//! A file or folder that comes into being whole: made beside its place under another name, synced,
//! and renamed. What a kill leaves behind is never under the final name, and the next attempt
//! clears it away.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::{ExchangeError, io_error};

#[derive(Debug)]
pub struct NewPlace {
    temporary: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl NewPlace {
    /// Refuses a `target` that is there. Nothing is made at [`Self::path`] yet.
    pub fn begin(target: &Path) -> Result<Self, ExchangeError> {
        let name = target.file_name().ok_or_else(|| {
            let source = io::Error::other("it has no name");
            ExchangeError::Io { action: "writing", path: target.into(), source }
        })?;
        if target.symlink_metadata().is_ok() {
            return Err(ExchangeError::Exists(target.into()));
        }
        let parent = parent_of(target);
        fs::create_dir_all(parent).map_err(io_error("making the folder", parent))?;
        let prefix = format!(".{}.partial-", name.to_string_lossy());
        clear_away(parent, &prefix)?;
        let temporary = parent.join(format!("{prefix}{}", std::process::id()));
        Ok(Self { temporary, target: target.into(), finished: false })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Syncs what was written and gives it its name, unless something else has taken that.
    pub fn finish(mut self) -> Result<(), ExchangeError> {
        sync_all(&self.temporary)?;
        let renamed =
            renameat_with(CWD, &self.temporary, CWD, &self.target, RenameFlags::NOREPLACE);
        renamed.map_err(|errno| match errno {
            rustix::io::Errno::EXIST => ExchangeError::Exists(self.target.clone()),
            _ => io_error("renaming to", &self.target)(errno.into()),
        })?;
        self.finished = true;
        let parent = parent_of(&self.target);
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(io_error("syncing", parent))
    }
}

impl Drop for NewPlace {
    fn drop(&mut self) {
        if !self.finished {
            remove(&self.temporary).ok();
        }
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes what processes that are no more have left under `prefix`.
fn clear_away(parent: &Path, prefix: &str) -> Result<(), ExchangeError> {
    let reading = || io_error("reading the folder", parent);
    for entry in fs::read_dir(parent).map_err(reading())? {
        let entry = entry.map_err(reading())?;
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else {
            continue;
        };
        let runs =
            Path::new("/proc").join(process).exists() && process != std::process::id().to_string();
        if process.bytes().all(|byte| byte.is_ascii_digit()) && !runs {
            remove(&entry.path()).map_err(io_error("removing", entry.path()))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

fn sync_all(path: &Path) -> Result<(), ExchangeError> {
    let syncing = || io_error("syncing", path);
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(syncing())? {
            sync_all(&entry.map_err(syncing())?.path())?;
        }
    }
    File::open(path).and_then(|file| file.sync_all()).map_err(syncing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_under_its_name_only_when_it_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("out");
        let place = NewPlace::begin(&target).unwrap();
        fs::create_dir(place.path()).unwrap();
        fs::write(place.path().join("half"), "h").unwrap();
        drop(place);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "given up, nothing is left");

        let place = NewPlace::begin(&target).unwrap();
        fs::create_dir(place.path()).unwrap();
        assert!(!target.exists());
        place.finish().unwrap();
        assert!(target.is_dir());
        assert!(matches!(NewPlace::begin(&target), Err(ExchangeError::Exists(_))));
    }

    #[test]
    fn what_a_killed_attempt_left_is_cleared_away_and_no_others() {
        let home = tempfile::tempdir().unwrap();
        // No process has this number: Linux counts to 4194304 at most.
        for name in [".out.partial-4194305", ".out.partial-x", ".other.partial-4194305"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        drop(NewPlace::begin(&home.path().join("out")).unwrap());
        let mut left: Vec<_> =
            fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".other.partial-4194305", ".out.partial-x"]);
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("out");
        let place = NewPlace::begin(&target).unwrap();
        fs::write(place.path(), "mine").unwrap();
        fs::write(&target, "theirs").unwrap();
        assert!(matches!(place.finish(), Err(ExchangeError::Exists(_))));
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    }
}
