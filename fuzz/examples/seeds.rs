//! Writes the first inputs of each corpus anew: one sound file of each kind, as small as it gets.
//! `cargo run -p fuzz --example seeds`, after a format has changed.
#![expect(clippy::unwrap_used, reason = "run by hand")]

use std::{fs, path::PathBuf};

use learner::{
    checkpoint::{self, Checkpoint},
    train_state::{AgentSetup, TrainState},
    update::UpdateConfig,
};
use nets::{
    architecture::{Architecture, HeadSpec},
    params::{Layout, ParamSet},
    reward_classifier::{Classes, Classifier, ClassifierSpec, RewardClassifier},
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use wire::{
    Action, ActionSource, ActionSpec, ActorId, ActorRequest, Append, CameraSpec, EpisodeEnd,
    EpisodeId, EpisodeKind, EpisodeStart, Features, Frame, GateEvents, Hello, LearnerReply,
    LearnerStep, Observation, ObservationSpec, Outcome, Pace, PolicyVersion, Record, RecordBody,
    RecordPosition, Refusal, Step, Timestamp, UnixNanos, WeightsHash, Welcome, codec,
};

fn put(corpus: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(corpus);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn main() {
    messages();
    learner_files();
    classifier();
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let shipped = |path: &str| fs::read(repository.join(path)).unwrap();
    put("journal", "seed-episode", shipped("replay/tests/fixtures/version-3.journal"));
    put("settings", "seed-cell", shipped("configs/cells/sim-ram.toml"));
    put("settings", "seed-task", shipped("configs/tasks/ram-insert.toml"));
    put("settings", "seed-run", shipped("configs/runs/demo.toml"));
    let pickle = shipped("exchange/tests/fixtures/transitions_1000.pkl");
    put("hil_serl", "seed-buffer", pickle);
    put(
        "json_files",
        "seed-progress",
        r#"{"version":2,"next_episode":3,"labelled":1,"demonstrations":2,"evaluations":0,"evaluation_successes":0}"#,
    );
}

fn observation() -> Observation {
    let hash = WeightsHash([7; 32]);
    Observation {
        captured_at: Timestamp(5),
        proprio: vec![0.5],
        frames: vec![Frame::new(1, 1, vec![1, 2, 3]).unwrap()],
        features: vec![Features { backbone: hash, values: vec![1, 2].into() }],
    }
}

fn episode() -> Vec<Record> {
    let action = Action::from_slice(&[0.25, -0.25]);
    let bodies = [
        RecordBody::EpisodeStart(EpisodeStart {
            kind: EpisodeKind::Training,
            seed: 9,
            started_at: UnixNanos(1),
            observation: observation(),
        }),
        RecordBody::Step(Step {
            started_at: Timestamp(6),
            source: ActionSource::Human,
            policy_version: PolicyVersion(1),
            policy_action: Some(action.clone()),
            human_action: Some(action.clone()),
            commanded_action: action.clone(),
            executed_action: action,
            gate_events: GateEvents(3),
            reward: 1.0,
            judgement: wire::Judgement {
                source: wire::RewardSource::Person,
                probability: Some(0.5),
                mark: Some(wire::Mark::Success),
                sensed: Some(false),
            },
            terminated: true,
            truncated: false,
            next_observation: observation(),
        }),
        RecordBody::EpisodeEnd(EpisodeEnd {
            steps: 1,
            outcome: Outcome::Success,
            truncation: None,
            human_steps: 1,
            interventions: 1,
        }),
    ];
    let at = |index| RecordPosition { episode: EpisodeId(0), index };
    (0..).zip(bodies).map(|(n, body)| Record { actor: ActorId(0), position: at(n), body }).collect()
}

fn messages() {
    let hello = ActorRequest::Hello(Hello {
        actor: ActorId(0),
        run: "run".into(),
        task_hash: "task".into(),
        observation: ObservationSpec {
            proprio_dim: 1,
            cameras: vec![CameraSpec { name: "wrist".into(), width: 1, height: 1 }],
        },
        action: ActionSpec { dim: 2 },
    });
    let append = ActorRequest::Append(Append { actor: ActorId(0), records: episode() });
    let welcome = LearnerReply::Welcome(Welcome { through: None, pace: Pace::default() });
    let refused = LearnerReply::Refused(Refusal::Unavailable("full".into()));
    put("messages", "seed-hello", codec::encode(&hello).unwrap());
    put("messages", "seed-append", codec::encode(&append).unwrap());
    put("messages", "seed-welcome", codec::encode(&welcome).unwrap());
    put("messages", "seed-refused", codec::encode(&refused).unwrap());
    put("messages", "seed-pace", codec::encode(&Pace::default()).unwrap());
}

fn classifier() {
    let spec = ClassifierSpec {
        kernels: 1,
        bottleneck: 2,
        hidden: 2,
        ..ClassifierSpec::new(
            Classes::NWay { classes: 2, success: 1 },
            vec!["wrist".into()],
            WeightsHash([7; 32]),
            [1, 1, 2],
        )
    };
    let mut layout = Layout::default();
    let network = RewardClassifier::new(&mut layout, &spec);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let params = ParamSet::init(std::sync::Arc::new(layout), &mut rng, tch::Device::Cpu);
    let made = Classifier { spec, network, params, thresholds: vec![0.5, 0.5] };
    put("classifier", "seed-n-way", made.to_bytes().unwrap());
}

fn learner_files() {
    let architecture =
        Architecture { hidden: vec![2], ..Architecture::reins(1, 1, HeadSpec::StateOnly) };
    let setup =
        AgentSetup { architecture, projections: Vec::new(), backbone: WeightsHash([0; 32]) };
    let state = TrainState::new(setup, UpdateConfig::hil_serl(1), 0, tch::Device::Cpu);
    let checkpoint = Checkpoint {
        learner_step: LearnerStep(1),
        policy_version: PolicyVersion(1),
        env_steps: 1,
        records: Some(3),
        config_hash: "run".into(),
        train_state: state.to_bytes().unwrap(),
    };
    put("checkpoint", "seed-state", checkpoint::encode(&checkpoint));
    let snapshot = state.snapshot(PolicyVersion(1)).unwrap();
    put("policy", "seed-state", &snapshot.parameters);
    put("weights", "seed-safetensors", &snapshot.parameters);
    put("messages", "seed-policy", codec::encode(&snapshot).unwrap());
    let line = learner::metrics::MetricsLine {
        learner_step: 1,
        metrics: learner::metrics::Metrics::default(),
    };
    put("json_files", "seed-metrics", serde_json::to_string(&line).unwrap() + "\n");
}
