//! From bytes of a camera to what a backbone's first layer takes.

use tch::{Device, Kind, Tensor};

/// Subtracted and divided, per channel, from values in [0, 1].
#[derive(Debug)]
pub struct Normalisation {
    scale: Tensor, // [1, 3, 1, 1]
    shift: Tensor, // [1, 3, 1, 1]
}

impl Normalisation {
    /// (x / 255 - mean) / std as one product and one sum.
    pub fn new(mean: [f64; 3], std: [f64; 3], device: Device) -> Self {
        let channels = |f: &dyn Fn(usize) -> f64| {
            let values: [f32; 3] = std::array::from_fn(|c| f(c) as f32);
            Tensor::from_slice(&values).view([1, 3, 1, 1]).to_device(device)
        };
        Self {
            scale: channels(&|c| 1.0 / (255.0 * std[c])),
            shift: channels(&|c| -mean[c] / std[c]),
        }
    }

    /// f32 [n, 3, h, w] in 0..=255 to normalised.
    pub fn apply(&self, images: &Tensor) -> Tensor {
        images * &self.scale + &self.shift
    }
}

/// u8 [n, h, w, 3] to f32 [n, 3, size, size] in 0..=255, channels last in memory.
///
/// Another size is brought to `size` as `jax.image.resize(method="bilinear")` does: a triangle
/// filter as wide as the reduction, normalised at the edges, and no rounding afterwards.
pub fn sized(images: &Tensor, size: i64) -> Tensor {
    let images = images.permute([0, 3, 1, 2]).to_kind(Kind::Float);
    match images.size()[2..] {
        [height, width] if height == size && width == size => images,
        _ => images.internal_upsample_bilinear2d_aa([size, size], false, None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{Golden, assert_close};

    #[test]
    fn resizing_equals_the_reference() {
        let golden = Golden::load("g1a_resnet10_w8");
        let resized = sized(&golden.tensor("in/image_200x160"), 128);
        let expected = golden.tensor("out/resized_200x160").permute([0, 3, 1, 2]);
        assert_close(&resized, &expected, 0.0, 1e-4, "of 255");
    }

    #[test]
    fn normalisation_takes_the_mean_to_zero_and_a_deviation_to_one() {
        let (mean, std) = ([0.1, 0.2, 0.3], [0.5, 0.25, 0.125]);
        let normalisation = Normalisation::new(mean, std, Device::Cpu);
        let image = |deviations: f64| {
            let values: Vec<_> = (0..3).map(|c| 255.0 * (mean[c] + deviations * std[c])).collect();
            Tensor::from_slice(&values).to_kind(Kind::Float).view([1, 3, 1, 1])
        };
        assert_close(
            &normalisation.apply(&image(0.0)),
            &Tensor::zeros_like(&image(0.0)),
            0.0,
            1e-5,
            "mean",
        );
        assert_close(
            &normalisation.apply(&image(1.0)),
            &Tensor::ones_like(&image(0.0)),
            0.0,
            1e-5,
            "std",
        );
    }
}
