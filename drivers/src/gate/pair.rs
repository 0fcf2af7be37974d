//! Two arms whose stop is one: what stops one stops the other within one pass of its device loop.
//!
//! Each keeps its own gate and its own commands. Either is recovered by itself, first the one that
//! stopped by itself.

use std::sync::{Arc, Mutex, Weak};

use super::{Device, Gate, lock, refusal::Trip};
use crate::arm::{Arm, ArmMode};

/// The other arm of a pair.
pub(super) trait Partner: Send + Sync {
    /// The arm that this one belongs to has stopped.
    fn stop_too(&self);
}

/// Ties two gates. A gate that is dropped stops the other's arm, too.
pub fn pair<A: Arm + 'static, B: Arm + 'static>(left: &Gate<A>, right: &Gate<B>) {
    let (of_left, of_right) = (Arc::downgrade(&right.0), Arc::downgrade(&left.0));
    left.device().partner = Some(of_left);
    right.device().partner = Some(of_right);
}

impl<A: Arm> Partner for Mutex<Device<A>> {
    fn stop_too(&self) {
        let mut device = lock(self);
        let order = device.core.stop_with_partner();
        if let Err(error) = device.carry_out(order) {
            tracing::error!("the other arm of a pair did not take the stop: {error}");
        }
    }
}

impl<A: Arm> Device<A> {
    /// The partner, where it has to stop because of this arm. Only asked while this device is locked;
    /// told when it is no more, for the partner may be asking the same.
    pub(super) fn partner_to_stop(&mut self) -> Option<Arc<dyn Partner>> {
        let partner = self.partner.as_ref()?;
        let Some(partner) = Weak::upgrade(partner) else {
            // It is gone, so this one stops.
            let order = self.core.stop_with_partner();
            if let Err(error) = self.carry_out(order) {
                tracing::error!("an arm of a pair did not take the stop: {error}");
            }
            return None;
        };
        self.is_out().then_some(partner)
    }

    /// The arm stands by a cause of its own.
    fn is_out(&self) -> bool {
        let trip = self.core.refusal().trip();
        match self.arm.state().map(|state| state.value.mode) {
            Err(_) | Ok(ArmMode::Reflex | ArmMode::EmergencyStop | ArmMode::Disconnected) => true,
            Ok(ArmMode::Stopped) => trip != Some(&Trip::Partner),
            Ok(ArmMode::Idle | ArmMode::Running | ArmMode::Holding) => {
                trip.is_some_and(|trip| *trip != Trip::Partner)
            }
        }
    }
}

/// One pass of a device loop, and what it asks of the arm's partner.
pub(super) fn pass<A: Arm>(device: &Mutex<Device<A>>, now: wire::Timestamp) {
    let partner = {
        let mut device = lock(device);
        device.tick(now);
        device.partner_to_stop()
    };
    if let Some(partner) = partner {
        partner.stop_too();
    }
}
