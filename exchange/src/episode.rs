//! Whole episodes out of a journal, in the order in which they ended. A demonstration comes when its actor
//! begins another episode, or when the journal ends: until then a person may take it back.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use replay::{DiskStorage, Records, journal};
use wire::{
    ActorId, EpisodeEnd, EpisodeId, EpisodeKind, EpisodeStart, Observation, Record, RecordBody,
    RecordPosition, Step,
};

use crate::error::ExchangeError;

#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    pub actor: ActorId,
    pub id: EpisodeId,
    pub start: EpisodeStart,
    pub steps: Vec<Step>,
    pub end: EpisodeEnd,
}

impl Episode {
    /// What was seen before the step of this index.
    pub fn seen_before(&self, step: usize) -> &Observation {
        match step.checked_sub(1) {
            None => &self.start.observation,
            Some(before) => &self.steps[before].next_observation,
        }
    }

    pub fn last_seen(&self) -> &Observation {
        self.seen_before(self.steps.len())
    }

    /// The records of this episode.
    pub fn into_records(self) -> Vec<Record> {
        let Self { actor, id, start, steps, end } = self;
        let bodies = std::iter::once(RecordBody::EpisodeStart(start))
            .chain(steps.into_iter().map(RecordBody::Step))
            .chain([RecordBody::EpisodeEnd(end)]);
        let record =
            |(index, body)| Record { actor, position: RecordPosition { episode: id, index }, body };
        (0..).zip(bodies).map(record).collect()
    }
}

/// The episodes of the journal in `folder` that have come to an end. Changes nothing, and locks
/// nothing: the run may be going on.
pub fn finished(folder: &Path) -> Result<Finished, ExchangeError> {
    let records = journal::read_only(Arc::new(DiskStorage), folder)?;
    Ok(Finished { records, open: BTreeMap::new(), ended: BTreeMap::new() })
}

pub struct Finished {
    records: Records,
    open: BTreeMap<(ActorId, EpisodeId), (EpisodeStart, Vec<Step>)>,
    /// Demonstrations that may be revised.
    ended: BTreeMap<ActorId, Episode>,
}

impl Iterator for Finished {
    type Item = Result<Episode, ExchangeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = match self.records.next() {
                Some(Ok((_, record))) => record,
                Some(Err(error)) => return Some(Err(error.into())),
                None => return self.ended.pop_first().map(|(_, episode)| Ok(episode)),
            };
            let (actor, id) = (record.actor, record.position.episode);
            match record.body {
                RecordBody::EpisodeStart(start) => {
                    self.open.insert((actor, id), (start, Vec::new()));
                    if let Some(episode) = self.ended.remove(&actor) {
                        return Some(Ok(episode));
                    }
                }
                RecordBody::Step(step) => {
                    if let Some((_, steps)) = self.open.get_mut(&(actor, id)) {
                        steps.push(step);
                    }
                }
                RecordBody::EpisodeEnd(end) => {
                    let Some((start, steps)) = self.open.remove(&(actor, id)) else { continue };
                    let episode = Episode { actor, id, start, steps, end };
                    if episode.start.kind != EpisodeKind::Demonstration {
                        return Some(Ok(episode));
                    }
                    self.ended.insert(actor, episode);
                }
                RecordBody::Revision(revision) => {
                    let ended = self.ended.get_mut(&actor).filter(|episode| episode.id == id);
                    if let Some(episode) = ended {
                        episode.end.outcome = revision.outcome;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{Outcome, Revision};

    use super::*;
    use crate::testing;

    #[test]
    fn a_demonstration_comes_as_a_person_left_it() {
        let folder = tempfile::tempdir().unwrap();
        let task = testing::task(&["wrist"]);
        let revision = |after: &[Record], outcome| Record {
            position: after[after.len() - 1].position.next_in_episode(),
            body: RecordBody::Revision(Revision { outcome }),
            ..after[after.len() - 1].clone()
        };
        let mut records = testing::episode(&task, 0, 0, EpisodeKind::Demonstration, 3);
        records.push(revision(&records, Outcome::Unknown));
        records.extend(testing::episode(&task, 0, 1, EpisodeKind::Training, 2));
        records.extend(testing::episode(&task, 0, 2, EpisodeKind::Demonstration, 4));
        records.push(revision(&records, Outcome::Unknown));
        records.push(revision(&records, Outcome::Success));
        testing::journal(folder.path(), &records);
        let episodes: Vec<Episode> =
            finished(folder.path()).unwrap().collect::<Result<_, _>>().unwrap();
        let found: Vec<_> = episodes.iter().map(|e| (e.id.0, e.end.outcome)).collect();
        let trained = episodes[1].end.outcome;
        assert_eq!(found, [(0, Outcome::Unknown), (1, trained), (2, Outcome::Success)]);
        assert_eq!(episodes[2].steps.len(), 4);
    }
}
