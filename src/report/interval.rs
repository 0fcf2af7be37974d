//! How sure a success rate is.

/// Quantile of the standard normal distribution that leaves 2.5 % on either side.
const Z_95: f64 = 1.959_963_984_540_054;

/// 95 % Wilson score interval of a success probability: lower and upper bound, in [0, 1].
/// `None` without episodes. E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
///
/// centre = (p + z²/2n) / (1 + z²/n),  half = z √(p(1-p)/n + z²/4n²) / (1 + z²/n)
pub fn success_interval(successes: usize, n: usize) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let (none, all) = (successes == 0, successes == n);
    let (n, p) = (n as f64, successes as f64 / n as f64);
    let z2 = Z_95 * Z_95;
    let scale = 1.0 + z2 / n;
    let centre = (p + z2 / (2.0 * n)) / scale;
    let half = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / scale;
    // Exact at the ends, where rounding would leave a bound just beside 0 or 1.
    Some((if none { 0.0 } else { centre - half }, if all { 1.0 } else { centre + half }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(successes: usize, n: usize, lower: f64, upper: f64) {
        let (l, u) = success_interval(successes, n).unwrap();
        assert!((l - lower).abs() < 5e-5 && (u - upper).abs() < 5e-5, "{successes}/{n}: {l} {u}");
    }

    // Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    #[test]
    fn published_intervals_are_met() {
        check(81, 263, 0.2553, 0.3662);
        check(15, 148, 0.0624, 0.1605);
        check(0, 20, 0.0, 0.1611);
        check(1, 29, 0.0061, 0.1718);
    }

    #[test]
    fn all_and_none_mirror_each_other() {
        check(20, 20, 1.0 - 0.1611, 1.0);
        check(10, 20, 0.2993, 0.7007);
    }

    #[test]
    fn without_episodes_nothing_is_known() {
        assert_eq!(success_interval(0, 0), None);
    }
}
