//! What the policy sees: proprioception and camera frames, and the frozen features of a frame.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// An RGB picture as the policy sees it: `height` x `width` x 3 bytes, rows first.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub width: u16,
    pub height: u16,
    pub pixels: Arc<[u8]>,
}

impl Frame {
    /// `None` when `pixels` is not `width * height * 3` long.
    pub fn new(width: u16, height: u16, pixels: impl Into<Arc<[u8]>>) -> Option<Self> {
        let pixels = pixels.into();
        (pixels.len() == usize::from(width) * usize::from(height) * 3).then_some(Self {
            width,
            height,
            pixels,
        })
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}x{})", self.width, self.height)
    }
}

/// SHA-256 of the weights of a frozen backbone, cut point and input size included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WeightsHash(pub [u8; 32]);

impl fmt::Display for WeightsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for WeightsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", &self.to_string()[..12])
    }
}

/// The frozen backbone's output for one frame: f16 bits, flattened channels first.
///
/// The actor computes it anyway to act, so it travels with the frame and the learner need not
/// run the backbone again. Features of another hash are recomputed, never mixed.
#[derive(Clone, PartialEq, Eq)]
pub struct Features {
    pub backbone: WeightsHash,
    pub values: Arc<[u16]>,
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features({} of {:?})", self.values.len(), self.backbone)
    }
}

/// What was there at one moment: the state vector of the task and one frame per camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub captured_at: Timestamp,
    /// Scaled proprioception, in the order of the task's observation keys.
    pub proprio: Vec<f32>,
    /// One frame per camera, in the order of the task file.
    pub frames: Vec<Frame>,
    /// The frames' features, one per camera, or empty when nobody has computed them.
    pub features: Vec<Features>,
}

/// How frames and features look inside an encoded record: byte strings, so that the codec copies
/// them in one go and checks their length before it allocates.
mod encoded {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub struct Frame<'a> {
        pub width: u16,
        pub height: u16,
        #[serde(borrow)]
        pub pixels: &'a serde_bytes::Bytes,
    }

    #[derive(Serialize, Deserialize)]
    pub struct Features<'a> {
        pub backbone: WeightsHash,
        #[serde(borrow)]
        pub values: &'a serde_bytes::Bytes,
    }

    #[derive(Serialize, Deserialize)]
    pub struct Observation<'a> {
        pub captured_at: Timestamp,
        #[serde(borrow)]
        pub proprio: &'a serde_bytes::Bytes,
        pub frames: Vec<super::Frame>,
        #[serde(borrow)]
        pub features: Vec<Features<'a>>,
    }
}

/// Little-endian scalars out of bytes; `None` when the length is no multiple of the scalar's.
fn scalars<const N: usize, T>(bytes: &[u8], from_le: fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    rest.is_empty().then(|| chunks.iter().map(|chunk| from_le(*chunk)).collect())
}

impl Serialize for Frame {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { width, height, ref pixels } = *self;
        let pixels = serde_bytes::Bytes::new(pixels);
        encoded::Frame { width, height, pixels }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let raw = encoded::Frame::deserialize(deserializer)?;
        Self::new(raw.width, raw.height, raw.pixels.as_ref())
            .ok_or_else(|| D::Error::custom("a frame's bytes do not fit its size"))
    }
}

impl Serialize for Observation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let proprio: Vec<u8> = self.proprio.iter().flat_map(|x| x.to_le_bytes()).collect();
        let values: Vec<Vec<u8>> = self
            .features
            .iter()
            .map(|f| f.values.iter().flat_map(|x| x.to_le_bytes()).collect())
            .collect();
        encoded::Observation {
            captured_at: self.captured_at,
            proprio: serde_bytes::Bytes::new(&proprio),
            frames: self.frames.clone(),
            features: self
                .features
                .iter()
                .zip(&values)
                .map(|(f, bytes)| encoded::Features {
                    backbone: f.backbone,
                    values: serde_bytes::Bytes::new(bytes),
                })
                .collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Observation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let raw = encoded::Observation::deserialize(deserializer)?;
        let features = |f: encoded::Features<'_>| {
            scalars(f.values, u16::from_le_bytes)
                .map(|values| Features { backbone: f.backbone, values: values.into() })
                .ok_or_else(|| D::Error::custom("a feature vector has an odd number of bytes"))
        };
        Ok(Self {
            captured_at: raw.captured_at,
            proprio: scalars(raw.proprio, f32::from_le_bytes)
                .ok_or_else(|| D::Error::custom("proprioception is no multiple of four bytes"))?,
            frames: raw.frames,
            features: raw.features.into_iter().map(features).collect::<Result<_, _>>()?,
        })
    }
}
