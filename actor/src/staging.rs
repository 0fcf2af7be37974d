//! Records on their way from the control loop to the outbox, in memory that outlives the process.
//!
//! The control loop leaves each record here before the arm gets its next command, and before the
//! recorder's thread, which waits for the disk, has it. It is a journal in a folder of a memory file
//! system: writing is copying, and what was written is still there when the process was killed. The
//! next start takes it into the outbox. A power cut empties it: what it held then is what the disk
//! had not yet taken.
//!
//! `staging` in the outbox's folder is a link to it, so that people and the next start find it.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use replay::{Journal, JournalConfig, JournalError, Retention, SyncPolicy};
use thiserror::Error;
use wire::{Record, RecordPosition};

const LINK: &str = "staging";
const PREFIX: &str = "reins-staging-";
/// Memory file systems where Linux has them.
const SHARED_MEMORY: &str = "/dev/shm";

#[derive(Debug, Error)]
pub enum StagingError {
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the records in hand could not be kept")]
    Journal(#[from] JournalError),
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StagingError {
    move |source| StagingError::Io { action, path: path.into(), source }
}

/// Freed a segment at a time as the outbox has its records.
fn config() -> JournalConfig {
    JournalConfig {
        segment_bytes: 2 << 20,
        sync: SyncPolicy::Never,
        // Its real bound is the queue before the recorder: what is beyond that is freed.
        retention: Retention::UntilReleased { max_bytes: 1 << 30, reserve_bytes: 0 },
    }
}

/// What an actor that was killed had in hand: to be taken into the outbox.
pub fn left_behind(outbox_dir: &Path) -> Result<Vec<Record>, StagingError> {
    let link = outbox_dir.join(LINK);
    // A link whose folder is gone: the machine was restarted.
    if !link.is_dir() {
        return Ok(Vec::new());
    }
    let (journal, _) = Journal::open(&link, config())?;
    let records = journal.records_after(None).map(|read| read.map(|(_, record)| record));
    Ok(records.collect::<Result<_, _>>()?)
}

/// Where the control loop keeps its records until the outbox has them.
#[derive(Debug)]
pub struct Staging {
    journal: Journal,
    last: Option<RecordPosition>,
}

impl Staging {
    /// An empty staging for the outbox in `outbox_dir`. What [`left_behind`] found must be in the
    /// outbox by now: it is thrown away.
    pub fn open(outbox_dir: &Path) -> Result<Self, StagingError> {
        let link = outbox_dir.join(LINK);
        remove(&link)?;
        let folder = memory_folder().unwrap_or_else(|| {
            tracing::warn!(
                folder = %outbox_dir.display(),
                "there is no memory file system: records in hand are kept on the disk, and a slow \
                 disk can delay steps"
            );
            outbox_dir.to_owned()
        });
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&folder)
            .map_err(io_error("making a folder in", &folder))?
            .keep();
        symlink(&folder, &link).map_err(io_error("making", &link))?;
        let (journal, _) = Journal::open(&link, config())?;
        Ok(Self { journal, last: None })
    }

    /// Keeps `record`; nothing when it is kept already. `written` is what the outbox has.
    pub fn keep(
        &mut self,
        record: &Record,
        written: Option<RecordPosition>,
    ) -> Result<(), StagingError> {
        if self.last >= Some(record.position) {
            return Ok(());
        }
        if let Some(written) = written {
            self.journal.release_through(written)?;
        }
        self.journal.append(record)?;
        self.last = Some(record.position);
        Ok(())
    }
}

/// Takes the staging of the outbox in `outbox_dir` away: everything in it is in the outbox.
pub fn discard(outbox_dir: &Path) -> Result<(), StagingError> {
    remove(&outbox_dir.join(LINK))
}

fn remove(link: &Path) -> Result<(), StagingError> {
    let folder = match fs::read_link(link) {
        Ok(folder) => folder,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error("reading", link)(e)),
    };
    match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("removing", &folder)(e));
        }
        _ => {}
    }
    fs::remove_file(link).map_err(io_error("removing", link))
}

/// A folder in memory that this user may write to.
fn memory_folder() -> Option<PathBuf> {
    let candidates =
        [Some(PathBuf::from(SHARED_MEMORY)), std::env::var_os("XDG_RUNTIME_DIR").map(Into::into)];
    let usable = |folder: &PathBuf| tempfile::tempfile_in(folder).is_ok();
    candidates.into_iter().flatten().find(usable)
}

#[cfg(test)]
mod tests;
