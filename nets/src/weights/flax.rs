//! Pickled nested dictionaries of numpy (or jax) arrays, as the HIL-SERL reference keeps its
//! ResNet-10 (`resnet10_params.pkl`).

use super::{
    Arrays, Malformed,
    array::{Element, View, dense_strides},
    collect::{self, Collection},
    pickle::{Global, Pickle, Value},
    structure,
};

pub(super) fn parse(bytes: &[u8]) -> Result<Arrays, Malformed> {
    let pickle = Pickle::load(bytes, 0)?;
    collect::arrays(&pickle, '/', &mut |collection, name, value| {
        add(&pickle, collection, value, name.clone())
            .map_err(|fault| structure(format!("{name}: {fault}")))
    })
}

/// What a pickled array says of itself.
struct Described {
    shape: Value,
    dtype: Value,
    fortran: bool,
    data: Value,
}

fn add(
    pickle: &Pickle<'_>,
    collection: &mut Collection,
    value: Value,
    name: String,
) -> Result<(), Malformed> {
    let broken = || structure("it is no array");
    let described = describe(pickle, value).ok_or_else(broken)?;
    let element = element(pickle, described.dtype)?;
    let shape = pickle.indices(described.shape).ok_or_else(broken)?;
    let strides = if described.fortran {
        let reversed: Vec<_> = shape.iter().rev().copied().collect();
        dense_strides(&reversed).map(|strides| strides.into_iter().rev().collect())
    } else {
        dense_strides(&shape)
    };
    let strides = strides.ok_or_else(|| structure(format!("an array has the shape {shape:?}")))?;
    let bytes = data(pickle, described.data).ok_or_else(broken)?;
    let values = shape.iter().try_fold(element.size(), |n: usize, &dim| n.checked_mul(dim));
    if values != Some(bytes.len()) {
        return Err(structure(format!("an array of shape {shape:?} has {} bytes", bytes.len())));
    }
    collection.insert(name, &View { element, bytes: &bytes, offset: 0, shape, strides })
}

fn describe(pickle: &Pickle<'_>, value: Value) -> Option<Described> {
    match pickle.call(value)? {
        (Global::NumpyReconstruct, _, Some(state)) => from_state(pickle, state),
        // (reconstruct, its arguments, the state, jax's own remarks)
        (Global::JaxArray, &[Value::Global(Global::NumpyReconstruct), _, state, ..], _) => {
            from_state(pickle, state)
        }
        (Global::NumpyFromBuffer, &[data, dtype, shape, order], _) => {
            Some(Described { shape, dtype, fortran: pickle.text(order)? == "F", data })
        }
        _ => None,
    }
}

/// (version, shape, dtype, Fortran order, data)
fn from_state(pickle: &Pickle<'_>, state: Value) -> Option<Described> {
    match *pickle.items(state)? {
        [_, shape, dtype, Value::Bool(fortran), data] => {
            Some(Described { shape, dtype, fortran, data })
        }
        _ => None,
    }
}

/// dtype('f4', False, True) with the state (3, '<', ...).
fn element(pickle: &Pickle<'_>, dtype: Value) -> Result<Element, Malformed> {
    let broken = || structure("it has an unknown element type");
    let Some((Global::NumpyDtype, &[name, ..], Some(state))) = pickle.call(dtype) else {
        return Err(broken());
    };
    let order = pickle.items(state).and_then(|state| pickle.text(*state.get(1)?));
    if !matches!(order, Some("<" | "|" | "=")) {
        return Err(structure("its elements are not little-endian"));
    }
    match pickle.text(name) {
        Some("f2") => Ok(Element::F16),
        Some("f4") => Ok(Element::F32),
        Some("f8") => Ok(Element::F64),
        Some("i1" | "u1" | "b1") => Ok(Element::Whole(1)),
        Some("i2" | "u2") => Ok(Element::Whole(2)),
        Some("i4" | "u4") => Ok(Element::Whole(4)),
        Some("i8" | "u8") => Ok(Element::Whole(8)),
        _ => Err(broken()),
    }
}

/// A byte string, or one that protocol 2 writes as text in Latin-1.
fn data<'a>(pickle: &Pickle<'a>, value: Value) -> Option<std::borrow::Cow<'a, [u8]>> {
    if let Some(bytes) = pickle.raw(value) {
        return Some(bytes.into());
    }
    match pickle.call(value)? {
        (Global::CodecsEncode, &[text, encoding], _) if pickle.text(encoding)? == "latin1" => {
            let bytes: Option<Vec<u8>> =
                pickle.text(text)?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            bytes.map(Into::into)
        }
        _ => None,
    }
}
