//! The actor's threads besides the control loop: recorder, uplink, policy feed. They end when the
//! control loop has let go of its records, or when one of them fails.

use std::{
    thread::{self, Scope, ScopedJoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use wire::{Clock, Timestamp, transport::LinkState};

use crate::{
    courier::feed,
    error::ActorError,
    hub::Hub,
    outbox::Outbox,
    policy_feed::PolicyFeed,
    uplink::{Turn, Uplink},
};

/// How often the uplink and the feed look at the link when nothing wakes them.
const POLL: Duration = Duration::from_millis(10);

/// A thread of the actor, by the name that a debugger and an error show.
pub struct Worker<'scope, T> {
    name: &'static str,
    handle: ScopedJoinHandle<'scope, Result<T, ActorError>>,
}

impl<'scope, T: Send + 'scope> Worker<'scope, T> {
    /// Starts `work`. When it fails, all others end.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        name: &'static str,
        hub: &'scope Hub,
        work: impl FnOnce() -> Result<T, ActorError> + Send + 'scope,
    ) -> Result<Self, ActorError> {
        Self::start_control(scope, name, hub, move || {
            let guard = EndOthers(hub);
            let result = work();
            if result.is_ok() {
                std::mem::forget(guard);
            }
            result
        })
    }

    /// Starts `work`. When it fails, the others still bring in what it left.
    pub fn start_control(
        scope: &'scope Scope<'scope, '_>,
        name: &'static str,
        hub: &'scope Hub,
        work: impl FnOnce() -> Result<T, ActorError> + Send + 'scope,
    ) -> Result<Self, ActorError> {
        let started = thread::Builder::new().name(name.into()).spawn_scoped(scope, work);
        let handle = started.map_err(|e| {
            hub.end();
            ActorError::Thread(e)
        })?;
        Ok(Self { name, handle })
    }

    pub fn join(self) -> Result<T, ActorError> {
        self.handle.join().unwrap_or(Err(ActorError::Panicked(self.name)))
    }
}

struct EndOthers<'a>(&'a Hub);

impl Drop for EndOthers<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Sends until everything is written and acknowledged; `wake` disconnects when no more is written.
/// From then on it tries for `drain_timeout` by the host's clock.
pub fn send_all(
    mut uplink: Uplink,
    outbox: &Outbox,
    wake: &Receiver<()>,
    hub: &Hub,
    host: &dyn Clock,
    drain_timeout: Duration,
) -> Result<(), ActorError> {
    let mut drain_until = None;
    let mut troubled = false;
    let mut greeting = Greeting::new(uplink.greet_every(), host.now());
    loop {
        let now = host.now();
        let link = uplink.link().state();
        let mut turn = uplink.turn(now, outbox)?;
        if turn == Turn::Idle && drain_until.is_none() && greeting.is_due(now, &link) {
            turn = uplink.greet(now, outbox)?;
        }
        greeting.note(now, &turn, &link);
        report(&turn, &mut troubled);
        hub.note_turn(&turn, outbox);
        hub.note_link(link);
        if let Some(pace) = uplink.link().pace() {
            hub.note_pace(pace);
        }
        let pause = match &turn {
            Turn::Welcomed(_) | Turn::Acknowledged(..) => continue,
            Turn::Idle if drain_until.is_some() => break,
            Turn::WaitUntil(until) => until.since(now).min(POLL),
            Turn::Idle | Turn::Postponed(_) | Turn::Failed(_) => POLL,
        };
        if drain_until.is_some_and(|until| now >= until)
            || (drain_until.is_some() && hub.is_ending())
        {
            return Ok(());
        }
        match wake.recv_timeout(pause) {
            Err(RecvTimeoutError::Disconnected) => {
                drain_until.get_or_insert(now + drain_timeout);
                hub.wait(pause);
            }
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
    uplink.goodbye();
    Ok(())
}

/// When an actor with nothing to send is to say hello again.
#[derive(Debug)]
struct Greeting {
    every: Duration,
    /// When the learner last answered.
    heard_at: Timestamp,
    /// The learner was away since it last welcomed us.
    away: bool,
}

impl Greeting {
    fn new(every: Duration, now: Timestamp) -> Self {
        Self { every, heard_at: now, away: false }
    }

    fn is_due(&self, now: Timestamp, link: &LinkState) -> bool {
        *link == LinkState::Connected && (self.away || now.since(self.heard_at) >= self.every)
    }

    fn note(&mut self, now: Timestamp, turn: &Turn, link: &LinkState) {
        match turn {
            Turn::Welcomed(_) => *self = Self::new(self.every, now),
            Turn::Acknowledged(..) => self.heard_at = now,
            _ => {}
        }
        self.away |= *link != LinkState::Connected;
    }
}

/// Says once that the learner is away, and once that it is back.
fn report(turn: &Turn, troubled: &mut bool) {
    match turn {
        Turn::Postponed(reason) | Turn::Failed(reason) if !*troubled => {
            *troubled = true;
            tracing::warn!("the learner does not take records, they stay in the outbox: {reason}");
        }
        Turn::Welcomed(_) if *troubled => {
            *troubled = false;
            tracing::info!("the learner is back");
        }
        _ => {}
    }
}

/// Feeds parameters until the actor ends.
pub fn feed_all(mut policies: PolicyFeed, hub: &Hub) -> Result<(), ActorError> {
    while !hub.is_ending() {
        feed(&mut policies, hub);
        hub.wait(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use wire::{EpisodeId, Pace, RecordPosition, Welcome};

    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    fn at(s: u64) -> Timestamp {
        Timestamp::default() + Duration::from_secs(s)
    }

    fn welcomed() -> Turn {
        Turn::Welcomed(Welcome { through: None, pace: Pace::default() })
    }

    fn acknowledged() -> Turn {
        Turn::Acknowledged(RecordPosition::start_of(EpisodeId(0)), Pace::default())
    }

    #[test]
    fn a_quiet_actor_greets_when_it_has_heard_nothing_for_long() {
        let mut greeting = Greeting::new(EVERY, at(0));
        assert!(!greeting.is_due(at(4), &LinkState::Connected));
        assert!(greeting.is_due(at(5), &LinkState::Connected));
        greeting.note(at(5), &acknowledged(), &LinkState::Connected);
        assert!(!greeting.is_due(at(9), &LinkState::Connected));
        assert!(!greeting.is_due(at(99), &LinkState::default()), "nobody would hear it");
    }

    #[test]
    fn a_learner_that_was_away_is_greeted_as_soon_as_it_is_there() {
        let mut greeting = Greeting::new(EVERY, at(0));
        greeting.note(at(1), &Turn::Idle, &LinkState::default());
        assert!(greeting.is_due(at(2), &LinkState::Connected));
        greeting.note(at(2), &welcomed(), &LinkState::Connected);
        assert!(!greeting.is_due(at(3), &LinkState::Connected));
    }
}
