//! PyTorch's file format since 1.6: a zip archive with `<name>/data.pkl` (the state dictionary)
//! and each storage as `<name>/data/<key>`.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

use zip::ZipArchive;

use super::{
    Arrays, MAX_FILE_LEN, Malformed,
    names::Pickle,
    structure,
    torch_state::{self, StorageKey},
};

const MAX_ENTRIES: usize = 10_000;

pub(super) fn parse(bytes: &[u8]) -> Result<Arrays, Malformed> {
    let entries = unpack(bytes)?;
    let (pickle, folder) = entries
        .iter()
        .find_map(|(name, entry)| Some((entry, name.strip_suffix("data.pkl")?)))
        .ok_or_else(|| structure("it is a zip archive without a data.pkl, so not PyTorch's"))?;
    if entries.get(&format!("{folder}byteorder")).is_some_and(|order| order != b"little") {
        return Err(structure("it was written on a big-endian machine"));
    }
    let state = Pickle::load(pickle, 0)?;
    torch_state::arrays(&state, &|StorageKey(key)| {
        entries.get(&format!("{folder}data/{key}")).map(Vec::as_slice)
    })
}

/// All entries in memory. Their sizes together are bounded, whatever the archive claims.
fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Malformed> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > MAX_ENTRIES {
        return Err(structure(format!("it has {} entries, over {MAX_ENTRIES}", archive.len())));
    }
    let mut left = MAX_FILE_LEN;
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let name = entry.name().to_owned();
        let mut content = vec![];
        entry.take(left + 1).read_to_end(&mut content)?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| structure(format!("it unpacks to over {MAX_FILE_LEN} bytes")))?;
        entries.insert(name, content);
    }
    Ok(entries)
}
