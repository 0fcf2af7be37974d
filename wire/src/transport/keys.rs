//! The names under which a run's messages travel.

use crate::{identity::Role, ids::ActorId};

/// Requests of all actors to the learner of `run`.
pub fn requests(run: &str) -> String {
    format!("reins/{run}/request/*")
}

/// Requests of one actor. Nobody else may ask under its name.
pub fn request(run: &str, actor: ActorId) -> String {
    format!("reins/{run}/request/{actor}")
}

/// The actor that a key of [`request`] or [`alive`] names.
pub fn actor_of(key: &str) -> Option<ActorId> {
    key.rsplit('/').next()?.parse().ok().map(ActorId)
}

/// The newest parameters of `run`.
pub fn policy(run: &str) -> String {
    format!("reins/{run}/policy")
}

/// The newest pace of `run`.
pub fn pace(run: &str) -> String {
    format!("reins/{run}/pace")
}

/// There while the process with this role is alive.
pub fn alive(run: &str, role: Role) -> String {
    match role {
        Role::Learner => format!("reins/{run}/alive/learner"),
        Role::Actor(actor) => format!("reins/{run}/alive/actor/{actor}"),
    }
}

/// Every actor that is alive.
pub fn alive_actors(run: &str) -> String {
    format!("reins/{run}/alive/actor/*")
}
