//! Keeps records on disk until the learner has them, and this actor's progress beside them.
//! Never called from the control thread of a real cell.
//!
//! Records are freed an episode at a time, so that an episode that a crash cut short can be closed
//! with true counts.

mod ledger;
mod progress_file;

use std::{
    fmt, io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use replay::{Journal, JournalConfig, JournalError, storage::Storage};
use thiserror::Error;
use wire::{
    ActorId, EpisodeEnd, EpisodeId, Outcome, Record, RecordBody, RecordPosition, Timestamp,
    TruncationCause,
};

pub use self::progress_file::parse as parse_progress;
use self::{ledger::Ledger, progress_file::ProgressFile};
use crate::{
    schedule::Progress,
    staging::{self, StagingError},
};

/// Newest records kept in memory besides, so that sending reads the disk only to catch up.
const TAIL_RECORDS: usize = 64;
/// More than a record has besides its payload.
const RECORD_EXTRA_BYTES: usize = 4096;
/// Records that must still fit before the outbox says that it is full.
const MARGIN_RECORDS: u64 = 16;

#[derive(Debug, Error)]
pub enum OutboxError {
    #[error("the outbox failed")]
    Journal(#[from] JournalError),
    #[error(
        "the outbox in {dir} holds records of actor {theirs}, this is actor {ours}: \
         give each actor a run folder of its own"
    )]
    Foreign { dir: String, ours: ActorId, theirs: ActorId },
    #[error("{action} {path} failed")]
    Progress { action: &'static str, path: String, source: io::Error },
    #[error("{path} is no progress file of this version of reins: {reason}")]
    ProgressFormat { path: String, reason: String },
    #[error("taking in what the last actor had in hand")]
    Staging(#[from] StagingError),
}

impl OutboxError {
    /// No room now, and where; there may be later.
    pub fn no_room(&self) -> Option<NoRoom> {
        match self {
            Self::Journal(JournalError::Full { .. }) => Some(NoRoom::Outbox),
            Self::Journal(e) if e.is_full() => Some(NoRoom::Disk),
            Self::Progress { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some(NoRoom::Disk)
            }
            _ => None,
        }
    }
}

/// Why a record does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The outbox has its greatest size: there is room when the learner has taken records.
    Outbox,
    /// The disk itself is full.
    Disk,
}

/// What other threads may see of the outbox without waiting.
#[derive(Clone, Debug, Default)]
pub struct OutboxGauge(Arc<Gauge>);

#[derive(Debug, Default)]
struct Gauge {
    depth: AtomicU64,
    /// A [`NoRoom`] and one more, so that 0 is none.
    no_room: AtomicU8,
    /// Packed, and one more, so that 0 is none.
    written: AtomicU64,
}

impl OutboxGauge {
    /// Records that the learner has not acknowledged.
    pub fn depth(&self) -> u64 {
        self.0.depth.load(Ordering::Relaxed)
    }

    /// Hardly more fits than the end of the episode.
    pub fn is_full(&self) -> bool {
        self.no_room().is_some()
    }

    /// Why hardly more fits.
    pub fn no_room(&self) -> Option<NoRoom> {
        match self.0.no_room.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(NoRoom::Outbox),
            _ => Some(NoRoom::Disk),
        }
    }

    /// The last record that is written: it survives this process, if not yet a power cut.
    pub fn written(&self) -> Option<RecordPosition> {
        let packed = self.0.written.load(Ordering::Relaxed).checked_sub(1)?;
        let (episode, index) = ((packed >> 32) as u32, packed as u32);
        Some(RecordPosition { episode: EpisodeId(episode), index })
    }

    fn set_no_room(&self, no_room: Option<NoRoom>) {
        let packed = no_room.map_or(0, |why| 1 + why as u8);
        self.0.no_room.store(packed, Ordering::Relaxed);
    }

    fn set_written(&self, written: Option<RecordPosition>) {
        let pack = |at: RecordPosition| (u64::from(at.episode.0) << 32 | u64::from(at.index)) + 1;
        self.0.written.store(written.map_or(0, pack), Ordering::Relaxed);
    }
}

/// What was found at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub progress: Progress,
    /// Records that the last actor had in hand when it was killed; they are in the outbox now.
    pub taken_in: usize,
    /// This episode was cut short when the process ended; it is closed now.
    pub interrupted: Option<EpisodeId>,
}

/// Shared by the thread that writes and the one that sends.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Mutex<Inner>>,
    gauge: OutboxGauge,
}

struct Inner {
    journal: Journal,
    /// Size below which free space counts as full: the reserve for closing an episode.
    reserve_bytes: u64,
    ledger: Ledger,
    tail: std::collections::VecDeque<Record>,
    progress: Progress,
    /// What the progress file says.
    saved: Progress,
    progress_file: ProgressFile,
    /// The learner has everything through here, whole episodes.
    freed: Option<RecordPosition>,
    /// Why the last record found no room.
    refused: Option<NoRoom>,
    written: Option<RecordPosition>,
    /// Of `written`, what is sure to outlive a power cut: only that is sent.
    durable: Option<RecordPosition>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbox({} unacknowledged)", self.gauge.depth())
    }
}

impl Outbox {
    /// Opens the outbox of `actor` in `dir` of `storage`, or makes it, and closes an episode that was cut short.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: &Path,
        config: JournalConfig,
        actor: ActorId,
    ) -> Result<(Self, Opened), OutboxError> {
        let staged = staging::left_behind(dir)?;
        let (journal, recovered) =
            Journal::open_on(storage.clone(), dir, with_room_for(config, &staged))?;
        if let Some(last) = recovered.last.filter(|last| last.actor != actor) {
            let dir = dir.display().to_string();
            return Err(OutboxError::Foreign { dir, ours: actor, theirs: last.actor });
        }
        let progress_file = ProgressFile::beside(storage, dir);
        let saved = progress_file.read()?;
        let mut inner = Inner {
            reserve_bytes: reserve_bytes(config),
            ledger: Ledger::default(),
            tail: Default::default(),
            progress: saved,
            saved,
            progress_file,
            freed: None,
            refused: None,
            written: recovered.last.map(|last| last.position),
            durable: None,
            journal,
        };
        for record in inner.journal.records_from(recovered.first) {
            let (_, record) = record?;
            inner.note(&record);
        }
        let taken_in = inner.take_in(&staged)?;
        let interrupted = inner.close_interrupted(actor)?;
        inner.journal.sync()?;
        inner.durable = inner.written;
        if let Some(last) = inner.written {
            let next = last.episode.next();
            inner.progress.next_episode = inner.progress.next_episode.max(next);
        }
        inner.save_progress()?;
        let opened = Opened { progress: inner.progress, taken_in, interrupted };
        let outbox = Self { inner: Arc::new(Mutex::new(inner)), gauge: OutboxGauge::default() };
        outbox.measure(&outbox.lock());
        Ok((outbox, opened))
    }

    pub fn gauge(&self) -> OutboxGauge {
        self.gauge.clone()
    }

    /// Writes `record`; with the default policy it is on the disk when this returns, else it is after
    /// the next `sync_if_due`. An episode's end is counted before anybody can send it.
    pub fn append(&self, record: &Record) -> Result<(), OutboxError> {
        let mut inner = self.lock();
        let appended = inner.append(record);
        inner.refused = appended.as_ref().err().and_then(OutboxError::no_room);
        self.measure(&inner);
        appended
    }

    /// Where the policy lets records wait for the disk: forces them there when it is time to.
    pub fn sync_if_due(&self, now: Timestamp) -> Result<(), OutboxError> {
        let mut inner = self.lock();
        inner.journal.sync_if_due(now)?;
        inner.note_durable();
        Ok(())
    }

    /// Forces everything to the disk.
    pub fn sync(&self) -> Result<(), OutboxError> {
        let mut inner = self.lock();
        inner.journal.sync()?;
        inner.note_durable();
        Ok(())
    }

    /// The last record that is on the disk for good.
    pub fn durable(&self) -> Option<RecordPosition> {
        self.lock().durable
    }

    pub fn progress(&self) -> Progress {
        self.lock().progress
    }

    /// Training steps that a learner lacks which has everything through `position`.
    pub fn training_steps_after(&self, position: Option<RecordPosition>) -> u64 {
        self.lock().ledger.training_steps_after(position)
    }

    /// The records behind `position`, up to a number and about a size, but at least one.
    pub fn batch_after(
        &self,
        position: Option<RecordPosition>,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, OutboxError> {
        let inner = self.lock();
        if inner.tail_continues(position) {
            let durable = inner.durable;
            let newer = inner.tail.iter().filter(|record| {
                let at = Some(record.position);
                at > position && at <= durable
            });
            return Ok(bounded(newer.cloned(), records_max, bytes_max));
        }
        // What was freed cannot be sent: begin where the outbox begins.
        let stored = inner.journal.records_after(position);
        drop(inner);
        let mut failure = None;
        let records = stored.map_while(|read| match read {
            Ok((_, record)) => Some(record),
            Err(e) => {
                failure = Some(e);
                None
            }
        });
        let batch = bounded(records, records_max, bytes_max);
        failure.map_or(Ok(batch), |e| Err(e.into()))
    }

    /// The learner has everything through `position`: whole episodes up to there are freed.
    pub fn acknowledge(&self, position: RecordPosition) -> Result<(), OutboxError> {
        let mut inner = self.lock();
        if let Some(freed) = inner.ledger.acknowledge(position) {
            inner.freed = Some(freed);
        }
        inner.release()?;
        while inner.tail.len() > 1 && inner.tail[0].position <= position {
            inner.tail.pop_front();
        }
        // A learner may know more of this actor than a lost outbox does.
        let next = position.episode.next();
        if inner.written < Some(position) && inner.progress.next_episode < next {
            inner.progress.next_episode = next;
            inner.written = Some(position);
            inner.durable = Some(position);
            inner.save_progress()?;
        }
        self.measure(&inner);
        Ok(())
    }

    fn measure(&self, inner: &Inner) {
        self.gauge.0.depth.store(inner.ledger.depth(), Ordering::Relaxed);
        self.gauge.set_written(inner.written);
        let full = || inner.is_nearly_full().then_some(NoRoom::Outbox);
        self.gauge.set_no_room(inner.refused.or_else(full));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Enters a record into the ledger; says whether that changed the progress.
    fn note(&mut self, record: &Record) -> bool {
        self.ledger.add(record);
        let episode = record.position.episode;
        match &record.body {
            RecordBody::EpisodeEnd(end) => {
                if episode < self.progress.next_episode {
                    return false;
                }
                let Some(kind) = self.ledger.kind_of(episode) else { return false };
                self.progress.ended(episode, kind, end.outcome);
                true
            }
            RecordBody::Revision(revision) => self.progress.revised(episode, revision.outcome),
            RecordBody::EpisodeStart(_) | RecordBody::Step(_) => false,
        }
    }

    fn append(&mut self, record: &Record) -> Result<(), OutboxError> {
        self.journal.append(record)?;
        self.remember(record);
        if self.note(record) {
            self.save_progress()?;
        }
        self.written = Some(record.position);
        self.note_durable();
        Ok(())
    }

    /// Writes the progress, if it is not written. A disk without room is no failure: the records
    /// say the same, and are kept until the progress is written.
    fn save_progress(&mut self) -> Result<(), OutboxError> {
        if self.progress == self.saved {
            return Ok(());
        }
        match self.progress_file.write(&self.progress) {
            Ok(()) => self.saved = self.progress,
            Err(e) if e.no_room().is_some() => {
                tracing::warn!("the progress is not written yet: {e}");
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    fn release(&mut self) -> Result<(), OutboxError> {
        self.save_progress()?;
        if let Some(freed) = self.freed.filter(|freed| freed.episode < self.saved.next_episode) {
            self.journal.release_through(freed)?;
            self.freed = None;
        }
        Ok(())
    }

    fn remember(&mut self, record: &Record) {
        self.tail.push_back(record.clone());
        while self.tail.len() > TAIL_RECORDS {
            self.tail.pop_front();
        }
    }

    /// Whether nothing lies between `position` and the tail.
    fn tail_continues(&self, position: Option<RecordPosition>) -> bool {
        self.tail.front().is_some_and(|first| Some(first.position) <= position)
    }

    fn note_durable(&mut self) {
        if self.journal.durable_end() == self.journal.end() {
            self.durable = self.written;
        }
    }

    /// Appends those of `staged` that are not here yet; how many that were.
    fn take_in(&mut self, staged: &[Record]) -> Result<usize, OutboxError> {
        let mut count = 0;
        for record in staged {
            if Some(record.position) <= self.written {
                continue;
            }
            self.journal.append(record)?;
            self.note(record);
            self.written = Some(record.position);
            count += 1;
        }
        Ok(count)
    }

    fn close_interrupted(&mut self, actor: ActorId) -> Result<Option<EpisodeId>, OutboxError> {
        let Some(open) = self.ledger.open_episode() else { return Ok(None) };
        let end = EpisodeEnd {
            steps: open.steps,
            outcome: Outcome::Unknown,
            truncation: Some(TruncationCause::Interrupted),
            human_steps: open.human_steps,
            interventions: open.interventions,
        };
        let position = RecordPosition { episode: open.episode, index: open.steps + 1 };
        let record = Record { actor, position, body: RecordBody::EpisodeEnd(end) };
        self.journal.append(&record)?;
        self.note(&record);
        self.written = Some(position);
        Ok(Some(position.episode))
    }

    fn is_nearly_full(&self) -> bool {
        let record = self.ledger.mean_record_bytes(self.journal.used_bytes());
        let wanted = self.reserve_bytes + MARGIN_RECORDS * record;
        self.journal.free_bytes().is_some_and(|free| free < wanted)
    }
}

/// A full outbox still takes what was in hand: there is no other place for it.
fn with_room_for(mut config: JournalConfig, staged: &[Record]) -> JournalConfig {
    if let replay::Retention::UntilReleased { max_bytes, .. } = &mut config.retention {
        let bytes = staged.iter().map(|record| payload_bytes(record) + RECORD_EXTRA_BYTES);
        *max_bytes += bytes.sum::<usize>() as u64;
    }
    config
}

fn reserve_bytes(config: JournalConfig) -> u64 {
    match config.retention {
        replay::Retention::Forever => 0,
        replay::Retention::UntilReleased { reserve_bytes, .. } => reserve_bytes,
    }
}

fn bounded(
    records: impl Iterator<Item = Record>,
    records_max: usize,
    bytes_max: usize,
) -> Vec<Record> {
    let mut left = bytes_max;
    let mut batch = Vec::new();
    for record in records.take(records_max.max(1)) {
        let bytes = payload_bytes(&record);
        if bytes > left && !batch.is_empty() {
            break;
        }
        left = left.saturating_sub(bytes);
        batch.push(record);
    }
    batch
}

/// Pixels, features and proprioception: nearly all of a record.
fn payload_bytes(record: &Record) -> usize {
    record.observation().map_or(0, |observation| {
        let frames: usize = observation.frames.iter().map(|frame| frame.pixels.len()).sum();
        let features: usize = observation.features.iter().map(|f| 2 * f.values.len()).sum();
        frames + features + 4 * observation.proprio.len()
    })
}

#[cfg(test)]
mod storage_faults;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
