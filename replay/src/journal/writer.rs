//! The journal opened for writing: append, sync, roll, release.
//! One process at a time; what it promises as durable survives a power cut.

use std::{
    collections::VecDeque,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use wire::{Record, RecordBody, RecordPosition, Timestamp};

use super::{
    JournalConfig, JournalError, LastRecord, Recovered, Retention, Sequence, SyncPolicy, io_error,
    reader::{Begin, Records},
    recovery,
    segment::SegmentInfo,
};
use crate::{
    format::{LOCK_FILE, SEGMENT_HEADER_LEN, SegmentHeader, segment_file_name},
    record::{EncodeError, Encoder},
    storage::{AppendFile, DiskStorage, Lock, Storage},
};

pub struct Journal {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    config: JournalConfig,
    closed: VecDeque<SegmentInfo>,
    active: SegmentInfo,
    file: Box<dyn AppendFile>,
    /// What readers may see: durable, unless the policy is `Never`.
    visible: Visible,
    released: Option<RecordPosition>,
    last_sync: Option<Timestamp>,
    failed: Option<String>,
    encoder: Encoder,
    batch: Vec<u8>,
    _lock: Box<dyn Lock>,
}

#[derive(Clone, Copy)]
struct Visible {
    end: Sequence,
    /// Of the active segment.
    len: u64,
    last: Option<LastRecord>,
}

impl Visible {
    fn all_of(active: &SegmentInfo) -> Self {
        Self { end: active.end, len: active.len, last: active.last }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Journal({}, to record {})", self.dir.display(), self.active.end.0)
    }
}

impl Journal {
    /// Opens or makes the journal in `dir`, on the disk.
    pub fn open(dir: &Path, config: JournalConfig) -> Result<(Self, Recovered), JournalError> {
        Self::open_on(Arc::new(DiskStorage), dir, config)
    }

    pub fn open_on(
        storage: Arc<dyn Storage>,
        dir: &Path,
        config: JournalConfig,
    ) -> Result<(Self, Recovered), JournalError> {
        storage.create_dir_all(dir).map_err(io_error("making the folder", dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            storage.sync_dir(parent).map_err(io_error("syncing", parent))?;
        }
        let lock_path = dir.join(LOCK_FILE);
        let lock = storage.lock(&lock_path).map_err(io_error("locking", &lock_path))?;
        let lock = lock.ok_or(JournalError::Locked { path: lock_path })?;
        let found = recovery::inspect(&*storage, dir)?;
        let recovered = found.recovered();
        if let Some(cut) = &recovered.cut {
            tracing::warn!(
                file = %cut.file.display(),
                offset = cut.offset,
                bytes = cut.bytes,
                reason = cut.reason,
                "cut off a torn tail"
            );
        }
        let file = found.repair(&*storage, dir)?;
        let mut closed: VecDeque<_> = found.segments.into();
        let (active, file) = match (closed.pop_back(), file) {
            (Some(active), Some(file)) => (active, file),
            _ => create_segment(&*storage, dir, Sequence(0), None)?,
        };
        let journal = Self {
            visible: Visible::all_of(&active),
            storage,
            dir: dir.into(),
            config,
            closed,
            active,
            file,
            released: None,
            last_sync: None,
            failed: None,
            encoder: Encoder::default(),
            batch: Vec::new(),
            _lock: lock,
        };
        Ok((journal, recovered))
    }

    pub fn append(&mut self, record: &Record) -> Result<Sequence, JournalError> {
        Ok(self.append_all([record])?.start)
    }

    /// Appends all of `records` or none, with one sync for all.
    ///
    /// An error of the sync itself is final: the records may or may not be found again after a
    /// restart, and nothing more is accepted. After any other error the journal is as it was.
    pub fn append_all<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<Range<Sequence>, JournalError> {
        self.check_sound()?;
        self.batch.clear();
        let (mut count, mut last) = (0, None);
        for record in records {
            let position = record.position;
            self.encoder.encode(record, &mut self.batch).map_err(|e| match e {
                EncodeError::TooLong(len) => JournalError::RecordTooLong { position, len },
                EncodeError::Body(reason) => JournalError::Encode { position, reason },
            })?;
            count += 1;
            last = Some(record);
        }
        let Some(last) = last else { return Ok(self.active.end..self.active.end) };
        self.make_room(self.batch.len() as u64, closes_episode(last))?;
        self.write_batch()?;
        let start = self.active.end;
        self.active.end = Sequence(start.0 + count);
        self.active.last = Some(LastRecord { actor: last.actor, position: last.position });
        match self.config.sync {
            SyncPolicy::EveryAppend => self.sync()?,
            SyncPolicy::EveryMillis(_) => {}
            SyncPolicy::Never => self.visible = Visible::all_of(&self.active),
        }
        Ok(start..self.active.end)
    }

    fn write_batch(&mut self) -> Result<(), JournalError> {
        if let Err(source) = self.file.append(&self.batch) {
            // Part of it may have been written. Were it left there, good records would follow it.
            if let Err(e) = self.file.truncate(self.active.len) {
                self.failed = Some(format!("taking back a failed write failed ({e})"));
            }
            return Err(io_error("writing", &self.active.path)(source));
        }
        self.active.len += self.batch.len() as u64;
        Ok(())
    }

    /// Returns when everything appended is on the disk. After an error nothing more is accepted.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.check_sound()?;
        if self.visible.end < self.active.end && self.config.sync != SyncPolicy::Never {
            self.file.sync().map_err(|source| {
                self.failed = Some(format!("a sync of it failed ({source})"));
                io_error("syncing", &self.active.path)(source)
            })?;
        }
        self.visible = Visible::all_of(&self.active);
        Ok(())
    }

    /// For [`SyncPolicy::EveryMillis`]: call after appending and now and then besides.
    pub fn sync_if_due(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let SyncPolicy::EveryMillis(period_ms) = self.config.sync else { return Ok(()) };
        let period = Duration::from_millis(period_ms);
        if self.last_sync.is_some_and(|last| now.since(last) < period) {
            return Ok(());
        }
        self.last_sync = Some(now);
        self.sync()
    }

    fn check_sound(&self) -> Result<(), JournalError> {
        match &self.failed {
            Some(reason) => Err(JournalError::Failed { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Rolls when the segment is full, and refuses what does not fit in an outbox.
    fn make_room(&mut self, needed: u64, closes_episode: bool) -> Result<(), JournalError> {
        let rolls = |active: &SegmentInfo, segment_bytes| {
            active.first < active.end && active.len + needed > segment_bytes
        };
        if let Retention::UntilReleased { max_bytes, reserve_bytes } = self.config.retention {
            let limit =
                if closes_episode { max_bytes } else { max_bytes.saturating_sub(reserve_bytes) };
            let needed = needed
                + if rolls(&self.active, self.config.segment_bytes) {
                    SEGMENT_HEADER_LEN as u64
                } else {
                    0
                };
            if self.used_bytes() + needed > limit && self.active_is_released() {
                self.roll()?;
                self.free_released()?;
            }
            let used = self.used_bytes();
            if used + needed > limit {
                return Err(JournalError::Full { needed, used, limit });
            }
        }
        if rolls(&self.active, self.config.segment_bytes) {
            self.roll()?;
        }
        Ok(())
    }

    /// Closes the active segment and begins the next. The old one is on the disk before the new
    /// one has a name: only the newest segment can be torn.
    fn roll(&mut self) -> Result<(), JournalError> {
        self.sync()?;
        let (first, last) = (self.active.end, self.active.last);
        let (active, file) = match create_segment(&*self.storage, &self.dir, first, last) {
            Ok(created) => created,
            Err(e) => {
                self.give_up_segment(first, &e);
                return Err(e);
            }
        };
        self.closed.push_back(std::mem::replace(&mut self.active, active));
        self.file = file;
        self.visible = Visible::all_of(&self.active);
        Ok(())
    }

    /// A disk without room may have room again later, so the half-made segment is taken away for
    /// the next attempt. Anything else is final.
    fn give_up_segment(&mut self, first: Sequence, error: &JournalError) {
        let path = self.dir.join(segment_file_name(first));
        let taken_back = error.is_full()
            && self.storage.remove(&path).is_ok()
            && self.storage.sync_dir(&self.dir).is_ok();
        if !taken_back {
            self.failed = Some(format!("beginning a new segment failed ({error})"));
        }
    }

    /// Everything up to and including `position` is safe elsewhere: whole segments of it are
    /// freed. For an outbox, whose records are one actor's.
    pub fn release_through(&mut self, position: RecordPosition) -> Result<(), JournalError> {
        self.check_sound()?;
        if self.config.retention == Retention::Forever {
            return Err(JournalError::KeepsForever);
        }
        self.released = self.released.max(Some(position));
        self.free_released()
    }

    fn is_released(&self, info: &SegmentInfo) -> bool {
        info.last.is_some_and(|last| Some(last.position) <= self.released)
    }

    fn active_is_released(&self) -> bool {
        self.active.first < self.active.end && self.is_released(&self.active)
    }

    fn free_released(&mut self) -> Result<(), JournalError> {
        while let Some(info) = self.closed.front()
            && self.is_released(info)
        {
            self.storage.remove(&info.path).map_err(io_error("removing", &info.path))?;
            self.closed.pop_front();
            // One by one, so that a crash never leaves an older segment without a younger one.
            self.storage.sync_dir(&self.dir).map_err(|source| {
                self.failed = Some(format!("a sync of its folder failed ({source})"));
                io_error("syncing", &self.dir)(source)
            })?;
        }
        Ok(())
    }

    /// Records from number `from` on, as far as they are durable now.
    pub fn records_from(&self, from: Sequence) -> Records {
        self.records(Begin::Sequence(from))
    }

    /// Records behind `position`, as far as they are durable now. For an outbox, whose records
    /// are one actor's.
    pub fn records_after(&self, position: Option<RecordPosition>) -> Records {
        self.records(position.map_or(Begin::Sequence(Sequence(0)), Begin::After))
    }

    /// Lets a reader of this journal see what has become durable since; it stays where it stands.
    pub fn refresh(&self, records: &mut Records) {
        records.refresh(self.visible_segments(), self.visible.end);
    }

    fn records(&self, from: Begin) -> Records {
        let segments = self.visible_segments().collect();
        Records::new(self.storage.clone(), segments, self.visible.end, from)
    }

    fn visible_segments(&self) -> impl Iterator<Item = SegmentInfo> {
        let Visible { end, len, last } = self.visible;
        let active = SegmentInfo { end, len, last, ..self.active.clone() };
        self.closed.iter().cloned().chain([active])
    }

    /// One past the newest record, durable or not.
    pub fn end(&self) -> Sequence {
        self.active.end
    }

    /// One past the newest record that is on the disk.
    pub fn durable_end(&self) -> Sequence {
        self.visible.end
    }

    /// The last record ever appended, freed ones included.
    pub fn last(&self) -> Option<LastRecord> {
        self.active.last
    }

    /// All segments together.
    pub fn used_bytes(&self) -> u64 {
        self.closed.iter().map(|info| info.len).sum::<u64>() + self.active.len
    }

    /// How much of the bound is left, the reserve included; `None` when there is no bound.
    pub fn free_bytes(&self) -> Option<u64> {
        match self.config.retention {
            Retention::Forever => None,
            Retention::UntilReleased { max_bytes, .. } => {
                Some(max_bytes.saturating_sub(self.used_bytes()))
            }
        }
    }
}

fn closes_episode(record: &Record) -> bool {
    match &record.body {
        RecordBody::EpisodeStart(_) | RecordBody::Revision(_) => false,
        RecordBody::Step(step) => step.terminated || step.truncated,
        RecordBody::EpisodeEnd(_) => true,
    }
}

fn create_segment(
    storage: &dyn Storage,
    dir: &Path,
    first: Sequence,
    previous: Option<LastRecord>,
) -> Result<(SegmentInfo, Box<dyn AppendFile>), JournalError> {
    let path = dir.join(segment_file_name(first));
    let mut file = storage.create(&path).map_err(io_error("making", &path))?;
    let header = SegmentHeader { first, previous }.encode();
    file.append(&header).map_err(io_error("writing", &path))?;
    file.sync().map_err(io_error("syncing", &path))?;
    storage.sync_dir(dir).map_err(io_error("syncing", dir))?;
    let len = header.len() as u64;
    Ok((SegmentInfo { path, first, end: first, len, last: previous }, file))
}
