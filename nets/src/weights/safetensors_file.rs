//! Safetensors files, by way of the crate of that name.

use safetensors::{Dtype, SafeTensors};

use super::{
    Arrays, Malformed,
    array::{Element, View, dense_strides},
    structure,
};

/// A length that fits the file, then the JSON header. No pickle or zip archive begins like that.
pub(super) fn is(bytes: &[u8]) -> bool {
    match bytes.split_first_chunk() {
        Some((len, rest @ [b'{', ..])) => u64::from_le_bytes(*len) <= rest.len() as u64,
        _ => false,
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Arrays, Malformed> {
    let mut arrays = Arrays::new();
    for (name, tensor) in SafeTensors::deserialize(bytes)?.iter() {
        let element = match tensor.dtype() {
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            _ => continue,
        };
        let shape = tensor.shape().to_vec();
        let strides = dense_strides(&shape)
            .ok_or_else(|| structure(format!("{name} has the shape {shape:?}")))?;
        let view = View { element, bytes: tensor.data(), offset: 0, shape, strides };
        arrays.extend(view.to_array()?.map(|array| (name.to_owned(), array)));
    }
    Ok(arrays)
}
