//! From which probability on an output counts as seen.

/// The lowest threshold for which at most `false_positive_rate` of the held-out frames that do not
/// show it are taken for it, moved half-way up to the next frame that does. Pairs are (probability,
/// shows it).
///
/// Never below one half: what is more likely not to show it is not taken for it.
pub fn threshold(judged: &[(f32, bool)], false_positive_rate: f64) -> f32 {
    let mut negatives: Vec<f32> =
        judged.iter().filter(|(_, shows)| !shows).map(|(p, _)| *p).collect();
    negatives.sort_by(|a, b| b.total_cmp(a));
    let allowed = (false_positive_rate * negatives.len() as f64).floor() as usize;
    // Everything above this negative is let through.
    let floor = negatives.get(allowed).copied().unwrap_or(0.0);
    let above = judged.iter().filter(|(p, shows)| *shows && *p > floor).map(|(p, _)| *p);
    let next = above.fold(1.0, f32::min);
    let middle = (floor + next) / 2.0;
    // A probability may be exactly 1, a threshold may not.
    middle.clamp(0.5, 1.0 - f32::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `-` frames that do not show it, `+` that do, by percent.
    #[track_caller]
    fn check(negatives: &[f32], positives: &[f32], rate: f64, expected: f32) {
        let negatives = negatives.iter().map(|p| (p / 100.0, false));
        let judged: Vec<_> = negatives.chain(positives.iter().map(|p| (p / 100.0, true))).collect();
        let got = threshold(&judged, rate);
        assert!((got - expected / 100.0).abs() < 1e-6, "{got}");
        let wrong = judged.iter().filter(|(p, shows)| !shows && *p >= got).count();
        let all = judged.iter().filter(|(_, shows)| !shows).count();
        assert!(wrong as f64 <= rate * all as f64, "{wrong} of {all}");
    }

    #[test]
    fn it_lies_half_way_between_the_two_kinds() {
        check(&[1.0, 20.0, 60.0], &[80.0, 90.0], 0.0, 70.0);
    }

    #[test]
    fn it_is_one_half_or_more() {
        check(&[1.0, 2.0], &[90.0], 0.0, 50.0);
        check(&[1.0, 2.0], &[30.0], 0.0, 50.0);
    }

    #[test]
    fn kinds_that_overlap_are_cut_by_the_rate_that_is_wanted() {
        let negatives: Vec<f32> = (0..100).map(|p| p as f32 * 0.9).collect();
        check(&negatives, &[70.0, 88.0, 95.0], 0.0, (89.1 + 95.0) / 2.0);
        check(&negatives, &[70.0, 88.0, 95.0], 0.02, (87.3 + 88.0) / 2.0);
    }

    #[test]
    fn with_nothing_that_shows_it_above_the_floor_it_lies_high() {
        check(&[97.0], &[96.0], 0.0, 98.5);
        check(&[100.0], &[100.0], 1.0, 50.0);
    }
}
