//! Numbers that belong to a name. Used by the tests of `learner` too.

/// Uniform values in [low, high) that belong to a name: FNV-1a of the name seeds SplitMix64.
pub fn hash_uniform(name: &str, count: usize, low: f64, high: f64) -> Vec<f32> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let value = |i: u64| {
        let z = seed.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24);
        (low + (high - low) * unit) as f32
    };
    (0..count as u64).map(value).collect()
}
