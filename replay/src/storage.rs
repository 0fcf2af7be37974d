//! The few things the journal asks of a file system, so that tests can make each of them fail.
//! Implementations: [`DiskStorage`] over `std::fs`, and [`memory::MemoryStorage`] for tests.

use std::{fmt, io, path::Path};

mod disk;
pub mod memory;

pub use disk::DiskStorage;

/// Held for as long as the folder is locked.
pub trait Lock: Send {}

pub trait Storage: Send + Sync + fmt::Debug {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// `None` when someone else holds the lock.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;

    /// Makes a new file; an error when it is there already.
    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    /// Opens a file to write at its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    fn read(&self, path: &Path) -> io::Result<Box<dyn ReadFile>>;

    /// Names of the files in a folder, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Replaces `to` if it is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

pub trait AppendFile: Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `len` bytes; what follows is appended there.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Returns when everything written is on the disk. After an error nobody knows what is.
    fn sync(&mut self) -> io::Result<()>;
}

pub trait ReadFile: Send {
    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// The whole of a file.
pub fn read_whole(storage: &dyn Storage, path: &Path) -> io::Result<Vec<u8>> {
    let mut file = storage.read(path)?;
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Writes a whole file so that after a crash either the old or the new one is there:
/// `<path>.tmp`, fsync, rename, fsync of the folder.
pub fn write_atomically(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    match storage.remove(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = storage.create(&temporary)?;
    file.append(bytes)?;
    file.sync()?;
    storage.rename(&temporary, path)?;
    storage.sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::{
        memory::{Fault, MemoryStorage, Survivors},
        *,
    };

    /// Whichever call fails, and whatever a power cut leaves: the old file or the new one.
    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let path = Path::new("/run/checkpoint");
        for at_call in 0..6 {
            let storage = MemoryStorage::default();
            storage.put(path, b"old".into());
            storage.set_fault(Some(Fault { at_call, dies: true }));
            let done = write_atomically(&storage, path, b"newer");
            for survivors in [Survivors::NOTHING, Survivors::ALL] {
                let after = storage.restarted(survivors).contents(path).expect("one of them");
                let whole = after == b"newer" || (done.is_err() && after == b"old");
                assert!(whole, "call {at_call}: {after:?}");
            }
        }
    }

    #[test]
    fn what_an_earlier_attempt_left_is_no_hindrance() {
        let (storage, path) = (MemoryStorage::default(), Path::new("/run/checkpoint"));
        storage.put(Path::new("/run/checkpoint.tmp"), b"half".into());
        write_atomically(&storage, path, b"whole").expect("no fault");
        assert_eq!(storage.contents(path), Some(b"whole".to_vec()));
    }
}
