//! What was written once stays readable.

use super::*;

/// A journal written by version 1 stays as it is in the repository for ever.
const VERSION_1: &[u8] = include_bytes!("../../../tests/fixtures/version-1.journal");

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
