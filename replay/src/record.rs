//! One record of the journal to bytes and back: header, checksum, LZ4, postcard.
//! The same record always becomes the same bytes.

use serde::de::DeserializeOwned;
use wire::{Record, RecordBody};

use crate::format::{
    MAX_RECORD_LEN, RECORD_HEADER_LEN, RECORD_VERSION, RecordHeader, max_stored_len,
};

mod version_1;

#[derive(Debug, PartialEq, Eq)]
pub enum EncodeError {
    TooLong(usize),
    Body(String),
}

#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    Version(u8),
    Body(String),
}

fn kind(body: &RecordBody) -> u8 {
    match body {
        RecordBody::EpisodeStart(_) => 0,
        RecordBody::Step(_) => 1,
        RecordBody::EpisodeEnd(_) => 2,
        RecordBody::Revision(_) => 3,
    }
}

/// Forms records; keeps its buffers from one record to the next.
#[derive(Debug, Default)]
pub struct Encoder {
    raw: Vec<u8>,
    stored: Vec<u8>,
}

impl Encoder {
    /// Appends `record` to `out`. After an error `out` is as it was.
    pub fn encode(&mut self, record: &Record, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.raw.clear();
        self.raw = postcard::to_extend(record, std::mem::take(&mut self.raw))
            .map_err(|e| EncodeError::Body(e.to_string()))?;
        if self.raw.len() > MAX_RECORD_LEN {
            return Err(EncodeError::TooLong(self.raw.len()));
        }
        let room = max_stored_len(self.raw.len());
        if self.stored.len() < room {
            self.stored.resize(room, 0);
        }
        let stored_len = lz4_flex::block::compress_into(&self.raw, &mut self.stored)
            .map_err(|e| EncodeError::Body(e.to_string()))?;
        let stored = &self.stored[..stored_len];
        let header = RecordHeader {
            kind: kind(&record.body),
            version: RECORD_VERSION,
            actor: record.actor,
            position: record.position,
            stored_len: stored_len as u32,
            raw_len: self.raw.len() as u32,
            checksum: 0,
        };
        out.reserve(RECORD_HEADER_LEN + stored_len);
        out.extend_from_slice(&header.encode(stored));
        out.extend_from_slice(stored);
        Ok(())
    }
}

/// Reads a body whose checksum has been found right.
///
/// When `wire::Record` changes, the old form stays here under its number and is turned into the new
/// one.
pub fn decode(header: &RecordHeader, stored: &[u8]) -> Result<Record, DecodeError> {
    let body = |e: &dyn std::fmt::Display| DecodeError::Body(e.to_string());
    let mut raw = vec![0; header.raw_len as usize];
    let len = lz4_flex::block::decompress_into(stored, &mut raw).map_err(|e| body(&e))?;
    if len != raw.len() {
        return Err(DecodeError::Body(format!("{len} bytes unpacked, not {}", raw.len())));
    }
    let record: Record = match header.version {
        1 => whole::<version_1::Record>(&raw)?.into(),
        // Version 2 knew no revisions; everything else is the same.
        2 | RECORD_VERSION => whole(&raw)?,
        other => return Err(DecodeError::Version(other)),
    };
    let names = (kind(&record.body), record.actor, record.position);
    if names != (header.kind, header.actor, header.position) {
        return Err(DecodeError::Body("header and body name different records".into()));
    }
    Ok(record)
}

/// All of `raw` as one value.
fn whole<T: DeserializeOwned>(raw: &[u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(raw) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(DecodeError::Body(format!("{} bytes are left over", rest.len()))),
        Err(e) => Err(DecodeError::Body(e.to_string())),
    }
}
