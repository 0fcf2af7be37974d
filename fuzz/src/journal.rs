//! A segment file of any content, opened as an outbox or a learner would.

use std::{path::Path, sync::Arc};

use replay::{
    Journal, JournalConfig, JournalError, Sequence,
    format::segment_file_name,
    journal,
    storage::memory::{MemoryStorage, Survivors},
};
use wire::{
    ActorId, EpisodeEnd, EpisodeId, Outcome, Record, RecordBody, RecordPosition, TruncationCause,
};

const FOLDER: &str = "/journal";

/// A segment, damaged or resealed: its readers refuse it, or it opens. Then what it held before is
/// still there, one more record can be appended, and all of them are there when it is opened again.
pub fn journal(bytes: &[u8]) {
    for segment in [bytes.to_vec(), crate::resealed::segment(bytes)] {
        check(segment);
    }
}

fn check(segment: Vec<u8>) {
    let storage = MemoryStorage::default();
    storage.put(&Path::new(FOLDER).join(segment_file_name(Sequence(0))), segment);
    let seen = read(&storage);
    let Ok(mut journal) = open(&storage) else { return };
    let Ok(before) = journal.records_after(None).collect::<Result<Vec<_>, _>>() else { return };
    // A reader may meet the torn end that opening cuts off.
    if let Ok(seen) = seen {
        assert_eq!(seen.len(), before.len(), "opening changed what can be read");
    }
    journal.append(&one_more()).expect("the storage does not fail");
    drop(journal);
    let storage = storage.restarted(Survivors::NOTHING);
    let journal = open(&storage).expect("what was just written");
    let after: Vec<_> =
        journal.records_after(None).collect::<Result<_, _>>().expect("what was just written");
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.last().is_some_and(|(_, record)| *record == one_more()));
}

fn open(storage: &MemoryStorage) -> Result<Journal, JournalError> {
    let config = JournalConfig::keep_forever();
    Journal::open_on(Arc::new(storage.clone()), Path::new(FOLDER), config)
        .map(|(journal, _)| journal)
}

fn read(storage: &MemoryStorage) -> Result<Vec<(Sequence, Record)>, JournalError> {
    journal::read_only(Arc::new(storage.clone()), Path::new(FOLDER))?.collect()
}

fn one_more() -> Record {
    let end = EpisodeEnd {
        steps: 0,
        outcome: Outcome::Unknown,
        truncation: Some(TruncationCause::Interrupted),
        human_steps: 0,
        interventions: 0,
    };
    Record {
        actor: ActorId(1),
        position: RecordPosition { episode: EpisodeId(2), index: 3 },
        body: RecordBody::EpisodeEnd(end),
    }
}
