//! The link between two real zenoh sessions on loopback.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::{net::TcpListener, sync::Arc, time::Duration};

use wire::{
    ActionSpec, ActorId, ActorRequest, Hello, LearnerReply, LearnerStep, ObservationSpec, Pace,
    PolicySnapshot, PolicyVersion, Refusal, WeightsHash, Welcome,
    transport::{
        ActorLink, LearnerLink, LinkError, LinkState,
        zenoh::{LinkSettings, ZenohActorLink, ZenohLearnerLink},
    },
};
use zenoh::Wait;

const ACTOR: ActorId = ActorId(1);
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

fn free_endpoint() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("tcp/127.0.0.1:{port}")
}

fn hello() -> ActorRequest {
    ActorRequest::Hello(Hello {
        actor: ACTOR,
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
        let connect =
            || ZenohLearnerLink::connect(&LinkSettings::open(&endpoint, "test"), ACTOR).unwrap();
        let listen = || {
            let link =
                Arc::new(ZenohActorLink::listen(&LinkSettings::open(&endpoint, "test")).unwrap());
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
        // An answer may overtake policies. The last one that was published comes last.
        wait_until("the newest policy", || actor.take_policy() == Some(snapshot(2)));
        assert_eq!(actor.take_policy(), None);
    }
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp/127.0.0.1:{}", taken.local_addr().unwrap().port());
    let error =
        ZenohActorLink::listen(&LinkSettings::open(&endpoint, "test")).unwrap_err().to_string();
    assert!(error.contains(&endpoint) && error.contains("in use"), "{error}");
}

#[test]
fn without_a_learner_a_request_ends_in_no_answer() {
    let link =
        ZenohLearnerLink::connect(&LinkSettings::open(free_endpoint(), "test"), ACTOR).unwrap();
    let timeout = Duration::from_millis(50);
    assert!(matches!(link.request(&hello(), timeout), Err(LinkError::NoAnswer(_))));
}

/// Waits until the condition holds.
#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let attempts = PATIENCE.as_millis() / POLL.as_millis();
    for _ in 0..attempts {
        if condition() {
            return;
        }
        std::thread::sleep(POLL);
    }
    panic!("{what}: not within {PATIENCE:?}");
}

#[test]
fn each_side_sees_the_other_come_and_go() {
    let settings = LinkSettings::open(free_endpoint(), "test");
    let actor = ZenohLearnerLink::connect(&settings, ACTOR).unwrap();
    wait_until(
        "the absence is explained",
        || matches!(actor.state(), LinkState::Waiting(reason) if reason.contains("no learner at")),
    );
    let learner = ZenohActorLink::listen(&settings).unwrap();
    wait_until("the actor sees the learner", || actor.state() == LinkState::Connected);
    wait_until("the learner sees the actor", || learner.actors() == [ACTOR]);
    drop(learner);
    wait_until("the actor misses the learner", || actor.state() != LinkState::Connected);
    let learner = ZenohActorLink::listen(&settings).unwrap();
    wait_until("the actor finds it again", || actor.state() == LinkState::Connected);
    wait_until("the learner sees the actor again", || learner.actors() == [ACTOR]);
    drop(actor);
    wait_until("the learner misses the actor", || learner.actors().is_empty());
}

#[test]
fn a_learner_that_is_started_again_on_the_same_port_answers() {
    let settings = LinkSettings::open(free_endpoint(), "test");
    let listen = |env_steps| {
        let link = ZenohActorLink::listen(&settings).unwrap();
        link.serve(Arc::new(move |_| welcome(env_steps))).unwrap();
        link
    };
    let actor = ZenohLearnerLink::connect(&settings, ACTOR).unwrap();
    let first = listen(1);
    assert_eq!(ask_until_answered(&actor), welcome(1));
    drop(first);
    let timeout = Duration::from_millis(100);
    wait_until("the first is gone", || actor.request(&hello(), timeout).is_err());
    let _second = listen(2);
    assert_eq!(ask_until_answered(&actor), welcome(2));
}

#[test]
fn a_learner_that_goes_in_mid_request_is_an_error_and_not_an_answer() {
    let settings = LinkSettings::open(free_endpoint(), "test");
    let actor = ZenohLearnerLink::connect(&settings, ACTOR).unwrap();
    // A queryable that takes requests and never replies; closing the session closes the transport.
    let mut config = zenoh::Config::default();
    config.insert_json5("listen/endpoints", &format!("[\"{}\"]", settings.endpoint)).unwrap();
    config.insert_json5("scouting/multicast/enabled", "false").unwrap();
    let session = zenoh::open(config).wait().unwrap();
    let asked = session.declare_queryable("reins/test/request/*").wait().unwrap();
    wait_until("the request arrives", || {
        std::thread::scope(|scope| {
            let request = scope.spawn(|| actor.request(&hello(), Duration::from_secs(15)));
            match asked.recv_timeout(Duration::from_secs(1)) {
                Ok(Some(query)) => {
                    session.close().wait().unwrap();
                    drop(query);
                    assert!(matches!(request.join().unwrap(), Err(LinkError::NoAnswer(_))));
                    true
                }
                _ => false,
            }
        })
    });
}

#[test]
fn a_reply_after_the_timeout_does_not_answer_the_next_request() {
    let settings = LinkSettings::open(free_endpoint(), "test");
    let (release, held) = crossbeam_channel::bounded::<()>(0);
    let learner = ZenohActorLink::listen(&settings).unwrap();
    let answers = std::sync::atomic::AtomicU64::new(0);
    let handler = move |_| {
        let count = answers.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if count == 1 {
            // The second request waits until its asker has given up.
            held.recv().unwrap();
        }
        welcome(count)
    };
    learner.serve(Arc::new(handler)).unwrap();
    let actor = ZenohLearnerLink::connect(&settings, ACTOR).unwrap();
    assert_eq!(ask_until_answered(&actor), welcome(0));
    let late = actor.request(&hello(), Duration::from_millis(200));
    assert!(matches!(late, Err(LinkError::NoAnswer(_))), "{late:?}");
    release.send(()).unwrap();
    assert_eq!(ask_until_answered(&actor), welcome(2));
}

#[test]
fn a_request_under_another_actors_name_is_refused() {
    let settings = LinkSettings::open(free_endpoint(), "test");
    let learner = ZenohActorLink::listen(&settings).unwrap();
    learner.serve(Arc::new(|request| panic!("{request:?} reached the learner"))).unwrap();
    // Speaks as actor 2 and sends what actor 1 would say.
    let actor = ZenohLearnerLink::connect(&settings, ActorId(2)).unwrap();
    let reply = ask_until_answered(&actor);
    assert!(
        matches!(&reply, LearnerReply::Refused(Refusal::Mismatch(why)) if why.contains("actor 1")),
        "{reply:?}"
    );
}

/// A learner that publishes while it answers several actors. Under TLS, and in these tests, zenoh
/// reads and writes on one thread: were a large policy to fill the queue that answers go through,
/// that thread would wait for room which only it can make, and zenoh would close the link.
#[test]
fn large_policies_do_not_stand_in_the_way_of_requests() {
    const ACTORS: u16 = 3;
    const ROUNDS: usize = 1500;
    let endpoint = free_endpoint();
    let settings = LinkSettings::open(&endpoint, "test");
    let learner = ZenohActorLink::listen(&settings).unwrap();
    learner.serve(Arc::new(|_| welcome(5))).unwrap();
    let hello_of = |actor| match hello() {
        ActorRequest::Hello(hello) => ActorRequest::Hello(Hello { actor, ..hello }),
        other => other,
    };
    let actors: Vec<_> = (0..ACTORS)
        .map(|n| (ActorId(n), ZenohLearnerLink::connect(&settings, ActorId(n)).unwrap()))
        .collect();
    for (actor, link) in &actors {
        while link.request(&hello_of(*actor), PATIENCE).is_err() {
            std::thread::sleep(POLL);
        }
    }
    let done = std::sync::atomic::AtomicUsize::new(0);
    let large = PolicySnapshot { parameters: vec![7; 30_000].into(), ..snapshot(1) };
    let failed: usize = std::thread::scope(|scope| {
        let asking: Vec<_> = actors
            .iter()
            .map(|(actor, link)| {
                let (done, request) = (&done, hello_of(*actor));
                scope.spawn(move || {
                    let asked = (0..ROUNDS).map(|_| link.request(&request, PATIENCE));
                    let failed = asked.filter(Result::is_err).count();
                    done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    failed
                })
            })
            .collect();
        while done.load(std::sync::atomic::Ordering::SeqCst) < actors.len() {
            learner.publish_policy(&large).unwrap();
            learner.publish_pace(&Pace::default()).unwrap();
        }
        asking.into_iter().map(|asking| asking.join().unwrap()).sum()
    });
    assert_eq!(failed, 0, "of {} requests", usize::from(ACTORS) * ROUNDS);
    assert!(actors.iter().all(|(_, link)| link.take_policy().is_some()));
}
