//! Which record may come next from each actor: none twice, none missing.
//!
//! Per actor: (episode 0, 0) is its first record; then steps 1..=n; then the end at n + 1; then
//! (next episode, 0). Behind an end may come revisions of that episode, at n + 2 and on. An episode is
//! left only through its end. An actor that was killed in the
//! middle of an episode therefore writes `EpisodeEnd { truncation: Some(Interrupted) }` first when
//! it comes up again. Pure; stores no records.

use std::collections::BTreeMap;

use thiserror::Error;
use wire::{ActorId, EpisodeId, EpisodeKind, Record, RecordBody, RecordPosition};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    New,
    /// It, or something after it, has come before.
    Duplicate,
    /// Something before it is missing.
    Gap {
        expected_after: Option<RecordPosition>,
    },
}

/// A record that no sound actor writes. Asking again does not help.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{position} of actor {actor} cannot be: {reason}")]
pub struct Malformed {
    pub actor: ActorId,
    pub position: RecordPosition,
    pub reason: String,
}

impl Malformed {
    pub fn new(record: &Record, reason: impl Into<String>) -> Self {
        Self { actor: record.actor, position: record.position, reason: reason.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    through: RecordPosition,
    kind: EpisodeKind,
    /// The last step terminated or truncated the episode: only its end may follow.
    closing: bool,
    ended: bool,
}

impl Progress {
    fn expected(self) -> RecordPosition {
        if self.ended {
            RecordPosition::start_of(self.through.episode.next())
        } else {
            self.through.next_in_episode()
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continuity {
    actors: BTreeMap<ActorId, Progress>,
}

impl Continuity {
    /// The last record of `actor` that was accepted.
    pub fn through(&self, actor: ActorId) -> Option<RecordPosition> {
        self.actors.get(&actor).map(|progress| progress.through)
    }

    /// The episode that `actor` is in the middle of.
    pub fn open_episode(&self, actor: ActorId) -> Option<EpisodeId> {
        self.actors.get(&actor).filter(|p| !p.ended).map(|p| p.through.episode)
    }

    /// Only a new record moves anything.
    pub fn accept(&mut self, record: &Record) -> Result<Arrival, Malformed> {
        let progress = self.actors.get(&record.actor).copied();
        let expected = progress.map_or(RecordPosition::default(), Progress::expected);
        let through = progress.map(|p| p.through);
        let ended = progress.filter(|p| {
            p.ended && record.position.episode == p.through.episode && record.position > p.through
        });
        if let Some(ended) = ended {
            return self.accept_behind_end(record, ended);
        }
        if record.position < expected {
            return Ok(Arrival::Duplicate);
        }
        if record.position > expected {
            return Ok(Arrival::Gap { expected_after: through });
        }
        let (closing, ended) = check_body(record, progress.is_some_and(|p| p.closing))?;
        let kind = match (&record.body, progress) {
            (RecordBody::EpisodeStart(start), _) => start.kind,
            (_, Some(before)) => before.kind,
            (_, None) => return Err(Malformed::new(record, "an episode begins with its start")),
        };
        self.actors.insert(record.actor, Progress { through: expected, kind, closing, ended });
        Ok(Arrival::New)
    }

    fn accept_behind_end(
        &mut self,
        record: &Record,
        ended: Progress,
    ) -> Result<Arrival, Malformed> {
        if !matches!(record.body, RecordBody::Revision(_)) {
            return Err(Malformed::new(record, "the episode has ended before it"));
        }
        if ended.kind != EpisodeKind::Demonstration {
            return Err(Malformed::new(record, "only demonstrations are revised"));
        }
        let through = ended.through.next_in_episode();
        if record.position > through {
            return Ok(Arrival::Gap { expected_after: Some(ended.through) });
        }
        self.actors.insert(record.actor, Progress { through, ..ended });
        Ok(Arrival::New)
    }
}

/// Whether the episode is closing and whether it has ended after `record`.
fn check_body(record: &Record, closing: bool) -> Result<(bool, bool), Malformed> {
    let index = record.position.index;
    match &record.body {
        RecordBody::EpisodeStart(_) if index == 0 => Ok((false, false)),
        RecordBody::EpisodeStart(_) => Err(Malformed::new(record, "an episode starts at index 0")),
        _ if index == 0 => Err(Malformed::new(record, "an episode begins with its start")),
        RecordBody::Revision(_) => {
            Err(Malformed::new(record, "an episode is revised behind its end"))
        }
        RecordBody::Step(_) if closing => {
            Err(Malformed::new(record, "the step before it closed the episode"))
        }
        RecordBody::Step(step) => Ok((step.terminated || step.truncated, false)),
        RecordBody::EpisodeEnd(end) if end.steps == index - 1 => Ok((closing, true)),
        RecordBody::EpisodeEnd(end) => {
            let reason = format!("it counts {} steps, {} came", end.steps, index - 1);
            Err(Malformed::new(record, reason))
        }
    }
}
