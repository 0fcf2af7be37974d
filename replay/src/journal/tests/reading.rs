//! What was appended is read again, by whoever reads and from wherever.

use super::*;

#[test]
fn what_was_appended_is_read_again_in_order() {
    let storage = written_singly(14, small_segments());
    assert!(storage.list(dir()).expect("memory").len() > 3, "several segments");
    let (journal, recovered) = opened(&storage, small_segments());
    assert_eq!(all(&journal), records()[..14]);
    assert_eq!((recovered.first, recovered.end), (Sequence(0), Sequence(14)));
    assert_eq!(recovered.last.map(|l| l.position), Some(records()[13].position));
    assert_eq!(recovered.cut, None);
}

#[test]
fn appending_goes_on_after_a_restart() {
    let storage = written_singly(7, small_segments());
    let (mut journal, _) = opened(&storage, small_segments());
    for record in &records()[7..] {
        journal.append(record).expect("no fault");
    }
    assert_eq!(all(&journal), records());
}

#[test]
fn the_same_records_are_the_same_bytes() {
    let bytes = |storage: &MemoryStorage| storage.contents(&file(0));
    assert_eq!(bytes(&written(9, large_segments())), bytes(&written_singly(9, large_segments())));
}

#[test]
fn reading_begins_at_any_number() {
    let storage = written_singly(19, small_segments());
    let (journal, _) = opened(&storage, small_segments());
    for from in 0..=19 {
        assert_eq!(read(journal.records_from(Sequence(from as u64))), records()[from..]);
    }
}

#[test]
fn reading_begins_behind_any_position() {
    let storage = written_singly(19, small_segments());
    let (journal, _) = opened(&storage, small_segments());
    for (at, record) in records().iter().enumerate() {
        assert_eq!(read(journal.records_after(Some(record.position))), records()[at + 1..]);
    }
    assert_eq!(read(journal.records_after(None)), records());
}

#[test]
fn a_reader_tells_where_to_go_on() {
    let storage = written_singly(8, small_segments());
    let (journal, _) = opened(&storage, small_segments());
    let mut reader = journal.records_from(Sequence(2));
    let numbers: Vec<_> = reader.by_ref().take(3).map(|r| r.expect("sound").0.0).collect();
    assert_eq!((numbers, reader.position()), (vec![2, 3, 4], Sequence(5)));
}

/// However appending, freeing and reading are interleaved, a reader that is kept sees each record
/// once.
#[test]
fn a_reader_that_is_kept_sees_what_is_appended_later() {
    let (mut journal, _) = opened(&MemoryStorage::default(), small_outbox(100_000, 0));
    let mut reader = journal.records_after(None);
    let (mut seen, records) = (Vec::new(), records());
    for (at, count) in [(0, 1), (1, 0), (1, 1), (2, 5), (7, 1), (8, 8), (16, 3)] {
        journal.append_all(&records[at..at + count]).expect("no fault");
        journal.refresh(&mut reader);
        seen.extend(reader.by_ref().map(|r| r.expect("sound").1));
        assert_eq!(seen, records[..at + count]);
        journal.release_through(records[at + count - 1].position).expect("no fault");
    }
}

#[test]
fn a_reader_that_has_not_begun_is_refreshed_too() {
    let (mut journal, _) = opened(&MemoryStorage::default(), small_segments());
    let mut reader = journal.records_from(Sequence(3));
    for record in &records() {
        journal.append(record).expect("no fault");
    }
    journal.refresh(&mut reader);
    assert_eq!(read(reader), records()[3..]);
}

/// A process was killed between a write and its sync. Its successor found the record, told others
/// that it is safe, and then power failed.
#[test]
fn what_recovery_found_is_durable() {
    let config = JournalConfig { sync: SyncPolicy::EveryMillis(1), ..large_segments() };
    let storage = written(3, config);
    assert_eq!(opened(&storage, config).1.end, Sequence(3));
    let (_, recovered) = opened(&storage.restarted(Survivors::NOTHING), config);
    assert_eq!(recovered.end, Sequence(3));
}

#[test]
fn a_reader_needs_no_lock() {
    let storage = written_singly(8, small_segments());
    let _writer = opened(&storage, small_segments());
    let reader = read_only(Arc::new(storage.clone()), dir()).expect("no lock is taken");
    assert_eq!(read(reader), records()[..8]);
}

#[test]
fn two_writers_do_not_share_a_journal() {
    let storage = MemoryStorage::default();
    let first = opened(&storage, small_segments());
    assert!(matches!(open(&storage, small_segments()), Err(JournalError::Locked { .. })));
    drop(first);
    opened(&storage, small_segments());
}
