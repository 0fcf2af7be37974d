//! Named f32 tensors and a description in JSON, as one safetensors file in memory. The description
//! is the one entry of the file's metadata, under the name of the format.

use std::{borrow::Cow, collections::HashMap};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Serialize, de::DeserializeOwned};
use tch::Tensor;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum ArchiveError {
    #[error("it is no readable safetensors file")]
    Container(#[from] safetensors::SafeTensorError),
    #[error("it says it is of format {got:?}, this program reads {expected:?}")]
    Format { got: String, expected: String },
    #[error("its description cannot be read")]
    Description(#[from] serde_json::Error),
    #[error("its tensor {name} is {kind:?} {got:?}, not F32 {expected:?}")]
    Shape { name: String, kind: Dtype, got: Vec<usize>, expected: Vec<i64> },
}

#[derive(Debug, Default)]
pub struct ArchiveWriter(Vec<(String, Vec<usize>, Vec<f32>)>);

impl ArchiveWriter {
    pub fn add(&mut self, name: impl Into<String>, tensor: &Tensor) {
        let shape = tensor.size().iter().map(|&size| size as usize).collect();
        self.0.push((name.into(), shape, nets::snapshot::to_vec(tensor)));
    }

    pub fn finish(
        self,
        format: &str,
        description: &impl Serialize,
    ) -> Result<Vec<u8>, ArchiveError> {
        let tensors: Vec<_> =
            self.0.iter().map(|(name, shape, values)| (name, shape, le_bytes(values))).collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
            })
            .collect::<Result<Vec<_>, ArchiveError>>()?;
        // One entry: the order of several is not the same in every process.
        let metadata = HashMap::from([(format.to_owned(), serde_json::to_string(description)?)]);
        Ok(safetensors::serialize(views, Some(metadata))?)
    }
}

#[derive(Debug)]
pub struct Archive<'a>(SafeTensors<'a>);

impl<'a> Archive<'a> {
    pub fn read<D: DeserializeOwned>(
        bytes: &'a [u8],
        format: &str,
    ) -> Result<(Self, D), ArchiveError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let Some(description) = metadata.get(format) else {
            let got = metadata.into_keys().next().unwrap_or_default();
            return Err(ArchiveError::Format { got, expected: format.to_owned() });
        };
        let description = serde_json::from_str(description)?;
        Ok((Self(SafeTensors::deserialize(bytes)?), description))
    }

    pub fn tensor(&self, name: &str) -> Result<Tensor, ArchiveError> {
        let view = self.0.tensor(name)?;
        let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
        self.tensor_of(name, &shape)
    }

    pub fn tensor_of(&self, name: &str, expected: &[i64]) -> Result<Tensor, ArchiveError> {
        let view = self.0.tensor(name)?;
        let fits = view.shape().iter().map(|&size| size as i64).eq(expected.iter().copied());
        if !fits || view.dtype() != Dtype::F32 {
            return Err(ArchiveError::Shape {
                name: name.to_owned(),
                kind: view.dtype(),
                got: view.shape().to_vec(),
                expected: expected.to_vec(),
            });
        }
        let (words, _) = view.data().as_chunks();
        let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        Ok(Tensor::from_slice(&values).view(expected))
    }
}

fn le_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into()
    }
}
