//! From a choice through the gate to the arm, and back to what was executed.

use std::time::Duration;

use drivers::{ArmError, Command, StopKind, gate::Executed};
use wire::{Action, EpisodeId, GateEvents, Timestamp, geometry::Pose};

use super::ControlLoop;
use crate::{
    arbiter::Choice,
    fault::{Fault, Response},
    senses::arm_fault,
};

/// What an action counts from.
pub(super) struct Departure {
    measured: Pose,
    last_target: Option<Pose>,
}

/// What the gate made of it.
pub(super) struct Motion {
    pub target: Pose,
    pub executed: Action,
    pub events: GateEvents,
}

impl ControlLoop {
    /// Sends the chosen action through the gate, to be followed for `life` at most.
    pub(super) fn command(
        &mut self,
        now: Timestamp,
        choice: &Choice,
        life: Option<Duration>,
    ) -> Result<Departure, Fault> {
        let gate = &mut self.devices.gate;
        if choice.handover.is_some() {
            gate.hand_over();
        }
        if let Some(fault) = arm_fault(&**gate) {
            return Err(fault);
        }
        let failed = |e: ArmError| Fault::ArmFailed(e.to_string());
        let measured = gate.state().map_err(failed)?.value.tcp_pose;
        let last_target = gate.target(now);
        let wanted = self.map.target(&choice.action, &measured, last_target.as_ref());
        let mut command =
            Command::every(self.pacer.period(), wanted).gripping(self.map.gripper(&choice.action));
        if let Some(life) = life {
            command.valid_for = command.valid_for.min(life);
        }
        gate.command(now, &command).map_err(failed)?;
        Ok(Departure { measured, last_target })
    }

    /// What the step's command has come to, as the action that would have asked for just that.
    pub(super) fn arrive(&mut self, from: &Departure) -> Result<Motion, Fault> {
        let done = self.devices.gate.settle().map_err(|e| Fault::ArmFailed(e.to_string()))?;
        let Executed { target, gripper, events } = done;
        let last_target = from.last_target.as_ref();
        let executed = self.map.action(&target, gripper, &from.measured, last_target).clipped();
        Ok(Motion { target, executed, events })
    }

    /// The episode is over: the arm keeps its pose, or brakes when it is what failed.
    pub(super) fn halt(&mut self, fault: Option<&Fault>) {
        let how = match fault.map(Fault::response) {
            None | Some(Response::TruncateEpisode | Response::HoldArm) => StopKind::Hold,
            Some(Response::StopArm) => StopKind::Controlled,
        };
        if let Err(error) = self.devices.gate.stop(how) {
            tracing::error!("the arm did not take the stop: {error}");
        }
    }

    /// What the gate did in an episode, in one line after it.
    pub(super) fn log_gate(&mut self, episode: EpisodeId) {
        let counts = self.devices.gate.counts();
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
