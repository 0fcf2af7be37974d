//! Smallest, largest, mean, spread and quantiles of a feature, for an episode and for all, as
//! LeRobot's policies normalise by them.

use serde_json::{Value, json};
use wire::Frame;

pub(super) const QUANTILES: [(&str, f64); 5] =
    [("q01", 0.01), ("q10", 0.10), ("q50", 0.50), ("q90", 0.90), ("q99", 0.99)];

/// As many frames of an episode as count towards its figures: n^0.75 of them, within these.
const FRAMES_MIN: usize = 100;
const FRAMES_MAX: usize = 10_000;

/// Of one feature; each list has one number per entry of the feature (per channel of a picture).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    pub min: Vec<f64>,
    pub max: Vec<f64>,
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
    pub count: u64,
    /// In the order of [`QUANTILES`].
    pub quantiles: [Vec<f64>; 5],
}

impl Summary {
    /// Of `[rows, width]` numbers; at least one row.
    pub fn of_rows(values: &[f64], width: usize) -> Self {
        let column = |entry: usize| values.iter().copied().skip(entry).step_by(width);
        let mut summary = Self::empty(width, (values.len() / width) as u64);
        for entry in 0..width {
            let mut sorted: Vec<f64> = column(entry).collect();
            sorted.sort_by(f64::total_cmp);
            let (count, last) = (sorted.len() as f64, sorted.len() - 1);
            let mean = sorted.iter().sum::<f64>() / count;
            let variance = sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            summary.min[entry] = sorted[0];
            summary.max[entry] = sorted[last];
            summary.mean[entry] = mean;
            summary.std[entry] = variance.sqrt();
            for (into, (_, share)) in summary.quantiles.iter_mut().zip(QUANTILES) {
                let place = share * last as f64;
                let (below, part) = (place.floor() as usize, place.fract());
                let above = sorted[(below + 1).min(last)];
                into[entry] = sorted[below] + part * (above - sorted[below]);
            }
        }
        summary
    }

    /// Per channel, scaled to [0, 1]; at least one frame.
    pub fn of_frames(frames: &[&Frame]) -> Self {
        let sampled = sampled(frames.len());
        let mut summary = Self::empty(3, sampled.len() as u64);
        for channel in 0..3 {
            let mut histogram = [0u64; 256];
            for frame in sampled.iter().map(|&index| frames[index]) {
                for value in frame.pixels.iter().skip(channel).step_by(3) {
                    histogram[usize::from(*value)] += 1;
                }
            }
            summary.take_histogram(channel, &histogram);
        }
        summary
    }

    fn take_histogram(&mut self, channel: usize, histogram: &[u64; 256]) {
        let scaled = |value: usize| value as f64 / 255.0;
        let filled = || (0..256).filter(|&value| histogram[value] > 0);
        let count = histogram.iter().sum::<u64>() as f64;
        let sum = |of: &dyn Fn(f64) -> f64| {
            filled().map(|value| histogram[value] as f64 * of(scaled(value))).sum::<f64>() / count
        };
        let mean = sum(&|x| x);
        self.min[channel] = filled().next().map_or(0.0, scaled);
        self.max[channel] = filled().next_back().map_or(0.0, scaled);
        self.mean[channel] = mean;
        self.std[channel] = sum(&|x| (x - mean).powi(2)).sqrt();
        for (into, (_, share)) in self.quantiles.iter_mut().zip(QUANTILES) {
            let mut seen = 0.0;
            let reaches = |value: &usize| {
                seen += histogram[*value] as f64;
                seen >= share * count
            };
            into[channel] = (0..256).find(reaches).map_or(1.0, scaled);
        }
    }

    fn empty(width: usize, count: u64) -> Self {
        let zeros = || vec![0.0; width];
        let (min, max, mean, std) = (zeros(), zeros(), zeros(), zeros());
        Self { min, max, mean, std, count, quantiles: std::array::from_fn(|_| zeros()) }
    }

    /// Of all episodes together: means by their counts, spreads by the parallel formula, of
    /// quantiles the outermost, as LeRobot does it.
    pub fn of_all(parts: &[&Self]) -> Option<Self> {
        let width = parts.first()?.min.len();
        let count: u64 = parts.iter().map(|part| part.count).sum();
        let mut all = Self::empty(width, count);
        for entry in 0..width {
            let fold = |of: fn(&Self) -> &Vec<f64>, with: fn(f64, f64) -> f64| {
                parts.iter().map(|part| of(part)[entry]).reduce(with).unwrap_or_default()
            };
            all.min[entry] = fold(|part| &part.min, f64::min);
            all.max[entry] = fold(|part| &part.max, f64::max);
            let weighted = |of: &dyn Fn(&Self) -> f64| {
                parts.iter().map(|part| part.count as f64 * of(part)).sum::<f64>() / count as f64
            };
            let mean = weighted(&|part| part.mean[entry]);
            let variance =
                weighted(&|part| part.std[entry].powi(2) + (part.mean[entry] - mean).powi(2));
            all.mean[entry] = mean;
            all.std[entry] = variance.sqrt();
            for (which, (_, share)) in QUANTILES.iter().enumerate() {
                let with = if *share <= 0.5 { f64::min } else { f64::max };
                let values = parts.iter().map(|part| part.quantiles[which][entry]);
                all.quantiles[which][entry] = values.reduce(with).unwrap_or_default();
            }
        }
        Some(all)
    }

    /// Names and lists, in the order of the format, but for the count.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &[f64])> {
        let first =
            [("min", &self.min), ("max", &self.max), ("mean", &self.mean), ("std", &self.std)];
        let quantiles = QUANTILES.iter().map(|(name, _)| *name).zip(&self.quantiles);
        first.into_iter().chain(quantiles).map(|(name, list)| (name, list.as_slice()))
    }

    /// The entry in `stats.json`.
    pub fn to_json(&self, of_pictures: bool) -> Value {
        let shaped = |list: &[f64]| match of_pictures {
            true => list.iter().map(|x| json!([[x]])).collect::<Value>(),
            false => json!(list),
        };
        let mut entry: serde_json::Map<_, _> =
            self.named().map(|(name, list)| (name.to_owned(), shaped(list))).collect();
        entry.insert("count".into(), json!([self.count]));
        Value::Object(entry)
    }
}

/// Which of `count` frames are looked at, evenly spread.
fn sampled(count: usize) -> Vec<usize> {
    let wanted = (count as f64).powf(0.75) as usize;
    let wanted = wanted.clamp(FRAMES_MIN, FRAMES_MAX).min(count);
    let last = count.saturating_sub(1);
    let place = |i: usize| match wanted {
        0 | 1 => 0,
        _ => (i * last + (wanted - 1) / 2) / (wanted - 1),
    };
    (0..wanted).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_rows_are_those_of_each_entry() {
        let summary = Summary::of_rows(&[1.0, 10.0, 2.0, 10.0, 6.0, 10.0], 2);
        assert_eq!((summary.min, summary.max), (vec![1.0, 10.0], vec![6.0, 10.0]));
        assert_eq!((summary.mean, summary.count), (vec![3.0, 10.0], 3));
        assert!((summary.std[0] - (14.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(summary.quantiles[2], [2.0, 10.0]);
        assert!((summary.quantiles[3][0] - 5.2).abs() < 1e-12, "between the second and the third");
    }

    #[test]
    fn figures_of_frames_are_per_channel_in_0_to_1() {
        let dark = Frame::new(2, 1, vec![0, 51, 255, 0, 51, 255]).unwrap();
        let light = Frame::new(2, 1, vec![255, 51, 255, 255, 51, 255]).unwrap();
        let summary = Summary::of_frames(&[&dark, &light]);
        assert_eq!(summary.min, [0.0, 0.2, 1.0]);
        assert_eq!(summary.mean, [0.5, 0.2, 1.0]);
        assert_eq!(summary.std, [0.5, 0.0, 0.0]);
        assert_eq!(summary.count, 2);
    }

    #[test]
    fn parts_together_are_as_the_whole() {
        let rows: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17)).collect();
        let parts = [Summary::of_rows(&rows[..10], 2), Summary::of_rows(&rows[10..], 2)];
        let all = Summary::of_all(&[&parts[0], &parts[1]]).unwrap();
        let whole = Summary::of_rows(&rows, 2);
        assert_eq!((all.min, all.max, all.count), (whole.min, whole.max, whole.count));
        for (got, wanted) in
            all.mean.iter().chain(&all.std).zip(whole.mean.iter().chain(&whole.std))
        {
            assert!((got - wanted).abs() < 1e-12, "{got} is not {wanted}");
        }
    }

    #[test]
    fn of_many_frames_some_are_looked_at_from_first_to_last() {
        assert_eq!(sampled(3), [0, 1, 2]);
        let some = sampled(10_000);
        assert_eq!((some.len(), some[0], some[999]), (1000, 0, 9999));
        assert!(some.is_sorted());
    }
}
