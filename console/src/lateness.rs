//! How much later than usual a message of a page arrives. A connection that was held up delivers old
//! messages in one go, and an old push must not count as a new one.

use std::time::Duration;

use wire::Timestamp;

/// The usual delay may grow by so much a second: the two clocks need not run at one rate.
const DRIFT_MS_PER_S: f64 = 1.0;

/// Of one page. Its clock and ours begin at different times, so that only differences count.
#[derive(Clone, Debug, Default)]
pub struct Lateness {
    newest: Option<Newest>,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    sequence: u64,
    arrived_at: Timestamp,
    /// Arrival minus sending of the message that was fastest so far (ms).
    usual_ms: f64,
}

impl Lateness {
    /// How late the message is, or `None` when it is not to be taken at all: its number does not
    /// follow, or its time is no number.
    pub fn of(&mut self, arrived_at: Timestamp, sequence: u64, sent_ms: f64) -> Option<Duration> {
        if !sent_ms.is_finite() || self.newest.is_some_and(|newest| sequence <= newest.sequence) {
            return None;
        }
        let took_ms = arrived_at.as_secs_f64() * 1e3 - sent_ms;
        let usual_ms = self.newest.map_or(took_ms, |newest| {
            let since = arrived_at.since(newest.arrived_at).as_secs_f64();
            (newest.usual_ms + since * DRIFT_MS_PER_S).min(took_ms)
        });
        self.newest = Some(Newest { sequence, arrived_at, usual_ms });
        Duration::try_from_secs_f64((took_ms - usual_ms) * 1e-3).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as (arrival, number, sending) in ms: how late each is, -1 when it is not taken.
    #[track_caller]
    fn check(messages: &[(u64, u64, f64)], expected: &[i64]) {
        let mut lateness = Lateness::default();
        let late = messages.iter().map(|(arrived, number, sent)| {
            let late = lateness.of(Timestamp(arrived * 1_000_000), *number, *sent);
            late.map_or(-1, |late| late.as_secs_f64().mul_add(1e3, 0.5) as i64)
        });
        assert_eq!(late.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_clocks_may_begin_at_any_time() {
        check(&[(5000, 1, 100.0), (5020, 2, 120.0), (5045, 3, 140.0)], &[0, 0, 5]);
        check(&[(5000, 1, 9e9), (5020, 2, 9e9 + 20.0)], &[0, 0]);
    }

    #[test]
    fn what_was_held_up_is_late_however_much_comes_at_once() {
        let stalled = [(20, 1, 0.0), (40, 2, 20.0), (2040, 3, 40.0), (2040, 4, 60.0)];
        check(&stalled, &[0, 0, 1978, 1958]);
    }

    #[test]
    fn a_slow_first_message_spoils_nothing() {
        check(&[(500, 1, 0.0), (520, 2, 480.0), (560, 3, 500.0)], &[0, 0, 20]);
    }

    #[test]
    fn numbers_only_rise() {
        check(&[(0, 5, 0.0), (20, 5, 20.0), (40, 4, 40.0), (60, 6, 60.0)], &[0, -1, -1, 0]);
    }

    #[test]
    fn a_time_that_is_no_number_is_refused() {
        check(&[(0, 1, f64::NAN), (0, 2, f64::INFINITY)], &[-1, -1]);
    }
}
