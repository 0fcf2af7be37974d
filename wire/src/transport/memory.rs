//! Both ends of the link in one process. A request runs the learner's handler on the caller's
//! thread, which is what makes a run in lockstep deterministic. Messages go through the codec all
//! the same, so that what works here works between processes.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{ActorLink, LearnerLink, LinkError, LinkState, RequestHandler};
use crate::{
    codec,
    ids::ActorId,
    message::{ActorRequest, LearnerReply, Pace, PolicySnapshot},
};

#[derive(Default)]
struct Shared {
    handler: Mutex<Option<RequestHandler>>,
    newest: Mutex<Newest>,
    /// Actors that have asked and have not said goodbye.
    actors: Mutex<BTreeSet<ActorId>>,
}

#[derive(Default)]
struct Newest {
    policy: Option<Vec<u8>>,
    pace: Option<Pace>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("in-memory link")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The actor's end.
#[derive(Clone, Debug)]
pub struct MemoryLearnerLink(Arc<Shared>);

/// The learner's end.
#[derive(Clone, Debug)]
pub struct MemoryActorLink(Arc<Shared>);

pub fn pair() -> (MemoryLearnerLink, MemoryActorLink) {
    let shared = Arc::new(Shared::default());
    (MemoryLearnerLink(shared.clone()), MemoryActorLink(shared))
}

impl LearnerLink for MemoryLearnerLink {
    fn request(
        &self,
        request: &ActorRequest,
        timeout: Duration,
    ) -> Result<LearnerReply, LinkError> {
        let handler = lock(&self.0.handler).clone().ok_or(LinkError::NoAnswer(timeout))?;
        let request: ActorRequest = codec::decode(&codec::encode(request)?)?;
        match &request {
            ActorRequest::Goodbye(actor) => lock(&self.0.actors).remove(actor),
            _ => lock(&self.0.actors).insert(request.actor()),
        };
        let reply = handler(request);
        Ok(codec::decode(&codec::encode(&reply)?)?)
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        let bytes = lock(&self.0.newest).policy.take()?;
        codec::decode(&bytes).ok()
    }

    fn pace(&self) -> Option<Pace> {
        lock(&self.0.newest).pace
    }

    fn state(&self) -> LinkState {
        match *lock(&self.0.handler) {
            Some(_) => LinkState::Connected,
            None => LinkState::Waiting("the learner has not begun to listen".into()),
        }
    }
}

impl ActorLink for MemoryActorLink {
    fn serve(&self, handler: RequestHandler) -> Result<(), LinkError> {
        *lock(&self.0.handler) = Some(handler);
        Ok(())
    }

    fn publish_policy(&self, snapshot: &PolicySnapshot) -> Result<(), LinkError> {
        let bytes = codec::encode(snapshot)?;
        lock(&self.0.newest).policy = Some(bytes);
        Ok(())
    }

    fn publish_pace(&self, pace: &Pace) -> Result<(), LinkError> {
        lock(&self.0.newest).pace = Some(*pace);
        Ok(())
    }

    fn actors(&self) -> Vec<ActorId> {
        lock(&self.0.actors).iter().copied().collect()
    }
}
