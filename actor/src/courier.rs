//! Lockstep: carries each record to the disk and to the learner and brings parameters back, all on
//! the caller's thread, so that a run with a simulated clock gives the same bytes each time.

use std::collections::VecDeque;

use wire::{Record, Timestamp};

use crate::{
    error::ActorError,
    hub::Hub,
    outbox::Outbox,
    policy_feed::{Fed, PolicyFeed},
    uplink::{Turn, Uplink},
};

/// Requests after one record, at most: all that a learner can need to catch up with one record is
/// far below.
const TURNS_MAX: usize = 10_000;

pub struct Courier {
    pub outbox: Outbox,
    pub uplink: Uplink,
    pub feed: PolicyFeed,
    pub hub: Hub,
    /// Found no room. The control loop sees that and ends the episode, so they are few.
    pub waiting: VecDeque<Record>,
}

impl Courier {
    /// Writes the record and sends whatever is due. A learner that does not answer is asked again
    /// with a later record.
    pub fn carry(&mut self, record: &Record, now: Timestamp) -> Result<(), ActorError> {
        self.waiting.push_back(record.clone());
        self.write()?;
        self.send(now)
    }

    /// Writes what waits, as far as there is room.
    fn write(&mut self) -> Result<(), ActorError> {
        while let Some(record) = self.waiting.front() {
            match self.outbox.append(record) {
                Ok(()) => drop(self.waiting.pop_front()),
                Err(e) if e.no_room().is_some() => break,
                Err(e) => return Err(e.into()),
            }
        }
        Ok(self.outbox.sync()?)
    }

    /// Says hello once more and takes what comes of it: in lockstep nobody else lets time pass.
    pub fn ask(&mut self, now: Timestamp) -> Result<(), ActorError> {
        self.write()?;
        let turn = self.uplink.greet(now, &self.outbox)?;
        self.hub.note_turn(&turn, &self.outbox);
        self.send(now)
    }

    /// Sends what is left, once, and leaves in good order if that was all. An error when there is
    /// still no room for a record: it is lost.
    pub fn goodbye(&mut self, now: Timestamp) -> Result<(), ActorError> {
        self.write()?;
        if let Some(record) = self.waiting.front() {
            tracing::error!(position = %record.position, "a record is lost: no room for it");
            self.outbox.append(record)?;
        }
        match self.send(now) {
            Ok(()) if self.outbox.gauge().depth() == 0 => self.uplink.goodbye(),
            Ok(()) => {}
            Err(error) => tracing::warn!("what is left could not be sent: {error}"),
        }
        Ok(())
    }

    fn send(&mut self, now: Timestamp) -> Result<(), ActorError> {
        for _ in 0..TURNS_MAX {
            let turn = self.uplink.turn(now, &self.outbox)?;
            self.hub.note_turn(&turn, &self.outbox);
            if !matches!(turn, Turn::Welcomed(_) | Turn::Acknowledged(..)) {
                break;
            }
        }
        self.hub.note_link(self.uplink.link().state());
        if let Some(pace) = self.uplink.link().pace() {
            self.hub.note_pace(pace);
        }
        feed(&mut self.feed, &self.hub);
        Ok(())
    }
}

/// Looks for parameters once, and says so when they cannot be used.
pub fn feed(feed: &mut PolicyFeed, hub: &Hub) {
    match feed.poll(hub.pace()) {
        Fed::Nothing => {}
        Fed::Ready(version) => tracing::debug!(%version, "new parameters"),
        Fed::Unusable(version, reason) => {
            hub.note_unusable_policy();
            tracing::error!(%version, "the learner's parameters cannot be used: {reason}");
        }
    }
}
