//! The one place that reads the clock here; it only ever ends in a line of text.

use std::fmt;
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "times of chores, for people; no logic on them")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub fn read(self) -> Took {
        Took(self.0.elapsed())
    }
}

/// A duration as people read it: `0.4 s`, `12 s`, `7 min 05 s`.
#[derive(Clone, Copy)]
pub struct Took(pub Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let text = match seconds {
            0..10 => format!("{:.1} s", self.0.as_secs_f64()),
            10..120 => format!("{seconds} s"),
            _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod test {
    use super::{Duration, Took};

    #[test]
    fn times_read_well() {
        let text = |millis| Took(Duration::from_millis(millis)).to_string();
        assert_eq!(text(420), "0.4 s");
        assert_eq!(text(12_900), "12 s");
        assert_eq!(text(425_000), "7 min 05 s");
    }
}
