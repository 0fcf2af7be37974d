//! From a choice through the gates to the arms, and how they end.

use std::time::Duration;

use drivers::StopKind;
use wire::{EpisodeId, Timestamp};

use super::ControlLoop;
use crate::{
    arbiter::Choice,
    arms::Departure,
    fault::{Fault, Response},
};

impl ControlLoop {
    /// Sends the chosen action through the gates, each part to be followed for its life at most.
    pub(super) fn command(
        &mut self,
        now: Timestamp,
        choice: &Choice,
        lives: &[Option<Duration>],
    ) -> Result<Vec<Departure>, Fault> {
        let arms = &mut self.devices.arms;
        if choice.handover.is_some() {
            arms.hand_over();
        }
        arms.command(now, self.pacer.period(), &choice.action, lives)
    }

    /// The episode is over: the arms keep their pose, or brake when one of them is what failed.
    pub(super) fn halt(&mut self, fault: Option<&Fault>) {
        let how = match fault.map(Fault::response) {
            None | Some(Response::TruncateEpisode | Response::HoldArm) => StopKind::Hold,
            Some(Response::StopArm) => StopKind::Controlled,
        };
        self.devices.arms.stop(how);
    }

    /// What the gates did in an episode, in one line after it.
    pub(super) fn log_gate(&mut self, episode: EpisodeId) {
        let counts = self.devices.arms.counts();
        let news = counts.since(&self.gate_logged);
        self.gate_logged = counts;
        let did: Vec<_> = news.named().map(|(name, count)| format!("{name} {count}")).collect();
        if news.serious().next().is_some() {
            tracing::warn!(%episode, "the gate: {}", did.join(", "));
        } else if !did.is_empty() {
            tracing::debug!(%episode, "the gate: {}", did.join(", "));
        }
    }
}
