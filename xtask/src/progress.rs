//! One line that grows in a terminal; elsewhere (a CI log) a line at the end, and at every quarter
//! of what is large.

use std::io::{IsTerminal, stderr};

/// From here on a line at the end alone would look like a standstill. In bytes.
const LARGE: u64 = 100_000_000;

pub struct Progress {
    label: String,
    total: u64,
    in_place: bool,
    shown_percent: u64,
}

impl Progress {
    pub fn new(label: &str, total: u64) -> Progress {
        Progress {
            label: label.to_owned(),
            total,
            in_place: stderr().is_terminal(),
            shown_percent: 0,
        }
    }

    /// `done` in bytes, of the total.
    pub fn set(&mut self, done: u64) {
        let percent = percent(done, self.total);
        let grain = match (self.in_place, self.total) {
            (true, _) => 1,
            (false, LARGE..) => 25,
            (false, _) => 100,
        };
        let shown = percent / grain * grain;
        if shown <= self.shown_percent {
            return;
        }
        self.shown_percent = shown;
        let line = format!("  {:<52} {:>18} {percent:>3} %", self.label, mega(done, self.total));
        if self.in_place {
            eprint!("\r{line}");
        } else {
            eprintln!("{line}");
        }
    }

    pub fn finish(&mut self) {
        self.set(self.total);
        if self.in_place {
            eprintln!();
        }
    }
}

fn percent(done: u64, total: u64) -> u64 {
    (done.min(total) * 100).checked_div(total).unwrap_or(100)
}

fn mega(done: u64, total: u64) -> String {
    format!("{:.1} of {:.1} MB", done.min(total) as f64 / 1e6, total as f64 / 1e6)
}

/// `530.6 MB`, `2.3 GB`.
pub fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes_text(147_000), "147.0 kB");
        assert_eq!(bytes_text(530_604_548), "530.6 MB");
        assert_eq!(bytes_text(2_270_000_000), "2.3 GB");
    }

    #[test]
    fn progress_never_passes_the_end() {
        assert_eq!(percent(7, 5), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(mega(7_000_000, 5_000_000), "5.0 of 5.0 MB");
    }
}
