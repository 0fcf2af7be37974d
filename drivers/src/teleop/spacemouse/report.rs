//! The bytes of a SpaceMouse: one report per read, its first byte the number of the report.
//!
//! Two families: those that report motion in two halves (1: X Y Z, 2: Rx Ry Rz) and those that report
//! it whole (1: all six). The length of report 1 says which, not the model: the same model has been
//! seen with either.

/// Longer than any report that we know.
pub const REPORT_MAX: usize = 64;

/// Counts of the cap as the device gives them: X to the right, Y towards the person, Z down, and
/// turns about the same axes.
pub type Counts = [i32; 6];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first half of a pose.
    Linear([i32; 3]),
    /// The second half.
    Angular([i32; 3]),
    Pose(Counts),
    /// All buttons, bit 0 the first.
    Buttons(u64),
    /// One button.
    Button {
        number: u8,
        pressed: bool,
    },
    /// Says nothing of the hand: the battery, for example.
    Other,
}

/// What a report says; `None` when no SpaceMouse sends such a thing.
pub fn decode(report: &[u8]) -> Option<Event> {
    let (number, body) = report.split_first()?;
    match (number, body.len()) {
        (1, 6) => Some(Event::Linear(counts(body))),
        (1, 12) => Some(Event::Pose(counts(body))),
        (2, 6) => Some(Event::Angular(counts(body))),
        (3, 1..=6) => {
            let bits = body.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            Some(Event::Buttons(bits))
        }
        (0x17, 1..=2) => Some(Event::Other),
        _ => None,
    }
}

fn counts<const N: usize>(body: &[u8]) -> [i32; N] {
    std::array::from_fn(|i| i16::from_le_bytes([body[2 * i], body[2 * i + 1]]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hex: &str, expected: Option<Event>) {
        let bytes: Vec<u8> =
            hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(decode(&bytes), expected, "{hex}");
    }

    #[test]
    fn halves_of_a_pose() {
        check("01 5e 01 00 00 00 00", Some(Event::Linear([350, 0, 0])));
        check("01 a2 fe 00 00 00 00", Some(Event::Linear([-350, 0, 0])));
        check("01 00 00 00 00 00 00", Some(Event::Linear([0; 3])));
        check("02 00 00 01 00 ff ff", Some(Event::Angular([0, 1, -1])));
    }

    #[test]
    fn a_whole_pose() {
        check(
            "01 5e 01 a2 fe 00 00 00 00 64 00 9c ff",
            Some(Event::Pose([350, -350, 0, 0, 100, -100])),
        );
    }

    #[test]
    fn buttons_are_bits_from_the_second_byte_on() {
        check("03 01 00", Some(Event::Buttons(1)));
        check("03 03 00", Some(Event::Buttons(3)));
        check("03 00 00", Some(Event::Buttons(0)));
        check("03 00", Some(Event::Buttons(0)));
        // CTRL of a Pro.
        check("03 00 00 00 02 00 00", Some(Event::Buttons(1 << 25)));
    }

    #[test]
    fn a_battery_says_nothing_of_the_hand() {
        check("17 64", Some(Event::Other));
        check("17 64 00", Some(Event::Other));
    }

    #[test]
    fn what_no_spacemouse_sends_is_nothing() {
        assert_eq!(decode(&[]), None);
        for odd in ["01", "01 00 00 00 00 00", "01 00 00 00 00 00 00 00", "02 00", "03", "04 01"] {
            check(odd, None);
        }
    }
}
