//! Notices when the environment pushes back too hard for too long.

use wire::{Timestamp, geometry::Wrench};

use super::limits::ForceLimits;

#[derive(Clone, Debug, Default)]
pub(super) struct ForceWatch {
    above_since: Option<Timestamp>,
}

impl ForceWatch {
    /// Whether force or torque have been above their limit for long enough. A reading that is not
    /// finite counts as above.
    pub fn trips(&mut self, now: Timestamp, wrench: Option<&Wrench>, limits: &ForceLimits) -> bool {
        let above = wrench.is_some_and(|wrench| {
            let (force, torque) = (wrench.force.norm(), wrench.torque.norm());
            !(force <= limits.force_max_n && torque <= limits.torque_max_nm)
        });
        if !above {
            self.above_since = None;
            return false;
        }
        let since = *self.above_since.get_or_insert(now);
        now.since(since) >= limits.time
    }

    pub fn forget(&mut self) {
        self.above_since = None;
    }
}
