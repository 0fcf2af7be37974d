//! Doing again what a run in lockstep has done already, so that it goes on as if nobody had killed
//! it.
//!
//! A run in lockstep follows from its seed and from what the policy proposed; the proposals are
//! in the journal. So nothing of the world, the gate or the person need be saved: the same control
//! loop runs once more from the first episode, with the journal's proposals in place of the
//! policy's and its features in place of the backbone's. Each record that comes of it is held
//! against the journal's. Where the journal ends, the policy drives again.
//!
//! Only for simulated cells: a real arm's past cannot be done again.

use std::{
    fmt, iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand_chacha::ChaCha8Rng;
use wire::{
    Action, ActorRequest, EpisodeKind, Features, Frame, LearnerReply, LearnerStep, Observation,
    Pace, PolicySnapshot, PolicyVersion, Record, RecordBody, Refusal, Step, WeightsHash, Welcome,
    transport::{LearnerLink, LinkError, LinkState},
};

use crate::policy::{Encoder, Policy, PolicyError, PolicyLoader};

/// What has been done, in order, as the journal tells it; an error in words ends it.
pub type Told = Box<dyn Iterator<Item = Result<Record, String>> + Send>;

/// What is still to be done again. Its copies share it.
#[derive(Clone)]
pub struct Past(Arc<Mutex<Inner>>);

struct Inner {
    told: iter::Peekable<Told>,
    /// The kind of the episode under way.
    kind: Option<EpisodeKind>,
    env_steps: u64,
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("past of a run")
    }
}

impl Past {
    pub fn new(told: Told) -> Self {
        Self(Arc::new(Mutex::new(Inner { told: told.peekable(), kind: None, env_steps: 0 })))
    }

    /// A link that holds what is sent against the past, and lets the actor see the run as it was.
    pub fn link(&self, link: Arc<dyn LearnerLink>) -> Arc<dyn LearnerLink> {
        Arc::new(PastLink { past: self.clone(), link })
    }

    /// Policies that propose what was proposed.
    pub fn policies(&self, mut load: PolicyLoader) -> PolicyLoader {
        let past = self.clone();
        Box::new(move |snapshot| {
            let present = load(snapshot)?;
            Ok(Box::new(PastPolicy { past: past.clone(), present }))
        })
    }

    /// A backbone that knows the features of the frames that were seen.
    pub fn encoder(&self, present: Box<dyn Encoder>) -> Box<dyn Encoder> {
        Box::new(PastEncoder { past: self.clone(), present })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.lock().told.peek().is_none()
    }

    /// What is asked of the step that comes next, if it has been taken before.
    fn next_step<T>(&self, ask: impl FnOnce(&Step) -> Option<T>) -> Option<T> {
        match self.lock().told.peek()? {
            Ok(Record { body: RecordBody::Step(step), .. }) => ask(step),
            _ => None,
        }
    }
}

impl Inner {
    /// Takes note of what has been done again; what is wrong with it in words.
    fn done(&mut self, record: &Record) -> Result<(), String> {
        match &record.body {
            RecordBody::EpisodeStart(start) => self.kind = Some(start.kind),
            RecordBody::Step(_) if self.kind == Some(EpisodeKind::Training) => self.env_steps += 1,
            RecordBody::Step(_) | RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => {}
        }
        match self.told.next() {
            None => Ok(()),
            Some(Ok(before)) if before == *record => Ok(()),
            Some(Ok(before)) => Err(format!(
                "a run in lockstep goes on by doing again what it has done, and it came out \
                 differently: {} became {}. Go on with the program and the machine that began \
                 the run, or start a new one",
                before.position, record.position
            )),
            Some(Err(reason)) => Err(format!("the run's past cannot be read: {reason}")),
        }
    }

    /// Nobody waited for the learner in what has been done already; demonstrations were wanted
    /// before each that was given.
    fn pace(&mut self) -> Pace {
        let demonstrated = |record: &Record| match &record.body {
            RecordBody::EpisodeStart(start) => start.kind == EpisodeKind::Demonstration,
            RecordBody::Step(_) | RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => false,
        };
        let wanted = matches!(self.told.peek(), Some(Ok(next)) if demonstrated(next));
        let env_step_limit = wanted.then_some(0);
        Pace { env_steps: self.env_steps, env_step_limit, ..Pace::default() }
    }
}

#[derive(Debug)]
struct PastLink {
    past: Past,
    link: Arc<dyn LearnerLink>,
}

impl LearnerLink for PastLink {
    /// The learner has these records and counts none of them twice.
    fn request(
        &self,
        request: &ActorRequest,
        timeout: Duration,
    ) -> Result<LearnerReply, LinkError> {
        if self.past.is_over() {
            return self.link.request(request, timeout);
        }
        let mut last = None;
        if let ActorRequest::Append(append) = request {
            for record in &append.records {
                if let Err(reason) = self.past.lock().done(record) {
                    return Ok(LearnerReply::Refused(Refusal::Mismatch(reason)));
                }
                last = Some(record.position);
            }
        }
        let reply = self.link.request(request, timeout)?;
        if self.past.is_over() {
            return Ok(reply);
        }
        let pace = self.past.lock().pace();
        Ok(match (reply, last) {
            (LearnerReply::Welcome(_), _) => LearnerReply::Welcome(Welcome { through: None, pace }),
            (LearnerReply::Appended { .. }, Some(through)) => {
                LearnerReply::Appended { through, pace }
            }
            (reply, _) => reply,
        })
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        self.link.take_policy()
    }

    fn pace(&self) -> Option<Pace> {
        if self.past.is_over() { self.link.pace() } else { None }
    }

    fn state(&self) -> LinkState {
        self.link.state()
    }
}

struct PastPolicy {
    past: Past,
    present: Box<dyn Policy>,
}

impl Policy for PastPolicy {
    fn version(&self) -> PolicyVersion {
        let past = self.past.next_step(|step| Some(step.policy_version));
        past.unwrap_or_else(|| self.present.version())
    }

    fn learner_step(&self) -> LearnerStep {
        self.present.learner_step()
    }

    /// The present policy is asked as well: it draws as much noise as the one of that time.
    fn act(
        &mut self,
        observation: &Observation,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Action, PolicyError> {
        let present = self.present.act(observation, noise)?;
        Ok(self.past.next_step(|step| step.policy_action.clone()).unwrap_or(present))
    }
}

struct PastEncoder {
    past: Past,
    present: Box<dyn Encoder>,
}

impl Encoder for PastEncoder {
    fn hash(&self) -> WeightsHash {
        self.present.hash()
    }

    fn encode(&mut self, frames: &[&Frame]) -> Result<Vec<Features>, PolicyError> {
        let seen = match self.past.lock().told.peek() {
            Some(Ok(record)) => record.observation().and_then(|seen| {
                let same = seen.frames.iter().eq(frames.iter().copied());
                let ours = seen.features.iter().all(|f| f.backbone == self.present.hash());
                (same && ours).then(|| seen.features.clone())
            }),
            _ => None,
        };
        seen.map_or_else(|| self.present.encode(frames), Ok)
    }
}

#[cfg(test)]
mod tests;
