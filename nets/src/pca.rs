//! Principal components of frozen features: fitted once on the demonstrations, then fixed.
//!
//! The scores are not whitened: dividing each component by its own deviation blows up noise, and
//! learning on that fails (recipe, section 6). One number scales them all.

use tch::{Device, Kind, Tensor};
use thiserror::Error;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PcaError {
    #[error("principal components need features of shape [n, d], not {0:?}")]
    Shape(Vec<i64>),
    #[error(
        "{frames} frames of {dim} features cannot give {components} principal components: record \
         more demonstrations or ask for at most {most}"
    )]
    TooFew { frames: i64, dim: i64, components: i64, most: i64 },
    #[error("the features hold a value that is not finite: is the camera or the backbone broken?")]
    NotFinite,
    #[error("the features of all frames are the same: is the camera covered?")]
    Constant,
}

/// scores = (x - mean) components / scale
#[derive(Debug)]
pub struct Pca {
    /// f32 `[d]`
    pub mean: Tensor,
    /// f32 [d, k], orthonormal columns by falling variance; each column's entry of largest
    /// magnitude is positive.
    pub components: Tensor,
    /// Standard deviation over all scores of the frames that it was fitted on.
    pub scale: f32,
}

impl Pca {
    /// `features`: [n, d]. The result lies on the features' device; the work is done on the CPU.
    pub fn fit(features: &Tensor, components: i64) -> Result<Self, PcaError> {
        let &[frames, dim] = features.size().as_slice() else {
            return Err(PcaError::Shape(features.size()));
        };
        // Centring costs one: n frames span at most n - 1 directions.
        let most = dim.min(frames - 1).max(0);
        if components < 1 || components > most {
            return Err(PcaError::TooFew { frames, dim, components, most });
        }
        tch::no_grad(|| fit(features, components))
    }

    /// [.., d] to f32 [.., k].
    pub fn project(&self, features: &Tensor) -> Tensor {
        let centred = features.to_kind(Kind::Float) - &self.mean;
        centred.matmul(&self.components) / f64::from(self.scale)
    }

    pub fn to_device(&self, device: Device) -> Self {
        let (mean, components) = (self.mean.to_device(device), self.components.to_device(device));
        Self { mean, components, scale: self.scale }
    }
}

fn fit(features: &Tensor, components: i64) -> Result<Pca, PcaError> {
    let device = features.device();
    let x = features.to_device(Device::Cpu).to_kind(Kind::Double);
    if !bool::try_from(x.isfinite().all()).unwrap_or(false) {
        return Err(PcaError::NotFinite);
    }
    let mean = x.mean_dim([0_i64].as_slice(), false, None); // [d]
    let centred = &x - &mean; // [n, d]
    let axes = principal_axes(&centred, components); // [d, k]
    let scale = centred.matmul(&axes).std(true).double_value(&[]);
    if scale <= 1e-12 {
        return Err(PcaError::Constant);
    }
    let ready = |x: Tensor| x.to_kind(Kind::Float).contiguous().to_device(device);
    Ok(Pca { mean: ready(mean), components: ready(axes), scale: scale as f32 })
}

/// Eigenvectors [d, k] of the largest eigenvalues of x^T x, for centred x [n, d].
fn principal_axes(x: &Tensor, components: i64) -> Tensor {
    let (_, ascending) = x.tr().matmul(x).linalg_eigh("L"); // [d, d], columns
    let dim = ascending.size()[1];
    let axes = ascending.narrow(1, dim - components, components).flip([1]); // [d, k]
    let largest = axes.abs().argmax(0, true); // [1, k]
    let sign = axes.gather(0, &largest, false).sign(); // [1, k]
    axes * sign
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, hash_uniform};

    /// Uniform noise [n, d] with column deviations 1, 1/2, 1/3 ... turned by a reflection.
    fn features(frames: i64, dim: i64) -> Tensor {
        let noise = hash_uniform("pca", (frames * dim) as usize, -1.0, 1.0);
        let falling = 1.0 / (Tensor::arange(dim, (Kind::Float, Device::Cpu)) + 1.0);
        let straight: Tensor = Tensor::from_slice(&noise).view([frames, dim]) * falling;
        let axis = Tensor::from_slice(&hash_uniform("axis", dim as usize, -1.0, 1.0));
        let axis = &axis / axis.norm();
        &straight - 2.0 * straight.matmul(&axis.unsqueeze(1)) * axis.unsqueeze(0) + 3.0
    }

    #[test]
    fn scores_are_uncorrelated_falling_and_of_deviation_one_together() {
        let x = features(200, 12);
        let pca = Pca::fit(&x, 5).unwrap();
        let scores = pca.project(&x);
        assert_eq!(scores.size(), [200, 5]);
        let covariance = scores.tr().matmul(&scores) / 199.0;
        let variances = covariance.diag(0);
        assert_close(&covariance, &variances.diag_embed(0, 0, 1), 0.0, 1e-4, "covariance");
        let variances: Vec<f32> = variances.try_into().unwrap();
        // Not whitened: the variances differ, and fall.
        assert!(variances.windows(2).all(|pair| pair[0] > 1.1 * pair[1]), "{variances:?}");
        let mean_and_std =
            (scores.mean(Kind::Float).double_value(&[]), scores.std(true).double_value(&[]));
        assert!(
            mean_and_std.0.abs() < 1e-5 && (mean_and_std.1 - 1.0).abs() < 1e-5,
            "{mean_and_std:?}"
        );
    }

    #[test]
    fn all_components_give_the_features_back() {
        let x = features(40, 6);
        let pca = Pca::fit(&x, 6).unwrap();
        let back = pca.project(&x).matmul(&pca.components.tr()) * f64::from(pca.scale) + &pca.mean;
        assert_close(&back, &x, 0.0, 1e-5, "features");
    }

    #[test]
    fn mirrored_features_have_the_same_components() {
        let x = features(40, 6);
        let (one, other) = (Pca::fit(&x, 3).unwrap(), Pca::fit(&-x, 3).unwrap());
        assert_close(&one.components, &other.components, 0.0, 1e-5, "components");
        let largest = one.components.gather(0, &one.components.abs().argmax(0, true), false);
        assert!(largest.min().double_value(&[]) > 0.0);
    }

    #[test]
    fn fewer_frames_than_features_will_do() {
        let x = features(10, 30);
        let pca = Pca::fit(&x, 9).unwrap();
        let unit = pca.components.tr().matmul(&pca.components);
        assert_close(&unit, &Tensor::eye(9, (Kind::Float, Device::Cpu)), 0.0, 1e-5, "orthonormal");
    }

    #[test]
    fn what_has_no_components_is_refused() {
        let x = features(10, 30);
        let too_few = PcaError::TooFew { frames: 10, dim: 30, components: 10, most: 9 };
        assert_eq!(Pca::fit(&x, 10).unwrap_err(), too_few);
        assert_eq!(Pca::fit(&x.flatten(0, 1), 1).unwrap_err(), PcaError::Shape(vec![300]));
        assert_eq!(Pca::fit(&Tensor::ones_like(&x), 2).unwrap_err(), PcaError::Constant);
        let broken = &x / Tensor::zeros_like(&x);
        assert_eq!(Pca::fit(&broken, 2).unwrap_err(), PcaError::NotFinite);
    }
}
