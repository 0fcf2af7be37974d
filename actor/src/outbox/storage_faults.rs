//! The outbox on a storage whose N-th call fails, or whose process dies there: for every N, and
//! whatever a power cut leaves. What was on the disk for good is sent, once and unaltered, nothing
//! half-written appears, and the actor goes on with the next episode.

use replay::{
    Arrival, Continuity,
    storage::memory::{Fault, MemoryStorage, Survivors},
};

use super::{
    testing::{ACTOR, records},
    *,
};

const WORDS: &str = "DHH+ Tpp+ TpH+ DH+";

/// What happened to the actor and what its learner has, which no fault of this storage touches.
#[derive(Clone, Default)]
struct World {
    /// What the actor has given to its outbox.
    appended: Vec<Record>,
    /// Of those, how many the outbox said are on the disk for good.
    durable: usize,
    taken: Vec<Record>,
    continuity: Continuity,
}

fn open(storage: &MemoryStorage) -> Result<(Outbox, Opened), OutboxError> {
    // Of so little that the journal rolls and frees segments.
    let config = JournalConfig { segment_bytes: 1 << 10, ..JournalConfig::outbox(1 << 20) };
    Outbox::open(Arc::new(storage.clone()), Path::new("/nowhere/outbox"), config, ACTOR)
}

impl World {
    /// As far as the storage lets it: appends, and sends what is on the disk for good.
    fn work(&mut self, storage: &MemoryStorage) {
        let Ok((outbox, _)) = open(storage) else { return };
        for record in records(WORDS) {
            self.appended.push(record.clone());
            if outbox.append(&record).is_err() {
                return;
            }
            if outbox.durable() == Some(record.position) {
                self.durable = self.appended.len();
            }
            if self.appended.len().is_multiple_of(3) && self.send(&outbox).is_err() {
                return;
            }
        }
        _ = self.send(&outbox);
    }

    fn send(&mut self, outbox: &Outbox) -> Result<(), OutboxError> {
        loop {
            let last = self.taken.last().map(|record| record.position);
            let batch = outbox.batch_after(last, 4, usize::MAX)?;
            if batch.is_empty() {
                return Ok(());
            }
            for record in batch {
                match self.continuity.accept(&record).unwrap() {
                    Arrival::New => self.taken.push(record),
                    Arrival::Duplicate => {}
                    Arrival::Gap { expected_after } => {
                        panic!("{} came after {expected_after:?}", record.position)
                    }
                }
            }
            outbox.acknowledge(self.taken.last().unwrap().position)?;
        }
    }

    /// The actor comes again on this storage.
    fn check_goes_on(mut self, storage: &MemoryStorage, what: &str) {
        let (outbox, opened) = open(storage).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        self.send(&outbox).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!(self.taken.len() >= self.durable, "{what}: lost");
        for (taken, given) in self.taken.iter().zip(&self.appended) {
            let closed = matches!(&taken.body, RecordBody::EpisodeEnd(end)
                if end.truncation == Some(TruncationCause::Interrupted));
            assert!(taken == given || closed, "{what}: {} was altered", taken.position);
        }
        let shown = |record: &&Record| {
            matches!(&record.body, RecordBody::EpisodeEnd(end)
                if end.outcome == Outcome::Success && record.position.episode.0.is_multiple_of(3))
        };
        let demonstrations = self.taken.iter().filter(shown).count();
        assert_eq!(opened.progress.demonstrations as usize, demonstrations, "{what}");
        let last = self.taken.last().map(|record| record.position.episode.next());
        assert_eq!(opened.progress.next_episode, last.unwrap_or_default(), "{what}");
        let before = self.taken.len();
        for mut record in records("Tp+") {
            record.position.episode = opened.progress.next_episode;
            outbox.append(&record).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        }
        self.send(&outbox).unwrap();
        assert_eq!(self.taken.len(), before + 3, "{what}: it does not go on");
    }
}

fn check(dies: bool) {
    let storage = MemoryStorage::default();
    let mut undisturbed = World::default();
    undisturbed.work(&storage);
    assert_eq!(undisturbed.taken, records(WORDS));
    for at_call in 0..storage.calls() {
        let storage = MemoryStorage::failing(Fault { at_call, dies });
        let mut world = World::default();
        world.work(&storage);
        for unsynced_bytes in [0, 1, 40, usize::MAX] {
            for unsynced_names in [false, true] {
                let survivors = Survivors { unsynced_bytes, unsynced_names };
                let what = format!("call {at_call}, dies {dies}, {survivors:?}");
                world.clone().check_goes_on(&storage.restarted(survivors), &what);
            }
        }
    }
}

#[test]
fn whichever_call_fails_nothing_that_was_kept_is_lost() {
    check(false);
}

#[test]
fn wherever_the_process_dies_nothing_that_was_kept_is_lost() {
    check(true);
}
