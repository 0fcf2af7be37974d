//! `--faults FILE`: things go wrong on purpose. Without it nothing here is in the way of anything.

use std::{path::Path, sync::Arc, time::Duration};

use replay::{DiskStorage, storage::Storage};
use sim::faults::{
    Disk, Fault, FaultKind, Faults, FaultyArm, FaultyCamera, FaultyClock, FaultyTeleop, Late,
    StepCounter, TeleopFailure, When,
};
use tasks::{
    FaultScript,
    faults::{self as script, FaultEntry, Part},
};
use wire::{Clock, Timestamp, transport::LearnerLink};

mod link;
mod storage;

use self::{link::FaultyLink, storage::FaultyStorage};
use crate::parts::cell::{ArmDevices, Devices};

/// Refuses a bad script before anything begins.
pub fn check(file: Option<&Path>) -> anyhow::Result<()> {
    file.map(FaultScript::load).transpose()?;
    Ok(())
}

/// Reads the script that was named, if one was.
pub fn load(file: Option<&Path>) -> anyhow::Result<Option<Faults>> {
    let Some(file) = file else { return Ok(None) };
    let script = FaultScript::load(file)?;
    tracing::warn!(
        script = %file.display(), faults = script.faults.len(), seed = script.seed,
        "things will go wrong on purpose"
    );
    Ok(Some(Faults::new(script.seed, script.faults.iter().map(fault).collect())))
}

/// Stands before every device of a cell, and its wall clock. Of two arms and hands it is the first's that
/// fail: what follows for the second is to be seen.
pub fn around_devices(devices: Devices, faults: &Faults) -> Devices {
    let clock = devices.clock;
    let camera = |camera| Box::new(FaultyCamera::new(camera, faults, clock.clone())) as _;
    let teleop = |teleop| Box::new(FaultyTeleop::new(teleop, faults, clock.clone())) as _;
    let arm = |(i, arm): (usize, ArmDevices)| match i {
        0 => ArmDevices {
            arm: Box::new(FaultyArm::new(arm.arm, faults, clock.clone())),
            teleop: arm.teleop.map(teleop),
            ..arm
        },
        _ => arm,
    };
    Devices {
        arms: devices.arms.into_iter().enumerate().map(arm).collect(),
        cameras: devices.cameras.into_iter().map(camera).collect(),
        fixture: devices.fixture,
        mode: devices.mode,
        success: Box::new(StepCounter::new(devices.success, faults, clock.clone())),
        clock: around_clock(clock, faults),
    }
}

pub fn around_clock(clock: Arc<dyn Clock>, faults: &Faults) -> Arc<dyn Clock> {
    Arc::new(FaultyClock::new(clock, faults))
}

/// The actor's end of the link, with faults by the cell's `clock`.
pub fn around_link(
    link: Arc<dyn LearnerLink>,
    faults: Option<&Faults>,
    clock: Arc<dyn Clock>,
) -> Arc<dyn LearnerLink> {
    match faults {
        None => link,
        Some(faults) => Arc::new(FaultyLink::new(link, faults, clock)),
    }
}

/// The disk of the actor or of the learner, with faults by `clock`.
pub fn disk(faults: Option<&Faults>, of: Disk, clock: Arc<dyn Clock>) -> Arc<dyn Storage> {
    match faults {
        None => Arc::new(DiskStorage),
        Some(faults) => Arc::new(FaultyStorage::new(Arc::new(DiskStorage), faults, of, clock)),
    }
}

/// What the checked script says, in the words of the wrappers.
fn fault(entry: &FaultEntry) -> Fault {
    let lasts = Duration::from_secs_f64(entry.for_s.unwrap_or_default());
    Fault { kind: kind(entry), when: when(entry), lasts }
}

fn when(entry: &FaultEntry) -> When {
    let FaultEntry { at_s, at_step, every_s, per_minute, .. } = entry;
    match (at_s, at_step, every_s, per_minute) {
        (Some(at), ..) => When::At(Timestamp(0) + Duration::from_secs_f64(*at)),
        (_, Some(step), ..) => When::AtStep(*step),
        (_, _, Some(every), _) => When::Every(Duration::from_secs_f64(*every)),
        (.., rate) => When::PerMinute(rate.unwrap_or_default()),
    }
}

fn kind(entry: &FaultEntry) -> FaultKind {
    let camera = entry.camera.clone();
    let delay = Duration::from_millis(entry.ms.unwrap_or_default());
    let jitter = Duration::from_millis(entry.jitter_ms.unwrap_or_default());
    let disk = match entry.of {
        Some(Part::Actor) => Disk::Actor,
        Some(Part::Learner) => Disk::Learner,
        _ => Disk::Both,
    };
    match entry.kind {
        script::FaultKind::Latency => {
            let of = match entry.of {
                Some(Part::Teleop) => Late::Teleop,
                Some(Part::Arm) => Late::Arm,
                Some(Part::Link) => Late::Link,
                _ => Late::Camera(camera),
            };
            FaultKind::Latency { of, delay, jitter }
        }
        script::FaultKind::FramesDropped => {
            FaultKind::FramesDropped { camera, share: entry.share.unwrap_or(1.0) }
        }
        script::FaultKind::FramesFrozen => FaultKind::FramesFrozen { camera },
        script::FaultKind::TeleopStuck => {
            FaultKind::TeleopStuck(match entry.how.unwrap_or_default() {
                script::TeleopFailure::Fresh => TeleopFailure::Fresh,
                script::TeleopFailure::Silent => TeleopFailure::Silent,
                script::TeleopFailure::Gone => TeleopFailure::Gone,
            })
        }
        script::FaultKind::ArmReflex => FaultKind::ArmReflex,
        script::FaultKind::ArmLost => FaultKind::ArmLost,
        script::FaultKind::LinkLost => FaultKind::LinkLost,
        script::FaultKind::DiskSlow => FaultKind::DiskSlow { disk, delay },
        script::FaultKind::DiskFull => FaultKind::DiskFull { disk },
        script::FaultKind::ClockJump => {
            FaultKind::ClockJump { by_s: entry.by_s.unwrap_or_default() }
        }
    }
}
