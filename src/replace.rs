//! A finished file or folder in the place of an older one.

use std::{fs, path::Path};

use anyhow::Context;
use replay::{DiskStorage, storage::write_atomically};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

/// A file in the place of an older one, whole at any moment.
pub fn replace_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_atomically(&DiskStorage, path, bytes)
        .with_context(|| format!("writing {}", path.display()))
}

/// Gives the folder `new` the name `place`; what had it before is removed. The two change names in one step, so
/// that a kill leaves the one or the other in place, and what it leaves at `new` may be removed. Only where the
/// file system cannot do that there is neither for a moment.
pub fn replace_folder(new: &Path, place: &Path) -> anyhow::Result<()> {
    let making = || format!("making {}", place.display());
    if place.exists() {
        match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
            Ok(()) => return remove_folder(new),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => remove_folder(place)?,
            Err(errno) => return Err(errno).with_context(making),
        }
    }
    fs::rename(new, place).with_context(making)
}

/// Removes a folder, if it is there.
pub fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    match folder.exists() {
        true => fs::remove_dir_all(folder)
            .with_context(|| format!("removing what is left of {}", folder.display())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_the_place_of_another_or_of_none() {
        let parent = tempfile::tempdir().unwrap();
        let (new, place) = (parent.path().join("new"), parent.path().join("place"));
        for text in ["first", "second"] {
            fs::create_dir(&new).unwrap();
            fs::write(new.join("text"), text).unwrap();
            replace_folder(&new, &place).unwrap();
            assert_eq!(fs::read_to_string(place.join("text")).unwrap(), text);
            assert!(!new.exists());
        }
    }
}
