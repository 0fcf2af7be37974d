//! How good a classifier is on frames whose labels are known.

use serde::{Deserialize, Serialize};

pub const CALIBRATION_BINS: usize = 10;

/// What one output said of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    pub probability: f32,
    /// Whether the frame shows what the output stands for.
    pub shows: bool,
}

/// Frames of about the same probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    pub frames: usize,
    /// Mean probability.
    pub predicted: f64,
    /// Share that shows it.
    pub observed: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub threshold: f32,
    pub true_positives: usize,
    pub false_positives: usize,
    pub true_negatives: usize,
    pub false_negatives: usize,
    /// Equal parts of 0 to 1.
    pub calibration: Vec<CalibrationBin>,
}

impl Figures {
    pub fn new(judged: &[Judged], threshold: f32) -> Self {
        let count = |shows: bool, seen: bool| {
            let like = |j: &&Judged| j.shows == shows && (j.probability >= threshold) == seen;
            judged.iter().filter(like).count()
        };
        Self {
            threshold,
            true_positives: count(true, true),
            false_positives: count(false, true),
            true_negatives: count(false, false),
            false_negatives: count(true, false),
            calibration: calibration(judged),
        }
    }

    pub fn frames(&self) -> usize {
        self.positives() + self.negatives()
    }

    pub fn positives(&self) -> usize {
        self.true_positives + self.false_negatives
    }

    pub fn negatives(&self) -> usize {
        self.true_negatives + self.false_positives
    }

    /// Of what was taken for it, how much was it. `None` when nothing was.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Of what was it, how much was seen.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positives, self.positives())
    }

    pub fn false_positive_rate(&self) -> Option<f64> {
        share(self.false_positives, self.negatives())
    }

    pub fn accuracy(&self) -> Option<f64> {
        share(self.true_positives + self.true_negatives, self.frames())
    }

    /// Expected calibration error: how far, on the average over frames, what is said lies from what
    /// is so.
    pub fn calibration_error(&self) -> Option<f64> {
        let frames: usize = self.calibration.iter().map(|bin| bin.frames).sum();
        let gaps = self
            .calibration
            .iter()
            .map(|bin| bin.frames as f64 * (bin.predicted - bin.observed).abs());
        (frames > 0).then(|| gaps.sum::<f64>() / frames as f64)
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn calibration(judged: &[Judged]) -> Vec<CalibrationBin> {
    let bin_of = |p: f32| ((p * CALIBRATION_BINS as f32) as usize).min(CALIBRATION_BINS - 1);
    let bin = |bin: usize| {
        let inside: Vec<_> = judged.iter().filter(|j| bin_of(j.probability) == bin).collect();
        let mean = |of: &dyn Fn(&Judged) -> f64| {
            inside.iter().map(|j| of(j)).sum::<f64>() / inside.len().max(1) as f64
        };
        CalibrationBin {
            frames: inside.len(),
            predicted: mean(&|j| f64::from(j.probability)),
            observed: mean(&|j| f64::from(u8::from(j.shows))),
        }
    };
    (0..CALIBRATION_BINS).map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(f32, bool)]) -> Vec<Judged> {
        pairs.iter().map(|&(probability, shows)| Judged { probability, shows }).collect()
    }

    #[test]
    fn frames_are_counted_by_what_they_are_and_what_they_are_taken_for() {
        let judged = judged(&[
            (0.9, true),
            (0.8, true),
            (0.4, true),
            (0.9, false),
            (0.1, false),
            (0.0, false),
        ]);
        let figures = Figures::new(&judged, 0.8);
        let counts = (
            figures.true_positives,
            figures.false_negatives,
            figures.false_positives,
            figures.true_negatives,
        );
        assert_eq!(counts, (2, 1, 1, 2));
        let third = 2.0 / 3.0;
        assert_eq!((figures.precision(), figures.recall()), (Some(third), Some(third)));
        assert_eq!(figures.false_positive_rate(), Some(1.0 / 3.0));
        assert_eq!(figures.accuracy(), Some(4.0 / 6.0));
    }

    #[test]
    fn without_frames_nothing_is_known() {
        let figures = Figures::new(&[], 0.5);
        let known = (figures.precision(), figures.recall(), figures.calibration_error());
        assert_eq!(known, (None, None, None));
    }

    /// Of 100 frames at 0.75 three quarters show it; of 100 at 1.0 half do.
    #[test]
    fn the_calibration_error_is_the_mean_gap() {
        let frames = (0..200).map(|i| match i {
            0..100 => (0.75, i % 4 != 0),
            _ => (1.0, i % 2 == 0),
        });
        let figures = Figures::new(&judged(&frames.collect::<Vec<_>>()), 0.5);
        let bins = &figures.calibration;
        assert_eq!((bins[7].frames, bins[9].frames, bins[0].frames), (100, 100, 0));
        assert_eq!((bins[7].predicted, bins[7].observed, bins[9].observed), (0.75, 0.75, 0.5));
        assert!((figures.calibration_error().unwrap() - 0.25).abs() < 1e-12);
    }
}
