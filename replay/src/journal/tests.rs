use std::{path::Path, sync::Arc};

use proptest::{collection::vec, prelude::*};
use wire::{EpisodeId, Record, RecordPosition, Timestamp};

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

/// Cuts the file of three records at every byte: as many whole records as fit are found again,
/// the rest is cut off and reported, and appending goes on.
#[test]
fn a_tail_torn_at_any_byte_is_cut_off() {
    let whole = written(3, large_segments()).contents(&file(0)).expect("written");
    let ends: Vec<usize> = (0..=3)
        .map(|n| written(n, large_segments()).contents(&file(0)).expect("written").len())
        .collect();
    for len in 0..=whole.len() {
        let storage = MemoryStorage::default();
        storage.put(&file(0), whole[..len].to_vec());
        let (mut journal, recovered) = opened(&storage, large_segments());
        let kept = ends[1..].iter().filter(|end| **end <= len).count();
        assert_eq!(all(&journal), records()[..kept], "cut to {len} bytes");
        let torn = len > ends[kept] && len > SEGMENT_HEADER_LEN;
        assert_eq!(
            recovered.cut.map(|cut| (cut.offset, cut.bytes)),
            torn.then(|| (ends[kept] as u64, (len - ends[kept]) as u64)),
            "cut to {len} bytes"
        );
        journal.append_all(&records()[kept..]).expect("no fault");
        drop(journal);
        assert_eq!(all(&opened(&storage, large_segments()).0), records());
    }
}

/// Space that was reserved but never written reads as zeros.
#[test]
fn a_tail_of_zeros_is_cut_off() {
    let storage = written(3, large_segments());
    let mut bytes = storage.contents(&file(0)).expect("written");
    bytes.resize(bytes.len() + 4096, 0);
    storage.put(&file(0), bytes);
    let (journal, recovered) = opened(&storage, large_segments());
    assert_eq!(all(&journal), records()[..3]);
    assert_eq!(recovered.cut.map(|cut| cut.bytes), Some(4096));
}

/// Flips a bit and expects file and offset of the record it is in to be named.
#[track_caller]
fn check_corrupt(storage: &MemoryStorage, first: u64, bit: usize, offset: u64) {
    let path = file(first);
    let sound = storage.contents(&path).expect("written");
    let mut damaged = sound.clone();
    damaged[bit / 8] ^= 1 << (bit % 8);
    storage.put(&path, damaged);
    let failed = match open(storage, small_segments()) {
        Err(error) => Some(error),
        Ok((journal, _)) => journal.records_from(Sequence(0)).find_map(Result::err),
    };
    match failed.expect("damage is found") {
        JournalError::Corrupt { file, offset: at, .. } => {
            assert_eq!((file, at), (path.clone(), offset), "bit {bit}");
        }
        JournalError::SegmentVersion { file, .. } => {
            assert_eq!((file, bit / 16), (path.clone(), 2), "bit {bit}");
        }
        other => panic!("bit {bit}: {other}"),
    }
    storage.put(&path, sound);
}

#[test]
fn any_flipped_bit_before_good_records_names_file_and_offset() {
    let storage = written(2, large_segments());
    let first_end = written(1, large_segments()).contents(&file(0)).expect("written").len();
    for bit in 0..SEGMENT_HEADER_LEN * 8 {
        check_corrupt(&storage, 0, bit, 0);
    }
    for bit in SEGMENT_HEADER_LEN * 8..first_end * 8 {
        check_corrupt(&storage, 0, bit, SEGMENT_HEADER_LEN as u64);
    }
}

/// Also in the last record of a segment, when another segment follows: then it is no tail.
#[test]
fn any_flipped_bit_in_an_older_segment_names_file_and_offset() {
    let storage = written_singly(6, small_segments());
    let bytes = storage.contents(&file(0)).expect("written");
    let begins = |window: &[u8]| window == crate::format::RECORD_MARKER;
    let last = bytes.windows(4).rposition(begins).expect("a record");
    for bit in last * 8..bytes.len() * 8 {
        check_corrupt(&storage, 0, bit, last as u64);
    }
}

#[test]
fn records_missing_from_an_older_segment_are_named() {
    let storage = written_singly(6, small_segments());
    let mut bytes = storage.contents(&file(0)).expect("written");
    let begins = |window: &[u8]| window == crate::format::RECORD_MARKER;
    bytes.truncate(bytes.windows(4).rposition(begins).expect("a record"));
    let end = bytes.len() as u64;
    storage.put(&file(0), bytes);
    let (journal, _) = opened(&storage, small_segments());
    let error = journal.records_from(Sequence(0)).find_map(Result::err).expect("one is missing");
    assert!(
        matches!(&error, JournalError::Corrupt { offset, reason, .. }
        if *offset == end && reason == "1 records are missing here"),
        "{error}"
    );
}

#[test]
fn a_missing_segment_is_noticed() {
    let storage = written_singly(19, small_segments());
    let names = storage.list(dir()).expect("memory");
    storage.remove(&dir().join(&names[2])).expect("memory");
    let (journal, _) = opened(&storage, small_segments());
    let error = journal.records_from(Sequence(0)).find_map(Result::err).expect("some are missing");
    assert!(error.to_string().contains(&names[1]), "{error}");
}

#[test]
fn a_journal_of_another_version_is_refused_and_both_are_named() {
    let storage = written(1, large_segments());
    let mut bytes = storage.contents(&file(0)).expect("written");
    bytes[4] = 9;
    storage.put(&file(0), bytes);
    let error = open(&storage, large_segments()).expect_err("version 9").to_string();
    assert!(error.contains("version 9") && error.contains("version 1"), "{error}");
}

#[test]
fn a_record_of_another_version_is_refused_and_both_are_named() {
    let storage = written(2, large_segments());
    let mut bytes = storage.contents(&file(0)).expect("written");
    let body = SEGMENT_HEADER_LEN + RECORD_HEADER_LEN;
    bytes[SEGMENT_HEADER_LEN + 5] = 9;
    let header: [u8; RECORD_HEADER_LEN] =
        bytes[SEGMENT_HEADER_LEN..body].try_into().expect("a header");
    let decoded = crate::format::RecordHeader::decode(&header).expect("sound but for its sum");
    let stored = bytes[body..body + decoded.stored_len as usize].to_vec();
    bytes[SEGMENT_HEADER_LEN..body].copy_from_slice(&decoded.encode(&stored));
    storage.put(&file(0), bytes);
    let (journal, _) = opened(&storage, large_segments());
    let error = journal.records_from(Sequence(0)).find_map(Result::err).expect("version 9");
    let text = error.to_string();
    assert!(text.contains("byte 32") && text.contains("version 9"), "{text}");
}

#[test]
fn a_record_over_the_limit_is_refused_and_nothing_is_written() {
    let (mut journal, _) = opened(&MemoryStorage::default(), large_segments());
    let mut long = records().remove(0);
    if let wire::RecordBody::EpisodeStart(start) = &mut long.body {
        start.observation.proprio = vec![0.0; 9 << 20];
    }
    assert!(matches!(journal.append(&long), Err(JournalError::RecordTooLong { .. })));
    assert_eq!(journal.end(), Sequence(0));
    journal.append(&records()[0]).expect("the next one fits");
}

/// A lie that LZ4 would have to be asked to believe is caught in the header.
#[test]
fn an_absurd_length_is_refused_before_anything_is_allocated() {
    let header = crate::format::RecordHeader {
        kind: 1,
        version: 1,
        actor: ActorId(0),
        position: RecordPosition::default(),
        stored_len: 4,
        raw_len: 30 << 20,
        checksum: 0,
    };
    assert!(crate::format::RecordHeader::decode(&header.encode(&[0; 4])).is_err());
    let too_long = crate::format::RecordHeader { stored_len: u32::MAX, ..header };
    assert!(crate::format::RecordHeader::decode(&too_long.encode(&[0; 4])).is_err());
}

#[test]
fn what_is_not_yet_synced_is_not_shown() {
    let config = JournalConfig { sync: SyncPolicy::EveryMillis(10), ..large_segments() };
    let storage = MemoryStorage::default();
    let (mut journal, _) = opened(&storage, config);
    let at_ms = |ms: u64| Timestamp(ms * 1_000_000);
    let mut shown = Vec::new();
    for (ms, record) in [0, 4, 9, 11, 12].into_iter().zip(records()) {
        journal.append(&record).expect("no fault");
        journal.sync_if_due(at_ms(ms)).expect("no fault");
        shown.push(all(&journal).len());
    }
    assert_eq!(shown, [1, 1, 1, 4, 4]);
    let after = storage.restarted(Survivors::NOTHING);
    drop(journal);
    assert_eq!(all(&opened(&after, config).0).len(), 4);
}

#[test]
fn after_a_failed_sync_nothing_more_is_accepted() {
    let storage = MemoryStorage::default();
    let (mut journal, _) = opened(&storage, large_segments());
    journal.append(&records()[0]).expect("no fault");
    storage.set_fault(Some(Fault { at_call: storage.calls() + 1, dies: false }));
    assert!(matches!(journal.append(&records()[1]), Err(JournalError::Io { .. })));
    assert!(matches!(journal.append(&records()[1]), Err(JournalError::Failed { .. })));
    assert!(matches!(journal.sync(), Err(JournalError::Failed { .. })));
    assert_eq!(journal.durable_end(), Sequence(1));
}

#[test]
fn after_a_failed_write_the_journal_goes_on() {
    let storage = MemoryStorage::default();
    let (mut journal, _) = opened(&storage, large_segments());
    storage.set_fault(Some(Fault { at_call: storage.calls(), dies: false }));
    assert!(matches!(journal.append(&records()[0]), Err(JournalError::Io { .. })));
    journal.append_all(&records()).expect("the fault is over");
    drop(journal);
    assert_eq!(all(&opened(&storage, large_segments()).0), records());
}

fn fill(journal: &mut Journal) -> (usize, JournalError) {
    for (count, record) in endless().enumerate() {
        if let Err(e) = journal.append(&record) {
            return (count, e);
        }
    }
    unreachable!("the outbox is bounded")
}

/// A long episode.
fn endless() -> impl Iterator<Item = Record> {
    Script::default().records(&[&format!("T {}", "p".repeat(400))]).into_iter()
}

#[test]
fn a_full_outbox_says_so_and_keeps_what_it_has() {
    let storage = MemoryStorage::default();
    let config = small_outbox(2000, 600);
    let (mut journal, _) = opened(&storage, config);
    let (count, error) = fill(&mut journal);
    assert!(matches!(error, JournalError::Full { .. }) && error.is_full(), "{error}");
    assert_eq!(all(&journal).len(), count);
    assert!(journal.used_bytes() <= 1400);
}

#[test]
fn a_full_outbox_still_takes_the_end_of_the_episode() {
    let (mut journal, _) = opened(&MemoryStorage::default(), small_outbox(2000, 600));
    let (count, _) = fill(&mut journal);
    let text = format!("T {}|", "p".repeat(count));
    let last = Script::default().records(&[&text]).split_off(count);
    assert_eq!(last.len(), 2, "the step again, now truncated, and the end");
    for record in &last {
        journal.append(record).expect("the reserve is for this");
    }
    assert!(journal.used_bytes() <= 2000);
}

#[test]
fn acknowledged_segments_are_freed() {
    let storage = MemoryStorage::default();
    let (mut journal, _) = opened(&storage, small_outbox(2000, 0));
    let (count, _) = fill(&mut journal);
    let through = RecordPosition { episode: EpisodeId(0), index: count as u32 - 3 };
    journal.release_through(through).expect("no fault");
    assert!(storage.list(dir()).expect("memory").len() <= 2);
    let kept = read(journal.records_after(Some(through)));
    assert_eq!(
        kept.iter().map(|r| r.position.index as usize).collect::<Vec<_>>(),
        [count - 2, count - 1]
    );
    for record in endless().skip(count).take(5) {
        journal.append(&record).expect("there is room again");
    }
}

/// Also when the bound is smaller than one segment.
#[test]
fn an_acknowledged_outbox_never_stays_full() {
    let config = JournalConfig { segment_bytes: 1 << 20, ..small_outbox(1000, 0) };
    let (mut journal, _) = opened(&MemoryStorage::default(), config);
    for record in endless() {
        journal.append(&record).expect("all before it is acknowledged");
        journal.release_through(record.position).expect("no fault");
    }
}

#[test]
fn an_emptied_outbox_still_knows_where_its_actor_stood() {
    let storage = MemoryStorage::default();
    let config = JournalConfig { segment_bytes: 1, ..small_outbox(100_000, 0) };
    let (mut journal, _) = opened(&storage, config);
    for record in &records() {
        journal.append(record).expect("no fault");
    }
    let last = records().last().expect("not empty").position;
    journal.release_through(last).expect("no fault");
    drop(journal);
    let (mut journal, recovered) = opened(&storage, config);
    assert_eq!(recovered.last.map(|l| l.position), Some(last));
    assert_eq!(recovered.end, Sequence(19));
    journal.append(&records()[0]).expect("no fault");
    assert_eq!(journal.end(), Sequence(20));
}

#[test]
fn a_journal_that_keeps_everything_frees_nothing() {
    let (mut journal, _) = opened(&MemoryStorage::default(), small_segments());
    let released = journal.release_through(RecordPosition::default());
    assert!(matches!(released, Err(JournalError::KeepsForever)));
}

/// What is done to a journal in the test beside the model.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Append(usize),
    Sync,
    Release,
}

/// Where a run through `deeds` stood when it stopped.
#[derive(Debug, Default)]
struct Promised {
    /// Records that were acknowledged: this many from the beginning.
    durable: usize,
    /// Records that were handed over at all.
    offered: usize,
    /// Records that were released, of the acknowledged ones.
    released: usize,
}

/// Runs `deeds` until the journal gives up; a failed append is tried once more.
fn run(
    storage: &MemoryStorage,
    config: JournalConfig,
    records: &[Record],
    deeds: &[Deed],
) -> Promised {
    let mut promised = Promised::default();
    let Ok((mut journal, _)) = open(storage, config) else { return promised };
    for deed in deeds {
        let done = match deed {
            Deed::Append(count) => {
                let from = journal.end().0 as usize;
                let batch = &records[from..(from + count).min(records.len())];
                promised.offered = promised.offered.max(from + batch.len());
                journal.append_all(batch).or_else(|_| journal.append_all(batch)).map(|_| ())
            }
            Deed::Sync => journal.sync(),
            Deed::Release => match promised.durable.checked_sub(2) {
                Some(at) => {
                    // Once asked for, it may have happened even if an error came back.
                    promised.released = at + 1;
                    journal.release_through(records[at].position)
                }
                None => Ok(()),
            },
        };
        promised.durable = promised.durable.max(journal.durable_end().0 as usize);
        if done.is_err() {
            break;
        }
    }
    promised
}

/// After any stop: nothing acknowledged is lost, and what is there is what was offered, in order.
fn check_promised(
    after: &MemoryStorage,
    config: JournalConfig,
    records: &[Record],
    promised: &Promised,
) {
    let (journal, recovered) = opened(after, config);
    let (first, end) = (recovered.first.0 as usize, recovered.end.0 as usize);
    assert!(first <= promised.released, "{promised:?}, first {first}");
    assert!((promised.durable..=promised.offered).contains(&end), "{promised:?}, end {end}");
    assert_eq!(all(&journal), records[first..end]);
    let last = end.checked_sub(1).map(|at| records[at].position);
    assert_eq!(recovered.last.map(|last| last.position), last);
}

/// What a machine may look like after it stopped.
const STOPS: [Survivors; 5] = [
    Survivors::NOTHING,
    Survivors { unsynced_bytes: 1, unsynced_names: true },
    Survivors { unsynced_bytes: 40, unsynced_names: false },
    Survivors { unsynced_bytes: 300, unsynced_names: true },
    Survivors::ALL,
];

/// Every call fails once, in a process that goes on and in one that dies there.
fn check_every_fault(config: JournalConfig, records: &[Record], deeds: &[Deed]) {
    let sound = MemoryStorage::default();
    let promised = run(&sound, config, records, deeds);
    check_promised(&sound.restarted(Survivors::NOTHING), config, records, &promised);
    for (at_call, dies) in (0..sound.calls()).flat_map(|n| [(n, false), (n, true)]) {
        let storage = MemoryStorage::failing(Fault { at_call, dies });
        let promised = run(&storage, config, records, deeds);
        for stop in STOPS {
            check_promised(&storage.restarted(stop), config, records, &promised);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_whichever_call_fails() {
    use Deed::{Append, Release, Sync};
    let deeds = [
        Append(1),
        Append(2),
        Append(1),
        Release,
        Append(3),
        Append(1),
        Sync,
        Append(2),
        Release,
        Append(1),
        Append(4),
        Release,
    ];
    let lazy = SyncPolicy::EveryMillis(1);
    check_every_fault(small_segments(), &records(), &deeds[..3]);
    check_every_fault(small_outbox(5000, 100), &records(), &deeds);
    check_every_fault(JournalConfig { sync: lazy, ..small_outbox(5000, 100) }, &records(), &deeds);
}

/// A recovery that is itself interrupted at every call loses nothing either.
#[test]
fn nothing_is_lost_when_recovery_is_interrupted() {
    let storage = written_singly(9, small_segments());
    let newest = dir().join(storage.list(dir()).expect("memory").last().expect("a segment"));
    let mut torn = storage.contents(&newest).expect("written");
    torn.extend_from_within(SEGMENT_HEADER_LEN..SEGMENT_HEADER_LEN + 20);
    for at_call in 0..12 {
        let storage = storage.restarted(Survivors::ALL);
        storage.put(&newest, torn.clone());
        storage.set_fault(Some(Fault { at_call, dies: true }));
        let _ = open(&storage, small_segments());
        for stop in STOPS {
            let (journal, _) = opened(&storage.restarted(stop), small_segments());
            assert_eq!(all(&journal), records()[..9]);
        }
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (1..5usize).prop_map(Deed::Append),
        1 => Just(Deed::Sync),
        1 => Just(Deed::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_in_random_runs(
        deeds in vec(deed(), 1..14),
        episodes in vec("[DT] [ph]{0,5}[+|]", 1..4),
        segment_bytes in 200..1200u64,
        eager in any::<bool>(),
    ) {
        let texts: Vec<&str> = episodes.iter().map(String::as_str).collect();
        let sync = if eager { SyncPolicy::EveryAppend } else { SyncPolicy::EveryMillis(1) };
        let config = JournalConfig { segment_bytes, sync, ..small_outbox(100_000, 0) };
        check_every_fault(config, &Script::default().records(&texts), &deeds);
    }
}

#[test]
fn the_real_file_system_serves_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run/journal");
    let config = small_outbox(100_000, 0);
    let (mut journal, _) = Journal::open(&path, config).expect("a new journal");
    for record in &records() {
        journal.append(record).expect("room");
    }
    assert!(matches!(Journal::open(&path, config), Err(JournalError::Locked { .. })));
    journal.release_through(records()[4].position).expect("released");
    drop(journal);
    let newest = path.join(
        std::fs::read_dir(&path)
            .expect("there")
            .map(|e| e.expect("there").file_name())
            .filter(|name| name.to_string_lossy().ends_with(".journal"))
            .max()
            .expect("a segment"),
    );
    let mut bytes = std::fs::read(&newest).expect("readable");
    bytes.pop();
    std::fs::write(&newest, bytes).expect("writable");
    let (journal, recovered) = Journal::open(&path, config).expect("a torn tail is cut");
    assert!(recovered.cut.is_some() && recovered.first > Sequence(0));
    assert_eq!(read(journal.records_after(Some(records()[4].position))), records()[5..18]);
}

/// A journal written by version 1 stays as it is in the repository for ever.
const VERSION_1: &[u8] = include_bytes!("../../tests/fixtures/version-1.journal");

/// What it holds.
fn version_1_records() -> Vec<Record> {
    let script = Script { actor: 3, backbone: Some(BACKBONE) };
    script.records(&["D hh+", "T phhp|", "T p~", "E p-"])
}

#[test]
fn a_journal_of_version_1_is_read() {
    let storage = MemoryStorage::default();
    storage.put(&file(0), VERSION_1.to_vec());
    let (journal, recovered) = opened(&storage, large_segments());
    assert_eq!(all(&journal), version_1_records());
    assert_eq!(recovered.cut, None);
}

/// Fails when the bytes change without the version: then raise it, keep the old file as a
/// fixture, and write a new one with `cargo test -p replay -- --ignored writes_the_fixture`.
#[test]
fn the_present_version_is_still_version_1() {
    assert_eq!(fixture(), VERSION_1);
}

fn fixture() -> Vec<u8> {
    let storage = MemoryStorage::default();
    opened(&storage, large_segments()).0.append_all(&version_1_records()).expect("no fault");
    storage.contents(&file(0)).expect("written")
}

#[test]
#[ignore = "writes into the source tree; run it when the format gets a new version"]
fn writes_the_fixture() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1.journal");
    std::fs::write(path, fixture()).expect("the source tree is writable");
}
