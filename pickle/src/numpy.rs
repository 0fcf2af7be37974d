//! numpy arrays and scalars inside pickles: element type, shape, order and bytes.

use std::borrow::Cow;

use thiserror::Error;

use crate::{Label, Pickle, Value};

/// The names by which numpy describes an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Reconstruct,
    FromBuffer,
    Ndarray,
    Dtype,
    Scalar,
    /// Byte strings in protocol 2.
    CodecsEncode,
}

impl Name {
    pub fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("_codecs", "encode") => Self::CodecsEncode,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                Self::Reconstruct
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::FromBuffer,
            ("numpy", "ndarray") => Self::Ndarray,
            ("numpy", "dtype") => Self::Dtype,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArrayError {
    #[error("it is no array")]
    NoArray,
    #[error("it has an unknown element type")]
    Type,
    #[error("its elements are not little-endian")]
    BigEndian,
    #[error("an array of shape {shape:?} has {bytes} bytes")]
    Size { shape: Vec<usize>, bytes: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    Bool,
    /// Of so many bytes.
    Signed(usize),
    Unsigned(usize),
    Float(usize),
}

impl Dtype {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "b1" => Self::Bool,
            "i1" => Self::Signed(1),
            "i2" => Self::Signed(2),
            "i4" => Self::Signed(4),
            "i8" => Self::Signed(8),
            "u1" => Self::Unsigned(1),
            "u2" => Self::Unsigned(2),
            "u4" => Self::Unsigned(4),
            "u8" => Self::Unsigned(8),
            "f2" => Self::Float(2),
            "f4" => Self::Float(4),
            "f8" => Self::Float(8),
            _ => return None,
        })
    }

    pub fn size(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Signed(size) | Self::Unsigned(size) | Self::Float(size) => size,
        }
    }
}

/// An array as it is stored. The bytes fit the shape.
#[derive(Clone, Debug, PartialEq)]
pub struct NdArray<'a> {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// First index fastest, instead of the last.
    pub fortran: bool,
    pub bytes: Cow<'a, [u8]>,
}

/// What a pickled array says of itself.
struct Described<L> {
    shape: Value<L>,
    dtype: Value<L>,
    fortran: bool,
    data: Value<L>,
}

/// An array, or a scalar as an array without axes.
pub fn array<'a, L: Label>(
    pickle: &Pickle<'a, L>,
    value: Value<L>,
) -> Result<NdArray<'a>, ArrayError> {
    let (label, arguments, state) = pickle.call(value).ok_or(ArrayError::NoArray)?;
    match (label.numpy().ok_or(ArrayError::NoArray)?, arguments, state) {
        (Name::Reconstruct, _, Some(state)) => array_from_state(pickle, state),
        (Name::FromBuffer, &[data, dtype, shape, order], _) => {
            let fortran = pickle.text(order).ok_or(ArrayError::NoArray)? == "F";
            assemble(pickle, Described { shape, dtype, fortran, data })
        }
        (Name::Scalar, &[dtype, data], _) => {
            let dtype = element(pickle, dtype)?;
            let bytes = bytes(pickle, data).ok_or(ArrayError::NoArray)?;
            checked(NdArray { dtype, shape: Vec::new(), fortran: false, bytes })
        }
        _ => Err(ArrayError::NoArray),
    }
}

/// The array whose state this is: (version, shape, dtype, Fortran order, data).
pub fn array_from_state<'a, L: Label>(
    pickle: &Pickle<'a, L>,
    state: Value<L>,
) -> Result<NdArray<'a>, ArrayError> {
    match pickle.items(state) {
        Some(&[_, shape, dtype, Value::Bool(fortran), data]) => {
            assemble(pickle, Described { shape, dtype, fortran, data })
        }
        _ => Err(ArrayError::NoArray),
    }
}

fn assemble<'a, L: Label>(
    pickle: &Pickle<'a, L>,
    described: Described<L>,
) -> Result<NdArray<'a>, ArrayError> {
    let dtype = element(pickle, described.dtype)?;
    let shape = pickle.indices(described.shape).ok_or(ArrayError::NoArray)?;
    let bytes = bytes(pickle, described.data).ok_or(ArrayError::NoArray)?;
    checked(NdArray { dtype, shape, fortran: described.fortran, bytes })
}

fn checked(array: NdArray<'_>) -> Result<NdArray<'_>, ArrayError> {
    let len =
        array.shape.iter().try_fold(array.dtype.size(), |len: usize, &dim| len.checked_mul(dim));
    if len != Some(array.bytes.len()) {
        return Err(ArrayError::Size { bytes: array.bytes.len(), shape: array.shape });
    }
    Ok(array)
}

/// dtype('f4', False, True) with the state (3, '<', ...).
fn element<L: Label>(pickle: &Pickle<'_, L>, dtype: Value<L>) -> Result<Dtype, ArrayError> {
    let Some((label, &[name, ..], Some(state))) = pickle.call(dtype) else {
        return Err(ArrayError::Type);
    };
    if label.numpy() != Some(Name::Dtype) {
        return Err(ArrayError::Type);
    }
    let order = pickle.items(state).and_then(|state| pickle.text(*state.get(1)?));
    if !matches!(order, Some("<" | "|" | "=")) {
        return Err(ArrayError::BigEndian);
    }
    pickle.text(name).and_then(Dtype::named).ok_or(ArrayError::Type)
}

/// A byte string, or one that protocol 2 writes as text in Latin-1.
fn bytes<'a, L: Label>(pickle: &Pickle<'a, L>, value: Value<L>) -> Option<Cow<'a, [u8]>> {
    if let Some(bytes) = pickle.raw(value) {
        return Some(bytes.into());
    }
    match pickle.call(value)? {
        (label, &[text, encoding], _)
            if label.numpy() == Some(Name::CodecsEncode) && pickle.text(encoding)? == "latin1" =>
        {
            let bytes: Option<Vec<u8>> =
                pickle.text(text)?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            bytes.map(Into::into)
        }
        _ => None,
    }
}
