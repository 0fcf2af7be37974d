//! What was imported into a run's journal is learned from, and nobody is waited for who never acted.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::Path, sync::Arc};

use learner::ingest::{Identity, Ingest};
use replay::{Journal, JournalConfig, StoreConfig, View, storage::memory::MemoryStorage};
use wire::{
    Action, ActionSource, ActionSpec, ActorId, ActorRequest, EpisodeEnd, EpisodeId, EpisodeKind,
    EpisodeStart, GateEvents, Hello, Judgement, LearnerReply, Observation, ObservationSpec,
    Outcome, PolicyVersion, Record, RecordBody, RecordPosition, Refusal, Step, Timestamp,
    UnixNanos,
};

fn folder() -> &'static Path {
    Path::new("/run/journal")
}

fn observation() -> Observation {
    let (proprio, frames, features) = (vec![0.5], Vec::new(), Vec::new());
    Observation { captured_at: Timestamp(0), proprio, frames, features }
}

/// A demonstration of one step.
fn episode(actor: ActorId) -> Vec<Record> {
    let start = EpisodeStart {
        kind: EpisodeKind::Demonstration,
        seed: 0,
        started_at: UnixNanos(0),
        observation: observation(),
    };
    let step = Step {
        started_at: Timestamp(0),
        source: ActionSource::Human,
        policy_version: PolicyVersion(0),
        policy_action: None,
        human_action: None,
        commanded_action: Action::zeros(1),
        executed_action: Action::zeros(1),
        gate_events: GateEvents::default(),
        reward: 1.0,
        judgement: Judgement::default(),
        terminated: true,
        truncated: false,
        next_observation: observation(),
    };
    let end = EpisodeEnd {
        steps: 1,
        outcome: Outcome::Success,
        truncation: None,
        human_steps: 1,
        interventions: 0,
    };
    let bodies =
        [RecordBody::EpisodeStart(start), RecordBody::Step(step), RecordBody::EpisodeEnd(end)];
    let at = |index| RecordPosition { episode: EpisodeId(0), index };
    (0..).zip(bodies).map(|(index, body)| Record { actor, position: at(index), body }).collect()
}

fn identity() -> Identity {
    Identity {
        run: "run".into(),
        task_hash: "task".into(),
        observation: ObservationSpec { proprio_dim: 1, cameras: vec![] },
        action: ActionSpec { dim: 1 },
    }
}

fn opened(records: &[Record]) -> Ingest {
    let storage: Arc<MemoryStorage> = Arc::default();
    let keep = JournalConfig::keep_forever();
    let (mut journal, _) = Journal::open_on(storage.clone(), folder(), keep).unwrap();
    journal.append_all(records).unwrap();
    drop(journal);
    let Identity { observation, action, .. } = identity();
    let store =
        StoreConfig { observation, action, features: None, grippers: 0, max_observations: 1000 };
    Ingest::open(storage, folder(), identity(), keep, store, None).unwrap().0
}

#[test]
fn nobody_waits_for_the_actor_of_imported_episodes() {
    let ingest = opened(&[episode(ActorId::IMPORTED), episode(ActorId(0))].concat());
    assert_eq!(ingest.lock().store.view(View::Demo).len(), 2);
    assert!(!ingest.all_left());
    ingest.answer(ActorRequest::Goodbye(ActorId(0)));
    assert!(ingest.all_left());
}

#[test]
fn nobody_acts_under_the_number_of_imported_episodes() {
    let ingest = opened(&[]);
    let Identity { run, task_hash, observation, action } = identity();
    let hello = |actor| {
        let (run, task_hash) = (run.clone(), task_hash.clone());
        let (observation, action) = (observation.clone(), action.clone());
        ActorRequest::Hello(Hello { actor, run, task_hash, observation, action })
    };
    let refused = ingest.answer(hello(ActorId::IMPORTED));
    assert!(matches!(refused, LearnerReply::Refused(Refusal::Mismatch(_))), "{refused:?}");
    assert!(matches!(ingest.answer(hello(ActorId(0))), LearnerReply::Welcome(_)));
}
