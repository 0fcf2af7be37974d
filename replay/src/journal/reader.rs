//! Reads records in order, one at a time, from a journal as it was when the reader was made.
//! Holds no lock on the journal; changes nothing.

use std::{collections::VecDeque, path::Path, sync::Arc};

use wire::{Record, RecordPosition};

use super::{
    JournalError, Sequence, recovery,
    segment::{HeaderFault, Next, SegmentInfo, SegmentReader},
};
use crate::{format::RecordHeader, storage::Storage};

/// The records of a journal in order. After an error it ends; at the end of the journal it may go
/// on after [`super::Journal::refresh`].
pub struct Records {
    storage: Arc<dyn Storage>,
    waiting: VecDeque<SegmentInfo>,
    open: Option<(SegmentReader, SegmentInfo)>,
    next: Sequence,
    /// One past the last record to read.
    end: Sequence,
    from: Begin,
    failed: bool,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    Sequence(Sequence),
    /// Behind this position of the journal's one actor.
    After(RecordPosition),
}

impl Begin {
    fn passes_over(self, at: Sequence, header: &RecordHeader) -> bool {
        match self {
            Self::Sequence(from) => at < from,
            Self::After(position) => header.position <= position,
        }
    }

    fn passes_over_segment(self, info: &SegmentInfo) -> bool {
        match self {
            Self::Sequence(from) => info.end <= from,
            Self::After(position) => {
                info.first < info.end && info.last.is_some_and(|last| last.position <= position)
            }
        }
    }
}

/// Reads a journal that nobody need have opened: nothing is locked and nothing repaired; a torn
/// tail is passed over.
pub fn read_only(storage: Arc<dyn Storage>, dir: &Path) -> Result<Records, JournalError> {
    let found = recovery::inspect(&*storage, dir)?;
    let end = found.recovered().end;
    Ok(Records::new(storage, found.segments.into(), end, Begin::Sequence(Sequence(0))))
}

/// How many records a journal has ever held, as [`read_only`] sees it.
pub fn records_ever(storage: &dyn Storage, dir: &Path) -> Result<Sequence, JournalError> {
    Ok(recovery::inspect(storage, dir)?.recovered().end)
}

impl Records {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        mut waiting: VecDeque<SegmentInfo>,
        end: Sequence,
        from: Begin,
    ) -> Self {
        while waiting.front().is_some_and(|info| from.passes_over_segment(info)) {
            waiting.pop_front();
        }
        let next = waiting.front().map_or(end, |info| info.first);
        Self { storage, waiting, open: None, next, end, from, failed: false }
    }

    /// The number of the record that comes next; pass it to continue later where this one stops.
    pub fn position(&self) -> Sequence {
        self.next
    }

    /// The journal as it is now, seen from where this reader stands.
    pub(super) fn refresh(
        &mut self,
        segments: impl IntoIterator<Item = SegmentInfo>,
        end: Sequence,
    ) {
        self.end = end;
        self.waiting.clear();
        for now in segments {
            match &mut self.open {
                Some((_, info)) if now.first < info.first => {}
                Some((reader, info)) if now.first == info.first => {
                    reader.set_end(now.len);
                    *info = now;
                }
                None if self.from.passes_over_segment(&now) => {}
                _ => self.waiting.push_back(now),
            }
        }
        if self.open.is_none() {
            self.next = self.waiting.front().map_or(end, |info| info.first);
        }
    }

    fn read(&mut self) -> Result<Option<(Sequence, Record)>, JournalError> {
        loop {
            if self.next >= self.end {
                return Ok(None);
            }
            let Some((reader, info)) = &mut self.open else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            if self.next == info.end {
                if !matches!(reader.next()?, Next::End) {
                    return Err(reader.corrupt("the segment goes on where the next one begins"));
                }
                self.open = None;
                continue;
            }
            let (from, at) = (self.from, self.next);
            if reader.skip_if(|header| from.passes_over(at, header))? {
                self.next = at.next();
                continue;
            }
            match reader.next()? {
                Next::Record(packed) => {
                    self.next = at.next();
                    return Ok(Some((at, reader.unpack(&packed)?)));
                }
                Next::Bad(reason) => return Err(reader.corrupt(reason)),
                Next::End => {
                    let missing = info.end.0 - at.0;
                    return Err(reader.corrupt(format!("{missing} records are missing here")));
                }
            }
        }
    }

    fn open_next(&mut self) -> Result<bool, JournalError> {
        let Some(info) = self.waiting.pop_front() else { return Ok(false) };
        let (mut reader, _) =
            SegmentReader::open(&*self.storage, &info.path).map_err(|e| match e {
                HeaderFault::Error(e) => e,
                HeaderFault::Unfinished => {
                    let reason = "the segment ends within its header".into();
                    JournalError::Corrupt { file: info.path.clone(), offset: 0, reason }
                }
            })?;
        // A segment that was cut short by somebody must not be read beyond its end.
        reader.set_end(info.len.min(reader.end()));
        self.next = info.first;
        self.open = Some((reader, info));
        Ok(true)
    }
}

impl Iterator for Records {
    type Item = Result<(Sequence, Record), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        read.transpose()
    }
}
