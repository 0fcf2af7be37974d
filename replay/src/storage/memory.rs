//! A file system in memory that fails at the call it is told to, and that loses in a crash what
//! was not synced. For tests; nothing here is fast.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{AppendFile, Lock, ReadFile, Storage};

/// Which call fails, and what comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 0 over every call that can change anything.
    pub at_call: u64,
    /// The process dies there: every later call fails too.
    pub dies: bool,
}

/// What a power cut leaves of that which was never synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survivors {
    /// Of each file, this many bytes behind the synced ones.
    pub unsynced_bytes: usize,
    /// Creations, renames and removals in folders that were not synced.
    pub unsynced_names: bool,
}

impl Survivors {
    /// Power fails before anything was written back.
    pub const NOTHING: Self = Self { unsynced_bytes: 0, unsynced_names: false };
    /// Only the process was killed: the system writes everything back.
    pub const ALL: Self = Self { unsynced_bytes: usize::MAX, unsynced_names: true };
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// A sync failed: pages count as clean though they never reached the disk, so later syncs
    /// "succeed" without effect.
    sync_broken: bool,
}

impl Content {
    fn after_power_cut(&self, unsynced_bytes: usize) -> Vec<u8> {
        match self.bytes.strip_prefix(&self.synced[..]) {
            Some(tail) => [&self.synced[..], &tail[..tail.len().min(unsynced_bytes)]].concat(),
            None => self.synced.clone(),
        }
    }
}

type Shared = Arc<Mutex<Content>>;

#[derive(Debug, Default)]
struct Inner {
    names: BTreeMap<PathBuf, Shared>,
    durable_names: BTreeMap<PathBuf, Shared>,
    locks: BTreeSet<PathBuf>,
    calls: u64,
    fault: Option<Fault>,
    /// From this call on syncs say that they are done and do nothing.
    lies_from: Option<u64>,
    full: bool,
}

impl Inner {
    /// Counts a call; an error when this is the one that fails.
    fn call(&mut self, what: &str, path: &Path) -> io::Result<()> {
        let call = self.calls;
        self.calls += 1;
        let fails = self.fault.is_some_and(|f| call == f.at_call || (f.dies && call > f.at_call));
        if fails {
            return Err(io::Error::other(format!("made to fail: {what} {}", path.display())));
        }
        Ok(())
    }

    /// Whether the call that was just counted is one of a disk that no longer syncs.
    fn lies(&self) -> bool {
        self.lies_from.is_some_and(|from| self.calls > from)
    }
}

#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<Mutex<Inner>>);

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, path.display().to_string())
}

impl MemoryStorage {
    pub fn failing(fault: Fault) -> Self {
        let storage = Self::default();
        held(&storage.0).fault = Some(fault);
        storage
    }

    /// Calls made so far that can change anything.
    pub fn calls(&self) -> u64 {
        held(&self.0).calls
    }

    /// From now on, this fault alone.
    pub fn set_fault(&self, fault: Option<Fault>) {
        held(&self.0).fault = fault;
    }

    /// A disk that from this call on says it has synced and has not.
    pub fn stop_syncing_from(&self, call: u64) {
        held(&self.0).lies_from = Some(call);
    }

    /// While it is full, nothing that takes room can be written: half of it is.
    pub fn set_full(&self, full: bool) {
        held(&self.0).full = full;
    }

    /// The machine as it comes up again: nobody holds a lock, nothing fails.
    pub fn restarted(&self, survivors: Survivors) -> Self {
        let inner = held(&self.0);
        let names = if survivors.unsynced_names { &inner.names } else { &inner.durable_names };
        let names: BTreeMap<PathBuf, Shared> = names
            .iter()
            .map(|(path, content)| {
                let bytes = held(content).after_power_cut(survivors.unsynced_bytes);
                let content = Content { synced: bytes.clone(), bytes, sync_broken: false };
                (path.clone(), Arc::new(Mutex::new(content)))
            })
            .collect();
        let inner = Inner { durable_names: names.clone(), names, ..Inner::default() };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        held(&self.0).names.get(path).map(|content| held(content).bytes.clone())
    }

    /// Puts a file there, synced; for damaging one on purpose.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let content = Content { synced: bytes.clone(), bytes, sync_broken: false };
        let content = Arc::new(Mutex::new(content));
        let mut inner = held(&self.0);
        inner.names.insert(path.into(), content.clone());
        inner.durable_names.insert(path.into(), content);
    }

    fn open(&self, path: &Path) -> io::Result<Open> {
        let content = held(&self.0).names.get(path).cloned().ok_or_else(|| not_found(path))?;
        Ok(Open { storage: self.clone(), path: path.into(), content })
    }
}

struct MemoryLock {
    storage: MemoryStorage,
    path: PathBuf,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        held(&self.storage.0).locks.remove(&self.path);
    }
}

impl Storage for MemoryStorage {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        held(&self.0).call("create_dir_all", dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut inner = held(&self.0);
        inner.call("lock", path)?;
        if !inner.locks.insert(path.into()) {
            return Ok(None);
        }
        Ok(Some(Box::new(MemoryLock { storage: self.clone(), path: path.into() })))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        {
            let mut inner = held(&self.0);
            inner.call("create", path)?;
            if inner.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            inner.names.insert(path.into(), Shared::default());
        }
        Ok(Box::new(self.open(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        held(&self.0).call("append", path)?;
        Ok(Box::new(self.open(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        Ok(Box::new(self.open(path)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inner = held(&self.0);
        let inside = inner.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.into())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = held(&self.0);
        inner.call("rename", from)?;
        let content = inner.names.remove(from).ok_or_else(|| not_found(from))?;
        inner.names.insert(to.into(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = held(&self.0);
        inner.call("remove", path)?;
        inner.names.remove(path).map(|_| ()).ok_or_else(|| not_found(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = held(&self.0);
        inner.call("sync_dir", dir)?;
        if inner.lies() {
            return Ok(());
        }
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        let now: Vec<_> = inner
            .names
            .iter()
            .filter(|(p, _)| inside(p))
            .map(|(p, c)| (p.clone(), c.clone()))
            .collect();
        inner.durable_names.retain(|path, _| !inside(path));
        inner.durable_names.extend(now);
        Ok(())
    }
}

struct Open {
    storage: MemoryStorage,
    path: PathBuf,
    content: Shared,
}

impl Open {
    fn call(&self, what: &str) -> io::Result<()> {
        held(&self.storage.0).call(what, &self.path)
    }

    fn write_call(&self) -> io::Result<()> {
        self.call("write")?;
        match held(&self.storage.0).full {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl AppendFile for Open {
    /// A write that fails has written half.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let outcome = self.write_call();
        let written = if outcome.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        held(&self.content).bytes.extend_from_slice(written);
        outcome
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.call("truncate")?;
        held(&self.content).bytes.truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let outcome = self.call("sync");
        let lies = held(&self.storage.0).lies();
        let mut content = held(&self.content);
        if lies {
            return outcome;
        }
        if outcome.is_err() {
            content.sync_broken = true;
        } else if !content.sync_broken {
            content.synced = content.bytes.clone();
        }
        outcome
    }
}

impl ReadFile for Open {
    fn len(&self) -> io::Result<u64> {
        Ok(held(&self.content).bytes.len() as u64)
    }

    fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let content = held(&self.content);
        let from = offset as usize;
        let bytes = content.bytes.get(from..from.saturating_add(buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
