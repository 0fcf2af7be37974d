//! What the gate decides, without a device and without a clock: states and times in, orders out.

mod device_loop;

use wire::{GateEvents, GripperCommand, Timestamp, geometry::Pose};

use super::{
    Command, Executed, GateCounts, GateLimits, GateReport, SafeTarget,
    force::ForceWatch,
    goal::{Situation, limit, normalised},
    profile::Profile,
    refusal::{Refusal, Trip},
};
use crate::{
    Stamped,
    arm::{ArmMode, ArmState, Jacobian, StopKind},
};

/// Nearer to its goal than this a target has arrived (m, rad).
const ARRIVED: f64 = 1e-6;

/// What the device loop sees of the arm.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen<'a> {
    /// None when the arm gave no state, or one that is not finite.
    pub state: Option<&'a Stamped<ArmState>>,
    pub joint_ends: &'a [[f64; 2]],
    pub jacobian: Option<&'a Jacobian>,
}

/// What the arm is to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Nothing,
    Move(SafeTarget),
    Stop(StopKind),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Lease {
    goal: Pose,
    commanded_at: Timestamp,
    until: Timestamp,
    /// Its end was announced: the arm holds and is not stopped.
    pauses: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Nothing to follow, and nobody who should have said something.
    Resting,
    Following(Lease),
    /// Away from a contact; then the arm holds.
    BackingOff(Lease),
    /// Since a lease ended or a rule stopped the motion; without a command a stop follows.
    Holding {
        since: Timestamp,
    },
    Stopped,
}

#[derive(Clone, Debug)]
pub(super) struct Core {
    limits: GateLimits,
    phase: Phase,
    profile: Option<Profile>,
    refusal: Refusal,
    force: ForceWatch,
    /// When another hand took over.
    taken_over_at: Option<Timestamp>,
    /// The hand has changed: the next goal starts from the measured pose.
    start_from_measured: bool,
    last_tick: Timestamp,
    /// Time of the last state that could be used.
    seen_at: Timestamp,
    /// Where the arm holds or was sent last.
    executed: Option<Pose>,
    /// Since they were taken last.
    events: GateEvents,
    counts: GateCounts,
}

impl Core {
    pub fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            phase: Phase::Resting,
            profile: None,
            refusal: Refusal::default(),
            force: ForceWatch::default(),
            taken_over_at: None,
            start_from_measured: false,
            last_tick: Timestamp(0),
            seen_at: Timestamp(0),
            executed: None,
            events: GateEvents::default(),
            counts: GateCounts::default(),
        }
    }

    pub fn limits(&self) -> &GateLimits {
        &self.limits
    }

    pub fn counts(&self) -> &GateCounts {
        &self.counts
    }

    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The mode that users of the gate see: what the gate refuses for, before what the arm says.
    pub fn mode(&self, arm: ArmMode) -> ArmMode {
        match (&self.refusal, self.phase) {
            (refusal, _) if refusal.is_emergency() => ArmMode::EmergencyStop,
            (_, Phase::Stopped) => ArmMode::Stopped,
            (refusal, _) if refusal.trip().is_some() => ArmMode::Reflex,
            (_, Phase::Holding { .. }) if arm == ArmMode::Running => ArmMode::Holding,
            _ => arm,
        }
    }

    /// Takes a command; the ticks carry it out. `state` must be finite.
    pub fn command(
        &mut self,
        now: Timestamp,
        state: &Stamped<ArmState>,
        command: &Command,
    ) -> Result<GateReport, Trip> {
        if let Some(trip) = self.refusal.trip() {
            return Err(trip.clone());
        }
        let measured = state.value.tcp_pose;
        if now.since(state.at) > self.limits.state_age_max {
            self.note(GateEvents::STALE_STATE);
            return Ok(GateReport { goal: measured, events: GateEvents::STALE_STATE });
        }
        let previous = self.start(&measured)?;
        let situation = Situation { now, measured, previous, commanded_at: self.commanded_at() };
        let mut report = limit(&command.pose, &situation, &self.limits);
        if std::mem::take(&mut self.start_from_measured) {
            self.taken_over_at = Some(now);
            report.events = report.events.with(GateEvents::TAKEOVER);
        }
        self.note(report.events);
        self.phase = Phase::Following(Lease {
            goal: report.goal,
            commanded_at: now,
            until: now + command.valid_for.min(self.limits.lease),
            pauses: false,
        });
        Ok(report)
    }

    /// The pose that a command's step counts from. An arm that follows nothing starts from where it
    /// is, or from the nearest pose of the workspace; one that stands too far outside is refused.
    fn start(&mut self, measured: &Pose) -> Result<Pose, Trip> {
        let workspace = &self.limits.workspace;
        if !matches!(self.phase, Phase::Following(_)) || self.profile.is_none() {
            let profile = Profile::at_rest(measured, &self.limits);
            let (reach_m, reach_rad) = (self.limits.lead_max_m, self.limits.lead_max_rad);
            let nearest = profile.pose(workspace);
            if is_beyond(&nearest, measured, reach_m, reach_rad) {
                let at = measured.translation.vector.into();
                return Err(Trip::OutsideWorkspace {
                    at,
                    beyond: distance(&nearest, measured).into(),
                });
            }
            self.profile = Some(profile);
        }
        if self.start_from_measured {
            return Ok(*measured);
        }
        Ok(self.profile.as_ref().map_or(*measured, |profile| profile.pose(workspace)))
    }

    fn commanded_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Following(lease) => Some(lease.commanded_at),
            _ => None,
        }
    }

    /// The last target, while its lease is valid.
    pub fn target(&self, now: Timestamp) -> Option<Pose> {
        match (self.phase, &self.profile) {
            (Phase::Following(lease), Some(profile))
                if now < lease.until && !self.start_from_measured =>
            {
                Some(profile.pose(&self.limits.workspace))
            }
            _ => None,
        }
    }

    fn hold(&mut self, since: Timestamp, here: Option<Pose>, why: GateEvents) -> Order {
        self.note(why);
        self.rest(here);
        self.phase = Phase::Holding { since };
        Order::Stop(StopKind::Hold)
    }

    fn stop(&mut self, why: Trip) -> Order {
        self.note(GateEvents::STOPPED);
        self.rest(None);
        self.phase = Phase::Stopped;
        self.refusal.trip_over(why);
        Order::Stop(StopKind::Controlled)
    }

    /// Follows nothing from here on; the arm is in `here`.
    fn rest(&mut self, here: Option<Pose>) {
        self.phase = Phase::Resting;
        self.profile = None;
        self.force.forget();
        if let Some(here) = here {
            self.executed = Some(here);
        }
    }

    /// Another hand has the arm from the next command on.
    pub fn hand_over(&mut self) {
        self.start_from_measured = true;
    }

    /// The end of the lease is expected: whoever commands waits for something and is alive.
    pub fn expect_pause(&mut self) {
        match &mut self.phase {
            Phase::Following(lease) => lease.pauses = true,
            phase @ Phase::Holding { .. } => *phase = Phase::Resting,
            Phase::Resting | Phase::BackingOff(_) | Phase::Stopped => {}
        }
    }

    /// A stop from outside. Backing off goes on under a mere hold: it holds by itself in the end.
    pub fn stopped(&mut self, how: StopKind, here: Option<Pose>) -> Order {
        match (how, self.phase) {
            (StopKind::Hold, Phase::BackingOff(_)) => Order::Nothing,
            (StopKind::Hold, Phase::Stopped) => Order::Stop(how),
            (StopKind::Hold, _) => {
                self.rest(here);
                Order::Stop(how)
            }
            (StopKind::Controlled, _) => {
                self.rest(here);
                self.phase = Phase::Stopped;
                self.refusal.trip_over(Trip::Stopped);
                Order::Stop(how)
            }
        }
    }

    /// The other arm of the pair has stopped.
    pub fn stop_with_partner(&mut self) -> Order {
        match self.phase {
            Phase::Stopped => Order::Nothing,
            _ => self.stop(Trip::Partner),
        }
    }

    /// Stops and refuses everything until an operator has recovered the arm and cleared the latch.
    pub fn emergency(&mut self, why: &str) -> Order {
        self.note(GateEvents::EMERGENCY_STOP);
        self.rest(None);
        self.phase = Phase::Stopped;
        self.refusal.latch(why);
        Order::Stop(StopKind::Controlled)
    }

    /// What the mode of the arm asks for by itself: the robot's own stop latches.
    pub fn notice(&mut self, arm: ArmMode) -> Order {
        if arm == ArmMode::EmergencyStop && !self.refusal.is_emergency() {
            return self.emergency("the robot's own stop was pressed");
        }
        Order::Nothing
    }

    /// The arm has been recovered. An emergency stop stays latched.
    pub fn recovered(&mut self) {
        self.refusal.recovered();
        self.rest(None);
        if self.refusal.is_emergency() {
            self.phase = Phase::Stopped;
        }
    }

    /// The operator's word that the emergency is over; only after the arm has been recovered.
    pub fn clear_emergency(&mut self) -> Result<(), Trip> {
        self.refusal.clear()?;
        self.rest(None);
        Ok(())
    }

    /// The arm refused what it was told.
    pub fn arm_failed(&mut self) {
        self.rest(None);
    }

    /// What came of the last command, and what happened since this was asked last.
    pub fn settle(&mut self, measured: &Pose) -> Executed {
        let target = self.executed.unwrap_or(*measured);
        if let (Phase::Following(lease), Some(executed)) = (self.phase, self.executed) {
            let (metres, radians) = distance(&executed, &lease.goal);
            if metres > ARRIVED || radians > ARRIVED {
                self.note(GateEvents::PROFILE);
            }
        }
        let gripper = GripperCommand::Stay;
        Executed { target, gripper, events: std::mem::take(&mut self.events) }
    }

    /// Whether the arm follows a command.
    pub fn follows(&self) -> bool {
        matches!(self.phase, Phase::Following(_))
    }

    pub fn note(&mut self, events: GateEvents) {
        self.counts.add(events);
        self.events = self.events.with(events);
    }

    /// For what lasts: counted once until the events are taken.
    fn note_once(&mut self, event: GateEvents) {
        if !self.events.contains(event) {
            self.note(event);
        }
    }
}

/// Whether a state can be used at all.
pub(super) fn is_usable(state: &Stamped<ArmState>) -> bool {
    normalised(&state.value.tcp_pose).is_some()
}

fn is_beyond(pose: &Pose, anchor: &Pose, reach_m: f64, reach_rad: f64) -> bool {
    let (metres, radians) = distance(pose, anchor);
    metres > reach_m || radians > reach_rad
}

fn distance(a: &Pose, b: &Pose) -> (f64, f64) {
    ((a.translation.vector - b.translation.vector).norm(), a.rotation.angle_to(&b.rotation))
}
