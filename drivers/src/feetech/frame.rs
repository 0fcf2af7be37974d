//! Frames: `FF FF id length instruction parameters checksum`. What a servo answers has its alarms where
//! a request has the instruction. Pure.

use std::{fmt, ops::Range};

/// Every servo at once; none answers but to `SyncRead`.
pub(super) const BROADCAST: u8 = 0xFE;
const HEAD: [u8; 2] = [0xFF, 0xFF];
/// Of a frame without parameters.
const BARE: usize = 6;
/// Longest `length` that an answer has.
const LENGTH_MAX: u8 = 80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Instruction {
    Read = 0x02,
    Write = 0x03,
    SyncRead = 0x82,
    SyncWrite = 0x83,
}

/// What a servo says is wrong with it, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alarms(pub u8);

impl Alarms {
    pub const OVERLOAD: Self = Self(0x20);
    const NAMES: [(u8, &'static str); 6] = [
        (0x01, "a supply voltage out of its limits"),
        (0x02, "a broken position sensor"),
        (0x04, "overheating"),
        (0x08, "too high a current"),
        (0x10, "an angle out of its limits"),
        (0x20, "overload"),
    ];

    pub fn any(self) -> bool {
        self.0 != 0
    }

    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl fmt::Display for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Self::NAMES
            .iter()
            .filter(|(bit, _)| self.0 & bit != 0)
            .map(|(_, name)| *name)
            .collect();
        match names[..] {
            [] => write!(f, "alarm {:#04x}", self.0),
            _ => f.write_str(&names.join(" and ")),
        }
    }
}

/// Writes a request in place of what `frame` held.
pub(super) fn request(frame: &mut Vec<u8>, id: u8, instruction: Instruction, parameters: &[u8]) {
    frame.clear();
    frame.extend(HEAD);
    frame.extend([id, parameters.len() as u8 + 2, instruction as u8]);
    frame.extend(parameters);
    frame.push(checksum(&frame[2..]));
}

fn checksum(covered: &[u8]) -> u8 {
    !covered.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
}

/// A whole answer, and where in the bytes it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub id: u8,
    pub alarms: Alarms,
    pub data: Range<usize>,
    /// How many bytes are done with: the answer, and what came before it.
    pub length: usize,
}

/// The first answer in what has been heard; `None` until one is whole.
pub(super) fn find(heard: &[u8]) -> Option<Found> {
    for start in 0..heard.len() {
        let rest = &heard[start..];
        if rest.len() < BARE {
            return None;
        }
        let [first, second, id, length, alarms, ..] = *rest else { return None };
        if [first, second] != HEAD || id == HEAD[0] || !(2..=LENGTH_MAX).contains(&length) {
            continue;
        }
        let whole = usize::from(length) + 4;
        if rest.len() < whole {
            return None;
        }
        if rest[whole - 1] == checksum(&rest[2..whole - 1]) {
            let data = start + BARE - 1..start + whole - 1;
            return Some(Found { id, alarms: Alarms(alarms), data, length: start + whole });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(instruction: Instruction, id: u8, parameters: &[u8], frame: &[u8]) {
        let mut got = vec![7];
        request(&mut got, id, instruction, parameters);
        assert_eq!(got, frame);
    }

    /// Frames of the manual.
    #[test]
    fn requests_are_those_of_the_manual() {
        check(Instruction::Read, 1, &[0x38, 2], &[0xFF, 0xFF, 1, 4, 2, 0x38, 2, 0xBE]);
        let goal = [0x2A, 0x00, 0x08, 0x00, 0x00, 0xE8, 0x03];
        let frame = [0xFF, 0xFF, 1, 9, 3, 0x2A, 0x00, 0x08, 0x00, 0x00, 0xE8, 0x03, 0xD5];
        check(Instruction::Write, 1, &goal, &frame);
        let frame = [0xFF, 0xFF, 0xFE, 6, 0x82, 0x38, 8, 1, 2, 0x36];
        check(Instruction::SyncRead, BROADCAST, &[0x38, 8, 1, 2], &frame);
    }

    const POSITION: [u8; 8] = [0xFF, 0xFF, 1, 4, 0, 0x18, 5, 0xDD];

    #[test]
    fn an_answer_is_found_behind_noise_and_its_rest_is_kept() {
        let heard = [&[0, 0xFF, 3][..], &POSITION, &[0xFF]].concat();
        let found = find(&heard).unwrap();
        assert_eq!((found.id, found.alarms, found.length), (1, Alarms(0), 11));
        assert_eq!(heard[found.data], [0x18, 5]);
    }

    #[test]
    fn every_cut_and_every_wrong_bit_is_no_answer() {
        for cut in 0..POSITION.len() {
            assert_eq!(find(&POSITION[..cut]), None, "{cut}");
        }
        for bit in 0..POSITION.len() * 8 {
            let mut wrong = POSITION;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(find(&wrong), None, "{bit}");
        }
    }

    #[test]
    fn alarms_have_names() {
        assert_eq!(Alarms(0x24).to_string(), "overheating and overload");
        assert_eq!(Alarms(0x40).to_string(), "alarm 0x40");
        assert!(!Alarms(0x20).without(Alarms::OVERLOAD).any());
    }
}
