//! Takes in what actors send: onto the disk first, then into the replay store, then the answer.
//!
//! Runs on the transport's thread. Learning never delays an answer by more than the gathering of
//! one batch.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use replay::{
    InsertError, Inserted, Journal, JournalConfig, JournalError, Records, ReplayStore, Sequence,
    Storage, StoreConfig,
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
    #[error(
        "the checkpoint was made after {known} records and the journal holds {end}: put the run's \
         own journal back, or take the checkpoints away to learn anew from what is there"
    )]
    Short { known: u64, end: u64 },
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
    /// Records of the journal that are in the store.
    records: u64,
    /// Why the last append could not be stored.
    trouble: Option<String>,
    pace: Pace,
    /// Actors of this run that have not said goodbye since this learner was started.
    awaited: BTreeSet<ActorId>,
    /// The actors that have said hello to this process.
    greeted: BTreeSet<ActorId>,
    said_goodbye: bool,
    /// Counts requests, so that somebody can see that something came.
    requests: u64,
}

impl Ingest {
    /// Opens the journal and reads its first `known` records into the store, or all of them. The
    /// others are what is returned; [`Self::take_in`] brings them.
    pub fn open(
        storage: Arc<dyn Storage>,
        folder: &Path,
        identity: Identity,
        journal: JournalConfig,
        store: StoreConfig,
        known: Option<u64>,
    ) -> Result<(Self, Records), IngestError> {
        let (journal, recovered) = Journal::open_on(storage, folder, journal)?;
        if let Some(cut) = &recovered.cut {
            tracing::warn!(?cut, "cut off a record that was being written when the learner ended");
        }
        let end = recovered.end.0;
        let known = known.unwrap_or(end);
        if known > end {
            return Err(IngestError::Short { known, end });
        }
        let mut rest = journal.records_from(Sequence(0));
        let mut inner = Inner {
            journal,
            store: ReplayStore::new(store),
            records: 0,
            trouble: None,
            pace: Pace::default(),
            awaited: BTreeSet::new(),
            greeted: BTreeSet::new(),
            said_goodbye: false,
            requests: 0,
        };
        while inner.records < known && inner.take_in(&mut rest)? {}
        // Also those that have yet to find this learner: they may have records left.
        let actors = inner.store.episodes().iter().map(|episode| episode.actor);
        // Nobody speaks for what was imported.
        inner.awaited = actors.filter(|actor| *actor != ActorId::IMPORTED).collect();
        let ingest = Self { identity, inner: Mutex::new(inner), arrived: Condvar::new() };
        Ok((ingest, rest))
    }

    /// Brings the next record of the journal into the store, as if an actor had just sent it;
    /// `false` when there is none.
    pub fn take_in(&self, rest: &mut Records) -> Result<bool, IngestError> {
        self.lock().take_in(rest)
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
                inner.greeted.remove(&actor);
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
        if hello.actor == ActorId::IMPORTED {
            let reason = format!("{} is the number of imported episodes", hello.actor);
            return LearnerReply::Refused(Refusal::Mismatch(reason));
        }
        if let Some(reason) = self.identity.mismatch(hello) {
            tracing::warn!(actor = %hello.actor, %reason, "refused an actor");
            return LearnerReply::Refused(Refusal::Mismatch(reason));
        }
        inner.awaited.insert(hello.actor);
        if inner.greeted.insert(hello.actor) {
            tracing::info!(actor = %hello.actor, "an actor is here");
        }
        let through = inner.store.through(hello.actor);
        LearnerReply::Welcome(Welcome { through, pace: inner.pace })
    }
}

impl Inner {
    /// Records of the journal that are in the store.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Why records cannot be stored at present.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn take_in(&mut self, rest: &mut Records) -> Result<bool, IngestError> {
        let Some(next) = rest.next() else { return Ok(false) };
        let (_, record) = next?;
        self.store.insert(&record)?;
        self.records += 1;
        Ok(true)
    }

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
        if let Err(error) = self.journal.append_all(fresh.iter().copied()) {
            let reason = chain(&error);
            if self.trouble.as_ref() != Some(&reason) {
                tracing::error!(%reason, "records cannot be stored; the actor keeps them");
            }
            self.trouble = Some(reason.clone());
            return Err(LearnerReply::Refused(Refusal::Unavailable(reason)));
        }
        if self.trouble.take().is_some() {
            tracing::info!("records can be stored again");
        }
        for record in fresh {
            match self.store.insert(record) {
                Ok(Inserted::New) => self.records += 1,
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

/// An error with what caused it: "no space left" stands at the end of the chain.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
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
