//! The link over zenoh: peer to peer, one connection, no router, no multicast.
//!
//! Requests are zenoh queries, because a reply is the only proof that a message arrived: a put may
//! vanish with a closing transport and still return `Ok`. Policies and paces are puts of which
//! only the newest counts; the learner repeats them when an actor says hello. Both sides declare
//! that they are alive, which zenoh takes back when a process dies or falls silent.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::LinkError;

mod access;
mod actor_link;
mod learner_link;
mod probe;
mod session;
mod threads;
mod watch;

pub use actor_link::ZenohActorLink;
pub use learner_link::ZenohLearnerLink;
pub use session::LinkSettings;
pub use threads::{RUNTIME_VARIABLE, tls_is_sound};

fn broken(e: impl fmt::Display) -> LinkError {
    LinkError::Broken(e.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
