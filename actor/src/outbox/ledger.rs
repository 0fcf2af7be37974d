//! What the outbox holds, episode by episode: counts, not records. Pure.

use std::collections::VecDeque;

use wire::{ActionSource, EpisodeId, EpisodeKind, Record, RecordBody, RecordPosition};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpisodeEntry {
    pub episode: EpisodeId,
    pub kind: EpisodeKind,
    pub steps: u32,
    pub human_steps: u32,
    pub interventions: u32,
    last_source: ActionSource,
    /// Index of the first of its records that is not freed.
    first: u32,
    /// Index of its newest record.
    newest: u32,
    ended: bool,
}

/// The episodes that are not freed yet, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    episodes: VecDeque<EpisodeEntry>,
    acknowledged: Option<RecordPosition>,
}

impl Ledger {
    pub fn add(&mut self, record: &Record) {
        match &record.body {
            RecordBody::EpisodeStart(start) => {
                self.episodes.push_back(EpisodeEntry::new(record.position, start.kind));
            }
            // The learner has the episode itself, so that it is freed already.
            RecordBody::Revision(_) if !self.is_newest(record.position.episode) => {
                let entry = EpisodeEntry::new(record.position, EpisodeKind::Demonstration);
                self.episodes.push_back(EpisodeEntry { ended: true, ..entry });
            }
            _ => {}
        }
        let of_this = |entry: &&mut EpisodeEntry| entry.episode == record.position.episode;
        let Some(entry) = self.episodes.back_mut().filter(of_this) else { return };
        entry.newest = record.position.index;
        match &record.body {
            RecordBody::EpisodeStart(_) | RecordBody::Revision(_) => {}
            RecordBody::Step(step) => {
                let human = step.source == ActionSource::Human;
                let takeover = human
                    && entry.last_source == ActionSource::Policy
                    && !entry.kind.is_driven_by_a_person();
                entry.steps += 1;
                entry.human_steps += u32::from(human);
                entry.interventions += u32::from(takeover);
                entry.last_source = step.source;
            }
            RecordBody::EpisodeEnd(_) => entry.ended = true,
        }
    }

    fn is_newest(&self, episode: EpisodeId) -> bool {
        self.episodes.back().is_some_and(|entry| entry.episode == episode)
    }

    pub fn kind_of(&self, episode: EpisodeId) -> Option<EpisodeKind> {
        self.episodes.iter().rev().find(|entry| entry.episode == episode).map(|entry| entry.kind)
    }

    /// The newest episode, if it has no end.
    pub fn open_episode(&self) -> Option<EpisodeEntry> {
        self.episodes.back().copied().filter(|entry| !entry.ended)
    }

    /// Forgets the episodes that are acknowledged to their end; returns the last of their records.
    pub fn acknowledge(&mut self, position: RecordPosition) -> Option<RecordPosition> {
        self.acknowledged = self.acknowledged.max(Some(position));
        let mut freed = None;
        while let Some(entry) = self.episodes.front()
            && entry.ended
            && self.acknowledged >= Some(entry.last_position())
        {
            freed = Some(entry.last_position());
            self.episodes.pop_front();
        }
        freed
    }

    /// Records that are not acknowledged.
    pub fn depth(&self) -> u64 {
        self.episodes.iter().map(|entry| entry.records_after(self.acknowledged)).sum()
    }

    pub fn training_steps_after(&self, position: Option<RecordPosition>) -> u64 {
        let training = self.episodes.iter().filter(|entry| entry.kind == EpisodeKind::Training);
        training.map(|entry| entry.steps_after(position)).sum()
    }

    /// Size of a record when those held here have `used_bytes` together.
    pub fn mean_record_bytes(&self, used_bytes: u64) -> u64 {
        let records: u64 = self.episodes.iter().map(|entry| entry.records_after(None)).sum();
        used_bytes.checked_div(records).unwrap_or(0)
    }
}

impl EpisodeEntry {
    /// One of which this is the first record.
    fn new(first: RecordPosition, kind: EpisodeKind) -> Self {
        Self {
            episode: first.episode,
            kind,
            steps: 0,
            human_steps: 0,
            interventions: 0,
            last_source: ActionSource::Policy,
            first: first.index,
            newest: first.index,
            ended: false,
        }
    }

    fn last_position(&self) -> RecordPosition {
        RecordPosition { episode: self.episode, index: self.newest }
    }

    fn records_after(&self, position: Option<RecordPosition>) -> u64 {
        match position {
            Some(at) if at.episode > self.episode => 0,
            Some(at) if at.episode == self.episode => {
                u64::from(self.newest.saturating_sub(at.index))
            }
            _ => u64::from(self.newest - self.first) + 1,
        }
    }

    fn steps_after(&self, position: Option<RecordPosition>) -> u64 {
        match position {
            Some(at) if at.episode > self.episode => 0,
            Some(at) if at.episode == self.episode => {
                u64::from(self.steps.saturating_sub(at.index))
            }
            _ => u64::from(self.steps),
        }
    }
}
