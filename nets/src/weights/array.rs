//! Dense f32 arrays, and how elements of other formats and strides become one.

use half::{bf16, f16};

use super::{Malformed, structure};

/// Values that the arrays of a file may have together. Far above any network that reins uses.
pub(super) const MAX_VALUES: usize = 64 << 20;
const MAX_RANK: usize = 8;

/// A dense array of f32, last index fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// How one element is stored; little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
    /// An integer or boolean of so many bytes: known, but not a weight.
    Whole(usize),
}

impl Element {
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Whole(size) => size,
        }
    }

    /// `bytes` has at least [`Element::size`] bytes. `None` for whole numbers.
    fn decode(self, bytes: &[u8]) -> Option<f32> {
        match self {
            Self::F16 => bytes.first_chunk().map(|b| f16::from_le_bytes(*b).to_f32()),
            Self::Bf16 => bytes.first_chunk().map(|b| bf16::from_le_bytes(*b).to_f32()),
            Self::F32 => bytes.first_chunk().map(|b| f32::from_le_bytes(*b)),
            Self::F64 => bytes.first_chunk().map(|b| f64::from_le_bytes(*b) as f32),
            Self::Whole(_) => None,
        }
    }
}

/// A view into stored elements: `offset` and `strides` count elements.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub element: Element,
    pub bytes: &'a [u8],
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Strides of a dense array, last index fastest. `None` when they overflow.
pub(super) fn dense_strides(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = shape[axis].checked_mul(strides[axis])?;
    }
    Some(strides)
}

impl View<'_> {
    /// The dense array that this view shows; `None` for whole numbers.
    pub fn to_array(&self) -> Result<Option<Array>, Malformed> {
        if let Element::Whole(_) = self.element {
            return Ok(None);
        }
        let values = self.checked_len()?;
        let size = self.element.size();
        let mut array = Array { shape: self.shape.clone(), values: Vec::with_capacity(values) };
        let mut index = vec![0; self.shape.len()];
        for _ in 0..values {
            let at: usize =
                self.offset + index.iter().zip(&self.strides).map(|(i, s)| i * s).sum::<usize>();
            let value = self.bytes.get(at * size..).and_then(|bytes| self.element.decode(bytes));
            array.values.push(value.ok_or_else(|| structure("an array reaches over its storage"))?);
            advance(&mut index, &self.shape);
        }
        Ok(Some(array))
    }

    /// Number of values, once shape and strides are known to stay inside the storage.
    fn checked_len(&self) -> Result<usize, Malformed> {
        if self.shape.len() > MAX_RANK || self.shape.len() != self.strides.len() {
            return Err(structure(format!("an array has the shape {:?}", self.shape)));
        }
        let stored = self.bytes.len() / self.element.size();
        let values = self.shape.iter().try_fold(1, |n: usize, &dim| n.checked_mul(dim));
        // No more values than are stored: a stride of zero must not blow a small file up.
        let values = values.filter(|&n| n <= MAX_VALUES && n <= stored).ok_or_else(|| {
            structure(format!("an array of shape {:?} has {stored} stored values", self.shape))
        })?;
        let last =
            self.shape.iter().zip(&self.strides).try_fold(self.offset, |at, (&dim, &stride)| {
                dim.saturating_sub(1).checked_mul(stride).and_then(|reach| at.checked_add(reach))
            });
        if values > 0 && last.is_none_or(|last| last >= stored) {
            return Err(structure(format!(
                "an array of shape {:?} and strides {:?} reaches over its {stored} stored values",
                self.shape, self.strides
            )));
        }
        Ok(values)
    }
}

/// Steps a multi-index, last axis fastest.
fn advance(index: &mut [usize], shape: &[usize]) {
    for axis in (0..index.len()).rev() {
        index[axis] += 1;
        if index[axis] < shape[axis] {
            return;
        }
        index[axis] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: &[usize], strides: &[usize], offset: usize, expected: Option<&[f32]>) {
        let bytes: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let (shape, strides) = (shape.to_vec(), strides.to_vec());
        let view = View { element: Element::F32, bytes: &bytes, offset, shape, strides };
        let values = view.to_array().ok().map(|array| array.unwrap().values);
        assert_eq!(values.as_deref(), expected);
    }

    #[test]
    fn strides_are_followed() {
        check(&[2, 3], &[3, 1], 0, Some(&[0., 1., 2., 3., 4., 5.]));
        check(&[3, 2], &[1, 3], 0, Some(&[0., 3., 1., 4., 2., 5.]));
        check(&[2], &[2], 1, Some(&[1., 3.]));
        check(&[], &[], 4, Some(&[4.]));
        check(&[0, 9], &[9, 1], 0, Some(&[]));
    }

    #[test]
    fn what_reaches_over_the_storage_is_refused() {
        check(&[7], &[1], 0, None);
        check(&[6], &[1], 1, None);
        check(&[2], &[6], 0, None);
        check(&[2], &[usize::MAX], 1, None);
        check(&[usize::MAX, 2], &[1, 1], 0, None);
        check(&[1 << 40], &[0], 0, None);
        check(&[1; 9], &[1; 9], 0, None);
    }

    #[test]
    fn every_float_format_is_decoded() {
        assert_eq!(Element::F16.decode(&[0x00, 0x3e]), Some(1.5));
        assert_eq!(Element::Bf16.decode(&[0xc0, 0x3f]), Some(1.5));
        assert_eq!(Element::F32.decode(&1.5f32.to_le_bytes()), Some(1.5));
        assert_eq!(Element::F64.decode(&1.5f64.to_le_bytes()), Some(1.5));
        assert_eq!(Element::Whole(8).decode(&[0; 8]), None);
    }
}
