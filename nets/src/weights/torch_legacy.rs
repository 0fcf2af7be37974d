//! PyTorch's file format from before 1.6: five pickles (magic number, protocol, system, state
//! dictionary, keys of the storages), then each storage in the order of the keys: its number of
//! elements as a little-endian i64, and the elements.

use std::collections::BTreeMap;

use super::{
    Arrays, Malformed,
    names::{Global, Pickle, Value},
    structure,
    torch_state::{self, StorageKey},
};

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

pub(super) fn is(bytes: &[u8]) -> bool {
    Pickle::load(bytes, 0).is_ok_and(|pickle| pickle.raw(pickle.root) == Some(&MAGIC))
}

pub(super) fn parse(bytes: &[u8]) -> Result<Arrays, Malformed> {
    let magic = Pickle::load(bytes, 0)?;
    let protocol = Pickle::load(bytes, magic.end)?;
    if protocol.root != Value::Int(PROTOCOL) {
        return Err(structure(format!(
            "it is of PyTorch's protocol {:?}, not {PROTOCOL}",
            protocol.root
        )));
    }
    let system = Pickle::load(bytes, protocol.end)?;
    check_little_endian(&system)?;
    let state = Pickle::load(bytes, system.end)?;
    let keys = Pickle::load(bytes, state.end)?;
    let storages = storages(bytes, &state, &keys)?;
    torch_state::arrays(&state, &|key| storages.get(&key).copied())
}

fn check_little_endian(system: &Pickle<'_>) -> Result<(), Malformed> {
    let pairs = system.pairs(system.root).unwrap_or_default();
    match pairs.iter().find(|(key, _)| system.text(*key) == Some("little_endian")) {
        Some((_, Value::Bool(true))) => Ok(()),
        _ => Err(structure("it was written on a big-endian machine")),
    }
}

/// The bytes of each storage. Element sizes stand in the references to the storages.
fn storages<'a>(
    bytes: &'a [u8],
    state: &Pickle<'a>,
    keys: &Pickle<'a>,
) -> Result<BTreeMap<StorageKey<'a>, &'a [u8]>, Malformed> {
    let sizes: BTreeMap<_, _> = state
        .persistent_ids()
        .filter_map(|id| match *id {
            [_, Value::Global(Global::Storage(kind)), key, ..] => {
                Some((state.text(key)?, kind.element().size()))
            }
            _ => None,
        })
        .collect();
    let mut storages = BTreeMap::new();
    let mut rest = &bytes[keys.end..];
    let names = keys.items(keys.root).ok_or_else(|| structure("it has no list of storages"))?;
    for &name in names {
        let name = keys.text(name).ok_or_else(|| structure("a storage has no name"))?;
        let cut = || structure(format!("it ends inside the storage {name:?}"));
        let size = *sizes
            .get(name)
            .ok_or_else(|| structure(format!("the storage {name:?} has no type")))?;
        let (count, after) = rest.split_first_chunk().ok_or_else(cut)?;
        let len =
            usize::try_from(i64::from_le_bytes(*count)).ok().and_then(|n| n.checked_mul(size));
        let (storage, after) = len.and_then(|len| after.split_at_checked(len)).ok_or_else(cut)?;
        storages.insert(StorageKey(name), storage);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(structure(format!("{} bytes are left over at its end", rest.len())));
    }
    Ok(storages)
}
