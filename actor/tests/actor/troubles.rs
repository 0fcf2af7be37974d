//! What fails is seen, answered, and told to the operator with the remedy while it lasts.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actor::{Activity, Coupling, StatusSlot};
use replay::{
    DiskStorage,
    storage::{AppendFile, Lock, ReadFile, Storage},
};
use wire::{Clock, Timestamp, UnixNanos};

use crate::{
    cell::Cell,
    rig::{Rig, train},
};

/// Reads the status each time that the actor waits for time to pass.
struct Witness {
    clock: Arc<dyn Clock>,
    status: StatusSlot,
    told: Mutex<BTreeSet<String>>,
}

impl Clock for Witness {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn sleep_until(&self, deadline: Timestamp) {
        let status = self.status.get();
        let words = status.troubles.iter().map(|trouble| format!("{}: {trouble}", status.activity));
        self.told.lock().expect("no panic").extend(words);
        self.clock.sleep_until(deadline);
    }

    fn wall_now(&self) -> UnixNanos {
        self.clock.wall_now()
    }
}

/// Runs the script; the operator has been told each of `told` at some time, and is told nothing
/// once all is well.
#[track_caller]
fn check(rig: Rig, scripts: &[&str], recorded: &str, told: &[&str]) {
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), scripts);
    let (config, mut parts) = rig.parts(&cell);
    let clock = parts.clock.clone();
    let witness = Arc::new(Witness { clock, status: rig.status.clone(), told: Mutex::default() });
    parts.clock = witness.clone();
    let summary = actor::run(config, parts, rig.shutdown.clone()).expect("a run");
    assert_eq!(rig.recorded(), recorded);
    assert_eq!(summary.unsent, 0);
    rig.check_successors();
    let heard = witness.told.lock().expect("no panic");
    for words in told {
        assert!(heard.iter().any(|line| line.contains(words)), "no {words:?} in {heard:#?}");
    }
    assert_eq!(rig.status.get().troubles, []);
}

#[test]
fn a_frozen_camera_ends_the_episode_and_is_waited_for() {
    let mut rig = Rig::new(train(5));
    rig.config.stale_frames_max = 1;
    rig.policy_x = 0.9;
    // Its pictures claim to be new. The second sight of one is where it counts from, and the next
    // cannot tell: it is 9 mm further.
    rig.camera = Some("++=====".into());
    let frozen = "driving: camera wrist is frozen: the arm moved";
    let waiting = "waiting for a device: camera wrist is frozen";
    check(rig, &["."], "T:ppppF T:pppppL", &[frozen, waiting, "look at its cable"]);
}

#[test]
fn an_arm_at_rest_may_see_the_same_picture_for_long() {
    let mut rig = Rig::new(train(5));
    rig.config.stale_frames_max = 0;
    rig.policy_x = 0.0;
    rig.camera = Some("+======".into());
    check(rig, &["."], "T:pppppL", &[]);
}

#[test]
fn a_camera_that_is_away_is_waited_for() {
    let mut rig = Rig::new(train(4));
    rig.config.stale_frames_max = 1;
    rig.camera = Some("++----------".into());
    check(rig, &["."], "T:ppF T:pppppL", &["waiting for a device: camera wrist"]);
}

#[test]
fn a_stuck_teleop_device_holds_the_arm_and_does_not_give_it_back() {
    let mut rig = Rig::new(train(5));
    rig.config.teleop_same_max = Duration::from_millis(200);
    check(rig, &["HHHHH"], "T:HHHhhL", &["the teleop device repeats itself and the arm holds"]);
}

#[test]
fn a_teleop_device_that_is_gone_is_told() {
    check(Rig::new(train(5)), &[".Hxx."], "T:pHhhhL", &["the teleop device is silent"]);
}

#[test]
fn an_arm_that_is_away_is_waited_for() {
    let told = ["waiting for a device: the arm is disconnected"];
    check(Rig::new(train(4)), &["..A", "."], "T:ppF T:pppppL", &told);
}

#[test]
fn an_arm_that_stopped_by_itself_is_told() {
    check(
        Rig::new(train(6)),
        &["..R", "."],
        "T:ppF T:pppppL",
        &["resetting: the arm was stopped", "it goes on by itself when the arm is ready"],
    );
}

/// A disk that has no room while the closure says so.
#[derive(Clone)]
struct Disk(Arc<dyn Fn() -> bool + Send + Sync>);

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a disk that fills up")
    }
}

impl Disk {
    fn room(&self) -> std::io::Result<()> {
        if (self.0)() { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Storage for Disk {
    fn create_dir_all(&self, dir: &Path) -> std::io::Result<()> {
        DiskStorage.create_dir_all(dir)
    }
    fn lock(&self, path: &Path) -> std::io::Result<Option<Box<dyn Lock>>> {
        DiskStorage.lock(path)
    }
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn AppendFile>> {
        self.room()?;
        Ok(Box::new(File(DiskStorage.create(path)?, self.clone())))
    }
    fn append(&self, path: &Path) -> std::io::Result<Box<dyn AppendFile>> {
        Ok(Box::new(File(DiskStorage.append(path)?, self.clone())))
    }
    fn read(&self, path: &Path) -> std::io::Result<Box<dyn ReadFile>> {
        DiskStorage.read(path)
    }
    fn list(&self, dir: &Path) -> std::io::Result<Vec<String>> {
        DiskStorage.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        DiskStorage.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        DiskStorage.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        DiskStorage.sync_dir(dir)
    }
}

struct File(Box<dyn AppendFile>, Disk);

impl AppendFile for File {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.1.room()?;
        self.0.append(bytes)
    }
    fn truncate(&mut self, len: u64) -> std::io::Result<()> {
        self.0.truncate(len)
    }
    fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_full_disk_ends_the_episode_loses_nothing_and_is_waited_for() {
    let mut rig = Rig::new(train(8));
    let (clock, begins) = (rig.clock.clone(), Mutex::new(None));
    let learner = rig.learner.clone();
    // It fills up when the learner has the first two steps, and is full for 3 s.
    rig.storage = Arc::new(Disk(Arc::new(move || {
        let now = clock.now();
        let mut begins = begins.lock().expect("no panic");
        if begins.is_none() && learner.state().records.len() == 3 {
            *begins = Some(now);
        }
        begins.is_some_and(|begins| now.since(begins) < Duration::from_secs(3))
    })));
    let told = ["waiting for room for records: the disk is full: make room"];
    check(rig, &["."], "T:ppppF T:pppppL", &told);
}

#[test]
fn with_threads_too() {
    let mut rig = Rig::new(train(200));
    rig.config.coupling = Coupling::Threads;
    let full = Arc::new(AtomicBool::new(false));
    let (disk, learner) = (full.clone(), rig.learner.clone());
    rig.storage = Arc::new(Disk(Arc::new(move || disk.load(Ordering::SeqCst))));
    let status = rig.status.clone();
    let person = std::thread::Builder::new().name("person".into()).spawn(move || {
        while learner.state().records.len() < 20 {
            std::thread::yield_now();
        }
        full.store(true, Ordering::SeqCst);
        let said = loop {
            let now = status.get();
            let said = now.to_string();
            if said.contains("the disk is full: make room") || now.activity == Activity::Ended {
                break said;
            }
            std::thread::yield_now();
        };
        full.store(false, Ordering::SeqCst);
        said
    });
    let summary = rig.run(&["."]).1.expect("a run");
    let said = person.expect("a thread").join().expect("no panic");
    assert!(said.contains("the disk is full: make room"), "{said}");
    assert_eq!(summary.unsent, 0);
    assert!(rig.recorded().contains('F'), "{}", rig.recorded());
    rig.check_successors();
}

#[test]
fn a_learner_that_is_away_is_told_with_what_is_kept() {
    let mut rig = Rig::new(train(10));
    rig.learner.state().gone_after = Some(4);
    rig.config.drain_timeout = Duration::ZERO;
    rig.run(&["."]).1.expect("a run");
    let said = rig.status.get().to_string();
    assert!(said.contains("the learner takes nothing since"), "{said}");
    assert!(said.contains("10 records are kept here"), "{said}");
}
