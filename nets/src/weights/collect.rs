//! Walks nested dictionaries of arrays, with a budget: a small file must not become a large one by
//! naming the same part again and again.

use super::{
    Arrays, Malformed,
    array::{MAX_VALUES, View},
    names::{Pickle, Value},
    structure,
};

const MAX_DEPTH: usize = 8;
const MAX_ENTRIES: usize = 10_000;
const MAX_NAME_LEN: usize = 300;

/// Collects all arrays below the root. `add` puts the array that an entry is into the collection.
pub(super) fn arrays(
    pickle: &Pickle<'_>,
    separator: char,
    add: &mut dyn FnMut(&mut Collection, String, Value) -> Result<(), Malformed>,
) -> Result<Arrays, Malformed> {
    let mut collection = Collection::default();
    walk(pickle, pickle.root, separator, &mut vec![], &mut collection, add)?;
    Ok(collection.arrays)
}

/// The arrays so far, and what may still be added.
#[derive(Debug, Default)]
pub(super) struct Collection {
    arrays: Arrays,
    entries: usize,
    values: usize,
}

impl Collection {
    pub fn insert(&mut self, name: String, view: &View<'_>) -> Result<(), Malformed> {
        let array = view.to_array().map_err(|fault| structure(format!("{name}: {fault}")))?;
        if let Some(array) = array {
            self.values += array.values.len();
            if self.values > MAX_VALUES {
                return Err(structure(format!("its arrays have over {MAX_VALUES} values")));
            }
            self.arrays.insert(name, array);
        }
        Ok(())
    }

    fn count_entry(&mut self) -> Result<(), Malformed> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(structure(format!("it has over {MAX_ENTRIES} entries")));
        }
        Ok(())
    }
}

fn walk<'a>(
    pickle: &Pickle<'a>,
    dict: Value,
    separator: char,
    path: &mut Vec<&'a str>,
    collection: &mut Collection,
    add: &mut dyn FnMut(&mut Collection, String, Value) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let pairs = pickle.pairs(dict).ok_or_else(|| structure("it holds no dictionary of arrays"))?;
    for &(key, value) in pairs {
        collection.count_entry()?;
        let key = pickle.text(key).ok_or_else(|| structure("an entry's name is no text"))?;
        path.push(key);
        if path.len() > MAX_DEPTH
            || path.iter().map(|part| part.len() + 1).sum::<usize>() > MAX_NAME_LEN
        {
            return Err(structure("its dictionaries are nested too deep or their names too long"));
        }
        if pickle.pairs(value).is_some() {
            walk(pickle, value, separator, path, collection, add)?;
        } else {
            add(collection, path.join(separator.encode_utf8(&mut [0; 4])), value)?;
        }
        path.pop();
    }
    Ok(())
}
