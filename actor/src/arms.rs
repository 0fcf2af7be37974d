//! The arms of the cell, one or two: each behind its gate, with the person's hand for it and the map of
//! its part of an action. What holds for all of them is asked here. Of two, what is wrong says which.

use std::time::Duration;

use drivers::{
    ArmError, ArmMode, ArmState, Command, EpisodeBrief, GateCounts, GuardedArm, StopKind, Teleop,
    TeleopSample,
    gate::{Executed, Trip},
};
use tasks::{ActionMap, TaskConfig};
use wire::{Action, Clock, GateEvents, Mark, Timestamp, geometry::Pose};

use crate::{
    arbiter::Hand, config::ArmParts, error::ResetFailure, fault::Fault, teleop_watch::TeleopWatch,
    trouble::Trouble,
};

/// What an arm is called in words for people.
const ALONE: &str = "the arm";
const OF_TWO: [&str; 2] = ["the first arm", "the second arm"];

/// Two arms that stop each other may have to be recovered more than once.
const RECOVERIES: usize = 3;
/// How long a recovered arm may take to be ready, before the other one is recovered.
const READY_WITHIN: Duration = Duration::from_secs(2);
const READY_POLL: Duration = Duration::from_millis(20);

/// One arm, and what goes with it.
pub struct Side {
    name: &'static str,
    pub gate: Box<dyn GuardedArm>,
    teleop: Option<Box<dyn Teleop>>,
    teleop_age_max: Duration,
    teleop_watch: TeleopWatch,
    pub map: ActionMap,
    /// The task as this arm has it.
    pub task: TaskConfig,
}

/// In the order of actions and observations.
pub struct Arms(Vec<Side>);

/// What an arm's part of an action counts from.
pub struct Departure {
    measured: Pose,
    last_target: Option<Pose>,
}

/// What the gates made of an action.
pub struct Motion {
    /// One for each arm.
    pub targets: Vec<Pose>,
    pub executed: Action,
    pub events: GateEvents,
}

/// What the hand for an arm does.
pub struct HandSeen {
    pub hand: Hand,
    /// How long the command may be followed, where the hand has a dead man's handle.
    pub life: Option<Duration>,
    pub trouble: Option<Trouble>,
}

impl HandSeen {
    fn resting() -> Self {
        Self { hand: Hand::Resting, life: None, trouble: None }
    }

    fn lost(trouble: Trouble) -> Self {
        Self { hand: Hand::Lost, life: None, trouble: Some(trouble) }
    }
}

impl Side {
    /// Only of two arms it has to be said which.
    fn told(&self, what: String) -> String {
        if self.name == ALONE { what } else { format!("{}: {what}", self.name) }
    }

    fn failed(&self, error: &ArmError) -> Fault {
        Fault::ArmFailed(self.told(error.to_string()))
    }

    /// What went wrong in a reset, with the arm's name where there are two.
    pub fn reset_failure(&self, failure: impl Into<ResetFailure>) -> ResetFailure {
        let failure = failure.into();
        match self.name {
            ALONE => failure,
            arm => ResetFailure::OfArm { arm, source: Box::new(failure) },
        }
    }

    /// What the arm measures, whatever its mode.
    pub fn state(&self) -> Result<ArmState, Fault> {
        let state = self.gate.state().map_err(|e| self.failed(&e))?.value;
        if state.mode == ArmMode::Disconnected {
            return Err(Fault::ArmFailed(format!("{} is disconnected", self.name)));
        }
        Ok(state)
    }

    /// What a gripper that is silent, or not there, is told of.
    pub fn silent_gripper(&self) -> Fault {
        let silent = "it does not say how far it is open, and the task needs that";
        self.failed(&ArmError::Gripper(silent.into()))
    }

    /// Why the arm cannot be commanded just now, if so.
    fn fault(&self) -> Option<Fault> {
        let state = match self.state() {
            Ok(state) => state,
            Err(fault) => return Some(fault),
        };
        let why = || match self.gate.refusal() {
            Some(trip) => trip.to_string(),
            None => "by itself".into(),
        };
        let name = self.name;
        match state.mode {
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding => None,
            ArmMode::Reflex => Some(Fault::ArmReflex(format!("{name} was stopped: {}", why()))),
            ArmMode::EmergencyStop => {
                Some(Fault::EmergencyStop(format!("{name} was stopped: {}", why())))
            }
            ArmMode::Stopped => Some(Fault::ArmFailed(format!("{name} is stopped: {}", why()))),
            ArmMode::Disconnected => Some(Fault::ArmFailed(format!("{name} is disconnected"))),
        }
    }

    fn mode(&self) -> Option<ArmMode> {
        self.gate.state().ok().map(|state| state.value.mode)
    }

    fn is_stopped(&self) -> bool {
        matches!(self.mode(), Some(ArmMode::Reflex | ArmMode::Stopped | ArmMode::EmergencyStop))
    }

    /// It stopped because the other arm did.
    fn follows_partner(&self) -> bool {
        self.gate.refusal() == Some(Trip::Partner)
    }

    /// Sends the arm's part of an action through its gate, to be followed for `life` at most.
    fn command(
        &mut self,
        now: Timestamp,
        period: Duration,
        action: &Action,
        life: Option<Duration>,
    ) -> Result<Departure, Fault> {
        let measured = self.gate.state().map_err(|e| self.failed(&e))?.value.tcp_pose;
        let last_target = self.gate.target(now);
        let wanted = self.map.target(action, &measured, last_target.as_ref());
        let mut command = Command::every(period, wanted).gripping(self.map.gripper(action));
        if let Some(life) = life {
            command.valid_for = command.valid_for.min(life);
        }
        self.gate.command(now, &command).map_err(|e| self.failed(&e))?;
        Ok(Departure { measured, last_target })
    }

    /// What the hand for this arm does, which is at `tcp_pose`.
    fn hand(&mut self, now: Timestamp, tcp_pose: &Pose) -> HandSeen {
        let Some(teleop) = &mut self.teleop else { return HandSeen::resting() };
        let sample = teleop.sample();
        let dead_man = teleop.dead_man();
        let age_max = dead_man.unwrap_or(self.teleop_age_max);
        if dead_man.is_some() {
            self.teleop_watch.forget();
        } else if let Ok(sample) = &sample
            && self.teleop_watch.is_stuck(now, &sample.value)
        {
            return HandSeen::lost(Trouble::TeleopStuck);
        }
        match sample {
            Ok(sample)
                if now.since(sample.at) <= age_max
                    && sample.value.twist.iter().all(|x| x.is_finite()) =>
            {
                if !sample.value.engaged {
                    return HandSeen::resting();
                }
                let TeleopSample { twist, gripper, .. } = &sample.value;
                let action = self.map.from_teleop(twist, *gripper, &tcp_pose.rotation);
                let age = now.since(sample.at);
                let life = dead_man.map(|dead_man| dead_man.saturating_sub(age));
                HandSeen { hand: Hand::Engaged(action.clipped()), life, trouble: None }
            }
            _ => HandSeen::lost(Trouble::TeleopLost),
        }
    }
}

impl Arms {
    pub fn new(
        task: &TaskConfig,
        parts: Vec<ArmParts>,
        teleop_same_max: Duration,
    ) -> Result<Self, String> {
        let (wanted, there) = (task.arms(), parts.len());
        if wanted != there {
            return Err(format!(
                "the task moves {wanted} arms, the cell has {there}: [second.reset] in the task file and \
                 [second] in the cell file go together"
            ));
        }
        let names: &[&'static str] = if there == 1 { &[ALONE] } else { &OF_TWO };
        let tasks = task.arm_tasks();
        let side = |((name, parts), task): ((&&'static str, ArmParts), TaskConfig)| Side {
            name,
            gate: parts.gate,
            teleop: parts.teleop,
            teleop_age_max: parts.teleop_age_max,
            teleop_watch: TeleopWatch::new(teleop_same_max),
            map: ActionMap::new(&task),
            task,
        };
        Ok(Self(names.iter().zip(parts).zip(tasks).map(side).collect()))
    }

    pub fn sides(&self) -> &[Side] {
        &self.0
    }

    pub fn sides_mut(&mut self) -> &mut [Side] {
        &mut self.0
    }

    /// Why they cannot be commanded just now, if so. Of two that are stopped it is told of the one that
    /// the other one stopped with.
    pub fn fault(&self) -> Option<Fault> {
        let faults = self.0.iter().filter_map(|side| Some((side, side.fault()?)));
        faults.min_by_key(|(side, _)| side.follows_partner()).map(|(_, fault)| fault)
    }

    /// Of two, why one of them stopped by itself.
    fn partners_fault(&self) -> Option<Fault> {
        let by_itself = self.0.iter().filter(|side| !side.follows_partner());
        by_itself.filter_map(Side::fault).next().filter(|_| self.0.len() > 1)
    }

    /// The most serious of what they are in.
    pub fn mode(&self) -> Option<ArmMode> {
        let severity = |mode: &ArmMode| match mode {
            ArmMode::EmergencyStop => 2,
            ArmMode::Reflex | ArmMode::Stopped => 1,
            ArmMode::Idle | ArmMode::Running | ArmMode::Holding | ArmMode::Disconnected => 0,
        };
        self.0.iter().filter_map(Side::mode).max_by_key(severity)
    }

    /// Where they are, unless one of them is away. What needs the operator is there.
    pub fn poses_if_there(&self) -> Result<Vec<Pose>, Away> {
        let pose = |side: &Side| match side.gate.state() {
            Ok(state) if state.value.mode != ArmMode::Disconnected => Ok(state.value.tcp_pose),
            Err(ArmError::NeedsOperator(_)) => Err(Away::NeedsOperator),
            _ => Err(Away::Gone),
        };
        self.0.iter().map(pose).collect()
    }

    /// What the gates have done, together.
    pub fn counts(&self) -> GateCounts {
        let counts = self.0.iter().map(|side| side.gate.counts());
        counts.fold(GateCounts::default(), |sum, counts| sum.with(&counts))
    }

    pub fn expect_pause(&mut self) {
        self.0.iter_mut().for_each(|side| side.gate.expect_pause());
    }

    pub fn hand_over(&mut self) {
        self.0.iter_mut().for_each(|side| side.gate.hand_over());
    }

    pub fn stop(&mut self, how: StopKind) {
        for side in &mut self.0 {
            if let Err(error) = side.gate.stop(how) {
                tracing::error!("{} did not take the stop: {error}", side.name);
            }
        }
    }

    pub fn emergency_stop(&mut self, why: &str) {
        for side in &mut self.0 {
            if let Err(error) = side.gate.emergency_stop(why) {
                tracing::error!("{} did not take the emergency stop: {error}", side.name);
            }
        }
    }

    /// Ends their stops; also an emergency stop where the operator has `allowed` it. Of two, first those
    /// that stopped by themselves: while one is out, the other one is stopped again.
    pub fn recover(&mut self, allowed: bool, clock: &dyn Clock) -> Result<(), ResetFailure> {
        if let [alone] = self.0.as_mut_slice() {
            return alone.recover(allowed);
        }
        for _ in 0..RECOVERIES {
            let stopped: Vec<usize> =
                (0..self.0.len()).filter(|arm| self.0[*arm].is_stopped()).collect();
            let of_its_own: Vec<usize> =
                stopped.iter().copied().filter(|arm| !self.0[*arm].follows_partner()).collect();
            let next = if of_its_own.is_empty() { stopped } else { of_its_own };
            if next.is_empty() {
                break;
            }
            for arm in &next {
                self.0[*arm].recover(allowed)?;
            }
            let until = clock.now() + READY_WITHIN;
            while clock.now() < until && next.iter().any(|arm| self.0[*arm].is_stopped()) {
                clock.sleep_until(clock.now() + READY_POLL);
            }
        }
        Ok(())
    }

    pub fn has_a_hand(&self) -> bool {
        self.0.iter().any(|side| side.teleop.is_some())
    }

    pub fn announce(&mut self, brief: &EpisodeBrief) {
        let hands = self.0.iter_mut().filter_map(|side| side.teleop.as_mut());
        hands.for_each(|hand| hand.announce(brief));
    }

    /// Nobody listened to the hands for a while.
    pub fn forget_hands(&mut self) {
        self.0.iter_mut().for_each(|side| side.teleop_watch.forget());
    }

    /// What the person says on any of the devices; of two words a failure counts.
    pub fn mark(&mut self) -> Option<Mark> {
        let hands = self.0.iter_mut().filter_map(|side| side.teleop.as_mut());
        let marks: Vec<Mark> = hands.filter_map(|hand| hand.mark()).collect();
        let failure = marks.iter().find(|mark| **mark == Mark::Failure);
        failure.or(marks.first()).copied()
    }

    /// What each hand does, in the order of the arms.
    pub fn hands(&mut self, now: Timestamp, tcp_poses: &[Pose]) -> Vec<HandSeen> {
        self.0.iter_mut().zip(tcp_poses).map(|(side, pose)| side.hand(now, pose)).collect()
    }

    /// What the person wants of all arms. Whose hand is on one device takes over the whole step: an arm
    /// whose own hand rests or is lost stands still.
    pub fn joined(&self, hands: &[HandSeen]) -> Hand {
        let is_engaged = |seen: &HandSeen| matches!(seen.hand, Hand::Engaged(_));
        if !hands.iter().any(is_engaged) {
            let is_lost = hands.iter().any(|seen| seen.hand == Hand::Lost);
            return if is_lost { Hand::Lost } else { Hand::Resting };
        }
        let part = |(side, seen): (&Side, &HandSeen)| match &seen.hand {
            Hand::Engaged(action) => action.clone(),
            Hand::Resting | Hand::Lost => Action::zeros(side.task.action_spec().dim),
        };
        Hand::Engaged(together(self.0.iter().zip(hands).map(part)))
    }

    /// Sends each arm its part of `action`, to be followed for its life in `lives` at most.
    pub fn command(
        &mut self,
        now: Timestamp,
        period: Duration,
        action: &Action,
        lives: &[Option<Duration>],
    ) -> Result<Vec<Departure>, Fault> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let width = action.dim() / self.0.len();
        let parts = action.as_slice().chunks(width.max(1)).map(Action::from_slice);
        let lives = lives.iter().copied().chain(std::iter::repeat(None));
        let each = self.0.iter_mut().zip(parts).zip(lives);
        let sent: Result<Vec<_>, _> =
            each.map(|((side, part), life)| side.command(now, period, &part, life)).collect();
        // One that is stopped with the other in this moment does not say why.
        sent.map_err(|fault| self.partners_fault().unwrap_or(fault))
    }

    /// What the step's commands have come to, as the action that would have asked for just that.
    pub fn arrive(&mut self, from: &[Departure]) -> Result<Motion, Fault> {
        let mut targets = Vec::with_capacity(self.0.len());
        let mut executed = Vec::with_capacity(self.0.len());
        let mut all = GateEvents::default();
        for (side, from) in self.0.iter_mut().zip(from) {
            let done = side.gate.settle();
            let Executed { target, gripper, events } = done.map_err(|e| side.failed(&e))?;
            let last_target = from.last_target.as_ref();
            executed.push(side.map.action(&target, gripper, &from.measured, last_target));
            targets.push(target);
            all = all.with(events);
        }
        Ok(Motion { targets, executed: together(executed.into_iter()).clipped(), events: all })
    }
}

impl Side {
    fn recover(&mut self, allowed: bool) -> Result<(), ResetFailure> {
        self.gate.recover().map_err(|e| self.reset_failure(e))?;
        if allowed {
            self.gate.clear_emergency().map_err(|e| self.reset_failure(e))?;
        }
        Ok(())
    }
}

/// Why it is not known where the arms are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// What it needs is not to be waited for.
    NeedsOperator,
    Gone,
}

/// The parts of an action, in the order of the arms.
fn together(parts: impl Iterator<Item = Action>) -> Action {
    Action(parts.flat_map(|part| part.0).collect())
}
