//! What was written once stays readable.

use super::*;

/// Journals of each version stay as they are in the repository for ever.
const VERSION_1: &[u8] = include_bytes!("../../../tests/fixtures/version-1.journal");
const VERSION_2: &[u8] = include_bytes!("../../../tests/fixtures/version-2.journal");
const VERSION_3: &[u8] = include_bytes!("../../../tests/fixtures/version-3.journal");

/// What they hold.
fn version_3_records() -> Vec<Record> {
    let script = Script { actor: 3, backbone: Some(BACKBONE) };
    script.records(&["D hh+", "D h+x", "D h-k", "T phhp|", "T p~", "E p-"])
}

/// Version 2 did not know of second thoughts.
fn version_2_records() -> Vec<Record> {
    let script = Script { actor: 3, backbone: Some(BACKBONE) };
    script.records(&["D hh+", "T phhp|", "T p~", "E p-"])
}

/// Version 1 did not know where a step's reward came from.
fn version_1_records() -> Vec<Record> {
    let mut records = version_2_records();
    for record in &mut records {
        if let RecordBody::Step(step) = &mut record.body {
            step.judgement = Judgement::default();
        }
    }
    records
}

#[track_caller]
fn check_reads(bytes: &[u8], records: Vec<Record>) {
    let storage = MemoryStorage::default();
    storage.put(&file(0), bytes.to_vec());
    let (journal, recovered) = opened(&storage, large_segments());
    assert_eq!(all(&journal), records);
    assert_eq!(recovered.cut, None);
}

#[test]
fn a_journal_of_version_1_is_read() {
    check_reads(VERSION_1, version_1_records());
}

#[test]
fn a_journal_of_version_2_is_read() {
    check_reads(VERSION_2, version_2_records());
}

#[test]
fn a_journal_of_version_3_is_read() {
    check_reads(VERSION_3, version_3_records());
}

#[test]
fn a_journal_of_version_1_goes_on_with_the_present_one() {
    let storage = MemoryStorage::default();
    storage.put(&file(0), VERSION_1.to_vec());
    let (mut journal, _) = opened(&storage, large_segments());
    let script = Script { actor: 3, backbone: Some(BACKBONE) };
    let further = script.episode(EpisodeId(4), "T pp|");
    journal.append_all(&further).expect("no fault");
    let expected: Vec<Record> = version_1_records().into_iter().chain(further).collect();
    assert_eq!(all(&journal), expected);
}

/// Fails when the bytes change without the version: then raise it, keep the old file as a
/// fixture, and write a new one with `cargo test -p replay -- --ignored writes_the_fixture`.
#[test]
fn the_present_version_is_still_version_3() {
    assert_eq!(fixture(), VERSION_3);
}

fn fixture() -> Vec<u8> {
    let storage = MemoryStorage::default();
    opened(&storage, large_segments()).0.append_all(&version_3_records()).expect("no fault");
    storage.contents(&file(0)).expect("written")
}

#[test]
#[ignore = "writes into the source tree; run it when the format gets a new version"]
fn writes_the_fixture() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-3.journal");
    std::fs::write(path, fixture()).expect("the source tree is writable");
}
