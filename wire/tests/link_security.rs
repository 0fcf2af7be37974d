//! Who gets nothing in and nothing out: real zenoh sessions on loopback, ours and raw ones.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "link_security/place.rs"]
mod place;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use place::{ACTOR, LIMIT, Place, Proof, UNLISTED};
use wire::{
    ActorId,
    transport::{
        ActorLink, LearnerLink, LinkState, keys,
        zenoh::{LinkSettings, ZenohLearnerLink},
    },
};
use zenoh::Wait;

const ROUNDS: usize = 300;

#[test]
fn with_its_own_certificate_an_actor_appends_and_gets_the_policy() {
    let place = Place::new();
    let actor = place.actor(ACTOR);
    place.wait_until("the link stands", || actor.state() == LinkState::Connected);
    place.assert_served(&actor, ACTOR);
    assert_eq!(place.learner.actors(), [ACTOR]);
}

/// zenoh reads and writes one TLS connection from two threads unless it is told otherwise; then
/// this traffic breaks the connection within seconds.
#[test]
fn traffic_both_ways_does_not_break_the_link() {
    let place = Place::new();
    let actor = place.actor(ACTOR);
    place.wait_until("the link stands", || actor.state() == LinkState::Connected);
    place.assert_served(&actor, ACTOR);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                place.publish_large();
            }
        });
        let answers: Vec<_> = (0..ROUNDS)
            .map(|_| actor.request(&place::large_hello(ACTOR), Duration::from_secs(20)))
            .collect();
        done.store(true, Ordering::SeqCst);
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        assert_eq!(failed, 0, "of {ROUNDS} requests");
    });
}

#[test]
fn raw_zenoh_with_the_right_certificate_gets_in() {
    let place = Place::new();
    let peer = place.peer(&Proof::Certificate("actor-0"));
    let policy = peer.declare_subscriber(keys::policy("test")).wait().unwrap();
    place.wait_until("an answer", || {
        place::ask(&peer, keys::request("test", ACTOR), ACTOR).is_some()
    });
    place.wait_until("the policy", || {
        place.publish();
        policy.try_recv().unwrap().is_some()
    });
}

/// A peer with this proof asks, publishes, listens in: nothing gets in, nothing comes out.
#[track_caller]
fn check_shut_out(proof: &Proof) {
    let place = Place::new();
    let actor = place.actor(ACTOR);
    place.wait_until("a good actor is served", || actor.state() == LinkState::Connected);
    place.assert_served(&actor, ACTOR);
    let heard = place.requests_of(ACTOR);

    let peer = place.peer(proof);
    let overheard = place::listen_in(&peer, "**");
    let named = place::listen_in(&peer, &keys::policy("test"));
    for key in
        [keys::request("test", ACTOR), keys::request("test", UNLISTED), keys::requests("test")]
    {
        assert!(place::ask(&peer, key, ACTOR).is_none(), "{proof:?} was answered");
    }
    peer.put(keys::policy("test"), place::policy_bytes(99)).wait().unwrap();
    place.publish();
    std::thread::sleep(LIMIT);

    assert_eq!(place.requests_of(ACTOR), heard, "{proof:?} reached the learner");
    assert!(overheard.try_recv().unwrap().is_none(), "{proof:?} overheard something");
    assert!(named.try_recv().unwrap().is_none(), "{proof:?} got a policy");
    // The good actor has what the learner published, and not what the peer did.
    place.wait_until("the good actor has the policy", || {
        actor.take_policy().is_some_and(|policy| {
            assert_eq!(policy, place::policy());
            true
        })
    });
}

#[test]
fn a_peer_without_certificate_is_shut_out() {
    check_shut_out(&Proof::None);
}

#[test]
fn a_peer_with_a_certificate_of_a_foreign_authority_is_shut_out() {
    check_shut_out(&Proof::Foreign("actor-0"));
}

#[test]
fn a_peer_with_a_certificate_that_no_role_has_is_shut_out() {
    check_shut_out(&Proof::Certificate("viewer"));
}

#[test]
fn an_actor_that_the_learner_does_not_list_is_shut_out() {
    check_shut_out(&Proof::Certificate("actor-7"));
}

#[test]
fn an_actor_cannot_append_as_another_one() {
    let place = Place::new();
    let peer = place.peer(&Proof::Certificate("actor-0"));
    place.wait_until("it is answered under its own name", || {
        place::ask(&peer, keys::request("test", ACTOR), ACTOR).is_some()
    });
    // Under the other's key access control stops it; under its own key the learner does.
    let other = ActorId(1);
    assert!(place::ask(&peer, keys::request("test", other), other).is_none());
    let reply = place::ask(&peer, keys::request("test", ACTOR), other).unwrap();
    assert!(matches!(reply, wire::LearnerReply::Refused(_)), "{reply:?}");
    assert_eq!(place.requests_of(other), 0);
}

/// The authority signed the certificate, TLS takes it, and it is still not the learner's.
#[test]
fn only_the_learner_can_give_an_actor_a_policy_or_take_its_records() {
    let place = Place::new();
    let (endpoint, impostor) = place.impostor("viewer");
    let asked = impostor.declare_queryable("**").wait().unwrap();
    let actor = place.actor_at(&endpoint, ACTOR);
    place.wait_until("the actor sees through it", || match actor.state() {
        LinkState::Refused(why) => {
            assert!(why.contains("has no part for actor-0"), "{why}");
            true
        }
        _ => false,
    });
    for _ in 0..5 {
        impostor.put(keys::policy("test"), place::policy_bytes(99)).wait().unwrap();
        assert!(actor.request(&place::hello(ACTOR), LIMIT / 5).is_err());
    }
    assert_eq!(actor.take_policy(), None);
    assert!(asked.try_recv().unwrap().is_none(), "the records of an actor went to a stranger");
}

#[test]
fn an_actors_certificate_cannot_listen_as_the_learner() {
    let place = Place::new();
    let (endpoint, _impostor) = place.impostor("actor-1");
    let actor = place.actor_at(&endpoint, ACTOR);
    place.wait_until("it is refused", || match actor.state() {
        LinkState::Refused(why) => {
            assert!(why.contains("certificate"), "{why}");
            true
        }
        _ => false,
    });
    assert!(actor.request(&place::hello(ACTOR), Duration::from_millis(300)).is_err());
    assert_eq!(actor.take_policy(), None);
}

/// What an actor of ours says when it is not let in.
#[track_caller]
fn check_reported(place: &Place, settings: &LinkSettings, actor: ActorId, words: &[&str]) {
    let link = ZenohLearnerLink::connect(settings, actor).unwrap();
    place.wait_until("the refusal is reported", || match link.state() {
        LinkState::Refused(why) => {
            words.iter().for_each(|word| assert!(why.contains(word), "{word:?}: {why}"));
            true
        }
        _ => false,
    });
    assert_eq!(place.requests_of(actor), 0);
}

#[test]
fn a_foreign_certificate_is_reported() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.certificates = Some(place.foreign_folder());
    check_reported(&place, &settings, ACTOR, &["certificate is not signed by our", "ca.pem"]);
}

#[test]
fn an_unlisted_actor_is_told_so() {
    let place = Place::new();
    check_reported(&place, &place.settings(), UNLISTED, &["actor-7", "link.actors"]);
}

#[test]
fn a_learner_for_another_host_name_is_reported() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.endpoint = settings.endpoint.replace("127.0.0.1", "localhost");
    check_reported(&place, &settings, ACTOR, &["other host names", "--learner"]);
}

#[test]
fn a_password_is_needed_where_there_are_passwords() {
    let place = Place::with_passwords();
    let good = place.actor(ACTOR);
    place.wait_until("the link stands", || good.state() == LinkState::Connected);
    place.assert_served(&good, ACTOR);
    let heard = place.requests_of(ACTOR);

    let mut settings = place.settings();
    settings.users = Some(place.users_file("actor-0:wrong"));
    check_refused_by_password(&place, &settings);
    settings.users = None;
    check_refused_by_password(&place, &settings);
    assert_eq!(place.requests_of(ACTOR), heard);
}

fn check_refused_by_password(place: &Place, settings: &LinkSettings) {
    let link = ZenohLearnerLink::connect(settings, ACTOR).unwrap();
    place.wait_until(
        "the refusal is reported",
        || matches!(link.state(), LinkState::Refused(why) if why.contains("password")),
    );
    assert!(link.request(&place::hello(ACTOR), Duration::from_millis(300)).is_err());
    place.publish();
    std::thread::sleep(LIMIT);
    assert_eq!(link.take_policy(), None);
}
