//! The frozen projection of one camera's features: (x - mean) components / scale.
//!
//! Learner and actor both project with [`Projection::apply`], so they see the same numbers.

use tch::{Device, Kind, Tensor};
use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
#[error("a projection's {what}")]
pub struct ProjectionError {
    what: String,
}

#[derive(Debug)]
pub struct Projection {
    /// [features]
    mean: Tensor,
    /// [features, components]
    components: Tensor,
    /// One number for all components: whitening would blow up noise.
    scale: f32,
    /// components / scale
    kernel: Tensor,
    /// -mean components / scale
    bias: Tensor,
}

impl Projection {
    /// `mean` `[features]`, `components` [features, components], both f32 and finite; `scale` > 0.
    pub fn new(mean: Tensor, components: Tensor, scale: f32) -> Result<Self, ProjectionError> {
        let fail = |what: String| Err(ProjectionError { what });
        let (mean_size, size) = (mean.size(), components.size());
        if mean_size.len() != 1 || size.len() != 2 || mean_size[0] != size[0] {
            return fail(format!("mean is {mean_size:?} and its components {size:?}"));
        }
        if (mean.kind(), components.kind()) != (Kind::Float, Kind::Float) {
            return fail("values are not f32".into());
        }
        if !(scale.is_finite() && scale > 0.0) {
            return fail(format!("scale is {scale}, not a positive number"));
        }
        let all_finite = |x: &Tensor| bool::try_from(x.isfinite().all()).unwrap_or(false);
        if !(all_finite(&mean) && all_finite(&components)) {
            return fail("values are not all finite".into());
        }
        let kernel = &components / f64::from(scale);
        let bias = -mean.unsqueeze(0).matmul(&kernel).squeeze_dim(0);
        Ok(Self { mean, components, scale, kernel, bias })
    }

    /// [batch, features] of f16 or f32 to [batch, components] of f32.
    pub fn apply(&self, features: &Tensor) -> Tensor {
        self.bias.addmm(&features.to_kind(Kind::Float), &self.kernel)
    }

    pub fn mean(&self) -> &Tensor {
        &self.mean
    }

    pub fn components(&self) -> &Tensor {
        &self.components
    }

    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// [features, components]
    pub fn size(&self) -> [i64; 2] {
        let size = self.components.size();
        [size[0], size[1]]
    }

    pub fn to_device(&self, device: Device) -> Self {
        Self {
            mean: self.mean.to_device(device),
            components: self.components.to_device(device),
            scale: self.scale,
            kernel: self.kernel.to_device(device),
            bias: self.bias.to_device(device),
        }
    }
}
