//! Brings work-piece and arm to where an episode begins. Every motion passes the gate.

use std::sync::atomic::AtomicBool;

use crossbeam_channel::RecvTimeoutError;
use drivers::{ArmMode, ArmState, Command, EpisodeBrief};
use tasks::{ResetPlan, ResetStep, TaskConfig};
use wire::{GripperCommand, geometry::Pose};

use super::{ControlLoop, WAIT_POLL};
use crate::{
    arms::Side,
    config::OperatorCommand,
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
        self.devices.arms.announce(brief);
        let mut attempts = 0;
        loop {
            attempts += 1;
            if !self.await_devices(shutdown) || !self.ready_arms(shutdown)? {
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

    /// Recovers arms that stopped, so many times in a row and no more; then, and after an emergency
    /// stop, the operator has to say so. `false` when the actor is to end.
    fn ready_arms(&mut self, shutdown: &AtomicBool) -> Result<bool, ActorError> {
        match self.devices.arms.mode() {
            Some(ArmMode::EmergencyStop) => {}
            Some(ArmMode::Reflex | ArmMode::Stopped) => {
                self.stops_in_a_row += 1;
                if self.stops_in_a_row <= self.config.attempts_max {
                    self.status.faults.recoveries += 1;
                    let (times, what) = (self.stops_in_a_row, self.what_stopped());
                    tracing::warn!(times, "{what}; recovering it");
                    self.recover(false)?;
                    return Ok(true);
                }
            }
            _ => return Ok(true),
        }
        if !self.await_operator(shutdown)? {
            return Ok(false);
        }
        self.recover(true)?;
        self.stops_in_a_row = 0;
        Ok(true)
    }

    fn what_stopped(&self) -> String {
        self.devices.arms.fault().map_or_else(|| "the arm was stopped".into(), |f| f.to_string())
    }

    fn recover(&mut self, allowed: bool) -> Result<(), ActorError> {
        let devices = &mut self.devices;
        let recovered = devices.arms.recover(allowed, &*devices.clock);
        recovered.map_err(|source| ActorError::Reset { attempts: 0, source })
    }

    /// Waits for the operator's `Recover`; `false` when the actor is to end.
    fn await_operator(&mut self, shutdown: &AtomicBool) -> Result<bool, ActorError> {
        let Some(operator) = self.devices.operator.clone() else {
            return Err(ActorError::ArmNeedsOperator { times: self.stops_in_a_row });
        };
        tracing::error!("{}; it waits for the operator's `recover`", self.what_stopped());
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
        let mut ways = self.ways(brief);
        let mut prepared = false;
        loop {
            if self.must_end(shutdown) {
                return Ok(None);
            }
            if !self.await_resume(shutdown) {
                return Ok(None);
            }
            let states = self.arm_states()?;
            if let Some(fault) = self.devices.arms.fault() {
                return Err(ResetFailure::ArmFault(fault));
            }
            let sides = self.devices.arms.sides();
            for ((way, state), side) in ways.iter_mut().zip(&states).zip(sides) {
                way.advance(state).map_err(|failure| side.reset_failure(failure))?;
            }
            if !prepared && ways.iter().all(Way::is_lifted) {
                // It may take a person a while.
                self.devices.arms.expect_pause();
                self.devices.fixture.prepare(brief)?;
                pacer.restart(clock.now());
                prepared = true;
            }
            // One at a time goes over and down, while the other one waits above or at its start.
            if prepared && !ways.iter().any(Way::is_on_its_way) {
                match ways.iter_mut().find(|way| way.is_lifted()) {
                    Some(next) => next.stage = Stage::OnItsWay,
                    None => return self.first_observation(&ways, &states),
                }
                continue;
            }
            for (way, side) in ways.iter().zip(self.devices.arms.sides_mut()) {
                let command = Command::every(pacer.period(), way.target).gripping(way.gripper);
                let sent = side.gate.command(clock.now(), &command);
                sent.map_err(|e| side.reset_failure(e))?;
            }
            clock.sleep_until(pacer.next_deadline(clock.now()));
        }
    }

    fn ways(&self, brief: &EpisodeBrief) -> Vec<Way> {
        let way = |(arm, side): (usize, &Side)| Way::new(&side.task, brief.seed ^ SEEDS[arm]);
        self.devices.arms.sides().iter().enumerate().map(way).collect()
    }

    fn arm_states(&self) -> Result<Vec<ArmState>, ResetFailure> {
        let state = |side: &Side| match side.gate.state() {
            Ok(state) => Ok(state.value),
            Err(error) => Err(side.reset_failure(error)),
        };
        self.devices.arms.sides().iter().map(state).collect()
    }

    /// The arms are at their starts.
    fn first_observation(
        &mut self,
        ways: &[Way],
        states: &[ArmState],
    ) -> Result<Option<Seen>, ResetFailure> {
        let poses: Vec<_> = states.iter().map(|state| state.tcp_pose).collect();
        self.devices.senses.reset(&poses);
        for (way, side) in ways.iter().zip(self.devices.arms.sides_mut()) {
            side.map.reset(&way.plan.start_pose());
            // What the gate did on the way here belongs to no step.
            side.gate.settle().map_err(|e| side.reset_failure(e))?;
        }
        let seen = self.observe();
        seen.map(Some).map_err(|e| ResetFailure::Observation(e.to_string()))
    }
}

/// Of an episode's seed, so that two arms begin at places of their own.
const SEEDS: [u64; 2] = [0, u64::from_le_bytes(*b"second  ")];

/// Where an arm is on its way to its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Lifting,
    /// Out of the way, waiting for the fixture and the other arm.
    Lifted,
    OnItsWay,
    AtItsStart,
}

/// The reset of one arm.
struct Way {
    plan: ResetPlan,
    stage: Stage,
    /// Where it is sent in this step.
    target: Pose,
    /// An episode begins with an open gripper: what it holds is let go where it is.
    gripper: GripperCommand,
    /// Steps at the start with a gripper that is not open yet.
    opening: u32,
    opening_max: u32,
}

impl Way {
    fn new(task: &TaskConfig, seed: u64) -> Self {
        let plan = ResetPlan::new(task, seed);
        Self {
            target: plan.start_pose(),
            plan,
            stage: Stage::Lifting,
            gripper: match task.action.grippers() {
                0 => GripperCommand::Stay,
                _ => GripperCommand::Open,
            },
            opening: 0,
            opening_max: task.reset.timeout_steps,
        }
    }

    fn is_lifted(&self) -> bool {
        self.stage == Stage::Lifted
    }

    fn is_on_its_way(&self) -> bool {
        self.stage == Stage::OnItsWay
    }

    /// What comes next, with the arm at `state`. One that waits keeps its target.
    fn advance(&mut self, state: &ArmState) -> Result<(), ResetFailure> {
        if matches!(self.stage, Stage::Lifted | Stage::AtItsStart) {
            return Ok(());
        }
        match self.plan.next_target(&state.tcp_pose)? {
            ResetStep::Move(target) => self.target = target,
            ResetStep::PrepareFixture => {
                self.target = state.tcp_pose;
                self.stage = Stage::Lifted;
            }
            ResetStep::Done(start) => {
                self.target = start;
                if self.gripper == GripperCommand::Open && !is_open(state) {
                    self.opening += 1;
                    if self.opening > self.opening_max {
                        return Err(ResetFailure::GripperClosed { steps: self.opening_max });
                    }
                } else {
                    self.stage = Stage::AtItsStart;
                }
            }
        }
        Ok(())
    }
}

/// Open enough to begin with.
fn is_open(state: &ArmState) -> bool {
    const OPEN: f64 = 0.95;
    state.gripper.is_some_and(|opening| opening >= OPEN)
}
