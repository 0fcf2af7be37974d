//! Helpers of the journal's tests, which are sorted by topic.

mod damage;
mod faults;
mod outbox;
mod reading;
mod versions;

use std::{path::Path, sync::Arc};

use proptest::{collection::vec, prelude::*};
use wire::{EpisodeId, Judgement, Record, RecordBody, RecordPosition, Timestamp};

use super::*;
use crate::{
    format::{RECORD_HEADER_LEN, SEGMENT_HEADER_LEN, segment_file_name},
    storage::{
        Storage,
        memory::{Fault, MemoryStorage, Survivors},
    },
    test_support::{BACKBONE, Script},
};

const DIR: &str = "/run/journal";

fn dir() -> &'static Path {
    Path::new(DIR)
}

fn file(first: u64) -> PathBuf {
    dir().join(segment_file_name(Sequence(first)))
}

fn large_segments() -> JournalConfig {
    JournalConfig { segment_bytes: 1 << 20, ..JournalConfig::keep_forever() }
}

/// Two or three records to a segment.
fn small_segments() -> JournalConfig {
    JournalConfig { segment_bytes: 300, ..JournalConfig::keep_forever() }
}

fn small_outbox(max_bytes: u64, reserve_bytes: u64) -> JournalConfig {
    JournalConfig {
        retention: Retention::UntilReleased { max_bytes, reserve_bytes },
        ..small_segments()
    }
}

fn open(
    storage: &MemoryStorage,
    config: JournalConfig,
) -> Result<(Journal, Recovered), JournalError> {
    Journal::open_on(Arc::new(storage.clone()), dir(), config)
}

fn opened(storage: &MemoryStorage, config: JournalConfig) -> (Journal, Recovered) {
    open(storage, config).expect("a sound journal opens")
}

fn records() -> Vec<Record> {
    Script::default().records(&["D hhh+", "T ppph|", "T pp~", "E pp-"])
}

fn all(journal: &Journal) -> Vec<Record> {
    read(journal.records_from(Sequence(0)))
}

fn read(records: Records) -> Vec<Record> {
    records.map(|r| r.expect("a sound journal is readable").1).collect()
}

/// A journal of the first `n` records, closed again.
fn written(n: usize, config: JournalConfig) -> MemoryStorage {
    let storage = MemoryStorage::default();
    opened(&storage, config).0.append_all(&records()[..n]).expect("no fault");
    storage
}

/// One record per append, so that segments fill up one by one.
fn written_singly(n: usize, config: JournalConfig) -> MemoryStorage {
    let storage = MemoryStorage::default();
    let mut journal = opened(&storage, config).0;
    for record in &records()[..n] {
        journal.append(record).expect("no fault");
    }
    storage
}
