//! A link on which nothing comes across for a while, or everything comes late.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use sim::faults::{FaultKind, Faults, Late, Latency, Timeline};
use wire::{
    ActorRequest, Clock, LearnerReply, Pace, PolicySnapshot,
    transport::{LearnerLink, LinkError, LinkState},
};

pub struct FaultyLink {
    inner: Arc<dyn LearnerLink>,
    clock: Arc<dyn Clock>,
    faults: Mutex<LinkFaults>,
}

struct LinkFaults {
    latency: Latency,
    losses: Vec<((), Timeline)>,
}

impl fmt::Debug for FaultyLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with faults", self.inner)
    }
}

impl FaultyLink {
    pub fn new(inner: Arc<dyn LearnerLink>, faults: &Faults, clock: Arc<dyn Clock>) -> Self {
        let losses = faults.timelines(|kind| (*kind == FaultKind::LinkLost).then_some(()));
        let latency = Latency::of(faults, |of| *of == Late::Link);
        Self { inner, clock, faults: Mutex::new(LinkFaults { latency, losses }) }
    }

    fn faults(&self) -> MutexGuard<'_, LinkFaults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_lost(&self) -> bool {
        let now = self.clock.now();
        self.faults().losses.iter_mut().any(|(_, timeline)| timeline.look(now).is_active())
    }
}

impl LearnerLink for FaultyLink {
    /// A lost link says so at once: waiting would let simulated time stand still.
    fn request(
        &self,
        request: &ActorRequest,
        timeout: Duration,
    ) -> Result<LearnerReply, LinkError> {
        if self.is_lost() {
            return Err(LinkError::NoAnswer(timeout));
        }
        let late = self.faults().latency.at(self.clock.now());
        thread::sleep(late);
        self.inner.request(request, timeout)
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        if self.is_lost() { None } else { self.inner.take_policy() }
    }

    fn pace(&self) -> Option<Pace> {
        if self.is_lost() { None } else { self.inner.pace() }
    }

    fn state(&self) -> LinkState {
        if self.is_lost() {
            LinkState::Waiting("lost on purpose".into())
        } else {
            self.inner.state()
        }
    }
}
