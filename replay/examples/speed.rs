//! How long the journal and the store take: `cargo run -p replay --example speed`.
//! Two cameras of 128 x 128, pictures half noise so that they pack like camera pictures do.

use std::{hint::black_box, time::Duration};

use half::f16;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use replay::{
    Batch, FeatureSpec, Journal, JournalConfig, ReplayStore, Sequence, StoreConfig, SyncPolicy,
    symmetric_sample,
};
use wire::{
    Action, ActionSource, ActionSpec, ActorId, CameraSpec, Clock, EpisodeId, EpisodeKind,
    EpisodeStart, Features, Frame, GateEvents, Observation, ObservationSpec, PolicyVersion, Record,
    RecordBody, RecordPosition, Step, SystemClock, Timestamp, UnixNanos, WeightsHash,
};

const STEPS: u32 = 600;
const SIZE: u16 = 128;
const BACKBONE: WeightsHash = WeightsHash([1; 32]);

fn observation(rng: &mut ChaCha8Rng, feature_dim: usize) -> Observation {
    let frame = |rng: &mut ChaCha8Rng| {
        let noisy = |at: usize, noise: u8| {
            if (at / 128).is_multiple_of(2) { noise } else { (at / 384) as u8 }
        };
        let pixels: Vec<u8> =
            (0..usize::from(SIZE).pow(2) * 3).map(|at| noisy(at, rng.random())).collect();
        Frame::new(SIZE, SIZE, pixels).expect("the size is right")
    };
    let features = |rng: &mut ChaCha8Rng| Features {
        backbone: BACKBONE,
        values: (0..feature_dim).map(|_| f16::from_f32(rng.random()).to_bits()).collect(),
    };
    Observation {
        captured_at: Timestamp(0),
        proprio: vec![0.5; 19],
        frames: vec![frame(rng), frame(rng)],
        features: vec![features(rng), features(rng)],
    }
}

fn episode(feature_dim: usize) -> Vec<Record> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let record = |index, body| Record {
        actor: ActorId(0),
        position: RecordPosition { episode: EpisodeId(0), index },
        body,
    };
    let start = RecordBody::EpisodeStart(EpisodeStart {
        kind: EpisodeKind::Training,
        seed: 0,
        started_at: UnixNanos(0),
        observation: observation(&mut rng, feature_dim),
    });
    let mut records = vec![record(0, start)];
    for index in 1..=STEPS {
        let human = index % 4 == 0;
        let step = Step {
            started_at: Timestamp(0),
            source: if human { ActionSource::Human } else { ActionSource::Policy },
            policy_version: PolicyVersion(1),
            policy_action: Some(Action::zeros(7)),
            human_action: human.then(|| Action::zeros(7)),
            commanded_action: Action::zeros(7),
            executed_action: Action::zeros(7),
            gate_events: GateEvents::default(),
            reward: 0.0,
            judgement: wire::Judgement::default(),
            terminated: false,
            truncated: false,
            next_observation: observation(&mut rng, feature_dim),
        };
        records.push(record(index, RecordBody::Step(step)));
    }
    records
}

fn report(what: &str, took: Duration, times: u32) {
    println!("{what:<58} {:8.3} ms", took.as_secs_f64() * 1e3 / f64::from(times));
}

fn main() {
    let clock = SystemClock::new();
    for feature_dim in [512, 8192] {
        println!("-- features of {feature_dim} per frame");
        measure(&clock, &episode(feature_dim), feature_dim);
    }
}

fn measure(clock: &SystemClock, records: &[Record], feature_dim: usize) {
    for (what, sync) in [
        ("append a step, no fsync", SyncPolicy::Never),
        ("append a step, fsync each", SyncPolicy::EveryAppend),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = JournalConfig { sync, ..JournalConfig::keep_forever() };
        let (mut journal, _) = Journal::open(folder.path(), config).expect("a new journal");
        let began = clock.now();
        for record in records {
            journal.append(record).expect("room on the disk");
        }
        report(what, clock.now() - began, STEPS + 1);
        println!("{:<58} {:8} bytes", "a step on disk", journal.used_bytes() / u64::from(STEPS));
        drop(journal);
        let began = clock.now();
        let (journal, _) = Journal::open(folder.path(), config).expect("a sound journal");
        report("recover, per record of the newest segment", clock.now() - began, STEPS + 1);
        let began = clock.now();
        journal.records_from(Sequence(0)).for_each(|r| drop(black_box(r.expect("sound"))));
        report("read a record", clock.now() - began, STEPS + 1);
    }
    let camera = |name: &str| CameraSpec { name: name.into(), width: SIZE, height: SIZE };
    let mut store = ReplayStore::new(StoreConfig {
        observation: ObservationSpec { proprio_dim: 19, cameras: vec![camera("a"), camera("b")] },
        action: ActionSpec { dim: 7 },
        grippers: 0,
        features: Some(FeatureSpec { backbone: BACKBONE, dims: vec![feature_dim; 2], variants: 1 }),
        max_observations: 100_000,
    });
    let began = clock.now();
    for record in records {
        store.insert(record).expect("a sound record");
    }
    report("insert a step", clock.now() - began, STEPS + 1);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut batch, mut rows) = (Batch::default(), Vec::new());
    let times = 200;
    let mut features_took = Duration::ZERO;
    let began = clock.now();
    for _ in 0..times {
        let ids = symmetric_sample(&store, 256, &mut rng);
        batch.gather(&store, &ids);
        let began = clock.now();
        let wanted = batch.observations.iter().map(|id| (*id, 0));
        store.features().expect("kept").gather(0, wanted, &mut rows).expect("all there");
        features_took += clock.now() - began;
        black_box(&rows);
    }
    report("sample and gather 256 steps", clock.now() - began - features_took, times);
    report("gather 256 rows of features, one camera", features_took, times);
    let began = clock.now();
    for id in &batch.observations {
        black_box(store.frame(*id, 0));
    }
    report("unpack a frame", clock.now() - began, 256);
}
