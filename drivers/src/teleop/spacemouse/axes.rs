//! From counts of the cap to a push in the arm's base frame.

use super::report::Counts;

/// Counts of a full push, on every model.
pub const FULL_SCALE: f64 = 350.0;

/// Which of the cap's axes is which of the arm's, and its sign.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisMap {
    /// For each entry of the push: the axis of the counts, and 1 or -1. `None` stays 0.
    entries: [Option<(usize, f64)>; 6],
    /// Turns the person's place about the base's z axis.
    yaw_rad: f64,
}

/// How an axis of the cap is written in a cell file, with a sign before it.
const NAMES: [&str; 6] = ["x", "y", "z", "rx", "ry", "rz"];
/// How one that is not used is written.
const UNUSED: &str = "0";

impl AxisMap {
    /// From words such as `+x`, `-rz` or `0`, in the order of a push. `None` when one is no such word.
    pub fn from_words(words: &[impl AsRef<str>; 6], yaw_rad: f64) -> Option<Self> {
        let mut entries = [None; 6];
        for (entry, word) in entries.iter_mut().zip(words) {
            let word = word.as_ref();
            if word == UNUSED {
                continue;
            }
            let (sign, name) = word.split_at_checked(1)?;
            let sign = match sign {
                "+" => 1.0,
                "-" => -1.0,
                _ => return None,
            };
            let axis = NAMES.iter().position(|known| *known == name)?;
            *entry = Some((axis, sign));
        }
        Some(Self { entries, yaw_rad })
    }

    /// In [-1, 1]; a cap beyond its range is at its end.
    pub fn push(&self, counts: &Counts) -> [f64; 6] {
        let scaled = counts.map(|count| (f64::from(count) / FULL_SCALE).clamp(-1.0, 1.0));
        let [x, y, z, rx, ry, rz] =
            self.entries.map(|entry| entry.map_or(0.0, |(axis, sign)| sign * scaled[axis]));
        let (sin, cos) = self.yaw_rad.sin_cos();
        let turned = |x: f64, y: f64| (cos * x - sin * y, sin * x + cos * y);
        let ((x, y), (rx, ry)) = (turned(x, y), turned(rx, ry));
        [x, y, z, rx, ry, rz]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in the defaults of a cell file: HIL-SERL's.
    const HIL_SERL: [&str; 6] = ["+y", "+x", "-z", "+ry", "+rx", "-rz"];

    #[track_caller]
    fn check(words: [&str; 6], yaw_rad: f64, counts: Counts, expected: [f64; 6]) {
        let push = AxisMap::from_words(&words, yaw_rad).unwrap().push(&counts);
        for (got, expected) in push.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-9, "{push:?}");
        }
    }

    /// The person stands opposite the arm and looks at it.
    #[test]
    fn each_axis_by_itself_is_where_hil_serl_has_it() {
        // To the right is the arm's left.
        check(HIL_SERL, 0.0, [350, 0, 0, 0, 0, 0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        // Pulled towards the person is away from the base.
        check(HIL_SERL, 0.0, [0, 350, 0, 0, 0, 0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        // Pressed down.
        check(HIL_SERL, 0.0, [0, 0, 350, 0, 0, 0], [0.0, 0.0, -1.0, 0.0, 0.0, 0.0]);
        check(HIL_SERL, 0.0, [0, 0, 0, 350, 0, 0], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        check(HIL_SERL, 0.0, [0, 0, 0, 0, 350, 0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        check(HIL_SERL, 0.0, [0, 0, 0, 0, 0, 350], [0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
    }

    #[test]
    fn counts_are_scaled_and_end_at_one() {
        check(HIL_SERL, 0.0, [70, -175, 0, 0, 0, 35], [-0.5, 0.2, 0.0, 0.0, 0.0, -0.1]);
        check(HIL_SERL, 0.0, [0, 365, 0, 0, 0, -1400], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_person_who_stands_elsewhere_is_turned() {
        // Half round: behind the arm. A quarter: at its left, looking along -y.
        let half = std::f64::consts::PI;
        check(HIL_SERL, half, [350, 0, 0, 0, 0, 0], [0.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        check(HIL_SERL, half / 2.0, [0, 350, 0, 350, 0, 0], [0.0, 1.0, 0.0, -1.0, 0.0, 0.0]);
    }

    #[test]
    fn an_axis_may_be_left_out() {
        let flat = ["+y", "+x", "-z", "0", "0", "-rz"];
        check(flat, 0.0, [0, 0, 0, 350, 350, 350], [0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
    }

    #[test]
    fn other_words_are_none() {
        for odd in ["x", "+q", "", "é", "*x", "+"] {
            let words = ["+y", "+x", "-z", "+ry", "+rx", odd];
            assert_eq!(AxisMap::from_words(&words, 0.0), None, "{odd}");
        }
    }
}
