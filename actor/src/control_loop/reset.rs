//! Brings work-piece and arm to where an episode begins. Every motion passes the gate.

use std::sync::atomic::AtomicBool;

use crossbeam_channel::RecvTimeoutError;
use drivers::{ArmMode, ArmState, Command, EpisodeBrief, GuardedArm};
use tasks::{ResetPlan, ResetStep};
use wire::GripperCommand;

use super::{ControlLoop, WAIT_POLL};
use crate::{
    config::OperatorCommand,
    error::{ActorError, ResetFailure},
    pacer::Pacer,
    senses::{Seen, arm_fault},
    status::Activity,
};

impl ControlLoop {
    /// The first observation of the episode, or `None` when the actor is to end.
    pub(super) fn reset(
        &mut self,
        brief: &EpisodeBrief,
        shutdown: &AtomicBool,
    ) -> Result<Option<Seen>, ActorError> {
        self.status.episode = brief.episode;
        self.status.kind = Some(brief.kind);
        self.status.episode_steps = 0;
        self.show(Activity::Resetting);
        if let Some(teleop) = &mut self.devices.teleop {
            teleop.announce(brief);
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            if !self.await_devices(shutdown) || !self.ready_arm(shutdown)? {
                return Ok(None);
            }
            match self.try_reset(brief, shutdown) {
                Ok(seen) => return Ok(seen),
                Err(source) if attempts >= self.config.attempts_max => {
                    return Err(ActorError::Reset { attempts, source });
                }
                Err(error) => {
                    self.noticed.failed_reset(&error);
                    tracing::warn!(episode = %brief.episode, attempts, "a reset failed: {error}");
                }
            }
        }
    }

    /// Recovers an arm that stopped, so many times in a row and no more; then, and after an
    /// emergency stop, the operator has to say so. `false` when the actor is to end.
    fn ready_arm(&mut self, shutdown: &AtomicBool) -> Result<bool, ActorError> {
        let recover = |gate: &mut dyn GuardedArm| {
            gate.recover().map_err(|e| ActorError::Reset { attempts: 0, source: e.into() })
        };
        let mode = self.devices.gate.state().map(|state| state.value.mode);
        match mode {
            Ok(ArmMode::EmergencyStop) => {}
            Ok(ArmMode::Reflex | ArmMode::Stopped) => {
                self.stops_in_a_row += 1;
                if self.stops_in_a_row <= self.config.attempts_max {
                    self.status.faults.recoveries += 1;
                    let times = self.stops_in_a_row;
                    tracing::warn!(times, "the arm was stopped; recovering it");
                    recover(&mut *self.devices.gate)?;
                    return Ok(true);
                }
            }
            _ => return Ok(true),
        }
        if !self.await_operator(shutdown)? {
            return Ok(false);
        }
        recover(&mut *self.devices.gate)?;
        let cleared = self.devices.gate.clear_emergency();
        cleared.map_err(|e| ActorError::Reset { attempts: 0, source: e.into() })?;
        self.stops_in_a_row = 0;
        Ok(true)
    }

    /// Waits for the operator's `Recover`; `false` when the actor is to end.
    fn await_operator(&mut self, shutdown: &AtomicBool) -> Result<bool, ActorError> {
        let Some(operator) = self.devices.operator.clone() else {
            return Err(ActorError::ArmNeedsOperator { times: self.stops_in_a_row });
        };
        let why = self.devices.gate.refusal();
        let why = why.map_or_else(|| "by itself".to_owned(), |trip| trip.to_string());
        tracing::error!("the arm was stopped ({why}) and waits for the operator's `recover`");
        loop {
            // Again and again: the status is not waited for, so that one may be dropped.
            self.show(Activity::WaitingForOperator);
            match operator.recv_timeout(WAIT_POLL) {
                Ok(OperatorCommand::Recover) => return Ok(true),
                Ok(command) => self.asked.note(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ActorError::ArmNeedsOperator { times: self.stops_in_a_row });
                }
            }
            if self.must_end(shutdown) {
                return Ok(false);
            }
        }
    }

    fn try_reset(
        &mut self,
        brief: &EpisodeBrief,
        shutdown: &AtomicBool,
    ) -> Result<Option<Seen>, ResetFailure> {
        let clock = self.devices.clock.clone();
        let mut pacer = Pacer::new(self.pacer.period(), clock.now());
        let mut plan = ResetPlan::new(&self.devices.task, brief.seed);
        // An episode begins with an open gripper: what it holds is let go where it is.
        let gripper = match self.devices.task.action.grippers() {
            0 => GripperCommand::Stay,
            _ => GripperCommand::Open,
        };
        let (mut opening, timeout) = (0, self.devices.task.reset.timeout_steps);
        loop {
            if self.must_end(shutdown) {
                return Ok(None);
            }
            if !self.await_resume(shutdown) {
                return Ok(None);
            }
            let state = self.devices.gate.state()?.value;
            if let Some(fault) = arm_fault(&*self.devices.gate) {
                return Err(ResetFailure::ArmFault(fault));
            }
            match plan.next_target(&state.tcp_pose)? {
                ResetStep::Move(target) => {
                    let command = Command::every(pacer.period(), target).gripping(gripper);
                    self.devices.gate.command(clock.now(), &command)?;
                    clock.sleep_until(pacer.next_deadline(clock.now()));
                }
                ResetStep::PrepareFixture => {
                    // It may take a person a while.
                    self.devices.gate.expect_pause();
                    self.devices.fixture.prepare(brief)?;
                    pacer.restart(clock.now());
                }
                ResetStep::Done(start) if gripper == GripperCommand::Open && !is_open(&state) => {
                    opening += 1;
                    if opening > timeout {
                        return Err(ResetFailure::GripperClosed { steps: timeout });
                    }
                    let command = Command::every(pacer.period(), start).gripping(gripper);
                    self.devices.gate.command(clock.now(), &command)?;
                    clock.sleep_until(pacer.next_deadline(clock.now()));
                }
                ResetStep::Done(start) => {
                    self.map.reset(&start);
                    self.devices.senses.reset(state.tcp_pose);
                    // What the gate did on the way here belongs to no step.
                    self.devices.gate.settle()?;
                    let seen = self.observe();
                    return seen.map(Some).map_err(|e| ResetFailure::Observation(e.to_string()));
                }
            }
        }
    }
}

/// Open enough to begin with.
fn is_open(state: &ArmState) -> bool {
    const OPEN: f64 = 0.95;
    state.gripper.is_some_and(|opening| opening >= OPEN)
}
