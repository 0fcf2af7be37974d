//! Records on disk, in the order in which they were written: append-only segments, recovered after
//! a crash, read lazily, and freed from the front where the journal is an outbox.
//!
//! It neither knows what records mean nor checks that they follow on each other (that is
//! [`crate::Continuity`]'s), and it is never used from the control thread: a sync may take long.

use std::{io, path::PathBuf};

use thiserror::Error;
use wire::{ActorId, RecordPosition};

use crate::format::{MAX_RECORD_LEN, RECORD_VERSION, SEGMENT_VERSION};

mod reader;
mod recovery;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::{Records, read_only, records_ever};
pub use recovery::{Cut, Recovered};
pub use writer::Journal;

/// A record's number in its journal, counted from 0 for ever: freeing records does not renumber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    pub actor: ActorId,
    pub position: RecordPosition,
}

/// When what was appended is forced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before `append` and `append_all` return.
    EveryAppend,
    /// When [`Journal::sync_if_due`] finds that this long has passed. Until then records are not
    /// durable, and readers do not see them.
    EveryMillis(u64),
    /// Never, not even when asked; readers see everything. For tests of speed.
    Never,
}

/// How long records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    Forever,
    /// An outbox: records of **one** actor, freed by [`Journal::release_through`].
    UntilReleased {
        /// All segments together. Beyond it [`JournalError::Full`].
        max_bytes: u64,
        /// Of these, kept back for records that close an episode (its last step, its end), so
        /// that an episode can be ended properly when the outbox is full.
        reserve_bytes: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// A segment that would grow beyond this is closed first.
    pub segment_bytes: u64,
    pub sync: SyncPolicy,
    pub retention: Retention,
}

impl JournalConfig {
    /// A learner's journal: keeps everything; call [`Journal::sync`] or append in batches.
    pub fn keep_forever() -> Self {
        Self {
            segment_bytes: 64 << 20,
            sync: SyncPolicy::EveryAppend,
            retention: Retention::Forever,
        }
    }

    /// An actor's outbox of at most `max_bytes`.
    pub fn outbox(max_bytes: u64) -> Self {
        Self {
            segment_bytes: (max_bytes / 8).clamp(64 << 10, 64 << 20),
            sync: SyncPolicy::EveryAppend,
            retention: Retention::UntilReleased {
                max_bytes,
                reserve_bytes: (max_bytes / 8).min(16 << 20),
            },
        }
    }
}

#[derive(Debug, Error)]
pub enum JournalError {
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "the journal is in use by another process (it holds {}): stop that process first",
        path.display()
    )]
    Locked { path: PathBuf },
    #[error(
        "{} is damaged at byte {offset}: {reason}. Good records may follow, so nothing was cut; \
         restore the file from a copy, or move it and all later segments away to go on without them",
        file.display()
    )]
    Corrupt { file: PathBuf, offset: u64, reason: String },
    #[error(
        "{} has journal version {theirs}, this program reads up to version {SEGMENT_VERSION}: \
         use the reins that wrote it, or a newer one",
        file.display()
    )]
    SegmentVersion { file: PathBuf, theirs: u16 },
    #[error(
        "the record at byte {offset} of {} has version {theirs}, this program reads up to version \
         {RECORD_VERSION}: use the reins that wrote it, or a newer one",
        file.display()
    )]
    RecordVersion { file: PathBuf, offset: u64, theirs: u8 },
    #[error(
        "{position} has {len} bytes, {MAX_RECORD_LEN} are allowed: use smaller or fewer frames"
    )]
    RecordTooLong { position: RecordPosition, len: usize },
    #[error("{position} could not be encoded: {reason}")]
    Encode { position: RecordPosition, reason: String },
    #[error(
        "the journal is full: {needed} bytes are needed, {used} of {limit} are in use; \
         they are freed as the learner acknowledges them"
    )]
    Full { needed: u64, used: u64, limit: u64 },
    #[error(
        "the journal accepts nothing more since {reason}: what is on the disk is unknown; \
         mend the disk and restart"
    )]
    Failed { reason: String },
    #[error("this journal keeps its records for ever; only an outbox frees them")]
    KeepsForever,
}

impl JournalError {
    /// No room: in the configured bound, or on the disk itself.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }
}

fn io_error(
    action: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> JournalError {
    move |source| JournalError::Io { action, path: path.into(), source }
}
