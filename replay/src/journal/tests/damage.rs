//! Torn tails are cut off; any other damage is named with file and offset.

use super::*;

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
    if let RecordBody::EpisodeStart(start) = &mut long.body {
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
