//! Failed writes and syncs, full outboxes, and what an acknowledgement frees.

use super::*;

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
