//! The arm.

use std::{sync::Arc, time::Duration};

use drivers::{ArmError, ArmMode, ArmState, Stamped};
use tasks::{CellConfig, cell::ArmDriver};
use wire::{Clock, SystemClock, Timestamp};

use super::samples::percentile;
use crate::parts;

/// Between two looks; states are further apart.
const LOOK: Duration = Duration::from_millis(1);

/// Reads the arm's state for `time`. Nothing is commanded; what a driver does when it is connected is in
/// docs/hardware.md.
pub fn watch(cell: &CellConfig, time: Duration) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let driver = cell.arm.driver;
    if driver == ArmDriver::Sim {
        println!("Arm: the simulated cell moves it");
        return Ok(());
    }
    let arm = parts::cell::open_arm(cell, clock.clone())?;
    println!("Arm: {driver:?}, read for {} s", time.as_secs());
    let mut states = States::default();
    let until = clock.now() + time;
    while clock.now() < until {
        let state = arm.state();
        states.hear(clock.now(), state);
        clock.sleep_until(clock.now() + LOOK);
    }
    states.lines(time).iter().for_each(|line| println!("  {line}"));
    Ok(())
}

/// What an arm said of itself while it was read. Reads no clock.
#[derive(Debug, Default)]
struct States {
    /// When what was heard was measured; each once.
    at: Vec<Timestamp>,
    ages: Vec<Duration>,
    last: Option<ArmState>,
    /// Each once, in the order in which they came.
    modes: Vec<ArmMode>,
    lost: u64,
    why: Option<String>,
}

impl States {
    fn hear(&mut self, now: Timestamp, state: Result<Stamped<ArmState>, ArmError>) {
        let Stamped { at, value } = match state {
            Ok(state) => state,
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
        if !self.modes.contains(&value.mode) {
            self.modes.push(value.mode);
        }
        self.last = Some(value);
    }

    fn lines(mut self, time: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = &self.why {
            let looks = self.lost + self.ages.len() as u64;
            lines.push(format!("no state in {} of {looks} looks: {why}", self.lost));
        }
        let Some(last) = &self.last else { return lines };
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let mut gaps: Vec<Duration> =
            self.at.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        let [median, p99, longest] = [50, 99, 100].map(|share| ms(percentile(&mut gaps, share)));
        lines.push(format!(
            "{:.0} states a second; between two {median:.1} ms (median), {p99:.1} ms (p99), {longest:.1} ms \
             (longest)",
            self.at.len() as f64 / time.as_secs_f64()
        ));
        let [median, oldest] = [50, 100].map(|share| ms(percentile(&mut self.ages, share)));
        lines.push(format!("age {median:.1} ms (median), {oldest:.1} ms (oldest)"));
        let modes: Vec<String> = self.modes.iter().map(|mode| format!("{mode:?}")).collect();
        let place = last.tcp_pose.translation.vector;
        lines.push(format!(
            "{}; TCP at [{:.3}, {:.3}, {:.3}] m, {} joints, {}",
            modes.join(", then "),
            place.x,
            place.y,
            place.z,
            last.joints.len(),
            if last.wrench.is_some() { "measures force" } else { "measures no force" }
        ));
        lines
    }
}

#[cfg(test)]
mod tests {
    use wire::geometry::{Pose, Twist};

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp(ms * 1_000_000)
    }

    fn state(ms: u64, mode: ArmMode) -> Result<Stamped<ArmState>, ArmError> {
        let value = ArmState {
            mode,
            tcp_pose: Pose::translation(0.5, -0.25, 0.125),
            twist: Twist::default(),
            joints: vec![0.0; 6],
            joint_velocities: vec![0.0; 6],
            wrench: None,
            gripper: None,
        };
        Ok(Stamped { at: at(ms), value })
    }

    #[test]
    fn rate_ages_and_gaps_are_those_of_the_states_and_not_of_the_looks() {
        let mut states = States::default();
        for look in 0..1000 {
            // A state each 8 ms, and one gap of 48.
            let newest = if (400..440).contains(&look) { 392 } else { look / 8 * 8 };
            let mode = if look < 500 { ArmMode::Idle } else { ArmMode::Reflex };
            states.hear(at(look), state(newest, mode));
        }
        states.hear(at(1000), Err(ArmError::NoState));
        let lines = states.lines(Duration::from_secs(1));
        assert!(lines[0].starts_with("no state in 1 of 1001 looks"), "{lines:?}");
        assert_eq!(
            lines[1..],
            [
                "120 states a second; between two 8.0 ms (median), 8.0 ms (p99), 48.0 ms (longest)",
                "age 4.0 ms (median), 47.0 ms (oldest)",
                "Idle, then Reflex; TCP at [0.500, -0.250, 0.125] m, 6 joints, measures no force",
            ]
        );
    }

    #[test]
    fn an_arm_that_says_nothing_is_told_with_the_reason() {
        let mut states = States::default();
        states.hear(at(0), Err(ArmError::Gone("unplugged".into())));
        let lines = states.lines(Duration::from_secs(1));
        assert!(lines.len() == 1 && lines[0].contains("unplugged"), "{lines:?}");
    }
}
