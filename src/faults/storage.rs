//! A disk that takes its time, or has no room for a while.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use replay::storage::{AppendFile, Lock, ReadFile, Storage};
use sim::faults::{Disk, FaultKind, Faults, Timeline};
use wire::Clock;

pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    disk: Arc<FaultyDisk>,
}

/// What all files of the disk have in common.
struct FaultyDisk {
    clock: Arc<dyn Clock>,
    faults: Mutex<DiskFaults>,
}

struct DiskFaults {
    slow: Vec<(Duration, Timeline)>,
    full: Vec<((), Timeline)>,
}

impl fmt::Debug for FaultyStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with faults", self.inner)
    }
}

impl FaultyStorage {
    pub fn new(
        inner: Arc<dyn Storage>,
        faults: &Faults,
        ours: Disk,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let hit = |disk: Disk| disk == ours || disk == Disk::Both;
        let slow = faults.timelines(|kind| match kind {
            FaultKind::DiskSlow { disk, delay } => hit(*disk).then_some(*delay),
            _ => None,
        });
        let full = faults.timelines(|kind| match kind {
            FaultKind::DiskFull { disk } => hit(*disk).then_some(()),
            _ => None,
        });
        let faults = Mutex::new(DiskFaults { slow, full });
        Self { inner, disk: Arc::new(FaultyDisk { clock, faults }) }
    }

    fn faulty(&self, inner: Box<dyn AppendFile>) -> Box<dyn AppendFile> {
        Box::new(FaultyFile { inner, disk: self.disk.clone() })
    }
}

impl FaultyDisk {
    fn faults(&self) -> MutexGuard<'_, DiskFaults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self) -> io::Result<()> {
        let now = self.clock.now();
        let full =
            self.faults().full.iter_mut().any(|(_, timeline)| timeline.look(now).is_active());
        if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn take_time(&self) {
        let now = self.clock.now();
        let mut faults = self.faults();
        let slow = faults
            .slow
            .iter_mut()
            .filter_map(|(delay, timeline)| timeline.look(now).is_active().then_some(*delay));
        let delay = slow.sum();
        drop(faults);
        thread::sleep(delay);
    }
}

impl Storage for FaultyStorage {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.inner.lock(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.disk.room()?;
        self.inner.create(path).map(|file| self.faulty(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.inner.append(path).map(|file| self.faulty(file))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        self.inner.read(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.take_time();
        self.inner.sync_dir(dir)
    }
}

struct FaultyFile {
    inner: Box<dyn AppendFile>,
    disk: Arc<FaultyDisk>,
}

impl AppendFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.room()?;
        self.inner.append(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.inner.truncate(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.take_time();
        self.inner.sync()
    }
}
