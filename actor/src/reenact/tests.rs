use wire::{
    ActionSource, ActorId, Append, EpisodeId, EpisodeStart, GateEvents, RecordPosition, Timestamp,
    UnixNanos,
    transport::{ActorLink, memory},
};

use super::*;

fn at(index: u32) -> RecordPosition {
    RecordPosition { episode: EpisodeId(0), index }
}

fn observation() -> Observation {
    Observation { captured_at: Timestamp(1), proprio: vec![], frames: vec![], features: vec![] }
}

fn record(index: u32, body: RecordBody) -> Record {
    Record { actor: ActorId(0), position: at(index), body }
}

fn start() -> Record {
    let body = RecordBody::EpisodeStart(EpisodeStart {
        kind: EpisodeKind::Training,
        seed: 1,
        started_at: UnixNanos(0),
        observation: observation(),
    });
    record(0, body)
}

/// A step in which the policy of version 3 proposed `proposed`.
fn step(index: u32, proposed: f32) -> Record {
    let action = Action::from_slice(&[proposed]);
    let body = RecordBody::Step(Step {
        started_at: Timestamp(0),
        source: ActionSource::Policy,
        policy_version: PolicyVersion(3),
        policy_action: Some(action.clone()),
        human_action: None,
        commanded_action: action.clone(),
        executed_action: action,
        gate_events: GateEvents::default(),
        reward: 0.0,
        judgement: wire::Judgement::default(),
        terminated: false,
        truncated: false,
        next_observation: observation(),
    });
    record(index, body)
}

fn past(records: Vec<Record>) -> Past {
    Past::new(Box::new(records.into_iter().map(Ok)))
}

/// A link to a learner that has everything and stands at env step 100.
fn link_to(past: &Past) -> (Arc<dyn LearnerLink>, memory::MemoryActorLink) {
    let (actor, learner) = memory::pair();
    let pace = Pace { env_steps: 100, finished: true, ..Pace::default() };
    learner
        .serve(Arc::new(move |request| match request {
            ActorRequest::Hello(_) | ActorRequest::Goodbye(_) => {
                LearnerReply::Welcome(Welcome { through: Some(at(9)), pace })
            }
            ActorRequest::Append(_) => LearnerReply::Appended { through: at(9), pace },
        }))
        .unwrap();
    (past.link(Arc::new(actor)), learner)
}

fn send(link: &dyn LearnerLink, record: Record) -> LearnerReply {
    let append = Append { actor: ActorId(0), records: vec![record] };
    link.request(&ActorRequest::Append(append), Duration::ZERO).unwrap()
}

fn appended(reply: LearnerReply) -> (RecordPosition, u64, bool) {
    match reply {
        LearnerReply::Appended { through, pace } => (through, pace.env_steps, pace.finished),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_actor_sees_the_run_as_it_was_and_at_the_end_of_the_past_as_it_is() {
    let past = past(vec![start(), step(1, 0.1), step(2, 0.2)]);
    let (link, _learner) = link_to(&past);
    assert_eq!(appended(send(&*link, start())), (at(0), 0, false));
    assert_eq!(appended(send(&*link, step(1, 0.1))), (at(1), 1, false));
    assert_eq!(link.pace(), None);
    assert_eq!(appended(send(&*link, step(2, 0.2))), (at(9), 100, true));
    assert_eq!(appended(send(&*link, step(3, 0.3))), (at(9), 100, true));
}

#[test]
fn what_comes_out_differently_is_refused_by_name() {
    let past = past(vec![start(), step(1, 0.1)]);
    let (link, _learner) = link_to(&past);
    send(&*link, start());
    let LearnerReply::Refused(Refusal::Mismatch(reason)) = send(&*link, step(1, 0.11)) else {
        panic!("it was taken")
    };
    assert!(reason.contains("episode 0 record 1"), "{reason}");
}

#[test]
fn a_past_that_cannot_be_read_is_named() {
    let past = Past::new(Box::new(iter::once(Err("segment 7 is damaged".into()))));
    let (link, _learner) = link_to(&past);
    let LearnerReply::Refused(Refusal::Mismatch(reason)) = send(&*link, start()) else {
        panic!("it was taken")
    };
    assert!(reason.contains("segment 7"), "{reason}");
}

struct Present;

impl Policy for Present {
    fn version(&self) -> PolicyVersion {
        PolicyVersion(8)
    }
    fn learner_step(&self) -> LearnerStep {
        LearnerStep(80)
    }
    fn act(
        &mut self,
        _: &Observation,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Action, PolicyError> {
        noise.map(rand::RngCore::next_u32);
        Ok(Action::from_slice(&[0.8]))
    }
}

#[test]
fn the_past_proposes_while_it_lasts_and_draws_as_much_noise() {
    use rand::{RngCore, SeedableRng};
    let past = past(vec![step(1, 0.1)]);
    let mut policy = PastPolicy { past: past.clone(), present: Box::new(Present) };
    let (mut noise, mut untouched) = (ChaCha8Rng::seed_from_u64(0), ChaCha8Rng::seed_from_u64(0));
    let action = policy.act(&observation(), Some(&mut noise)).unwrap();
    assert_eq!((action.as_slice(), policy.version()), (&[0.1][..], PolicyVersion(3)));
    untouched.next_u32();
    assert_eq!(noise, untouched);
    past.lock().done(&step(1, 0.1)).unwrap();
    let action = policy.act(&observation(), Some(&mut noise)).unwrap();
    assert_eq!((action.as_slice(), policy.version()), (&[0.8][..], PolicyVersion(8)));
}
