//! What a journal's folder holds after any kind of stop, and the two repairs that are safe: to cut
//! off a torn tail, and to remove a segment whose making was interrupted.
//!
//! Anything else that is wrong is an error. Nothing is changed until everything has been looked at.

use std::path::{Path, PathBuf};

use super::{
    JournalError, LastRecord, Sequence, io_error,
    segment::{HeaderFault, Next, SegmentInfo, SegmentReader},
};
use crate::{
    format::{SegmentHeader, parse_segment_file_name},
    storage::{AppendFile, Storage},
};

/// What was lost at the end: bytes of records that were never acknowledged to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub file: PathBuf,
    /// The file now ends here.
    pub offset: u64,
    pub bytes: u64,
    pub reason: &'static str,
}

/// What was found when a journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The oldest record that is still there, and one past the newest.
    pub first: Sequence,
    pub end: Sequence,
    /// The last record ever appended, freed ones included.
    pub last: Option<LastRecord>,
    pub cut: Option<Cut>,
}

/// A journal's folder as it is.
pub(super) struct Inspection {
    /// Sound ones, oldest first.
    pub segments: Vec<SegmentInfo>,
    pub cut: Option<Cut>,
    /// A last segment that ends within its header.
    pub unfinished: Option<PathBuf>,
}

pub(super) fn inspect(storage: &dyn Storage, dir: &Path) -> Result<Inspection, JournalError> {
    let names = storage.list(dir).map_err(io_error("listing", dir))?;
    let mut named: Vec<(Sequence, PathBuf)> = names
        .iter()
        .filter_map(|name| Some((parse_segment_file_name(name)?, dir.join(name))))
        .collect();
    named.sort();
    let mut opened = Vec::with_capacity(named.len());
    let mut unfinished = None;
    let newest = named.len().saturating_sub(1);
    for (i, (first, path)) in named.into_iter().enumerate() {
        match SegmentReader::open(storage, &path) {
            Ok((reader, header)) => opened.push((checked(&path, first, header)?, reader)),
            Err(HeaderFault::Unfinished) if i == newest => unfinished = Some(path),
            Err(HeaderFault::Unfinished) => {
                let reason = "the segment ends within its header".into();
                return Err(JournalError::Corrupt { file: path, offset: 0, reason });
            }
            Err(HeaderFault::Error(e)) => return Err(e),
        }
    }
    let mut segments: Vec<SegmentInfo> = Vec::with_capacity(opened.len());
    let mut cut = None;
    let headers: Vec<SegmentHeader> = opened.iter().map(|(header, _)| *header).collect();
    let newest = headers.len().saturating_sub(1);
    for (i, (header, mut reader)) in opened.into_iter().enumerate() {
        if i == newest {
            let (info, torn) = scan(&mut reader, header)?;
            segments.push(info);
            cut = torn;
        } else {
            // The next header tells where this one ends; its records are checked when read.
            let next = headers[i + 1];
            segments.push(reader.described(header.first, next.first, next.previous));
        }
    }
    Ok(Inspection { segments, cut, unfinished })
}

fn checked(
    path: &Path,
    name: Sequence,
    header: SegmentHeader,
) -> Result<SegmentHeader, JournalError> {
    if header.first == name {
        return Ok(header);
    }
    let reason =
        format!("the segment begins with record {}, its name says {}", header.first.0, name.0);
    Err(JournalError::Corrupt { file: path.into(), offset: 0, reason })
}

/// Reads the newest segment through. A bad record is a torn tail only when no good one follows.
fn scan(
    reader: &mut SegmentReader,
    header: SegmentHeader,
) -> Result<(SegmentInfo, Option<Cut>), JournalError> {
    let (mut end, mut last) = (header.first, header.previous);
    let cut = loop {
        match reader.next()? {
            Next::Record(packed) => {
                end = end.next();
                let (actor, position) = (packed.header.actor, packed.header.position);
                last = Some(LastRecord { actor, position });
            }
            Next::End => break None,
            Next::Bad(reason) if reader.good_record_follows()? => {
                return Err(reader.corrupt(reason));
            }
            Next::Bad(reason) => break Some(reader.cut_here(reason)),
        }
    };
    let len = reader.offset();
    Ok((SegmentInfo { len, ..reader.described(header.first, end, last) }, cut))
}

impl Inspection {
    /// Carries out the repairs and makes sure that what was found is on the disk: a process may
    /// have been killed between a write and its sync.
    pub fn repair(
        &self,
        storage: &dyn Storage,
        dir: &Path,
    ) -> Result<Option<Box<dyn AppendFile>>, JournalError> {
        if let Some(path) = &self.unfinished {
            storage.remove(path).map_err(io_error("removing", path))?;
        }
        let mut file = None;
        if let Some(info) = self.segments.last() {
            let mut active = storage.append(&info.path).map_err(io_error("opening", &info.path))?;
            if self.cut.is_some() {
                active.truncate(info.len).map_err(io_error("cutting", &info.path))?;
            }
            active.sync().map_err(io_error("syncing", &info.path))?;
            file = Some(active);
        }
        storage.sync_dir(dir).map_err(io_error("syncing", dir))?;
        Ok(file)
    }

    pub fn recovered(&self) -> Recovered {
        Recovered {
            first: self.segments.first().map_or(Sequence(0), |s| s.first),
            end: self.segments.last().map_or(Sequence(0), |s| s.end),
            last: self.segments.last().and_then(|s| s.last),
            cut: self.cut.clone(),
        }
    }
}
