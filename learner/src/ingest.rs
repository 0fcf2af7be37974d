//! Takes in what actors send: onto the disk first, then into the replay store, then the answer.
//!
//! Runs on the transport's thread. Learning never delays an answer by more than the gathering of
//! one batch.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use replay::{
    InsertError, Inserted, Journal, JournalConfig, JournalError, ReplayStore, StoreConfig,
};
use thiserror::Error;
use wire::{
    ActionSpec, ActorId, ActorRequest, Append, Hello, LearnerReply, ObservationSpec, Pace, Refusal,
    Welcome,
};

#[derive(Debug, Error)]
pub enum IngestError {
    #[error("opening the learner's journal")]
    Journal(#[from] JournalError),
    #[error("the learner's journal holds what cannot be: {0}")]
    Insert(#[from] InsertError),
}

/// What this run is. Actors of another run, task or shape are refused.
#[derive(Clone, Debug)]
pub struct Identity {
    pub run: String,
    pub task_hash: String,
    pub observation: ObservationSpec,
    pub action: ActionSpec,
}

pub struct Ingest {
    identity: Identity,
    inner: Mutex<Inner>,
    arrived: Condvar,
}

pub struct Inner {
    journal: Journal,
    pub store: ReplayStore,
    pace: Pace,
    /// Actors of this run that have not said goodbye since this learner was started.
    awaited: BTreeSet<ActorId>,
    said_goodbye: bool,
    /// Counts requests, so that somebody can see that something came.
    requests: u64,
}

impl Ingest {
    /// Opens the journal and reads everything in it into the store.
    pub fn open(
        folder: &Path,
        identity: Identity,
        journal: JournalConfig,
        store: StoreConfig,
    ) -> Result<Self, IngestError> {
        let (journal, recovered) = Journal::open(folder, journal)?;
        if let Some(cut) = &recovered.cut {
            tracing::warn!(?cut, "cut off a record that was being written when the learner ended");
        }
        let mut store = ReplayStore::new(store);
        for record in journal.records_after(None) {
            let (_, record) = record?;
            store.insert(&record)?;
        }
        // Also those that have yet to find this learner: they may have records left.
        let awaited = store.episodes().iter().map(|episode| episode.actor).collect();
        let inner = Inner {
            journal,
            store,
            pace: Pace::default(),
            awaited,
            said_goodbye: false,
            requests: 0,
        };
        Ok(Self { identity, inner: Mutex::new(inner), arrived: Condvar::new() })
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request has come after the `seen`-th, or the time is up. Returns their count.
    pub fn wait_for_request(&self, seen: u64, at_most: Duration) -> u64 {
        let (inner, _) = self
            .arrived
            .wait_timeout_while(self.lock(), at_most, |inner| inner.requests <= seen)
            .unwrap_or_else(PoisonError::into_inner);
        inner.requests
    }

    pub fn set_pace(&self, pace: Pace) {
        self.lock().pace = pace;
    }

    /// Every actor of the run has left in good order, and there was one.
    pub fn all_left(&self) -> bool {
        let inner = self.lock();
        inner.said_goodbye && inner.awaited.is_empty()
    }

    pub fn answer(&self, request: ActorRequest) -> LearnerReply {
        let mut inner = self.lock();
        let reply = match request {
            ActorRequest::Hello(hello) => self.hello(&mut inner, &hello),
            ActorRequest::Append(append) => inner.append(&append),
            ActorRequest::Goodbye(actor) => {
                inner.awaited.remove(&actor);
                inner.said_goodbye = true;
                LearnerReply::Farewell
            }
        };
        inner.requests += 1;
        drop(inner);
        self.arrived.notify_all();
        reply
    }

    fn hello(&self, inner: &mut Inner, hello: &Hello) -> LearnerReply {
        if let Some(reason) = self.identity.mismatch(hello) {
            tracing::warn!(actor = %hello.actor, %reason, "refused an actor");
            return LearnerReply::Refused(Refusal::Mismatch(reason));
        }
        inner.awaited.insert(hello.actor);
        tracing::info!(actor = %hello.actor, "an actor is here");
        let through = inner.store.through(hello.actor);
        LearnerReply::Welcome(Welcome { through, pace: inner.pace })
    }
}

impl Inner {
    fn append(&mut self, append: &Append) -> LearnerReply {
        match self.try_append(append) {
            Ok(reply) | Err(reply) => reply,
        }
    }

    /// Disk, then memory. What has come before is acknowledged again and stored once.
    fn try_append(&mut self, append: &Append) -> Result<LearnerReply, LearnerReply> {
        if append.records.iter().any(|record| record.actor != append.actor) {
            let reason = format!("actor {} sent records of another actor", append.actor);
            return Err(LearnerReply::Refused(Refusal::Mismatch(reason)));
        }
        let fresh = self.store.fresh(&append.records).map_err(refusal)?;
        self.journal.append_all(fresh.iter().copied()).map_err(|error| {
            tracing::error!(%error, "records cannot be stored; the actor keeps them");
            LearnerReply::Refused(Refusal::Unavailable(error.to_string()))
        })?;
        for record in fresh {
            match self.store.insert(record) {
                Ok(Inserted::New) => {}
                outcome => tracing::error!(?outcome, "a checked record was not inserted"),
            }
        }
        match self.store.through(append.actor) {
            Some(through) => Ok(LearnerReply::Appended { through, pace: self.pace_now() }),
            None => Err(LearnerReply::Refused(Refusal::Gap { expected_after: None })),
        }
    }

    fn pace_now(&self) -> Pace {
        Pace { env_steps: self.store.env_steps(), ..self.pace }
    }
}

fn refusal(error: InsertError) -> LearnerReply {
    LearnerReply::Refused(match error {
        InsertError::Gap { expected_after, .. } => Refusal::Gap { expected_after },
        InsertError::Malformed(_) => Refusal::Mismatch(error.to_string()),
        InsertError::Full { .. } => Refusal::Unavailable(error.to_string()),
    })
}

impl Identity {
    /// Why an actor does not belong here, with the remedy; `None` when it does.
    fn mismatch(&self, hello: &Hello) -> Option<String> {
        if hello.run != self.run {
            return Some(format!(
                "this is run {}, the actor belongs to run {}",
                self.run, hello.run
            ));
        }
        if hello.task_hash != self.task_hash {
            return Some(
                "actor and learner have different task files: start both from the same run folder"
                    .into(),
            );
        }
        let same = hello.observation == self.observation && hello.action == self.action;
        (!same).then(|| {
            "actor and learner disagree about the shapes of observations or actions".into()
        })
    }
}
