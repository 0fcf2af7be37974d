//! Messages on a stream of bytes: the codec's header says how long each is.

use std::io::{Error, ErrorKind, Read, Write};

use wire::codec::{self, HEADER_LEN, Message};

/// No message between client and device is longer; a picture of 1024 x 1024 is not.
const BODY_MAX: usize = 4 << 20;
/// Where the codec's header has the length of the body.
const LENGTH: std::ops::Range<usize> = 8..12;

pub fn send<M: Message>(stream: &mut impl Write, message: &M) -> std::io::Result<()> {
    let bytes = codec::encode(message).map_err(invalid)?;
    stream.write_all(&bytes)
}

pub fn receive<M: Message>(stream: &mut impl Read) -> std::io::Result<M> {
    receive_within(stream, BODY_MAX)
}

/// The length is checked before anything is allocated.
pub fn receive_within<M: Message>(stream: &mut impl Read, body_max: usize) -> std::io::Result<M> {
    let mut bytes = vec![0; HEADER_LEN];
    stream.read_exact(&mut bytes)?;
    let length: [u8; 4] = bytes[LENGTH].try_into().map_err(invalid)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > body_max {
        let what = format!("a message says it has {length} bytes; {body_max} are allowed");
        return Err(invalid(what));
    }
    bytes.resize(HEADER_LEN + length, 0);
    stream.read_exact(&mut bytes[HEADER_LEN..])?;
    codec::decode(&bytes).map_err(invalid)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}
