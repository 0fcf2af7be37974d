//! Sends the outbox to the learner: hello, then records in order, one request at a time, again and
//! again until they are acknowledged. Never called from the control thread of a real cell.

mod state;

pub use state::{Ask, Backoff, Learned, UplinkState};

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use wire::{
    ActorRequest, Append, Hello, Pace, RecordPosition, Timestamp, Welcome, transport::LearnerLink,
};

use crate::outbox::{Outbox, OutboxError};

#[derive(Debug, Error)]
pub enum UplinkError {
    #[error("the learner refused this actor: {0}")]
    Refused(String),
    #[error(
        "the learner has {}, but it had acknowledged everything through {ours}: give the learner \
         its journal back or start a new run",
        .theirs.map_or("nothing".to_owned(), |theirs| theirs.to_string())
    )]
    Forgotten { ours: RecordPosition, theirs: Option<RecordPosition> },
    #[error(
        "the learner has {} and wants what follows, which the outbox does not hold: actor and \
         learner have run folders of different runs, or one was lost; start a new run",
        .after.map_or("nothing".to_owned(), |after| after.to_string())
    )]
    Missing { after: Option<RecordPosition> },
    #[error("the learner answered a {asked} with something else")]
    Confused { asked: &'static str },
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

#[derive(Clone, Debug)]
pub struct UplinkConfig {
    /// How long one request may take.
    pub timeout: Duration,
    pub backoff: Backoff,
    /// An actor with nothing to send greets the learner so often: one that was started again, or
    /// whose parameters got lost on their way, sends them then.
    pub greet_every: Duration,
    /// Records in one request, at most.
    pub batch_records: usize,
    /// Bytes of pixels and features in one request, about.
    pub batch_bytes: usize,
}

impl Default for UplinkConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            backoff: Backoff::default(),
            greet_every: Duration::from_secs(5),
            batch_records: 64,
            batch_bytes: 8 << 20,
        }
    }
}

/// What one turn of the uplink came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// The learner welcomed us; it has everything through the position.
    Welcomed(Welcome),
    /// Everything through the position is on the learner's disk.
    Acknowledged(RecordPosition, Pace),
    /// The learner cannot store now, or asks for other records: asked again later.
    Postponed(String),
    /// No answer; asked again later.
    Failed(String),
    /// Not before this moment.
    WaitUntil(Timestamp),
    /// Everything that is written is acknowledged.
    Idle,
}

/// The state and the link it speaks over.
#[derive(Debug)]
pub struct Uplink {
    link: Arc<dyn LearnerLink>,
    hello: Hello,
    config: UplinkConfig,
    state: UplinkState,
}

impl Uplink {
    pub fn new(link: Arc<dyn LearnerLink>, hello: Hello, config: UplinkConfig) -> Self {
        let state = UplinkState::new(config.backoff);
        Self { link, hello, config, state }
    }

    pub fn link(&self) -> &Arc<dyn LearnerLink> {
        &self.link
    }

    pub fn greet_every(&self) -> Duration {
        self.config.greet_every
    }

    /// At most one request: whatever is due at `now`.
    pub fn turn(&mut self, now: Timestamp, outbox: &Outbox) -> Result<Turn, UplinkError> {
        match self.state.next(now, outbox.durable()) {
            Ask::Wait(until) => Ok(Turn::WaitUntil(until)),
            Ask::Nothing => Ok(Turn::Idle),
            Ask::Hello => self.ask(now, &ActorRequest::Hello(self.hello.clone()), outbox),
            Ask::Append { after } => {
                let (records, bytes) = (self.config.batch_records, self.config.batch_bytes);
                let records = outbox.batch_after(after, records, bytes)?;
                let append = Append { actor: self.hello.actor, records };
                self.ask(now, &ActorRequest::Append(append), outbox)
            }
        }
    }

    /// Asks for the newest pace, where nobody else brings it.
    pub fn greet(&mut self, now: Timestamp, outbox: &Outbox) -> Result<Turn, UplinkError> {
        self.ask(now, &ActorRequest::Hello(self.hello.clone()), outbox)
    }

    /// The last word. Nobody waits for more than one answer.
    pub fn goodbye(&self) {
        let request = ActorRequest::Goodbye(self.hello.actor);
        if let Err(e) = self.link.request(&request, self.config.timeout) {
            tracing::debug!("the learner did not hear the goodbye: {e}");
        }
    }

    fn ask(
        &mut self,
        now: Timestamp,
        request: &ActorRequest,
        outbox: &Outbox,
    ) -> Result<Turn, UplinkError> {
        let answer = self.link.request(request, self.config.timeout);
        let learned = match answer {
            Ok(reply) => self.state.answered(now, request, reply)?,
            Err(e) => self.state.failed(now, e.to_string()),
        };
        Ok(match learned {
            Learned::Welcome(welcome) => {
                if let Some(through) = welcome.through {
                    outbox.acknowledge(through)?;
                }
                Turn::Welcomed(welcome)
            }
            Learned::Through(through, pace) => {
                outbox.acknowledge(through)?;
                Turn::Acknowledged(through, pace)
            }
            Learned::Later(reason) => Turn::Postponed(reason),
            Learned::NoAnswer(reason) => Turn::Failed(reason),
        })
    }
}
