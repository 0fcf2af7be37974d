use std::sync::Arc;

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use replay::DiskStorage;
use tempfile::TempDir;

use super::*;
use crate::outbox::{
    Opened, Outbox,
    testing::{ACTOR, records},
};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn outbox(&self) -> &Path {
        self.0.path()
    }

    /// The control loop keeps `kept`, the outbox gets the first `written` of them, and the process
    /// is killed.
    fn killed(&self, kept: &[Record], written: usize) {
        let (outbox, _) = Outbox::open(
            Arc::new(DiskStorage),
            self.outbox(),
            JournalConfig::outbox(1 << 20),
            ACTOR,
        )
        .unwrap();
        let mut staging = Staging::open(self.outbox()).unwrap();
        for record in &kept[..written] {
            staging.keep(record, outbox.gauge().written()).unwrap();
            outbox.append(record).unwrap();
        }
        for record in &kept[written..] {
            staging.keep(record, outbox.gauge().written()).unwrap();
        }
    }

    fn reopened(&self) -> (Vec<Record>, Opened) {
        let (outbox, opened) = Outbox::open(
            Arc::new(DiskStorage),
            self.outbox(),
            JournalConfig::outbox(1 << 20),
            ACTOR,
        )
        .unwrap();
        (outbox.batch_after(None, usize::MAX, usize::MAX).unwrap(), opened)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        discard(self.0.path()).unwrap();
    }
}

#[test]
fn what_was_in_hand_is_in_the_outbox_after_a_kill() {
    let all = records("D p p p + T p p p");
    for written in 0..=all.len() {
        let place = Place::new();
        place.killed(&all, written);
        let (found, opened) = place.reopened();
        assert_eq!(found[..all.len()], all[..], "{written} written");
        assert_eq!(found.len(), all.len() + 1, "the open episode is closed, nothing is doubled");
        assert_eq!(opened.taken_in, all.len() - written);
    }
}

#[test]
fn a_second_kill_before_anything_new_doubles_nothing() {
    let place = Place::new();
    let all = records("T p p");
    place.killed(&all, 1);
    let (once, _) = place.reopened();
    let (twice, opened) = place.reopened();
    assert_eq!(once, twice);
    assert_eq!(opened.taken_in, 0);
}

#[test]
fn a_record_that_was_being_copied_is_not_there() {
    let place = Place::new();
    let all = records("T p p p");
    place.killed(&all, 0);
    let folder = place.outbox().join(LINK);
    let mut files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.find(|path| path.extension().is_some_and(|e| e == "journal")).unwrap();
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 3]).unwrap();
    let (found, opened) = place.reopened();
    assert_eq!(opened.taken_in, 3);
    assert_eq!(found[..3], all[..3]);
}

#[test]
fn a_full_outbox_takes_what_was_in_hand() {
    let place = Place::new();
    let all = records("T p p p p p p p p");
    place.killed(&all, 0);
    let tiny = JournalConfig::outbox(1);
    let (outbox, opened) =
        Outbox::open(Arc::new(DiskStorage), place.outbox(), tiny, ACTOR).unwrap();
    assert_eq!(opened.taken_in, all.len());
    assert_eq!(outbox.batch_after(None, usize::MAX, usize::MAX).unwrap()[..all.len()], all[..]);
}

#[test]
fn memory_is_freed_as_the_outbox_has_the_records() {
    let place = Place::new();
    let mut staging = Staging::open(place.outbox()).unwrap();
    let mut kept = records("T");
    // Not to be compressed.
    let mut noise = vec![0; 399_996];
    ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut noise);
    for index in 1..200 {
        let mut record = records("Tp").pop().unwrap();
        record.position.index = index;
        if let wire::RecordBody::Step(step) = &mut record.body {
            let frame = wire::Frame::new(3, 44_444, noise.clone()).unwrap();
            step.next_observation.frames = vec![frame];
        }
        let before = kept.pop().map(|record| record.position);
        staging.keep(&record, before).unwrap();
        kept.push(record);
    }
    let used = staging.journal.used_bytes();
    assert!(used < 8 << 20, "{used} bytes");
}

#[test]
fn a_link_into_a_memory_that_a_restart_emptied_is_replaced() {
    let place = Place::new();
    place.killed(&records("Tp"), 0);
    fs::remove_dir_all(fs::read_link(place.outbox().join(LINK)).unwrap()).unwrap();
    assert_eq!(left_behind(place.outbox()).unwrap(), vec![]);
    Staging::open(place.outbox()).unwrap();
}

#[test]
fn nothing_stays_in_memory_after_a_good_end() {
    let place = Place::new();
    let staging = Staging::open(place.outbox()).unwrap();
    let folder = fs::read_link(place.outbox().join(LINK)).unwrap();
    drop(staging);
    discard(place.outbox()).unwrap();
    assert!(!folder.exists());
}
