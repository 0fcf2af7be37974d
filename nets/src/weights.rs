//! Weight files of frozen networks: named f32 arrays out of PyTorch, flax and safetensors files.
//!
//! Never runs anything that a file says: the pickle inside PyTorch's and flax's files is read by
//! the crate `pickle`, which builds inert values and knows a short list of names. Lengths are checked
//! before memory is taken.

mod array;
mod collect;
mod flax;
mod names;
mod safetensors_file;
#[cfg(test)]
mod testing;
mod torch_legacy;
mod torch_state;
mod torch_zip;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;

pub use array::Array;
pub use pickle::PickleError;

/// The largest weight file that is read. ResNet-10 has 20 MB, EfficientNet-Lite0 19 MB.
pub const MAX_FILE_LEN: u64 = 512 << 20;

/// The floating-point arrays of a weight file by name. Integer arrays (counters) are left out.
///
/// Names of nested entries are joined with `.` in PyTorch files and with `/` in flax files.
pub type Arrays = BTreeMap<String, Array>;

#[derive(Debug, Error)]
pub enum WeightsError {
    #[error(
        "cannot read the weights {}: {source}; `cargo xtask setup` lays down EfficientNet-Lite0's, \
         docs/setup.md says where ResNet-10's come from, weights = \"random\" does without",
        path.display()
    )]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the weights {} have {len} bytes, over the limit of {MAX_FILE_LEN}: is this the right file?",
        path.display()
    )]
    TooLong { path: PathBuf, len: u64 },
    #[error(
        "cannot use the weights {}: {fault}; fetch the file anew (`cargo xtask setup`) or name another",
        path.display()
    )]
    Malformed { path: PathBuf, fault: Malformed },
}

/// What is wrong with the bytes of a weight file.
#[derive(Debug, Error)]
pub enum Malformed {
    #[error("it is neither a PyTorch, a flax pickle nor a safetensors file")]
    UnknownFormat,
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    #[error(transparent)]
    Safetensors(#[from] safetensors::SafeTensorError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Structure(String),
}

/// Reads a weight file of any known format.
pub fn read(path: &Path) -> Result<Arrays, WeightsError> {
    let failed = |source| WeightsError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    if len > MAX_FILE_LEN {
        return Err(WeightsError::TooLong { path: path.to_owned(), len });
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.by_ref().take(MAX_FILE_LEN).read_to_end(&mut bytes).map_err(failed)?;
    parse(&bytes).map_err(|fault| WeightsError::Malformed { path: path.to_owned(), fault })
}

/// Reads the bytes of a weight file of any known format.
pub fn parse(bytes: &[u8]) -> Result<Arrays, Malformed> {
    match bytes {
        _ if safetensors_file::is(bytes) => safetensors_file::parse(bytes),
        [b'P', b'K', 3, 4, ..] => torch_zip::parse(bytes),
        [0x80, ..] if torch_legacy::is(bytes) => torch_legacy::parse(bytes),
        [0x80, ..] => flax::parse(bytes),
        _ => Err(Malformed::UnknownFormat),
    }
}

fn structure(what: impl Into<String>) -> Malformed {
    Malformed::Structure(what.into())
}

#[cfg(test)]
mod tests;
