//! Bytes on the wire and in files: a header with magic, version, kind, length and checksum, then
//! the body in postcard. The drawing is in `docs/formats.md`.
//!
//! Lengths are checked before anything is allocated; what is left over after the body is refused.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::message::{ActorRequest, LearnerReply, Pace, PolicySnapshot};

pub const MAGIC: [u8; 4] = *b"RNSM";
/// Version of the messages. Peers of another version are refused by name.
pub const WIRE_VERSION: u16 = 3;
pub const HEADER_LEN: usize = 16;
/// Larger than any batch of records or set of parameters we send.
pub const MAX_BODY_LEN: usize = 64 << 20;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    #[error("a message of {got} bytes is shorter than its {HEADER_LEN}-byte header")]
    Short { got: usize },
    #[error("this is no message of reins (it begins with {0:02x?})")]
    Magic([u8; 4]),
    #[error(
        "the peer speaks wire version {theirs}, this program {ours}: run the same reins on both sides"
    )]
    Version { ours: u16, theirs: u16 },
    #[error("a message of kind {got} came where kind {expected} belongs")]
    Kind { expected: u8, got: u8 },
    #[error("a message has {0:#04x} in its reserved header byte, which must be zero")]
    Reserved(u8),
    #[error("a message says it has {claimed} bytes; {got} came, {MAX_BODY_LEN} are allowed")]
    Length { claimed: usize, got: usize },
    #[error("a message arrived damaged (checksum {got:08x}, not {expected:08x})")]
    Checksum { expected: u32, got: u32 },
    #[error("a message could not be read: {0}")]
    Body(String),
    #[error("a message of {len} bytes is over the limit of {MAX_BODY_LEN}")]
    TooLong { len: usize },
}

/// What can be sent. The kind keeps a reply from being read as a request.
pub trait Message: Serialize + for<'de> Deserialize<'de> {
    const KIND: u8;
}

impl Message for ActorRequest {
    const KIND: u8 = 1;
}
impl Message for LearnerReply {
    const KIND: u8 = 2;
}
impl Message for PolicySnapshot {
    const KIND: u8 = 3;
}
impl Message for Pace {
    const KIND: u8 = 4;
}

pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, CodecError> {
    let header = vec![0; HEADER_LEN];
    let mut bytes =
        postcard::to_extend(message, header).map_err(|e| CodecError::Body(e.to_string()))?;
    let len = bytes.len() - HEADER_LEN;
    if len > MAX_BODY_LEN {
        return Err(CodecError::TooLong { len });
    }
    let checksum = crc32fast::hash(&bytes[HEADER_LEN..]);
    bytes[0..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&WIRE_VERSION.to_le_bytes());
    bytes[6] = M::KIND;
    bytes[8..12].copy_from_slice(&(len as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, CodecError> {
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(CodecError::Short { got: bytes.len() });
    };
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let magic = [header[0], header[1], header[2], header[3]];
    if magic != MAGIC {
        return Err(CodecError::Magic(magic));
    }
    let theirs = u16::from_le_bytes([header[4], header[5]]);
    if theirs != WIRE_VERSION {
        return Err(CodecError::Version { ours: WIRE_VERSION, theirs });
    }
    if header[6] != M::KIND {
        return Err(CodecError::Kind { expected: M::KIND, got: header[6] });
    }
    if header[7] != 0 {
        return Err(CodecError::Reserved(header[7]));
    }
    let claimed = word(8) as usize;
    if claimed != body.len() || claimed > MAX_BODY_LEN {
        return Err(CodecError::Length { claimed, got: body.len() });
    }
    let (expected, got) = (word(12), crc32fast::hash(body));
    if expected != got {
        return Err(CodecError::Checksum { expected, got });
    }
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(CodecError::Body(format!("{} bytes are left over", rest.len()))),
        Err(e) => Err(CodecError::Body(e.to_string())),
    }
}

#[cfg(test)]
mod tests;
