//! One segment file: what is known of it, and reading its records one after the other.
//! Knows nothing of the segments beside it.

use std::path::{Path, PathBuf};

use wire::Record;

use super::{Cut, JournalError, LastRecord, Sequence, io_error};
use crate::{
    format::{
        RECORD_HEADER_LEN, RecordHeader, SEGMENT_HEADER_LEN, SegmentHeader, SegmentHeaderError,
    },
    record::{self, DecodeError},
    storage::{ReadFile, Storage},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    pub path: PathBuf,
    pub first: Sequence,
    /// One past its last record.
    pub end: Sequence,
    pub len: u64,
    /// Its last record, or the one before its first when it is empty.
    pub last: Option<LastRecord>,
}

pub struct SegmentReader {
    path: PathBuf,
    file: Box<dyn ReadFile>,
    offset: u64,
    len: u64,
}

/// A record whose checksum is right; the body is still packed.
pub struct Packed {
    pub offset: u64,
    pub header: RecordHeader,
    pub stored: Vec<u8>,
}

pub enum Next {
    Record(Packed),
    End,
    /// Nothing sound at the present offset.
    Bad(&'static str),
}

pub enum HeaderFault {
    /// The file ends within its header: it was being made when the machine stopped.
    Unfinished,
    Error(JournalError),
}

impl SegmentReader {
    pub fn open(storage: &dyn Storage, path: &Path) -> Result<(Self, SegmentHeader), HeaderFault> {
        let fail = |e| HeaderFault::Error(io_error("reading", path)(e));
        let mut file = storage.read(path).map_err(fail)?;
        let len = file.len().map_err(fail)?;
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        let present = (len as usize).min(SEGMENT_HEADER_LEN);
        file.read_exact_at(0, &mut bytes[..present]).map_err(fail)?;
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) => header,
            Err(SegmentHeaderError::Version(theirs)) if present >= 6 => {
                let file = path.into();
                return Err(HeaderFault::Error(JournalError::SegmentVersion { file, theirs }));
            }
            Err(_) if len as usize <= SEGMENT_HEADER_LEN => return Err(HeaderFault::Unfinished),
            Err(_) => {
                let reason = "the segment's header is no header".into();
                let file = path.into();
                return Err(HeaderFault::Error(JournalError::Corrupt { file, offset: 0, reason }));
            }
        };
        let offset = SEGMENT_HEADER_LEN as u64;
        Ok((Self { path: path.into(), file, offset, len }, header))
    }

    /// It reads up to here.
    pub fn end(&self) -> u64 {
        self.len
    }

    /// Reads up to here, whatever else the file holds: what follows is not durable yet.
    pub fn set_end(&mut self, len: u64) {
        self.len = len;
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record's header, and the bytes it was read from.
    fn header(&mut self) -> Result<Result<(RecordHeader, Header), &'static str>, JournalError> {
        let left = self.len - self.offset;
        if left < RECORD_HEADER_LEN as u64 {
            return Ok(Err("the file ends within a record's header"));
        }
        let mut bytes = [0; RECORD_HEADER_LEN];
        self.read(self.offset, &mut bytes)?;
        let header = match RecordHeader::decode(&bytes) {
            Ok(header) => header,
            Err(reason) => return Ok(Err(reason)),
        };
        if left - (RECORD_HEADER_LEN as u64) < u64::from(header.stored_len) {
            return Ok(Err("the file ends within a record"));
        }
        Ok(Ok((header, bytes)))
    }

    pub fn next(&mut self) -> Result<Next, JournalError> {
        if self.offset >= self.len {
            return Ok(Next::End);
        }
        let (header, bytes) = match self.header()? {
            Ok(found) => found,
            Err(reason) => return Ok(Next::Bad(reason)),
        };
        let mut stored = vec![0; header.stored_len as usize];
        self.read(self.offset + RECORD_HEADER_LEN as u64, &mut stored)?;
        if !header.holds_for(&bytes, &stored) {
            return Ok(Next::Bad("a record's checksum is wrong"));
        }
        let offset = self.offset;
        self.advance(&header);
        Ok(Next::Record(Packed { offset, header, stored }))
    }

    /// Passes over a record without reading its body. `false` at the end and at anything unsound,
    /// which [`Self::next`] will then name.
    pub fn skip_if(
        &mut self,
        unwanted: impl FnOnce(&RecordHeader) -> bool,
    ) -> Result<bool, JournalError> {
        if self.offset >= self.len {
            return Ok(false);
        }
        match self.header()? {
            Ok((header, _)) if unwanted(&header) => {
                self.advance(&header);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn advance(&mut self, header: &RecordHeader) {
        self.offset += (RECORD_HEADER_LEN as u64) + u64::from(header.stored_len);
    }

    /// Whether a sound record begins anywhere behind the present offset.
    pub fn good_record_follows(&mut self) -> Result<bool, JournalError> {
        let mut rest = vec![0; (self.len - self.offset) as usize];
        self.read(self.offset, &mut rest)?;
        Ok((1..rest.len()).any(|at| holds_record(&rest[at..])))
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), JournalError> {
        self.file.read_exact_at(offset, buffer).map_err(io_error("reading", &self.path))
    }

    pub fn described(
        &self,
        first: Sequence,
        end: Sequence,
        last: Option<LastRecord>,
    ) -> SegmentInfo {
        SegmentInfo { path: self.path.clone(), first, end, len: self.len, last }
    }

    /// Everything from the present offset on is lost.
    pub fn cut_here(&self, reason: &'static str) -> Cut {
        let bytes = self.len - self.offset;
        Cut { file: self.path.clone(), offset: self.offset, bytes, reason }
    }

    pub fn corrupt(&self, reason: impl Into<String>) -> JournalError {
        JournalError::Corrupt {
            file: self.path.clone(),
            offset: self.offset,
            reason: reason.into(),
        }
    }

    pub fn unpack(&self, packed: &Packed) -> Result<Record, JournalError> {
        let (file, offset) = (self.path.clone(), packed.offset);
        record::decode(&packed.header, &packed.stored).map_err(|e| match e {
            DecodeError::Version(theirs) => JournalError::RecordVersion { file, offset, theirs },
            DecodeError::Body(reason) => JournalError::Corrupt { file, offset, reason },
        })
    }
}

type Header = [u8; RECORD_HEADER_LEN];

fn holds_record(bytes: &[u8]) -> bool {
    let Some((header_bytes, body)) = bytes.split_first_chunk::<RECORD_HEADER_LEN>() else {
        return false;
    };
    let Ok(header) = RecordHeader::decode(header_bytes) else { return false };
    let stored = body.get(..header.stored_len as usize);
    stored.is_some_and(|stored| header.holds_for(header_bytes, stored))
}
