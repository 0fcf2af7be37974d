//! State dictionaries as PyTorch pickles them: nested dictionaries of tensors, each a view into a
//! storage that lies outside the pickle.

use super::{
    Arrays, Malformed,
    array::{Element, View},
    collect,
    names::{Global, Pickle, StorageType, Value},
    structure,
};

/// A storage as a tensor refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StorageKey<'a>(pub &'a str);

impl StorageType {
    pub(super) fn element(self) -> Element {
        match self {
            Self::Half => Element::F16,
            Self::BFloat16 => Element::Bf16,
            Self::Float => Element::F32,
            Self::Double => Element::F64,
            Self::Byte | Self::Char | Self::Bool => Element::Whole(1),
            Self::Short => Element::Whole(2),
            Self::Int => Element::Whole(4),
            Self::Long => Element::Whole(8),
        }
    }
}

/// All tensors of the dictionary at the pickle's root; `storage` finds the bytes of a storage.
pub(super) fn arrays<'a>(
    pickle: &Pickle<'a>,
    storage: &dyn Fn(StorageKey<'a>) -> Option<&'a [u8]>,
) -> Result<Arrays, Malformed> {
    collect::arrays(pickle, '.', &mut |collection, name, value| match view(pickle, storage, value)
        .map_err(|fault| {
        structure(format!("{name}: {fault}"))
    })? {
        Some(view) => collection.insert(name, &view),
        None => Ok(()),
    })
}

/// The view that a pickled tensor is; `None` for what is no tensor (numbers, texts).
fn view<'a>(
    pickle: &Pickle<'a>,
    storage: &dyn Fn(StorageKey<'a>) -> Option<&'a [u8]>,
    value: Value,
) -> Result<Option<View<'a>>, Malformed> {
    let (id, offset, shape, strides) = match pickle.call(value) {
        Some((Global::RebuildTensor, &[id, offset, shape, strides, ..], _)) => {
            (id, offset, shape, strides)
        }
        Some((Global::RebuildParameter, &[tensor, ..], _)) => match pickle.call(tensor) {
            Some((Global::RebuildTensor, &[id, offset, shape, strides, ..], _)) => {
                (id, offset, shape, strides)
            }
            _ => return Err(structure("a parameter holds no tensor")),
        },
        Some(_) => return Err(structure("an entry is no tensor")),
        None => return Ok(None),
    };
    let broken = || structure("a tensor is described in an unknown way");
    let (kind, key) = match pickle.persistent(id).ok_or_else(broken)? {
        &[tag, Value::Global(Global::Storage(kind)), key, ..]
            if pickle.text(tag) == Some("storage") =>
        {
            (kind, pickle.text(key).ok_or_else(broken)?)
        }
        _ => return Err(broken()),
    };
    Ok(Some(View {
        element: kind.element(),
        bytes: storage(StorageKey(key))
            .ok_or_else(|| structure(format!("the storage {key:?} is missing")))?,
        offset: pickle.index(offset).ok_or_else(broken)?,
        shape: pickle.indices(shape).ok_or_else(broken)?,
        strides: pickle.indices(strides).ok_or_else(broken)?,
    }))
}
