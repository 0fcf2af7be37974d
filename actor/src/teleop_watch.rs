//! Tells a hand from a device that got stuck and repeats its last sample as if it were new: no hand
//! pushes bit for bit the same for long.

use std::time::Duration;

use drivers::TeleopSample;
use wire::Timestamp;

#[derive(Debug)]
pub struct TeleopWatch {
    /// So long a hand may push exactly the same.
    same_max: Duration,
    /// The push that repeats itself, and since when.
    push: Option<(TeleopSample, Timestamp)>,
}

impl TeleopWatch {
    pub fn new(same_max: Duration) -> Self {
        Self { same_max, push: None }
    }

    /// Nobody listened for a while.
    pub fn forget(&mut self) {
        self.push = None;
    }

    /// Whether the device is stuck, given what it says `now`. A device at rest always says the same.
    pub fn is_stuck(&mut self, now: Timestamp, sample: &TeleopSample) -> bool {
        if !sample.engaged {
            self.push = None;
            return false;
        }
        match self.push {
            Some((push, since)) if push == *sample => now.since(since) > self.same_max,
            _ => {
                self.push = Some((*sample, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One digit per tenth of a second: how hard the hand pushes, `.` at rest. At most 0.3 s of the
    /// same are allowed; `x` marks where the device counts as stuck.
    #[track_caller]
    fn check(pushes: &str, stuck: &str) {
        let mut watch = TeleopWatch::new(Duration::from_millis(300));
        let looks = pushes.chars().enumerate().map(|(i, letter)| {
            let push = letter.to_digit(10);
            let twist = [push.unwrap_or_default().into(), 0.0, 0.0, 0.0, 0.0, 0.0];
            let sample = TeleopSample { twist, engaged: push.is_some(), ..TeleopSample::default() };
            let stuck = watch.is_stuck(Timestamp(i as u64 * 100_000_000), &sample);
            if stuck { 'x' } else { '-' }
        });
        assert_eq!(looks.collect::<String>(), stuck);
    }

    #[test]
    fn a_push_that_never_changes_is_no_hand() {
        check("5555555", "----xxx");
    }

    #[test]
    fn a_hand_trembles() {
        check("5554555455", "----------");
    }

    #[test]
    fn a_device_at_rest_is_not_stuck() {
        check(".........", "---------");
        check("555.555.", "--------");
    }

    #[test]
    fn another_push_ends_it() {
        check("555554444", "----x----");
    }
}
