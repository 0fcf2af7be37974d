//! What the operator is told is wrong, gathered from where it is noticed; and the wait for devices
//! that are away.

use std::sync::atomic::AtomicBool;

use wire::{Timestamp, transport::LinkState};

use super::ControlLoop;
use crate::{
    arms::Away, error::ResetFailure, fault::Fault, hub::News, outbox::NoRoom, status::Activity,
    trouble::Trouble,
};

/// What the control loop has noticed itself.
#[derive(Debug, Default)]
pub struct Noticed {
    /// Since when the learner takes nothing, by the host's clock.
    learner_since: Option<Timestamp>,
    /// The teleop device in the newest step.
    pub teleop: Option<Trouble>,
    /// A device that cut the last episode short or a reset.
    device: Option<Trouble>,
}

impl Noticed {
    pub fn fault(&mut self, fault: &Fault) {
        self.device = match fault {
            Fault::CameraLost(reason) => Some(Trouble::Camera { reason: reason.clone() }),
            Fault::ArmFailed(_) | Fault::ArmReflex(_) | Fault::EmergencyStop(_) => {
                Some(Trouble::Arm { reason: fault.to_string() })
            }
            _ => return,
        };
    }

    pub fn failed_reset(&mut self, failure: &ResetFailure) {
        let reason = failure.to_string();
        match failure.cause() {
            ResetFailure::ArmFault(fault) => self.fault(fault),
            ResetFailure::Observation(_) => self.device = Some(Trouble::Camera { reason }),
            ResetFailure::Arm(_) | ResetFailure::GripperClosed { .. } => {
                self.device = Some(Trouble::Arm { reason })
            }
            ResetFailure::Plan(_) | ResetFailure::Fixture(_) | ResetFailure::OfArm { .. } => {}
        }
    }

    /// An episode began: its devices work.
    pub fn began(&mut self) {
        self.device = None;
    }
}

impl ControlLoop {
    pub(super) fn troubles(&mut self, activity: Activity, news: &News) -> Vec<Trouble> {
        let now = self.devices.host_clock.now();
        let noticed = &mut self.noticed;
        let reason = match (&news.link, &news.link_trouble) {
            (LinkState::Connected, trouble) => trouble.clone(),
            (link, _) => Some(link.to_string()),
        };
        if reason.is_none() {
            noticed.learner_since = None;
        }
        let learner = reason.map(|reason| {
            let since = *noticed.learner_since.get_or_insert(now);
            let (since_s, kept) = (now.since(since).as_secs(), self.gauge.depth());
            Trouble::Learner { since_s, kept, reason }
        });
        let storage = self.gauge.no_room().map(|why| match why {
            NoRoom::Outbox => Trouble::OutboxFull,
            NoRoom::Disk => Trouble::DiskFull,
        });
        let cameras = self.devices.senses.troubles().map(|reason| Trouble::Camera { reason });
        let mut troubles: Vec<Trouble> = cameras.collect();
        // What cut the episode short is the same trouble, unless it is the arm's.
        let device = match noticed.device.clone() {
            Some(Trouble::Arm { reason }) if activity == Activity::WaitingForOperator => {
                Some(Trouble::ArmWaits { reason })
            }
            device => device,
        };
        troubles
            .extend(device.filter(|d| troubles.is_empty() || !matches!(d, Trouble::Camera { .. })));
        troubles.extend(noticed.teleop.clone());
        let late = || (!self.sink.has_room()).then_some(Trouble::DiskSlow);
        troubles.extend(storage.or_else(late));
        troubles.extend(learner);
        troubles
    }

    /// After a device failed: waits until the arm is connected and, if a camera was what failed,
    /// every camera gives a picture.
    /// `false` when the actor is to end instead.
    pub(super) fn await_devices(&mut self, shutdown: &AtomicBool) -> bool {
        while self.noticed.device.is_some() && self.is_device_away() {
            if self.must_end(shutdown) {
                return false;
            }
            self.show(Activity::WaitingForDevice);
            let clock = &self.devices.clock;
            clock.sleep_until(clock.now() + self.pacer.period());
        }
        true
    }

    fn is_device_away(&mut self) -> bool {
        let devices = &mut self.devices;
        let poses = match devices.arms.poses_if_there() {
            Ok(poses) => poses,
            Err(Away::NeedsOperator) => return false,
            Err(Away::Gone) => return true,
        };
        matches!(self.noticed.device, Some(Trouble::Camera { .. }))
            && devices.senses.try_cameras(&poses).is_err()
    }
}
