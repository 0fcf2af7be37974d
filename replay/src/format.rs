//! The journal's layout in bytes: constants, the two headers, file names. The drawing is in
//! `docs/formats.md`; whoever changes one changes the other.
//!
//! Pure: no file is touched here. All integers are little-endian.

use wire::{ActorId, EpisodeId, RecordPosition};

use crate::journal::{LastRecord, Sequence};

pub const SEGMENT_MAGIC: [u8; 4] = *b"RNSJ";
/// Version of the segment header and of the record header.
pub const SEGMENT_VERSION: u16 = 1;
pub const SEGMENT_HEADER_LEN: usize = 32;

/// Stands before each record, so that a good record is found again behind a bad one.
pub const RECORD_MARKER: [u8; 4] = [0xa5, b'R', b'e', b'c'];
/// Version of a record's body: postcard of `wire::Record`, LZ4 block. Versions 1 and 2 are read too.
pub const RECORD_VERSION: u8 = 3;
pub const RECORD_HEADER_LEN: usize = 28;
/// Largest body before compression: dozens of large frames.
pub const MAX_RECORD_LEN: usize = 32 << 20;
/// LZ4 turns one byte into at most this many; a header that claims more lies.
pub const MAX_EXPANSION: usize = 255;

/// Held open and locked while a process has the journal open for writing.
pub const LOCK_FILE: &str = "journal.lock";

const SEGMENT_SUFFIX: &str = ".journal";
const DIGITS: usize = 20;

/// `00000000000000000042.journal`: the number is the sequence of the first record.
pub fn segment_file_name(first: Sequence) -> String {
    format!("{:0DIGITS$}{SEGMENT_SUFFIX}", first.0)
}

/// `None` for files that are not ours.
pub fn parse_segment_file_name(name: &str) -> Option<Sequence> {
    let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
    let ours = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    ours.then(|| digits.parse().ok().map(Sequence)).flatten()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// What stands at the head of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub first: Sequence,
    /// The record written before this segment's first, so that an empty journal still knows where
    /// its actor stood.
    pub previous: Option<LastRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentHeaderError {
    Magic,
    Version(u16),
    Checksum,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        bytes[0..4].copy_from_slice(&SEGMENT_MAGIC);
        bytes[4..6].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first.0.to_le_bytes());
        if let Some(LastRecord { actor, position }) = self.previous {
            bytes[6] = 1;
            bytes[16..18].copy_from_slice(&actor.0.to_le_bytes());
            bytes[20..24].copy_from_slice(&position.episode.0.to_le_bytes());
            bytes[24..28].copy_from_slice(&position.index.to_le_bytes());
        }
        let checksum = crc32fast::hash(&bytes[..28]);
        bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; SEGMENT_HEADER_LEN]) -> Result<Self, SegmentHeaderError> {
        if bytes[0..4] != SEGMENT_MAGIC {
            return Err(SegmentHeaderError::Magic);
        }
        // Only the magic and the place of the version are the same in every version.
        let version = u16_at(bytes, 4);
        if version != SEGMENT_VERSION {
            return Err(SegmentHeaderError::Version(version));
        }
        if u32_at(bytes, 28) != crc32fast::hash(&bytes[..28]) {
            return Err(SegmentHeaderError::Checksum);
        }
        let first = u64::from(u32_at(bytes, 8)) | u64::from(u32_at(bytes, 12)) << 32;
        let previous = (bytes[6] == 1).then(|| LastRecord {
            actor: ActorId(u16_at(bytes, 16)),
            position: RecordPosition {
                episode: EpisodeId(u32_at(bytes, 20)),
                index: u32_at(bytes, 24),
            },
        });
        Ok(Self { first: Sequence(first), previous })
    }
}

/// What stands before each record's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// 0 episode start, 1 step, 2 episode end, 3 revision.
    pub kind: u8,
    pub version: u8,
    pub actor: ActorId,
    pub position: RecordPosition,
    /// Length of the body as stored.
    pub stored_len: u32,
    /// Length of the body before compression.
    pub raw_len: u32,
    /// CRC-32 of the header before this field and of the stored body.
    pub checksum: u32,
}

const CHECKSUM_AT: usize = RECORD_HEADER_LEN - 4;

impl RecordHeader {
    /// The checksum is computed here; the field is not read.
    pub fn encode(&self, stored: &[u8]) -> [u8; RECORD_HEADER_LEN] {
        let mut bytes = [0; RECORD_HEADER_LEN];
        bytes[0..4].copy_from_slice(&RECORD_MARKER);
        bytes[4] = self.kind;
        bytes[5] = self.version;
        bytes[6..8].copy_from_slice(&self.actor.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.position.episode.0.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.position.index.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.raw_len.to_le_bytes());
        let checksum = checksum(&bytes, stored);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header and holds its lengths against the limits, before anything is allocated.
    /// What is wrong is told in words.
    pub fn decode(bytes: &[u8; RECORD_HEADER_LEN]) -> Result<Self, &'static str> {
        if bytes[0..4] != RECORD_MARKER {
            return Err("no record begins here");
        }
        let header = Self {
            kind: bytes[4],
            version: bytes[5],
            actor: ActorId(u16_at(bytes, 6)),
            position: RecordPosition {
                episode: EpisodeId(u32_at(bytes, 8)),
                index: u32_at(bytes, 12),
            },
            stored_len: u32_at(bytes, 16),
            raw_len: u32_at(bytes, 20),
            checksum: u32_at(bytes, CHECKSUM_AT),
        };
        let (stored, raw) = (header.stored_len as usize, header.raw_len as usize);
        if raw > MAX_RECORD_LEN || stored > max_stored_len(MAX_RECORD_LEN) {
            return Err("the record claims to be longer than records may be");
        }
        if raw > stored.saturating_mul(MAX_EXPANSION) {
            return Err("the record claims to expand more than LZ4 can");
        }
        Ok(header)
    }

    pub fn holds_for(&self, bytes: &[u8; RECORD_HEADER_LEN], stored: &[u8]) -> bool {
        self.checksum == checksum(bytes, stored)
    }
}

/// What LZ4 may need for `raw_len` bytes that do not compress.
pub fn max_stored_len(raw_len: usize) -> usize {
    lz4_flex::block::get_maximum_output_size(raw_len)
}

fn checksum(header: &[u8; RECORD_HEADER_LEN], stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..CHECKSUM_AT]);
    hasher.update(stored);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_tells_its_first_record() {
        assert_eq!(segment_file_name(Sequence(42)), "00000000000000000042.journal");
        assert_eq!(parse_segment_file_name("00000000000000000042.journal"), Some(Sequence(42)));
    }

    #[test]
    fn foreign_files_are_left_alone() {
        for name in ["journal.lock", "42.journal", "+0000000000000000042.journal", "x.journal"] {
            assert_eq!(parse_segment_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_segment_header_is_seen() {
        let last = LastRecord {
            actor: ActorId(3),
            position: RecordPosition { episode: EpisodeId(4), index: 5 },
        };
        let header = SegmentHeader { first: Sequence(1 << 40), previous: Some(last) };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..SEGMENT_HEADER_LEN * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&damaged).is_err(), "bit {bit}");
        }
    }
}
