//! Frozen networks that turn a camera's frame into features, once per frame.
//!
//! Never trained: no gradient flows here. A backbone is named by the hash of its weights, cut,
//! pooling and input size; features of one are never mixed with features of another.

mod config;
mod efficientnet_lite0;
mod parameters;
mod preprocess;
mod resnet10;

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};
use thiserror::Error;
use wire::{Features, Frame, WeightsHash};

pub use config::{BackboneConfig, EfficientnetLite0Config, Resnet10Config, WeightsSource};
use efficientnet_lite0::EfficientnetLite0;
use parameters::Parameters;
use resnet10::Resnet10;

use crate::{
    augment::{AugmentError, Shift, shifted},
    weights::{self, WeightsError},
};

#[derive(Debug, Error)]
pub enum BackboneError {
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error("{} is not the network that is configured: {fault}; name its file under `weights`", path.display())]
    OtherNetwork { path: PathBuf, fault: String },
    #[error("[backbone] {0}")]
    Config(String),
    #[error("images must be bytes of shape [n, height, width, 3] with n > 0, not {0}")]
    Images(String),
    #[error(transparent)]
    Augment(#[from] AugmentError),
}

/// A frozen network on a device, ready to encode frames.
#[derive(Debug)]
pub struct Backbone {
    network: Network,
    image_size: i64,
    pool: i64,
    shape: [i64; 3],
    hash: WeightsHash,
    device: Device,
}

#[derive(Debug)]
enum Network {
    EfficientnetLite0(EfficientnetLite0),
    Resnet10(Resnet10),
}

impl Backbone {
    /// Reads (or draws) the weights and brings them to the device.
    pub fn load(config: &BackboneConfig, device: Device) -> Result<Self, BackboneError> {
        let shape = config.feature_shape()?;
        let needed = config.needed();
        let parameters = match config.weights() {
            WeightsSource::Path(path) => {
                Parameters::from_file(&needed, path, weights::read(path)?)?
            }
            WeightsSource::Random { random } => Parameters::random(&needed, *random),
        };
        let network = match config {
            BackboneConfig::EfficientnetLite0(c) => Network::EfficientnetLite0(
                EfficientnetLite0::new(c.cut_block.into(), &parameters, device),
            ),
            BackboneConfig::Resnet10(c) => {
                Network::Resnet10(Resnet10::new(c.num_filters.into(), &parameters, device))
            }
        };
        let (image_size, pool) = (config.image_size(), config.pool());
        let hash = hash(config, &parameters);
        Ok(Self { network, image_size, pool, shape, hash, device })
    }

    /// SHA-256 over the weights, the kind of network, its cut, the pooling and the input size.
    pub fn hash(&self) -> WeightsHash {
        self.hash
    }

    /// Channels, height and width of a frame's features.
    pub fn feature_shape(&self) -> [i64; 3] {
        self.shape
    }

    pub fn device(&self) -> Device {
        self.device
    }

    /// Features of each frame. Frames of one size run as one batch.
    pub fn encode(&self, frames: &[&Frame]) -> Result<Vec<Features>, BackboneError> {
        let mut features = Vec::with_capacity(frames.len());
        for alike in frames.chunk_by(|a, b| (a.width, a.height) == (b.width, b.height)) {
            features.extend(self.to_features(&self.encode_tensor(&stacked(alike))?));
        }
        Ok(features)
    }

    /// Features of a frame under each of the shifts, as one batch.
    pub fn encode_shifted(
        &self,
        frame: &Frame,
        shifts: &[Shift],
    ) -> Result<Vec<Features>, BackboneError> {
        if shifts.is_empty() {
            return Ok(vec![]);
        }
        let copies = stacked(&[frame]).repeat([shifts.len() as i64, 1, 1, 1]);
        Ok(self.to_features(&self.encode_tensor(&shifted(&copies, shifts)?)?))
    }

    /// u8 [n, height, width, 3] to f32 [n, channels, h, w] of [`Backbone::feature_shape`], on the
    /// backbone's device. No gradient flows through it.
    pub fn encode_tensor(&self, images: &Tensor) -> Result<Tensor, BackboneError> {
        match (images.size().as_slice(), images.kind()) {
            (&[n, h, w, 3], Kind::Uint8) if n.min(h).min(w) > 0 => {}
            (size, kind) => return Err(BackboneError::Images(format!("{kind:?} {size:?}"))),
        }
        Ok(tch::no_grad(|| {
            let images = preprocess::sized(&images.to_device(self.device), self.image_size);
            let map = match &self.network {
                Network::EfficientnetLite0(network) => network.forward(&images),
                Network::Resnet10(network) => network.forward(&images),
            };
            self.pooled(map)
        }))
    }

    fn pooled(&self, map: Tensor) -> Tensor {
        match self.pool {
            1 => map,
            n => map.avg_pool2d([n, n], [n, n], [0, 0], false, true, None),
        }
    }

    /// f32 [n, c, h, w] to f16 bits, channels first.
    fn to_features(&self, maps: &Tensor) -> Vec<Features> {
        let halves = maps.to_kind(Kind::Half).to_device(Device::Cpu).contiguous();
        let len = self.shape.iter().product::<i64>() as usize;
        let mut values = vec![half::f16::ZERO; halves.numel()];
        halves.copy_data(&mut values, halves.numel());
        let features = |values: &[half::f16]| Features {
            backbone: self.hash,
            values: values.iter().map(|value| value.to_bits()).collect(),
        };
        values.chunks_exact(len).map(features).collect()
    }
}

/// Frames of one size as u8 [n, height, width, 3].
fn stacked(frames: &[&Frame]) -> Tensor {
    let size = frames.first().map_or([0, 0], |f| [i64::from(f.height), i64::from(f.width)]);
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.pixels.iter().copied()).collect();
    Tensor::from_slice(&bytes).view([frames.len() as i64, size[0], size[1], 3])
}

fn hash(config: &BackboneConfig, parameters: &Parameters) -> WeightsHash {
    let mut hash = Sha256::new();
    hash.update(b"reins backbone 1\0");
    hash.update(config.description());
    parameters.digest(&mut hash);
    WeightsHash(hash.finalize().into())
}

#[cfg(test)]
mod tests;
