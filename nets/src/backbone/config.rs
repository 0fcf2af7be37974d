//! Which backbone, from where, and up to which layer.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{BackboneError, efficientnet_lite0, parameters::Needed, resnet10};

/// ```toml
/// [backbone]
/// kind = "efficientnet-lite0"
/// weights = "third_party/weights/efficientnet-lite0.pth" # or { random = 7 }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BackboneConfig {
    EfficientnetLite0(EfficientnetLite0Config),
    Resnet10(Resnet10Config),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientnetLite0Config {
    pub weights: WeightsSource,
    /// Frames of another size are resized to this many pixels square.
    #[serde(default = "default_image_size")]
    pub image_size: u16,
    /// The last block that runs, counted from 0: 7 gives 80 channels at a sixteenth of the size.
    #[serde(default = "default_cut_block")]
    pub cut_block: u8,
    /// Side of the squares that are averaged; 1 leaves the map as it is.
    #[serde(default = "default_lite0_pool")]
    pub pool: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resnet10Config {
    pub weights: WeightsSource,
    /// Frames of another size are resized to this many pixels square.
    #[serde(default = "default_image_size")]
    pub image_size: u16,
    /// Channels after the first convolution.
    #[serde(default = "default_num_filters")]
    pub num_filters: u16,
    /// Side of the squares that are averaged; 1 leaves the map as it is.
    #[serde(default = "default_resnet10_pool")]
    pub pool: u8,
}

/// Where frozen weights come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "`weights` must be a path or { random = <seed> }")]
pub enum WeightsSource {
    Path(PathBuf),
    /// Drawn from this seed; works without a file, and in clean scenes as well as ImageNet's.
    Random {
        random: u64,
    },
}

fn default_image_size() -> u16 {
    128
}

fn default_cut_block() -> u8 {
    7
}

fn default_lite0_pool() -> u8 {
    2
}

fn default_num_filters() -> u16 {
    64
}

fn default_resnet10_pool() -> u8 {
    1
}

impl EfficientnetLite0Config {
    pub fn new(weights: WeightsSource) -> Self {
        let (image_size, cut_block, pool) =
            (default_image_size(), default_cut_block(), default_lite0_pool());
        Self { weights, image_size, cut_block, pool }
    }
}

impl Resnet10Config {
    pub fn new(weights: WeightsSource) -> Self {
        let (image_size, num_filters, pool) =
            (default_image_size(), default_num_filters(), default_resnet10_pool());
        Self { weights, image_size, num_filters, pool }
    }
}

impl BackboneConfig {
    pub fn weights(&self) -> &WeightsSource {
        match self {
            Self::EfficientnetLite0(c) => &c.weights,
            Self::Resnet10(c) => &c.weights,
        }
    }

    pub(super) fn image_size(&self) -> i64 {
        match self {
            Self::EfficientnetLite0(c) => c.image_size.into(),
            Self::Resnet10(c) => c.image_size.into(),
        }
    }

    pub(super) fn pool(&self) -> i64 {
        match self {
            Self::EfficientnetLite0(c) => c.pool.into(),
            Self::Resnet10(c) => c.pool.into(),
        }
    }

    /// Parameters that the network has.
    pub(super) fn needed(&self) -> Vec<Needed> {
        match self {
            Self::EfficientnetLite0(c) => efficientnet_lite0::needed(c.cut_block.into()),
            Self::Resnet10(c) => resnet10::needed(c.num_filters.into()),
        }
    }

    /// What, besides the weights, decides a feature; goes into the hash.
    pub(super) fn description(&self) -> String {
        match self {
            Self::EfficientnetLite0(c) => {
                format!(
                    "efficientnet-lite0 cut {} image {} pool {}\0",
                    c.cut_block, c.image_size, c.pool
                )
            }
            Self::Resnet10(c) => {
                format!(
                    "resnet10 filters {} image {} pool {}\0",
                    c.num_filters, c.image_size, c.pool
                )
            }
        }
    }

    /// Channels, height and width of a frame's features, known before any weights are read.
    pub fn feature_shape(&self) -> Result<[i64; 3], BackboneError> {
        let refused = |what: String| Err(BackboneError::Config(what));
        let (channels, stride) = match self {
            Self::EfficientnetLite0(c)
                if usize::from(c.cut_block) >= efficientnet_lite0::BLOCKS =>
            {
                return refused(format!(
                    "cut_block = {}: EfficientNet-Lite0 has the blocks 0 to {}",
                    c.cut_block,
                    efficientnet_lite0::BLOCKS - 1
                ));
            }
            Self::EfficientnetLite0(c) => efficientnet_lite0::output_shape(c.cut_block.into()),
            // Four groups share the channels.
            Self::Resnet10(c)
                if c.num_filters == 0 || c.num_filters % 4 != 0 || c.num_filters > 512 =>
            {
                return refused(format!(
                    "num_filters = {}: it must be a multiple of 4 up to 512 (the reference has 64)",
                    c.num_filters
                ));
            }
            Self::Resnet10(c) => {
                (resnet10::output_channels(c.num_filters.into()), resnet10::STRIDE)
            }
        };
        let (image_size, pool) = (self.image_size(), self.pool());
        if pool == 0 {
            return refused(
                "pool = 0: 1 leaves the features as they are, 2 averages squares of 2x2".into(),
            );
        }
        if image_size == 0 || image_size > 1024 || image_size % (stride * pool) != 0 {
            return refused(format!(
                "image_size = {image_size}: with this cut and pool it must be a multiple of {}, \
                 at most 1024 (128 is usual)",
                stride * pool
            ));
        }
        let side = image_size / stride / pool;
        Ok([channels as i64, side, side])
    }
}
