//! Pickled nested dictionaries of numpy (or jax) arrays, as the HIL-SERL reference keeps its
//! ResNet-10 (`resnet10_params.pkl`).

use pickle::numpy::{self, ArrayError, Dtype, NdArray};

use super::{
    Arrays, Malformed,
    array::{Element, View, dense_strides},
    collect::{self, Collection},
    names::{Global, Pickle, Value},
    structure,
};

pub(super) fn parse(bytes: &[u8]) -> Result<Arrays, Malformed> {
    let pickle = Pickle::load(bytes, 0)?;
    collect::arrays(&pickle, '/', &mut |collection, name, value| {
        add(&pickle, collection, value, name.clone())
            .map_err(|fault| structure(format!("{name}: {fault}")))
    })
}

fn add(
    pickle: &Pickle<'_>,
    collection: &mut Collection,
    value: Value,
    name: String,
) -> Result<(), Malformed> {
    let NdArray { dtype, shape, fortran, bytes } =
        array(pickle, value).map_err(|fault| structure(fault.to_string()))?;
    let strides = if fortran {
        let reversed: Vec<_> = shape.iter().rev().copied().collect();
        dense_strides(&reversed).map(|strides| strides.into_iter().rev().collect())
    } else {
        dense_strides(&shape)
    };
    let strides = strides.ok_or_else(|| structure(format!("an array has the shape {shape:?}")))?;
    let element = element(dtype);
    collection.insert(name, &View { element, bytes: &bytes, offset: 0, shape, strides })
}

fn array<'a>(pickle: &Pickle<'a>, value: Value) -> Result<NdArray<'a>, ArrayError> {
    const RECONSTRUCT: Value = Value::Global(Global::Numpy(numpy::Name::Reconstruct));
    match pickle.call(value) {
        // (reconstruct, its arguments, the state, jax's own remarks)
        Some((Global::JaxArray, &[RECONSTRUCT, _, state, ..], _)) => {
            numpy::array_from_state(pickle, state)
        }
        _ => numpy::array(pickle, value),
    }
}

fn element(dtype: Dtype) -> Element {
    match dtype {
        Dtype::Float(2) => Element::F16,
        Dtype::Float(4) => Element::F32,
        Dtype::Float(_) => Element::F64,
        whole => Element::Whole(whole.size()),
    }
}
