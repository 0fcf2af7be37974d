//! Brings work-piece and arm to where an episode begins. Every motion passes the gate.

use std::sync::atomic::AtomicBool;

use drivers::{ArmError, ArmMode, EpisodeBrief};
use tasks::{ResetPlan, ResetStep};

use super::ControlLoop;
use crate::{
    error::{ActorError, ResetFailure},
    pacer::Pacer,
    senses::Seen,
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
            self.ready_arm()?;
            match self.try_reset(brief, shutdown) {
                Ok(seen) => return Ok(seen),
                Err(source) if attempts >= self.config.attempts_max => {
                    return Err(ActorError::Reset { attempts, source });
                }
                Err(error) => {
                    tracing::warn!(episode = %brief.episode, attempts, "a reset failed: {error}");
                }
            }
        }
    }

    /// Recovers an arm that stopped, so many times in a row and no more.
    fn ready_arm(&mut self) -> Result<(), ActorError> {
        let mode = self.devices.gate.state().map(|state| state.value.mode);
        if !matches!(mode, Ok(ArmMode::Reflex | ArmMode::Stopped)) {
            return Ok(());
        }
        self.stops_in_a_row += 1;
        if self.stops_in_a_row > self.config.attempts_max {
            return Err(ActorError::ArmNeedsOperator { times: self.stops_in_a_row });
        }
        self.status.faults.recoveries += 1;
        tracing::warn!(times = self.stops_in_a_row, "the arm was stopped; recovering it");
        self.devices.gate.recover().map_err(|e| ActorError::Reset { attempts: 0, source: e.into() })
    }

    fn try_reset(
        &mut self,
        brief: &EpisodeBrief,
        shutdown: &AtomicBool,
    ) -> Result<Option<Seen>, ResetFailure> {
        let clock = self.devices.clock.clone();
        let mut pacer = Pacer::new(self.pacer.period(), clock.now());
        let mut plan = ResetPlan::new(&self.devices.task, brief.seed);
        loop {
            if self.must_end(shutdown) {
                return Ok(None);
            }
            let state = self.devices.gate.state()?.value;
            if matches!(state.mode, ArmMode::Reflex | ArmMode::Stopped) {
                let what = "it stopped during the reset".to_owned();
                return Err(ArmError::NeedsOperator(what).into());
            }
            match plan.next_target(&state.tcp_pose)? {
                ResetStep::Move(target) => {
                    self.devices.gate.command(clock.now(), &target)?;
                    clock.sleep_until(pacer.next_deadline(clock.now()));
                }
                ResetStep::PrepareFixture => {
                    self.devices.fixture.prepare(brief)?;
                    pacer.restart(clock.now());
                }
                ResetStep::Done(start) => {
                    self.map.reset(&start);
                    self.devices.senses.reset(state.tcp_pose);
                    let seen = self.observe();
                    return seen.map(Some).map_err(|e| ResetFailure::Observation(e.to_string()));
                }
            }
        }
    }
}
