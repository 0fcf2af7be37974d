//! The way of a record from the control loop to the disk: through a bounded channel to the recorder's
//! thread, or in lockstep within the step.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use wire::{Clock, Record};

use crate::{
    courier::Courier,
    error::ActorError,
    hub::Hub,
    outbox::{Outbox, OutboxError, OutboxGauge},
    staging::Staging,
};

/// How long the recorder waits before it tries a full outbox again.
const FULL_RETRY: Duration = Duration::from_millis(100);

/// How often an idle recorder looks whether records are due to be forced to the disk.
const SYNC_POLL: Duration = Duration::from_millis(20);

/// Where the control loop leaves its records.
pub enum RecordSink {
    /// The caller's thread carries the record all the way to the learner.
    Inline(Box<Courier>),
    /// The recorder's thread takes it.
    Channel(Box<RecordChannel>),
}

pub struct RecordChannel {
    sender: Sender<Record>,
    gauge: OutboxGauge,
    staging: Option<Staging>,
}

impl RecordChannel {
    pub fn new(sender: Sender<Record>, gauge: OutboxGauge, staging: Staging) -> Self {
        Self { sender, gauge, staging: Some(staging) }
    }

    fn stage(&mut self, record: &Record) {
        let Some(staging) = &mut self.staging else { return };
        if let Err(error) = staging.keep(record, self.gauge.written()) {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "from now on a kill of the actor may lose its newest steps");
            self.staging = None;
        }
    }
}

impl RecordSink {
    /// Whether `offer` will take a record without waiting. The control loop is the only one that
    /// offers, so room does not vanish.
    pub fn has_room(&self) -> bool {
        match self {
            Self::Inline(_) => true,
            Self::Channel(channel) => !channel.sender.is_full(),
        }
    }

    /// Keeps `record` so that a kill of this process does not lose it. Copies it in memory; `offer`
    /// and `deliver` do this themselves, it is there for what must not happen before.
    pub fn stage(&mut self, record: &Record) {
        if let Self::Channel(channel) = self {
            channel.stage(record);
        }
    }

    /// Takes a record and never waits, where it is a channel. Full: the record comes back.
    pub fn offer(&mut self, record: Record, now: &dyn Clock) -> Result<Option<Record>, ActorError> {
        self.stage(&record);
        match self {
            Self::Inline(courier) => courier.carry(&record, now.now()).map(|()| None),
            Self::Channel(channel) => Ok(match channel.sender.try_send(record) {
                Ok(()) => None,
                Err(TrySendError::Full(record)) => Some(record),
                // The recorder has failed and its error ends the run; nothing can be kept.
                Err(TrySendError::Disconnected(_)) => None,
            }),
        }
    }

    /// Takes a record, and waits for room. Not within an episode that goes on.
    pub fn deliver(&mut self, record: Record, now: &dyn Clock) -> Result<(), ActorError> {
        self.stage(&record);
        match self {
            Self::Inline(courier) => courier.carry(&record, now.now()),
            Self::Channel(channel) => {
                // As above: a failed recorder ends the run by its own error.
                let _ = channel.sender.send(record);
                Ok(())
            }
        }
    }
}

/// The recorder's thread: writes until the control loop has let go of its end. `wake` tells the
/// uplink that there is something to send.
pub fn record_all(
    records: &Receiver<Record>,
    outbox: &Outbox,
    wake: &Sender<()>,
    hub: &Hub,
    patience: &Patience<'_>,
) -> Result<(), OutboxError> {
    loop {
        let record = match records.recv_timeout(SYNC_POLL) {
            Ok(record) => Some(record),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return outbox.sync(),
        };
        if let Some(record) = record {
            write(&record, outbox, hub, patience)?;
        }
        outbox.sync_if_due(patience.host.now())?;
        // Full means that the uplink has been told already.
        let _ = wake.try_send(());
    }
}

/// How long the recorder waits for room.
pub struct Patience<'a> {
    /// Told to end.
    pub shutdown: &'a AtomicBool,
    pub host: &'a dyn Clock,
    /// From then on.
    pub timeout: Duration,
}

/// Waits for the learner when there is no room; gives up only when the actor ends. That is the
/// last resort: an episode is closed while there is room for its end.
fn write(
    record: &Record,
    outbox: &Outbox,
    hub: &Hub,
    patience: &Patience<'_>,
) -> Result<(), OutboxError> {
    let mut told = false;
    let mut give_up_at = None;
    loop {
        let now = patience.host.now();
        if patience.shutdown.load(Ordering::Relaxed) {
            give_up_at.get_or_insert(now + patience.timeout);
        }
        let ending = hub.is_ending() || give_up_at.is_some_and(|at| now >= at);
        match outbox.append(record) {
            Err(e) if e.no_room().is_some() && !ending => {
                if !told {
                    told = true;
                    tracing::warn!(
                        "no room for records; the episode ends and nothing moves until there is: {e}"
                    );
                }
                hub.wait(FULL_RETRY);
            }
            Err(e) if e.no_room().is_some() => {
                tracing::error!(position = %record.position, "a record is lost: no room for it");
                return Err(e);
            }
            other => return other,
        }
    }
}
