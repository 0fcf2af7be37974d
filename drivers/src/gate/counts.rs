//! How often the gate did what.

use serde::{Deserialize, Serialize};
use wire::GateEvents;

/// One count per kind of event, in the order of `GateEvents::NAMES`. An event that lasts counts
/// once, until it ends or another command comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateCounts([u64; GateEvents::NAMES.len()]);

impl GateCounts {
    pub fn add(&mut self, events: GateEvents) {
        for (count, (event, _)) in self.0.iter_mut().zip(GateEvents::NAMES) {
            *count += u64::from(events.contains(event));
        }
    }

    pub fn of(&self, event: GateEvents) -> u64 {
        self.counted().filter(|(other, ..)| *other == event).map(|(.., count)| count).sum()
    }

    /// Name and count of what happened at all.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counted().filter(|(.., count)| *count > 0).map(|(_, name, count)| (name, count))
    }

    /// As `named`, without the shaping of commands that belongs to everyday learning.
    pub fn serious(&self) -> impl Iterator<Item = (&'static str, u64)> {
        const EVERYDAY: [GateEvents; 7] = [
            GateEvents::WORKSPACE,
            GateEvents::STEP,
            GateEvents::SPEED,
            GateEvents::LEAD,
            GateEvents::PROFILE,
            GateEvents::TAKEOVER,
            GateEvents::GRIPPER,
        ];
        self.counted()
            .filter(|(event, _, count)| *count > 0 && !EVERYDAY.contains(event))
            .map(|(_, name, count)| (name, count))
    }

    /// Of two gates together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    /// What has been added since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].saturating_sub(earlier.0[i])))
    }

    fn counted(&self) -> impl Iterator<Item = (GateEvents, &'static str, u64)> {
        GateEvents::NAMES.into_iter().zip(self.0).map(|((event, name), count)| (event, name, count))
    }
}
