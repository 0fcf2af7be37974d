//! The link between two real zenoh sessions on loopback.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::{net::TcpListener, sync::Arc, time::Duration};

use wire::{
    ActionSpec, ActorId, ActorRequest, Hello, LearnerReply, LearnerStep, ObservationSpec, Pace,
    PolicySnapshot, PolicyVersion, WeightsHash, Welcome,
    transport::{
        ActorLink, LearnerLink, LinkError,
        zenoh::{ZenohActorLink, ZenohLearnerLink},
    },
};

const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

fn free_endpoint() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("tcp/127.0.0.1:{port}")
}

fn hello() -> ActorRequest {
    ActorRequest::Hello(Hello {
        actor: ActorId(1),
        run: "test".into(),
        task_hash: "hash".into(),
        observation: ObservationSpec { proprio_dim: 3, cameras: vec![] },
        action: ActionSpec { dim: 2 },
    })
}

fn welcome(env_steps: u64) -> LearnerReply {
    let pace = Pace { env_steps, ..Pace::default() };
    LearnerReply::Welcome(Welcome { through: None, pace })
}

fn snapshot(version: u64) -> PolicySnapshot {
    PolicySnapshot {
        version: PolicyVersion(version),
        learner_step: LearnerStep(version * 50),
        backbone: WeightsHash([7; 32]),
        parameters: vec![1, 2, 3].into(),
    }
}

/// Asks until an answer comes: the sessions need a moment to find each other.
fn ask_until_answered(link: &ZenohLearnerLink) -> LearnerReply {
    let attempts = PATIENCE.as_millis() / POLL.as_millis();
    for _ in 0..attempts {
        match link.request(&hello(), Duration::from_millis(300)) {
            Ok(reply) => return reply,
            // With no learner in sight zenoh answers at once, so look again in a moment.
            Err(LinkError::NoAnswer(_)) => std::thread::sleep(POLL),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("nobody answered within {PATIENCE:?}");
}

#[test]
fn requests_are_answered_and_the_newest_policy_arrives_whoever_starts_first() {
    for actor_first in [false, true] {
        let endpoint = free_endpoint();
        let connect = || ZenohLearnerLink::connect(&endpoint, "test").unwrap();
        let listen = || {
            let link = Arc::new(ZenohActorLink::listen(&endpoint, "test").unwrap());
            let publisher = Arc::downgrade(&link);
            let handler = move |request| {
                assert_eq!(request, hello());
                let link = publisher.upgrade().unwrap();
                link.publish_policy(&snapshot(1)).unwrap();
                link.publish_policy(&snapshot(2)).unwrap();
                welcome(5)
            };
            link.serve(Arc::new(handler)).unwrap();
            link
        };
        let (actor, _learner) = if actor_first {
            let actor = connect();
            (actor, listen())
        } else {
            let learner = listen();
            (connect(), learner)
        };
        assert_eq!(ask_until_answered(&actor), welcome(5));
        // The policies were sent on the same connection before the reply, so they are there.
        assert_eq!(actor.take_policy(), Some(snapshot(2)));
        assert_eq!(actor.take_policy(), None);
    }
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp/127.0.0.1:{}", taken.local_addr().unwrap().port());
    let error = ZenohActorLink::listen(&endpoint, "test").unwrap_err().to_string();
    assert!(error.contains(&endpoint) && error.contains("in use"), "{error}");
}

#[test]
fn without_a_learner_a_request_ends_in_no_answer() {
    let link = ZenohLearnerLink::connect(&free_endpoint(), "test").unwrap();
    let timeout = Duration::from_millis(50);
    assert!(matches!(link.request(&hello(), timeout), Err(LinkError::NoAnswer(_))));
}
