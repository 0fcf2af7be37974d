//! zenoh's own Python client at our learner: with the right certificate it gets a policy, with any
//! other it gets nothing in and nothing out. Skipped, and says so, where Python or its package
//! index is missing.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "link_security/place.rs"]
mod place;

use std::{path::Path, process::Command};

use place::{ACTOR, Place, Proof};
use serde::Deserialize;
use serde_json::json;
use wire::{
    codec,
    transport::{LearnerLink, LinkState, keys, zenoh::RUNTIME_VARIABLE},
};

const PACKAGE: &str = "eclipse-zenoh==1.10.2";
/// Enough for the good peer on a busy machine; it stops as soon as it has what it came for.
const GOOD_PEER_S: u32 = 60;
/// A refused peer tries this long.
const BAD_PEER_S: u32 = 5;

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Got {
    answers: u32,
    policies: u32,
}

#[test]
fn pythons_zenoh_gets_in_by_the_right_certificate_only() {
    let python = match peers::python(&[&[PACKAGE]]) {
        Ok(python) => python,
        Err(why) => return peers::skip("zenoh's Python client", &why),
    };
    let place = Place::new();
    let got = visit(&python, &place, &Proof::Certificate("actor-0"), GOOD_PEER_S);
    assert!(got.answers > 0 && got.policies > 0, "the good peer got {got:?}");

    let actor = place.actor(ACTOR);
    place.wait_until("a good actor is served", || actor.state() == LinkState::Connected);
    place.assert_served(&actor, ACTOR);
    let heard = place.requests_of(ACTOR);
    let nothing = Got { answers: 0, policies: 0 };
    for proof in [
        Proof::None,
        Proof::Foreign("actor-0"),
        Proof::Certificate("viewer"),
        Proof::Certificate("actor-7"),
    ] {
        assert_eq!(visit(&python, &place, &proof, BAD_PEER_S), nothing, "{proof:?}");
        assert_eq!(place.requests_of(ACTOR), heard, "{proof:?} reached the learner");
    }
    // None of the forged policies reached the good actor.
    assert!(actor.take_policy().is_none_or(|policy| policy == place::policy()));
}

/// Lets the Python peer try, while the learner goes on publishing.
fn visit(python: &Path, place: &Place, proof: &Proof, seconds: u32) -> Got {
    let wanted = json!({
        "config": place.peer_config(proof),
        "request": hex(&codec::encode(&place::hello(ACTOR)).unwrap()),
        "forged": hex(&place::policy_bytes(99)),
        "ask": [keys::request("test", ACTOR)],
        "listen": [keys::policy("test"), "**"],
        // The good peer is an actor and publishes nothing.
        "publish": if seconds == BAD_PEER_S { vec![keys::policy("test")] } else { vec![] },
        "seconds": seconds,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_peer.py");
    let mut command = Command::new(python);
    command.arg(script).arg(wanted.to_string()).env(RUNTIME_VARIABLE.0, RUNTIME_VARIABLE.1);
    let output = std::thread::scope(|scope| {
        let peer = scope.spawn(move || command.output().unwrap());
        while !peer.is_finished() {
            place.publish();
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        peer.join().unwrap()
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
