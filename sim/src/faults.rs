//! Faults on purpose, at moments that a script and a seed fix in the cell's time, so that a
//! rehearsal can be repeated. Each wrapper only passes on what it is given while no fault of its
//! own is under way.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use wire::Timestamp;

mod arm;
mod camera;
mod clock;
mod history;
mod latency;
mod steps;
mod teleop;
mod timeline;

pub use arm::FaultyArm;
pub use camera::FaultyCamera;
pub use clock::FaultyClock;
pub use latency::Latency;
pub use steps::StepCounter;
pub use teleop::FaultyTeleop;
pub use timeline::{Moment, Timeline};

/// What goes wrong, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    pub when: When,
    /// Zero for what happens in a moment.
    pub lasts: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    Latency {
        of: Late,
        delay: Duration,
        /// Up to so much more.
        jitter: Duration,
    },
    /// The camera delivers nothing new; all cameras for `None`.
    FramesDropped {
        camera: Option<String>,
        share: f64,
    },
    /// The camera delivers one picture again and again and says that it is new.
    FramesFrozen {
        camera: Option<String>,
    },
    TeleopStuck(TeleopFailure),
    /// The arm stops by itself, and only `recover` ends that.
    ArmReflex,
    ArmLost,
    LinkLost,
    /// A sync of the disk takes so long.
    DiskSlow {
        disk: Disk,
        delay: Duration,
    },
    DiskFull {
        disk: Disk,
    },
    /// The wall clock jumps by so many seconds.
    ClockJump {
        by_s: f64,
    },
}

/// What is late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Late {
    /// All cameras for `None`.
    Camera(Option<String>),
    Teleop,
    Arm,
    Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeleopFailure {
    /// Repeats its last sample and says that it is new.
    Fresh,
    /// Repeats its last sample with its true age.
    Silent,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Actor,
    Learner,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    At(Timestamp),
    /// When so many steps have been driven.
    AtStep(u64),
    Every(Duration),
    /// At moments drawn from the seed, on average so often while it is not under way.
    PerMinute(f64),
}

/// The faults of one run of a process. Clones share the count of steps.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Script>);

#[derive(Debug)]
struct Script {
    seed: u64,
    faults: Vec<Fault>,
    steps: AtomicU64,
    /// For each fault the moment at which its step was reached.
    reached: Vec<Arc<OnceLock<Timestamp>>>,
}

impl Faults {
    pub fn new(seed: u64, faults: Vec<Fault>) -> Self {
        let reached = faults.iter().map(|_| Arc::default()).collect();
        Self(Arc::new(Script { seed, faults, steps: AtomicU64::new(0), reached }))
    }

    /// The faults that `wanted` picks, each with what was picked and when it is under way. Asked
    /// again it gives the same moments.
    pub fn timelines<T>(&self, wanted: impl Fn(&FaultKind) -> Option<T>) -> Vec<(T, Timeline)> {
        let each = self.0.faults.iter().zip(&self.0.reached).enumerate();
        each.filter_map(|(i, (fault, reached))| {
            let wanted = wanted(&fault.kind)?;
            Some((wanted, Timeline::new(fault, self.0.seed, i as u64, reached.clone())))
        })
        .collect()
    }

    /// A step was driven; `now` it is over.
    fn step_done(&self, now: Timestamp) {
        let done = self.0.steps.fetch_add(1, Ordering::Relaxed) + 1;
        for (fault, reached) in self.0.faults.iter().zip(&self.0.reached) {
            if fault.when == When::AtStep(done) {
                reached.get_or_init(|| now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
