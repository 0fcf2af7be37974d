//! Whole episodes out of a journal, in the order in which they ended.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use replay::{DiskStorage, Records, journal};
use wire::{
    ActorId, EpisodeEnd, EpisodeId, EpisodeStart, Observation, Record, RecordBody, RecordPosition,
    Step,
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
    Ok(Finished { records, open: BTreeMap::new() })
}

pub struct Finished {
    records: Records,
    open: BTreeMap<(ActorId, EpisodeId), (EpisodeStart, Vec<Step>)>,
}

impl Iterator for Finished {
    type Item = Result<Episode, ExchangeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = match self.records.next()? {
                Ok((_, record)) => record,
                Err(error) => return Some(Err(error.into())),
            };
            let (actor, id) = (record.actor, record.position.episode);
            match record.body {
                RecordBody::EpisodeStart(start) => {
                    self.open.insert((actor, id), (start, Vec::new()));
                }
                RecordBody::Step(step) => {
                    if let Some((_, steps)) = self.open.get_mut(&(actor, id)) {
                        steps.push(step);
                    }
                }
                RecordBody::EpisodeEnd(end) => {
                    if let Some((start, steps)) = self.open.remove(&(actor, id)) {
                        return Some(Ok(Episode { actor, id, start, steps, end }));
                    }
                }
            }
        }
    }
}
