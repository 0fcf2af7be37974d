//! Lengths and checksums put right, so that what lies behind them is reached.

use learner::checkpoint;
use replay::format::{RECORD_HEADER_LEN, SEGMENT_HEADER_LEN};
use wire::codec;

/// A message: version at 4..6, length at 8..12, checksum of the body at 12..16.
pub fn message(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((header, body)) = bytes.split_at_mut_checked(codec::HEADER_LEN) {
        header[4..6].copy_from_slice(&codec::WIRE_VERSION.to_le_bytes());
        header[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    }
    bytes
}

/// A checkpoint or a classifier: length at 8..16, checksum of the body at 16..20.
pub fn checkpoint(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((header, body)) = bytes.split_at_mut_checked(checkpoint::HEADER_LEN) {
        header[8..16].copy_from_slice(&(body.len() as u64).to_le_bytes());
        header[16..20].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    }
    bytes
}

/// A segment: the checksum of its header, and that of each record as far as their lengths lead.
pub fn segment(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some((header, mut rest)) = bytes.split_at_mut_checked(SEGMENT_HEADER_LEN) else {
        return bytes;
    };
    let checksum = crc32fast::hash(&header[..28]);
    header[28..].copy_from_slice(&checksum.to_le_bytes());
    while let Some((header, behind)) = rest.split_at_mut_checked(RECORD_HEADER_LEN) {
        let stored = u32::from_le_bytes([header[16], header[17], header[18], header[19]]);
        let Some((body, next)) = behind.split_at_mut_checked(stored as usize) else { break };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header[..24]);
        hasher.update(body);
        header[24..].copy_from_slice(&hasher.finalize().to_le_bytes());
        rest = next;
    }
    bytes
}
