//! The learner's files on a storage whose N-th call fails, whose process dies there, or which from
//! then on says that it has synced and has not: for every N, and whatever a power cut leaves.
//!
//! What was acknowledged is there again, nothing half-written appears, and the run goes on.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use learner::{
    checkpoint::{self, Checkpoint},
    ingest::{Identity, Ingest, IngestError},
};
use replay::{
    JournalConfig, JournalError, StoreConfig,
    storage::{
        memory::{Fault, MemoryStorage, Survivors},
        read_whole, write_atomically,
    },
};
use wire::{
    Action, ActionSource, ActionSpec, ActorId, ActorRequest, Append, EpisodeEnd, EpisodeId,
    EpisodeKind, EpisodeStart, GateEvents, LearnerReply, LearnerStep, Observation, ObservationSpec,
    Outcome, PolicyVersion, Record, RecordBody, RecordPosition, Refusal, Step, Timestamp,
    TruncationCause, UnixNanos,
};

const EPISODES: u32 = 4;
const STEPS: u32 = 3;
const POLICY: &str = "/run/policy.bin";

fn journal() -> &'static Path {
    Path::new("/run/journal")
}

fn checkpoints() -> &'static Path {
    Path::new("/run/checkpoints")
}

fn identity() -> Identity {
    Identity {
        run: "run".into(),
        task_hash: "task".into(),
        observation: ObservationSpec { proprio_dim: 1, cameras: vec![] },
        action: ActionSpec { dim: 1 },
    }
}

fn store() -> StoreConfig {
    let Identity { observation, action, .. } = identity();
    StoreConfig { observation, action, grippers: 0, features: None, max_observations: 1000 }
}

fn open(storage: &MemoryStorage) -> Result<Ingest, IngestError> {
    let storage = Arc::new(storage.clone());
    Ingest::open(storage, journal(), identity(), JournalConfig::keep_forever(), store(), None)
        .map(|(ingest, _)| ingest)
}

/// All records of the run, each unlike any other.
fn records() -> Vec<Record> {
    (0..EPISODES).flat_map(|episode| (0..=STEPS + 1).map(move |at| record(episode, at))).collect()
}

fn record(episode: u32, index: u32) -> Record {
    let tag = (episode * 100 + index) as f32;
    let seen = Observation {
        captured_at: Timestamp(0),
        proprio: vec![tag],
        frames: vec![],
        features: vec![],
    };
    let body = match index {
        0 => RecordBody::EpisodeStart(EpisodeStart {
            kind: EpisodeKind::Training,
            seed: 0,
            started_at: UnixNanos(0),
            observation: seen,
        }),
        n if n <= STEPS => RecordBody::Step(Step {
            started_at: Timestamp(0),
            source: ActionSource::Policy,
            policy_version: PolicyVersion(1),
            policy_action: None,
            human_action: None,
            commanded_action: Action::from_slice(&[tag]),
            executed_action: Action::from_slice(&[tag]),
            gate_events: GateEvents::default(),
            reward: tag,
            judgement: wire::Judgement::default(),
            terminated: false,
            truncated: n == STEPS,
            next_observation: seen,
        }),
        _ => RecordBody::EpisodeEnd(EpisodeEnd {
            steps: STEPS,
            outcome: Outcome::Failure,
            truncation: Some(TruncationCause::TimeLimit),
            human_steps: 0,
            interventions: 0,
        }),
    };
    let position = RecordPosition { episode: EpisodeId(episode), index };
    Record { actor: ActorId(0), position, body }
}

fn append(ingest: &Ingest, record: &Record) -> LearnerReply {
    let append = Append { actor: ActorId(0), records: vec![record.clone()] };
    ingest.answer(ActorRequest::Append(append))
}

/// What the run was told is safe.
#[derive(Clone, Debug, Default)]
struct Promised {
    acknowledged: usize,
    checkpoint: Option<u64>,
    policies: usize,
}

/// The whole run, as far as the storage lets it: an actor that sends again what is refused, a
/// checkpoint and a policy after each episode. `promised` is kept up to date.
fn work(storage: &MemoryStorage, promised: &mut Promised) {
    let Ok(ingest) = open(storage) else { return };
    let through = ingest.lock().store.through(ActorId(0));
    let left = records().into_iter().filter(|record| Some(record.position) > through);
    for record in left {
        let taken = (0..3).any(|_| match append(&ingest, &record) {
            LearnerReply::Appended { through, .. } => through == record.position,
            LearnerReply::Refused(Refusal::Unavailable(_)) => false,
            other => panic!("{other:?}"),
        });
        if !taken {
            return;
        }
        promised.acknowledged = index_of(record.position) + 1;
        if matches!(record.body, RecordBody::EpisodeEnd(_)) {
            keep(storage, &ingest, promised);
        }
    }
}

fn index_of(position: RecordPosition) -> usize {
    (position.episode.0 * (STEPS + 2) + position.index) as usize
}

fn keep(storage: &MemoryStorage, ingest: &Ingest, promised: &mut Promised) {
    let records = ingest.lock().records();
    if checkpoint::save(storage, checkpoints(), &checkpoint_after(records)).is_ok() {
        promised.checkpoint = Some(records);
    }
    let episode = (records / u64::from(STEPS + 2)) as usize;
    if write_atomically(storage, Path::new(POLICY), &policy(episode)).is_ok() {
        promised.policies = episode;
    }
}

fn checkpoint_after(records: u64) -> Checkpoint {
    Checkpoint {
        learner_step: LearnerStep(records),
        policy_version: PolicyVersion(records),
        env_steps: records,
        records: Some(records),
        config_hash: "run".into(),
        train_state: vec![records as u8; 64],
    }
}

fn policy(episode: usize) -> Vec<u8> {
    vec![episode as u8; 16 + episode]
}

/// What a restarted machine finds is at least what was promised, and whole.
fn check_found(storage: &MemoryStorage, promised: &Promised, what: &str) {
    let ingest = open(storage).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let (stored, through) = {
        let inner = ingest.lock();
        (inner.records(), inner.store.through(ActorId(0)))
    };
    assert!(stored >= promised.acknowledged as u64, "{what}: {stored} of {promised:?}");
    assert_eq!(through.map_or(0, |at| index_of(at) + 1) as u64, stored, "{what}: doubled");
    let kept = replay::journal::read_only(Arc::new(storage.clone()), journal()).unwrap();
    for (n, (read, expected)) in kept.zip(records()).enumerate() {
        assert_eq!(read.unwrap().1, expected, "{what}: record {n} was altered");
    }
    let found = checkpoint::newest(storage, checkpoints()).unwrap();
    assert!(found.broken.is_empty(), "{what}: {:?}", found.broken);
    let newest = found.newest.map(|(_, checkpoint)| checkpoint);
    let at = newest.as_ref().and_then(|checkpoint| checkpoint.records);
    assert!(at >= promised.checkpoint, "{what}: checkpoint {at:?} of {promised:?}");
    assert!(at <= Some(stored), "{what}: a checkpoint of records that are not there");
    assert!(newest.is_none_or(|c| c == checkpoint_after(at.unwrap_or(0))), "{what}: altered");
    check_policy(storage, promised, what);
}

fn check_policy(storage: &MemoryStorage, promised: &Promised, what: &str) {
    match read_whole(storage, Path::new(POLICY)) {
        Ok(bytes) => {
            let whole = (promised.policies..=EPISODES as usize).any(|n| bytes == policy(n));
            assert!(whole, "{what}: the policy is {bytes:?} after {promised:?}");
        }
        Err(_) => assert_eq!(promised.policies, 0, "{what}: the policy is gone"),
    }
}

fn check_goes_on(storage: &MemoryStorage, what: &str) {
    let mut promised = Promised::default();
    work(storage, &mut promised);
    let stored = open(storage).unwrap().lock().records();
    assert_eq!(stored, records().len() as u64, "{what}: the run does not go on");
}

fn leavings() -> impl Iterator<Item = Survivors> {
    let bytes = [0, 1, 7, 40, usize::MAX];
    let names = [false, true];
    bytes.into_iter().flat_map(move |unsynced_bytes| {
        names.map(|unsynced_names| Survivors { unsynced_bytes, unsynced_names })
    })
}

/// Calls of a run that nothing disturbs.
fn calls() -> u64 {
    let storage = MemoryStorage::default();
    let mut promised = Promised::default();
    work(&storage, &mut promised);
    assert_eq!(promised.acknowledged, records().len());
    assert_eq!(promised.policies, EPISODES as usize);
    storage.calls()
}

fn check_fault(dies: bool) {
    for at_call in 0..calls() {
        let storage = MemoryStorage::failing(Fault { at_call, dies });
        let mut promised = Promised::default();
        work(&storage, &mut promised);
        for survivors in leavings() {
            let what = format!("call {at_call}, dies {dies}, {survivors:?}");
            let restarted = storage.restarted(survivors);
            check_found(&restarted, &promised, &what);
            check_goes_on(&restarted, &what);
        }
    }
}

#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost() {
    check_fault(false);
}

#[test]
fn wherever_the_process_dies_nothing_acknowledged_is_lost() {
    check_fault(true);
}

/// A disk that lies loses what was acknowledged after it began to. What it held before is there;
/// what it lost in the middle is named, not passed over.
#[test]
fn a_disk_that_stops_syncing_keeps_what_was_acknowledged_before() {
    for from_call in 0..calls() {
        let before = {
            let storage = MemoryStorage::failing(Fault { at_call: from_call, dies: true });
            let mut promised = Promised::default();
            work(&storage, &mut promised);
            promised
        };
        let storage = MemoryStorage::default();
        storage.stop_syncing_from(from_call);
        work(&storage, &mut Promised::default());
        for unsynced_bytes in [0, 1, 7, 40] {
            let what = format!("from call {from_call} on, {unsynced_bytes} bytes");
            let left = Survivors { unsynced_bytes, unsynced_names: false };
            let restarted = storage.restarted(left);
            check_found(&restarted, &before, &what);
            check_goes_on(&restarted, &what);
        }
    }
}

#[test]
fn a_full_disk_is_told_to_the_actor_and_when_there_is_room_the_run_goes_on() {
    let storage = MemoryStorage::default();
    let ingest = open(&storage).unwrap();
    let records = records();
    assert!(matches!(append(&ingest, &records[0]), LearnerReply::Appended { .. }));
    storage.set_full(true);
    for _ in 0..3 {
        let LearnerReply::Refused(Refusal::Unavailable(reason)) = append(&ingest, &records[1])
        else {
            panic!("a full disk took a record")
        };
        assert!(reason.contains("no storage space"), "{reason}");
        assert!(ingest.lock().trouble().is_some(), "the status says nothing");
    }
    storage.set_full(false);
    for record in &records[1..] {
        assert!(matches!(append(&ingest, record), LearnerReply::Appended { .. }));
    }
    assert_eq!(ingest.lock().trouble(), None);
    drop(ingest);
    let promised = Promised { acknowledged: records.len(), ..Promised::default() };
    check_found(&storage.restarted(Survivors::NOTHING), &promised, "after a full disk");
}

#[test]
fn a_checkpoint_of_more_records_than_the_journal_has_is_refused() {
    let storage = MemoryStorage::default();
    work(&storage, &mut Promised::default());
    let have = records().len() as u64;
    let opened = Ingest::open(
        Arc::new(storage),
        journal(),
        identity(),
        JournalConfig::keep_forever(),
        store(),
        Some(have + 1),
    );
    assert!(matches!(opened, Err(IngestError::Short { .. })));
}

#[test]
fn the_journals_second_writer_is_refused() {
    let storage = MemoryStorage::default();
    let _first = open(&storage).unwrap();
    let path = PathBuf::from("/run/journal/journal.lock");
    match open(&storage) {
        Err(IngestError::Journal(JournalError::Locked { path: named })) => assert_eq!(named, path),
        other => panic!("{:?}", other.map(drop)),
    }
}
