use std::fmt::Debug;

use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{
    Action, ActionSource, ActionSpec, ActorId, Append, CameraSpec, EpisodeEnd, EpisodeId,
    EpisodeKind, EpisodeStart, Features, Frame, GateEvents, Hello, Judgement, LearnerStep,
    MAX_ACTION_DIM, Mark, Observation, ObservationSpec, Outcome, PolicyVersion, Record, RecordBody,
    RecordPosition, Refusal, Revision, RewardSource, Step, Timestamp, TruncationCause, UnixNanos,
    WeightsHash, Welcome,
};

/// Any bit pattern but NaN, which is unequal to itself.
fn float() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_filter("not NaN", |x| !x.is_nan())
}

fn action() -> impl Strategy<Value = Action> {
    vec(float(), 0..=MAX_ACTION_DIM).prop_map(|values| Action::from_slice(&values))
}

fn frame() -> impl Strategy<Value = Frame> {
    (0..4u16, 0..4u16).prop_flat_map(|(width, height)| {
        let len = usize::from(width) * usize::from(height) * 3;
        vec(any::<u8>(), len).prop_map(move |pixels| {
            Frame::new(width, height, pixels).expect("the length is made to fit")
        })
    })
}

fn features() -> impl Strategy<Value = Features> {
    (any::<[u8; 32]>(), vec(any::<u16>(), 0..6))
        .prop_map(|(hash, values)| Features { backbone: WeightsHash(hash), values: values.into() })
}

fn observation() -> impl Strategy<Value = Observation> {
    (any::<u64>(), vec(float(), 0..4), vec(frame(), 0..3), vec(features(), 0..3)).prop_map(
        |(captured_at, proprio, frames, features)| Observation {
            captured_at: Timestamp(captured_at),
            proprio,
            frames,
            features,
        },
    )
}

fn judgement() -> impl Strategy<Value = Judgement> {
    let mark =
        prop_oneof![Just(Mark::Failure), Just(Mark::Success), any::<u8>().prop_map(Mark::Class)];
    let source = prop_oneof![
        Just(RewardSource::Task),
        Just(RewardSource::Classifier),
        Just(RewardSource::Person)
    ];
    (source, option::of(float()), option::of(mark), option::of(any::<bool>())).prop_map(
        |(source, probability, mark, sensed)| Judgement { source, probability, mark, sensed },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let who = (
        any::<u64>(),
        prop_oneof![Just(ActionSource::Policy), Just(ActionSource::Human)],
        any::<u64>(),
        option::of(action()),
        option::of(action()),
        action(),
        action(),
    );
    (who, any::<u32>(), float(), judgement(), any::<[bool; 2]>(), observation()).prop_map(
        |(who, gate_events, reward, judgement, [terminated, truncated], next_observation)| Step {
            started_at: Timestamp(who.0),
            source: who.1,
            policy_version: PolicyVersion(who.2),
            policy_action: who.3,
            human_action: who.4,
            commanded_action: who.5,
            executed_action: who.6,
            gate_events: GateEvents(gate_events),
            reward,
            judgement,
            terminated,
            truncated,
            next_observation,
        },
    )
}

fn episode_start() -> impl Strategy<Value = EpisodeStart> {
    let kind = prop_oneof![
        Just(EpisodeKind::Demonstration),
        Just(EpisodeKind::Training),
        Just(EpisodeKind::Evaluation),
    ];
    (kind, any::<u64>(), any::<u64>(), observation()).prop_map(
        |(kind, seed, started_at, observation)| EpisodeStart {
            kind,
            seed,
            started_at: UnixNanos(started_at),
            observation,
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Unknown)]
}

fn episode_end() -> impl Strategy<Value = EpisodeEnd> {
    let cause = prop_oneof![
        Just(TruncationCause::TimeLimit),
        Just(TruncationCause::Operator),
        Just(TruncationCause::Fault),
        Just(TruncationCause::Interrupted),
    ];
    (any::<[u32; 3]>(), outcome(), option::of(cause)).prop_map(
        |([steps, human_steps, interventions], outcome, truncation)| EpisodeEnd {
            steps,
            outcome,
            truncation,
            human_steps,
            interventions,
        },
    )
}

fn position() -> impl Strategy<Value = RecordPosition> {
    any::<[u32; 2]>()
        .prop_map(|[episode, index]| RecordPosition { episode: EpisodeId(episode), index })
}

fn record() -> impl Strategy<Value = Record> {
    let body = prop_oneof![
        episode_start().prop_map(RecordBody::EpisodeStart),
        step().prop_map(RecordBody::Step),
        episode_end().prop_map(RecordBody::EpisodeEnd),
        outcome().prop_map(|outcome| RecordBody::Revision(Revision { outcome })),
    ];
    (any::<u16>(), position(), body).prop_map(|(actor, position, body)| Record {
        actor: ActorId(actor),
        position,
        body,
    })
}

fn request() -> impl Strategy<Value = ActorRequest> {
    let camera = ("[a-z]{0,6}", any::<[u16; 2]>()).prop_map(|(name, [width, height])| CameraSpec {
        name,
        width,
        height,
    });
    let hello = (any::<u16>(), ".{0,8}", "[0-9a-f]{8}", any::<[u16; 2]>(), vec(camera, 0..3))
        .prop_map(|(actor, run, task_hash, [proprio_dim, dim], cameras)| Hello {
            actor: ActorId(actor),
            run,
            task_hash,
            observation: ObservationSpec { proprio_dim: proprio_dim.into(), cameras },
            action: ActionSpec { dim: dim.into() },
        });
    let append = (any::<u16>(), vec(record(), 0..3))
        .prop_map(|(actor, records)| Append { actor: ActorId(actor), records });
    prop_oneof![hello.prop_map(ActorRequest::Hello), append.prop_map(ActorRequest::Append)]
}

fn pace() -> impl Strategy<Value = Pace> {
    (any::<[u64; 3]>(), option::of(any::<u64>()), any::<bool>()).prop_map(
        |([env_steps, learner_step, policy_version], env_step_limit, finished)| Pace {
            env_steps,
            learner_step: LearnerStep(learner_step),
            policy_version: PolicyVersion(policy_version),
            env_step_limit,
            finished,
        },
    )
}

fn reply() -> impl Strategy<Value = LearnerReply> {
    let refusal = prop_oneof![
        ".{0,12}".prop_map(Refusal::Mismatch),
        option::of(position()).prop_map(|expected_after| Refusal::Gap { expected_after }),
        ".{0,12}".prop_map(Refusal::Unavailable),
    ];
    prop_oneof![
        (option::of(position()), pace())
            .prop_map(|(through, pace)| LearnerReply::Welcome(Welcome { through, pace })),
        (position(), pace()).prop_map(|(through, pace)| LearnerReply::Appended { through, pace }),
        refusal.prop_map(LearnerReply::Refused),
    ]
}

fn snapshot() -> impl Strategy<Value = PolicySnapshot> {
    (any::<[u64; 2]>(), any::<[u8; 32]>(), vec(any::<u8>(), 0..64)).prop_map(
        |([version, learner_step], hash, parameters)| PolicySnapshot {
            version: PolicyVersion(version),
            learner_step: LearnerStep(learner_step),
            backbone: WeightsHash(hash),
            parameters: parameters.into(),
        },
    )
}

/// What must hold for every message.
fn check<M: Message + PartialEq + Debug>(message: &M) {
    let bytes = encode(message).expect("a small message can be encoded");
    assert_eq!(decode::<M>(&bytes).as_ref(), Ok(message), "round trip");
    for len in 0..bytes.len() {
        assert!(decode::<M>(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    let mut damaged = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(decode::<M>(&damaged).is_err(), "bit {bit} flipped");
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(decode::<M>(&[&bytes[..], &[0]].concat()).is_err(), "a byte follows");
}

/// `message` with `extra` after its body, and a header that is right about both.
fn padded<M: Message>(message: &M, extra: &[u8]) -> Vec<u8> {
    let mut bytes = encode(message).expect("a small message can be encoded");
    bytes.extend_from_slice(extra);
    let (len, checksum) =
        ((bytes.len() - HEADER_LEN) as u32, crc32fast::hash(&bytes[HEADER_LEN..]));
    bytes[8..12].copy_from_slice(&len.to_le_bytes());
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn requests_arrive_whole_or_not_at_all(message in request()) {
        check(&message);
    }

    #[test]
    fn replies_arrive_whole_or_not_at_all(message in reply()) {
        check(&message);
    }

    #[test]
    fn snapshots_arrive_whole_or_not_at_all(message in snapshot()) {
        check(&message);
    }

    #[test]
    fn paces_arrive_whole_or_not_at_all(message in pace()) {
        check(&message);
    }

    #[test]
    fn bytes_after_the_body_are_refused(message in request(), extra in vec(any::<u8>(), 1..9)) {
        let got = decode::<ActorRequest>(&padded(&message, &extra));
        let expected = format!("{} bytes are left over", extra.len());
        prop_assert_eq!(got, Err(CodecError::Body(expected)));
    }

    #[test]
    fn noise_in_a_sound_envelope_never_panics(body in vec(any::<u8>(), 0..256)) {
        let mut bytes = encode(&Pace::default()).expect("small");
        bytes.truncate(HEADER_LEN);
        bytes[6] = ActorRequest::KIND;
        bytes.extend_from_slice(&body);
        bytes[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
        bytes[12..16].copy_from_slice(&crc32fast::hash(&body).to_le_bytes());
        let _ = decode::<ActorRequest>(&bytes);
    }
}

/// The error that comes of a good message in which `damage` was done.
fn refused(damage: impl FnOnce(&mut Vec<u8>)) -> CodecError {
    let mut bytes = encode(&Pace::default()).expect("a small message can be encoded");
    damage(&mut bytes);
    decode::<Pace>(&bytes).expect_err("damaged")
}

#[test]
fn another_version_is_refused_and_both_are_named() {
    let error = refused(|bytes| bytes[4..6].copy_from_slice(&7u16.to_le_bytes()));
    assert_eq!(error, CodecError::Version { ours: WIRE_VERSION, theirs: 7 });
    let text = error.to_string();
    assert!(text.contains("version 7") && text.contains("program 3"), "{text}");
}

#[test]
fn a_reply_is_not_read_as_a_request() {
    let bytes = encode(&Pace::default()).expect("a small message can be encoded");
    let got = decode::<ActorRequest>(&bytes);
    assert_eq!(got, Err(CodecError::Kind { expected: 1, got: 4 }));
}

#[test]
fn foreign_bytes_are_called_foreign() {
    let error = refused(|bytes| bytes[..4].copy_from_slice(b"HTTP"));
    assert_eq!(error, CodecError::Magic(*b"HTTP"));
}

#[test]
fn a_reserved_byte_in_use_is_refused() {
    assert_eq!(refused(|bytes| bytes[7] = 2), CodecError::Reserved(2));
}

#[test]
fn an_absurd_length_is_refused_before_anything_is_allocated() {
    let error = refused(|bytes| bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes()));
    assert!(matches!(error, CodecError::Length { claimed: 0xffff_ffff, .. }), "{error}");
}

/// A list inside the body that claims billions of entries: refused, not allocated.
#[test]
fn an_absurd_length_inside_the_body_is_refused() {
    // Append of actor 0, then the number of records as a varint.
    let body = [1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f];
    let mut bytes = encode(&Pace::default()).expect("a small message can be encoded");
    bytes.truncate(HEADER_LEN);
    bytes[6] = ActorRequest::KIND;
    bytes.extend_from_slice(&body);
    bytes[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&crc32fast::hash(&body).to_le_bytes());
    assert!(matches!(decode::<ActorRequest>(&bytes), Err(CodecError::Body(_))));
}

#[test]
fn a_message_over_the_limit_is_not_sent() {
    let snapshot = PolicySnapshot {
        version: PolicyVersion(1),
        learner_step: LearnerStep(1),
        backbone: WeightsHash([0; 32]),
        parameters: vec![0; MAX_BODY_LEN].into(),
    };
    assert!(matches!(encode(&snapshot), Err(CodecError::TooLong { .. })));
}

#[test]
fn a_frame_whose_bytes_do_not_fit_its_size_is_refused() {
    let frame = Frame { width: 2, height: 2, pixels: vec![0; 11].into() };
    let observation = Observation {
        captured_at: Timestamp(0),
        proprio: vec![],
        frames: vec![frame],
        features: vec![],
    };
    let start = EpisodeStart {
        kind: EpisodeKind::Training,
        seed: 0,
        started_at: UnixNanos(0),
        observation,
    };
    let record = Record {
        actor: ActorId(0),
        position: RecordPosition::default(),
        body: RecordBody::EpisodeStart(start),
    };
    let request = ActorRequest::Append(Append { actor: ActorId(0), records: vec![record] });
    let bytes = encode(&request).expect("a small message can be encoded");
    assert!(matches!(decode::<ActorRequest>(&bytes), Err(CodecError::Body(_))));
}
