//! Rate, age and jitter of a camera, watched for some time.

use std::time::Duration;

use wire::{Clock, Timestamp};

use super::Camera;

/// Often enough to see every picture of a camera.
const LOOK_EVERY: Duration = Duration::from_millis(2);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    pub pictures: usize,
    /// Pictures per second, from the first to the last.
    pub rate_hz: f64,
    /// Largest distance of a gap between two pictures from the mean gap.
    pub jitter_max: Duration,
    /// The same, exceeded by one gap in a hundred.
    pub jitter_p99: Duration,
    /// Of the newest picture, whenever it was looked at.
    pub age_mean: Duration,
    pub age_max: Duration,
    /// What the camera said last when it had no picture.
    pub trouble: Option<String>,
}

/// Watches a camera for `time`.
pub fn survey(camera: &mut dyn Camera, clock: &dyn Clock, time: Duration) -> Survey {
    let end = clock.now() + time;
    let mut taken: Vec<Timestamp> = Vec::new();
    let mut ages: Vec<Duration> = Vec::new();
    let mut trouble = None;
    while clock.now() < end {
        match camera.latest(Duration::MAX) {
            Ok(picture) => {
                ages.push(clock.now().since(picture.at));
                if taken.last() != Some(&picture.at) {
                    taken.push(picture.at);
                }
            }
            Err(error) => trouble = Some(error.to_string()),
        }
        clock.sleep_until(clock.now() + LOOK_EVERY);
    }
    Survey { trouble, ..summed_up(&taken, &ages) }
}

fn summed_up(taken: &[Timestamp], ages: &[Duration]) -> Survey {
    let mean = |times: &[Duration]| {
        times.iter().sum::<Duration>().checked_div(times.len() as u32).unwrap_or_default()
    };
    let gaps: Vec<Duration> = taken.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    let gap = mean(&gaps);
    let mut jitters: Vec<Duration> = gaps.iter().map(|each| each.abs_diff(gap)).collect();
    jitters.sort_unstable();
    Survey {
        pictures: taken.len(),
        rate_hz: if gap.is_zero() { 0.0 } else { 1.0 / gap.as_secs_f64() },
        jitter_max: jitters.last().copied().unwrap_or_default(),
        jitter_p99: jitters.get(jitters.len() * 99 / 100).copied().unwrap_or_default(),
        age_mean: mean(ages),
        age_max: ages.iter().max().copied().unwrap_or_default(),
        trouble: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CameraError, CameraInfo, Stamped};
    use std::sync::Arc;
    use wire::{Frame, ManualClock};

    /// A picture every 40 ms, the fifth 10 ms late; each is 5 ms old when it comes.
    struct Ticking(Arc<ManualClock>, CameraInfo);

    impl Camera for Ticking {
        fn info(&self) -> &CameraInfo {
            &self.1
        }

        fn latest(&mut self, _: Duration) -> Result<Stamped<Frame>, CameraError> {
            let come = |k: u64| k * 40 + if k == 5 { 10 } else { 0 };
            let now_ms = self.0.now().0 / 1_000_000;
            let newest = (0..100).rev().find(|&k| come(k) + 5 <= now_ms);
            let Some(newest) = newest else {
                let reason = "not yet".into();
                return Err(CameraError::Device { camera: "ticking".into(), reason });
            };
            let value = Frame::new(1, 1, vec![0, 0, 0]).expect("three bytes");
            Ok(Stamped { at: Timestamp(come(newest) * 1_000_000), value })
        }
    }

    #[test]
    fn rate_age_and_jitter_are_those_of_the_pictures() {
        let clock = Arc::new(ManualClock::default());
        let info = CameraInfo { name: "ticking".into(), width: 1, height: 1, noiseless: true };
        let mut camera = Ticking(clock.clone(), info);
        let seen = survey(&mut camera, &*clock, Duration::from_millis(410));
        assert_eq!(seen.pictures, 11);
        assert!((seen.rate_hz - 25.0).abs() < 1e-9, "{seen:?}");
        assert_eq!(seen.jitter_max, Duration::from_millis(10));
        // The fifth comes 55 ms after the capture of the fourth.
        assert!(seen.age_max >= Duration::from_millis(52), "{seen:?}");
        assert!(seen.age_max <= Duration::from_millis(55), "{seen:?}");
        assert_eq!(seen.trouble.as_deref(), Some("camera ticking: not yet"));
    }
}
