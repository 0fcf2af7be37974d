//! Who may send what: zenoh's access control, where everything that is not named is dropped.
//!
//! The learner lets each actor ask under its own name and read policies and paces. An actor takes
//! answers, policies and paces from the learner only. Each side enforces its own rules, and a peer
//! whose certificate or user name is not listed gets nothing in and nothing out.

use serde_json::{Value, json};

use super::session::LinkSettings;
use crate::{identity::Role, ids::ActorId, transport::keys};

/// Messages that travel one way between the learner and one actor.
struct Lane {
    messages: &'static [&'static str],
    keys: Vec<String>,
    to_learner: bool,
}

/// `None` where nothing tells who the other side is.
pub(super) fn control(settings: &LinkSettings, own: Role) -> Option<Value> {
    // An actor never learns the learner's user name, only its certificate.
    let known = match own {
        Role::Learner => settings.certificates.is_some() || settings.users.is_some(),
        Role::Actor(_) => settings.certificates.is_some(),
    };
    known.then(|| {
        let (mut rules, mut subjects, mut policies) = (vec![], vec![], vec![]);
        let mut allow = |peer: Role, actor: ActorId| {
            let (subject, own_rules) =
                (subject(settings, own, peer), rules_of(settings, own, actor));
            policies.push(json!({ "rules": ids(&own_rules), "subjects": [subject["id"]] }));
            subjects.push(subject);
            rules.extend(own_rules);
        };
        match own {
            Role::Learner => {
                settings.actors.iter().for_each(|&actor| allow(Role::Actor(actor), actor));
            }
            Role::Actor(actor) => allow(Role::Learner, actor),
        }
        json!({
            "enabled": true,
            "default_permission": "deny",
            "rules": rules,
            "subjects": subjects,
            "policies": policies,
        })
    })
}

fn subject(settings: &LinkSettings, own: Role, peer: Role) -> Value {
    let name = peer.to_string();
    let mut subject = json!({ "id": name });
    if settings.certificates.is_some() {
        subject["cert_common_names"] = json!([name]);
    }
    if settings.users.is_some() && own == Role::Learner {
        subject["usernames"] = json!([name]);
    }
    subject
}

fn rules_of(settings: &LinkSettings, own: Role, actor: ActorId) -> Vec<Value> {
    let rule = |(index, lane): (usize, Lane)| {
        let ingress = lane.to_learner == (own == Role::Learner);
        json!({
            "id": format!("{}-{index}", Role::Actor(actor)),
            "permission": "allow",
            "flows": [if ingress { "ingress" } else { "egress" }],
            "messages": lane.messages,
            "key_exprs": lane.keys,
        })
    };
    lanes(&settings.run, actor).into_iter().enumerate().map(rule).collect()
}

fn ids(rules: &[Value]) -> Vec<Value> {
    rules.iter().map(|rule| rule["id"].clone()).collect()
}

/// Everything that the learner and `actor` have to say to each other.
fn lanes(run: &str, actor: ActorId) -> [Lane; 6] {
    let request = keys::request(run, actor);
    let published = vec![keys::policy(run), keys::pace(run)];
    let to_learner = |messages, keys| Lane { messages, keys, to_learner: true };
    let to_actor = |messages, keys| Lane { messages, keys, to_learner: false };
    let watching = &["liveliness_query", "declare_liveliness_subscriber"];
    [
        to_learner(&["query"], vec![request.clone()]),
        to_learner(&["declare_subscriber"], published.clone()),
        to_learner(&["liveliness_token"], vec![keys::alive(run, Role::Actor(actor))]),
        to_learner(watching, vec![keys::alive(run, Role::Learner)]),
        to_actor(&["reply", "put", "declare_queryable"], {
            let mut keys = published;
            keys.extend([request, keys::requests(run)]);
            keys
        }),
        to_actor(
            &["liveliness_token", "liveliness_query", "declare_liveliness_subscriber"],
            vec![keys::alive(run, Role::Learner), keys::alive_actors(run)],
        ),
    ]
}
