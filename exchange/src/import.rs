//! Episodes of others into a run's journal, once each: an import that was killed is repeated as it
//! was and goes on where it stopped.
//!
//! Imported episodes are those of an actor of their own, [`ActorId::IMPORTED`], so that they never
//! stand between the records of one that acts.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use replay::{Journal, JournalConfig, Sequence};
use sha2::{Digest, Sha256};
use tasks::TaskConfig;
use wire::{
    ActionSource, ActionSpec, ActorId, EpisodeEnd, EpisodeId, EpisodeKind, ObservationSpec,
    Outcome, Record, RecordBody, RecordPosition, TruncationCause,
};

use crate::{episode::Episode, error::ExchangeError};

/// Records that are written and synced together.
const BATCH: usize = 256;

/// What imported episodes are to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What they were where they were recorded; demonstrations where that is not known.
    Recorded,
    /// A person showed the task. Those that succeeded are learned from.
    Demonstrations,
    /// A person drove in training: HIL-SERL's `demo_buffer`. Learned from in both views, and counted
    /// as env steps.
    Interventions,
    /// The policy drove in training: HIL-SERL's `buffer`. Counted as env steps.
    Online,
}

impl Role {
    /// Kind of the episodes and who drove in them; `None` where that stays as it was recorded.
    fn parts(self) -> Option<(EpisodeKind, ActionSource)> {
        match self {
            Self::Recorded => None,
            Self::Demonstrations => Some((EpisodeKind::Demonstration, ActionSource::Human)),
            Self::Interventions => Some((EpisodeKind::Training, ActionSource::Human)),
            Self::Online => Some((EpisodeKind::Training, ActionSource::Policy)),
        }
    }

    /// Gives an episode this role.
    pub(crate) fn give(self, episode: &mut Episode) {
        let Some((kind, source)) = self.parts() else { return };
        episode.start.kind = kind;
        for step in &mut episode.steps {
            step.source = source;
            step.human_action =
                (source == ActionSource::Human).then(|| step.commanded_action.clone());
        }
        let human = source == ActionSource::Human;
        episode.end.human_steps = if human { episode.end.steps } else { 0 };
        let takes_over = human && kind != EpisodeKind::Demonstration && episode.end.steps > 0;
        episode.end.interventions = u32::from(takes_over);
    }
}

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub episodes: u64,
    pub steps: u64,
    /// Of the episodes, those that end in success.
    pub successes: u64,
    /// Were in the journal already and were not added again.
    pub known: u64,
}

type Fingerprint = [u8; 32];

#[derive(Debug)]
pub struct Importer {
    journal: Journal,
    observation: ObservationSpec,
    action: ActionSpec,
    /// Of whole episodes that were imported before.
    known: HashSet<Fingerprint>,
    /// An episode that an earlier import was killed in, by its records.
    open: Option<(EpisodeId, Vec<Fingerprint>)>,
    next: EpisodeId,
    imported: Imported,
}

impl Importer {
    /// Opens the journal in `folder`, which no learner may have open.
    pub fn open(
        folder: &Path,
        config: JournalConfig,
        task: &TaskConfig,
    ) -> Result<Self, ExchangeError> {
        let (journal, _) = Journal::open(folder, config)?;
        let mut importer = Self {
            journal,
            observation: task.observation_spec(),
            action: task.action_spec(),
            known: HashSet::new(),
            open: None,
            next: EpisodeId(0),
            imported: Imported::default(),
        };
        for record in importer.journal.records_from(Sequence(0)) {
            let (_, record) = record?;
            if record.actor == ActorId::IMPORTED {
                importer.remember(&record);
            }
        }
        Ok(importer)
    }

    fn remember(&mut self, record: &Record) {
        let id = record.position.episode;
        let (_, records) = self.open.get_or_insert_with(|| (id, Vec::new()));
        records.push(fingerprint(&record.body));
        self.next = id.next();
        if matches!(record.body, RecordBody::EpisodeEnd(_))
            && let Some((_, records)) = self.open.take()
        {
            self.known.insert(whole(&records));
        }
    }

    /// Appends an episode, unless it is there. It is on the disk when this returns.
    pub fn add(&mut self, mut episode: Episode, role: Role) -> Result<(), ExchangeError> {
        role.give(&mut episode);
        self.check(&episode)?;
        let Imported { successes, steps, .. } = &mut self.imported;
        let success = u64::from(episode.end.outcome == Outcome::Success);
        let length = episode.steps.len() as u64;
        let mut records = episode.into_records();
        let prints: Vec<_> = records.iter().map(|record| fingerprint(&record.body)).collect();
        if self.known.contains(&whole(&prints)) {
            self.imported.known += 1;
            return Ok(());
        }
        *successes += success;
        *steps += length;
        let continued = matches!(&self.open, Some((_, begun)) if prints.starts_with(begun));
        if !continued {
            self.close_open()?;
        }
        let (id, there) = match self.open.take() {
            Some((id, begun)) => (id, begun.len()),
            None => (self.next, 0),
        };
        for record in &mut records {
            record.actor = ActorId::IMPORTED;
            record.position.episode = id;
        }
        for batch in records[there..].chunks(BATCH) {
            self.journal.append_all(batch)?;
        }
        self.next = id.next();
        self.known.insert(whole(&prints));
        self.imported.episodes += 1;
        Ok(())
    }

    fn check(&self, episode: &Episode) -> Result<(), ExchangeError> {
        let seen = std::iter::once(&episode.start.observation)
            .chain(episode.steps.iter().map(|step| &step.next_observation));
        let actions = episode.steps.iter().flat_map(|s| [&s.executed_action, &s.commanded_action]);
        let wrong = seen
            .filter_map(|observation| self.observation.mismatch(observation))
            .chain(actions.filter_map(|action| self.action.mismatch(action)))
            .next();
        let bad_reward = || {
            let finite = episode.steps.iter().all(|step| step.reward.is_finite());
            (!finite).then(|| "a reward is not finite".to_owned())
        };
        wrong.or_else(bad_reward).map_or(Ok(()), |what| Err(ExchangeError::Shape(what)))
    }

    /// Ends an episode that was begun by an import that is not repeated.
    fn close_open(&mut self) -> Result<(), ExchangeError> {
        let Some((id, begun)) = self.open.take() else { return Ok(()) };
        let index = begun.len() as u32;
        let end = EpisodeEnd {
            steps: index - 1,
            outcome: Outcome::Unknown,
            truncation: Some(TruncationCause::Interrupted),
            human_steps: 0,
            interventions: 0,
        };
        let record = Record {
            actor: ActorId::IMPORTED,
            position: RecordPosition { episode: id, index },
            body: RecordBody::EpisodeEnd(end),
        };
        self.journal.append(&record)?;
        self.next = id.next();
        Ok(())
    }

    pub fn finish(mut self) -> Result<Imported, ExchangeError> {
        self.close_open()?;
        Ok(self.imported)
    }
}

fn fingerprint(body: &RecordBody) -> Fingerprint {
    let bytes = postcard::to_stdvec(body).expect("a record can be encoded into memory");
    Sha256::digest(bytes).into()
}

fn whole(records: &[Fingerprint]) -> Fingerprint {
    Sha256::digest(records.as_flattened()).into()
}

/// Which image of the file is which camera of the task: named by the user, or by the same name.
#[derive(Clone, Debug, Default)]
pub struct CameraNames(BTreeMap<String, String>);

impl CameraNames {
    /// From pairs of image key and camera.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().map(|(key, camera)| (camera, key)).collect())
    }

    /// The key of this camera's image, or what it would be called.
    pub(crate) fn key<'a>(&'a self, camera: &'a str) -> &'a str {
        self.0.get(camera).map_or(camera, String::as_str)
    }
}

#[cfg(test)]
mod tests;
