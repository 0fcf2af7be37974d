//! What a hand said while it was watched. Reads no clock.

use std::time::Duration;

use drivers::{Stamped, TeleopError, TeleopSample};
use wire::{GripperCommand, Mark, Timestamp};

const AXES: [&str; 6] = ["x", "y", "z", "about x", "about y", "about z"];
/// Below this an axis has not moved.
const MOVED: f64 = 0.01;

#[derive(Debug, Default)]
pub struct Samples {
    /// When what was heard was said; each once.
    at: Vec<Timestamp>,
    ages: Vec<Duration>,
    low: [f64; 6],
    high: [f64; 6],
    engaged: bool,
    gripper: Vec<GripperCommand>,
    marks: Vec<Mark>,
    lost: u64,
    /// Why, the last time.
    why: Option<String>,
}

impl Samples {
    pub fn hear(
        &mut self,
        now: Timestamp,
        sample: Result<Stamped<TeleopSample>, TeleopError>,
        mark: Option<Mark>,
    ) {
        if let Some(mark) = mark.filter(|mark| !self.marks.contains(mark)) {
            self.marks.push(mark);
        }
        let Stamped { at, value } = match sample {
            Ok(sample) => sample,
            Err(error) => {
                self.lost += 1;
                self.why = Some(error.to_string());
                return;
            }
        };
        self.ages.push(now.since(at));
        if self.at.last().is_none_or(|last| *last < at) {
            self.at.push(at);
        }
        self.engaged |= value.engaged;
        for (i, push) in value.twist.into_iter().enumerate() {
            self.low[i] = self.low[i].min(push);
            self.high[i] = self.high[i].max(push);
        }
        let gripper = value.gripper;
        if gripper != GripperCommand::Stay && !self.gripper.contains(&gripper) {
            self.gripper.push(gripper);
        }
    }

    /// For a person.
    pub fn lines(mut self, time: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = &self.why {
            lines.push(format!("not heard in {} of {} looks: {why}", self.lost, self.looks()));
        }
        if self.ages.is_empty() {
            return lines;
        }
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let rate = self.at.len() as f64 / time.as_secs_f64();
        let mut gaps: Vec<Duration> =
            self.at.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        let gap =
            (percentile(&mut gaps, 50), percentile(&mut gaps, 99), percentile(&mut gaps, 100));
        lines.push(format!(
            "news {rate:.0} times a second; between two {:.1} ms (median), {:.1} ms (p99), {:.1} ms (longest)",
            ms(gap.0), ms(gap.1), ms(gap.2)
        ));
        let age = (percentile(&mut self.ages, 50), percentile(&mut self.ages, 100));
        lines.push(format!("age {:.1} ms (median), {:.1} ms (oldest)", ms(age.0), ms(age.1)));
        let moved = (0..6).filter(|i| self.low[*i] < -MOVED || self.high[*i] > MOVED);
        let moved: Vec<String> = moved
            .map(|i| format!("{} {:+.2} to {:+.2}", AXES[i], self.low[i], self.high[i]))
            .collect();
        lines.push(match (moved.is_empty(), self.engaged) {
            (true, false) => "nothing moved, and the hand was not on it".to_owned(),
            (true, true) => "the hand was on it, and nothing moved".to_owned(),
            (false, _) => format!("moved (base frame): {}", moved.join(", ")),
        });
        if !self.gripper.is_empty() {
            lines.push(format!("gripper: {:?}", self.gripper));
        }
        if !self.marks.is_empty() {
            lines.push(format!("marks: {:?}", self.marks));
        }
        lines
    }

    fn looks(&self) -> u64 {
        self.lost + self.ages.len() as u64
    }
}

/// Zero where there is nothing.
pub(super) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp(ms * 1_000_000)
    }

    fn said(ms: u64, twist: [f64; 6]) -> Result<Stamped<TeleopSample>, TeleopError> {
        let value = TeleopSample { twist, engaged: twist != [0.0; 6], ..TeleopSample::default() };
        Ok(Stamped { at: at(ms), value })
    }

    #[test]
    fn news_are_counted_once_and_gaps_are_between_them() {
        let mut samples = Samples::default();
        for look in 0..=40 {
            // News each 10 ms, and one gap of 30.
            let news = if (10..30).contains(&look) { 10 } else { look / 5 * 5 };
            samples.hear(at(2 * look), said(2 * news, [0.0; 6]), None);
        }
        let lines = samples.lines(Duration::from_secs(1)).join("\n");
        assert!(lines.contains("news 6 times a second"), "{lines}");
        assert!(
            lines.contains("10.0 ms (median)") && lines.contains("40.0 ms (longest)"),
            "{lines}"
        );
        assert!(lines.contains("38.0 ms (oldest)"), "{lines}");
        assert!(lines.contains("nothing moved"), "{lines}");
    }

    #[test]
    fn what_moved_is_named_with_its_range() {
        let mut samples = Samples::default();
        samples.hear(at(0), said(0, [0.5, 0.0, 0.0, 0.0, 0.0, -1.0]), Some(Mark::Success));
        samples.hear(at(1), said(1, [-0.25, 0.0, 0.0, 0.0, 0.0, -0.5]), None);
        let lines = samples.lines(Duration::from_secs(1)).join("\n");
        assert!(lines.contains("x -0.25 to +0.50, about z -1.00 to +0.00"), "{lines}");
        assert!(lines.contains("marks: [Success]"), "{lines}");
    }

    #[test]
    fn a_device_that_was_lost_is_told_with_the_reason() {
        let mut samples = Samples::default();
        samples.hear(at(0), said(0, [0.0; 6]), None);
        samples.hear(at(2), Err(TeleopError::Gone("unplugged".into())), None);
        let lines = samples.lines(Duration::from_secs(1));
        assert!(lines[0].contains("1 of 2 looks") && lines[0].contains("unplugged"), "{lines:?}");
        let none = Samples { lost: 3, why: Some("x".into()), ..Samples::default() };
        assert_eq!(none.lines(Duration::from_secs(1)).len(), 1);
    }
}
