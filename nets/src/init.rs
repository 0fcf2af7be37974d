//! How parameters start: the distributions of the reference (flax defaults and Xavier), drawn from
//! the caller's generator. Never touches libtorch's own generator, so a seed fixes every byte.

use rand::{Rng, distr::Uniform};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Standard deviation of a standard normal that is cut off at two.
const STD_OF_TRUNCATED_NORMAL: f32 = 0.879_625_7;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Constant(f32),
    /// U(-a, a).
    Uniform(f32),
    /// U(-a, a) with a = sqrt(6 / (fan_in + fan_out)).
    XavierUniform {
        fan_in: i64,
        fan_out: i64,
    },
    /// Normal of variance 1 / fan_in after truncation at two standard deviations (flax).
    LecunNormal {
        fan_in: i64,
    },
}

impl Init {
    pub(crate) fn fill(self, values: &mut [f32], rng: &mut ChaCha8Rng) {
        match self {
            Self::Constant(value) => values.fill(value),
            Self::Uniform(bound) => fill_uniform(values, bound, rng),
            Self::XavierUniform { fan_in, fan_out } => {
                fill_uniform(values, (6.0 / (fan_in + fan_out) as f32).sqrt(), rng);
            }
            Self::LecunNormal { fan_in } => {
                let std = (1.0 / fan_in as f32).sqrt() / STD_OF_TRUNCATED_NORMAL;
                values.fill_with(|| truncated_normal(rng) * std);
            }
        }
    }
}

fn fill_uniform(values: &mut [f32], bound: f32, rng: &mut ChaCha8Rng) {
    let uniform = Uniform::new_inclusive(-bound, bound).expect("a bound is finite, not negative");
    values.fill_with(|| rng.sample(uniform));
}

fn truncated_normal(rng: &mut ChaCha8Rng) -> f32 {
    loop {
        let value: f32 = rng.sample(StandardNormal);
        if value.abs() <= 2.0 {
            return value;
        }
    }
}
