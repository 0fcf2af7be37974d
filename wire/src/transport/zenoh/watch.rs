//! Knows whether the learner is there and, when it is not, finds out why: zenoh tries again for
//! ever and says nothing.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use zenoh::{
    Session, Wait,
    pubsub::Subscriber,
    sample::{Sample, SampleKind},
};

use super::{
    broken, lock,
    probe::{self, Found},
    session::{Credentials, LinkSettings},
};
use crate::{
    identity::Role,
    transport::{LinkError, LinkState, keys},
};

/// Between two looks while the learner is away. zenoh itself tries again within a second.
const LOOK_EVERY: Duration = Duration::from_millis(1500);

/// Looks in a row at an open door behind which no learner greets us.
const REFUSED_AFTER: u32 = 3;

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    learner_alive: bool,
    /// Why it is not.
    absence: LinkState,
    closing: bool,
}

/// Watches from a thread of its own until it is dropped.
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _subscriber: Subscriber<()>,
}

impl Watch {
    pub fn start(
        session: &Session,
        settings: &LinkSettings,
        own: Credentials,
    ) -> Result<Self, LinkError> {
        let shared = Arc::<Shared>::default();
        let noting = shared.clone();
        let note = move |sample: Sample| {
            lock(&noting.inner).learner_alive = sample.kind() == SampleKind::Put;
            noting.changed.notify_all();
        };
        let subscriber = session
            .liveliness()
            .declare_subscriber(keys::alive(&settings.run, Role::Learner))
            .history(true)
            .callback(note)
            .wait()
            .map_err(broken)?;
        let watcher = Watcher {
            shared: shared.clone(),
            session: session.clone(),
            settings: settings.clone(),
            own,
        };
        let thread = thread::Builder::new()
            .name("link-watch".into())
            .spawn(move || watcher.run())
            .map_err(broken)?;
        Ok(Self { shared, thread: Some(thread), _subscriber: subscriber })
    }

    pub fn state(&self) -> LinkState {
        let inner = lock(&self.shared.inner);
        if inner.learner_alive { LinkState::Connected } else { inner.absence.clone() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.shared.inner).closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A watcher that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

struct Watcher {
    shared: Arc<Shared>,
    session: Session,
    settings: LinkSettings,
    own: Credentials,
}

impl Watcher {
    fn run(self) {
        let mut said = LinkState::default();
        let mut opened = 0;
        loop {
            // Gives zenoh time to connect before the first look.
            let (alive, closing) = self.wait();
            if closing {
                return;
            }
            let state = if alive {
                opened = 0;
                LinkState::Connected
            } else {
                let found = probe::look(&self.settings.endpoint, self.own.identity.as_ref());
                opened = if found == Found::Open { opened + 1 } else { 0 };
                let state = self.absence(found, opened);
                lock(&self.shared.inner).absence = state.clone();
                state
            };
            if state != said {
                say(&self.settings.endpoint, &state);
                said = state;
            }
        }
    }

    /// Waits for a change of the learner, for the end, or for the time of the next look.
    fn wait(&self) -> (bool, bool) {
        let inner = lock(&self.shared.inner);
        let alive = inner.learner_alive;
        let same = |inner: &mut Inner| !inner.closing && inner.learner_alive == alive;
        let waited = self.shared.changed.wait_timeout_while(inner, LOOK_EVERY, same);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (inner.learner_alive, inner.closing)
    }

    /// `opened`: for how many looks in a row the door has been open.
    fn absence(&self, found: Found, opened: u32) -> LinkState {
        let endpoint = &self.settings.endpoint;
        match found {
            Found::Nobody(reason) => {
                LinkState::Waiting(format!("no learner at {endpoint} yet ({reason})"))
            }
            Found::Silence => LinkState::Waiting(format!(
                "something listens at {endpoint} and does not answer: stopped or overloaded?"
            )),
            Found::Refusal(reason) => {
                LinkState::Refused(format!("the learner at {endpoint}: {reason}"))
            }
            // zenoh may be about to walk through the open door.
            Found::Open if opened < REFUSED_AFTER => {
                LinkState::Waiting(format!("connecting to {endpoint}"))
            }
            Found::Open => self.locked_inside(),
        }
    }

    /// TCP and TLS work and still there is no learner.
    fn locked_inside(&self) -> LinkState {
        let LinkSettings { endpoint, run, users, certificates, .. } = &self.settings;
        let role = self.own.role;
        if self.session.info().peers_zid().wait().next().is_some() {
            return LinkState::Refused(format!(
                "the learner at {endpoint} has no part for {role} in run {run}: is its run another \
                 one, or is {role} missing in its link.actors?"
            ));
        }
        // A paused learner's door stands open unless TLS is spoken there: the kernel answers for it.
        if users.is_none() && certificates.is_none() {
            return LinkState::Waiting(format!(
                "the learner at {endpoint} does not answer: is it paused or overloaded, or of \
                 another version of reins?"
            ));
        }
        LinkState::Refused(format!(
            "the learner at {endpoint} does not let {role} in: do both sides have the same password \
             for {role} (link.users) and the same version of reins, or is it paused?"
        ))
    }
}

/// Once for each change, also where nobody looks at the status line.
fn say(endpoint: &str, state: &LinkState) {
    match state {
        LinkState::Connected => tracing::info!(endpoint, "the learner is connected"),
        LinkState::Waiting(reason) => tracing::warn!("waiting: {reason}"),
        LinkState::Refused(reason) => tracing::error!("refused: {reason}"),
    }
}
