//! A classifier as a file: a header with magic, version, length and checksum, then a safetensors
//! file. The drawing is in `docs/formats.md`. Everything is checked before anything is believed.

use std::{collections::HashMap, sync::Arc};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tch::{Device, Tensor};
use thiserror::Error;

use super::{ClassifierError, ClassifierSpec, RewardClassifier};
use crate::{
    params::{Layout, ParamSet},
    snapshot::to_vec,
};

const MAGIC: [u8; 4] = *b"RNRC";
const VERSION: u16 = 1;
const HEADER_LEN: usize = 20;
const MAX_BODY_LEN: u64 = 256 << 20;
const FORMAT: &str = "reins-classifier-1";

#[derive(Debug, Error)]
pub enum ClassifierFileError {
    #[error(
        "it is no reward classifier of reins: name the file that `reins classifier train` wrote"
    )]
    Magic,
    #[error("it has classifier version {0}, this program reads {VERSION}: train it again")]
    Version(u16),
    #[error("it is cut short or has something behind its end")]
    Length,
    #[error("it is damaged (its checksum is wrong): train it again or take a copy")]
    Checksum,
    #[error("it is no readable safetensors file")]
    Container(#[from] safetensors::SafeTensorError),
    #[error("its description cannot be read")]
    Description(#[from] serde_json::Error),
    #[error("it has no description of a reward classifier")]
    NoDescription,
    #[error("it describes an impossible network")]
    Spec(#[from] ClassifierError),
    #[error("its {0} is not as it describes")]
    Tensor(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    spec: ClassifierSpec,
    thresholds: Vec<f32>,
}

/// A trained classifier: parameters, what they belong to, and from which probability on each output
/// counts as seen.
#[derive(Debug)]
pub struct Classifier {
    pub spec: ClassifierSpec,
    pub network: RewardClassifier,
    pub params: ParamSet,
    /// One per output, in (0, 1).
    pub thresholds: Vec<f32>,
}

impl Classifier {
    /// The same parameters always become the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ClassifierFileError> {
        let whole = self.params.layout().whole();
        let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = self
            .params
            .named(&whole)
            .map(|(name, value)| {
                let shape = value.size().iter().map(|&size| size as usize).collect();
                let bytes = to_vec(value).iter().flat_map(|x| x.to_le_bytes()).collect();
                (name, shape, bytes)
            })
            .collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, ClassifierFileError>>()?;
        let description =
            Description { spec: self.spec.clone(), thresholds: self.thresholds.clone() };
        let metadata = HashMap::from([(FORMAT.to_owned(), serde_json::to_string(&description)?)]);
        let body = safetensors::serialize(views, Some(metadata))?;
        let mut bytes = vec![0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..16].copy_from_slice(&(body.len() as u64).to_le_bytes());
        bytes[16..20].copy_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    pub fn from_bytes(bytes: &[u8], device: Device) -> Result<Self, ClassifierFileError> {
        let body = body_of(bytes)?;
        let (_, header) = SafeTensors::read_metadata(body)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let description = metadata.get(FORMAT).ok_or(ClassifierFileError::NoDescription)?;
        let Description { spec, thresholds } = serde_json::from_str(description)?;
        spec.check()?;
        let sound = |threshold: &f32| *threshold > 0.0 && *threshold < 1.0;
        if thresholds.len() != spec.classes.outputs() || !thresholds.iter().all(sound) {
            return Err(ClassifierFileError::Tensor("list of thresholds".into()));
        }
        let mut layout = Layout::default();
        let network = RewardClassifier::new(&mut layout, &spec);
        let flat = read_parameters(&SafeTensors::deserialize(body)?, &layout)?;
        let flat = Tensor::from_slice(&flat).to_device(device);
        let params = ParamSet::new(Arc::new(layout), flat);
        Ok(Self { spec, network, params, thresholds })
    }
}

/// SHA-256 of a classifier's file in hex: its name in a run's manifest.
pub fn fingerprint(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn body_of(bytes: &[u8]) -> Result<&[u8], ClassifierFileError> {
    if bytes.get(0..4) != Some(&MAGIC) {
        return Err(ClassifierFileError::Magic);
    }
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(ClassifierFileError::Length);
    };
    let version = u16::from_le_bytes([header[4], header[5]]);
    if version != VERSION {
        return Err(ClassifierFileError::Version(version));
    }
    let [_, _, _, _, _, _, zero0, zero1, len @ .., c0, c1, c2, c3] = *header;
    let len = u64::from_le_bytes(len);
    if len > MAX_BODY_LEN || len != body.len() as u64 || (zero0, zero1) != (0, 0) {
        return Err(ClassifierFileError::Length);
    }
    if u32::from_le_bytes([c0, c1, c2, c3]) != crc32fast::hash(body) {
        return Err(ClassifierFileError::Checksum);
    }
    Ok(body)
}

fn read_parameters(
    file: &SafeTensors<'_>,
    layout: &Layout,
) -> Result<Vec<f32>, ClassifierFileError> {
    let mut flat = vec![0.0; layout.len() as usize];
    for spec in layout.specs() {
        let wrong = || ClassifierFileError::Tensor(spec.name.clone());
        let view = file.tensor(&spec.name).map_err(|_| wrong())?;
        let shape = view.shape().iter().map(|&size| size as i64);
        if view.dtype() != Dtype::F32 || !shape.eq(spec.shape.iter().copied()) {
            return Err(wrong());
        }
        let (words, _) = view.data().as_chunks();
        let place = &mut flat[spec.offset as usize..][..words.len()];
        for (value, word) in place.iter_mut().zip(words) {
            *value = f32::from_le_bytes(*word);
            if !value.is_finite() {
                return Err(wrong());
            }
        }
    }
    let surplus = file
        .names()
        .into_iter()
        .find(|name| !layout.specs().iter().any(|spec| spec.name == **name));
    match surplus {
        Some(name) => Err(ClassifierFileError::Tensor(name.to_owned())),
        None => Ok(flat),
    }
}
