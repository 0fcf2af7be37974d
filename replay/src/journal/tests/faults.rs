//! Whichever call fails and whatever a power cut leaves, beside a simple model.

use super::*;

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
