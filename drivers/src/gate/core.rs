//! What the gate decides, without a device and without a clock: states and times in, orders out.

use std::time::Duration;

use nalgebra::Vector6;
use wire::{GateEvents, Timestamp, geometry::Pose};

use super::{
    Command, Executed, GateCounts, GateLimits, GateReport, SafeTarget,
    force::ForceWatch,
    goal::{Situation, approach, limit, normalised},
    joints,
    limits::TICK,
    profile::Profile,
    refusal::{Refusal, Trip},
};
use crate::{
    Stamped,
    arm::{ArmMode, ArmState, Jacobian, StopKind},
};

/// Share of the speed at which the arm backs off from a contact, and how long at most.
const BACK_OFF_PACE: f64 = 0.2;
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
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
            if is_beyond(&profile.pose(workspace), measured, reach_m, reach_rad) {
                return Err(Trip::OutsideWorkspace(measured.translation.vector.into()));
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

    /// One pass of the device loop.
    pub fn tick(&mut self, now: Timestamp, seen: &Seen<'_>) -> Order {
        // A clock that goes back stands still here: no lease becomes longer by it.
        let now = now.max(self.last_tick);
        self.last_tick = now;
        if let Some(state) = seen.state {
            self.seen_at = self.seen_at.max(state.at);
            if state.value.mode == ArmMode::EmergencyStop && !self.refusal.is_emergency() {
                return self.emergency("the robot's own stop was pressed");
            }
        }
        match self.phase {
            Phase::Resting | Phase::Stopped => Order::Nothing,
            Phase::Holding { since } if now.since(since) >= self.limits.stop_after => {
                self.stop(Trip::LeaseLost)
            }
            Phase::Holding { .. } => self.watch_state(now).unwrap_or(Order::Nothing),
            Phase::Following(lease) | Phase::BackingOff(lease) => {
                if let Some(order) = self.watch_state(now) {
                    return order;
                }
                let Some(state) = seen.state else { return Order::Nothing };
                if lease.until <= now {
                    return self.lease_ended(&lease, state);
                }
                if !matches!(state.value.mode, ArmMode::Idle | ArmMode::Running | ArmMode::Holding)
                {
                    // It will not follow; what it says reaches the next command.
                    self.rest(Some(state.value.tcp_pose));
                    return Order::Nothing;
                }
                self.follow(now, &lease, state, seen)
            }
        }
    }

    /// What an old state asks for.
    fn watch_state(&mut self, now: Timestamp) -> Option<Order> {
        let age = now.since(self.seen_at);
        if age > self.limits.state_lost_after {
            self.note(GateEvents::STALE_STATE);
            return Some(self.stop(Trip::StateLost));
        }
        let moves = matches!(self.phase, Phase::Following(_) | Phase::BackingOff(_));
        if age > self.limits.state_age_max && moves {
            return Some(self.hold(now, None, GateEvents::STALE_STATE));
        }
        None
    }

    fn lease_ended(&mut self, lease: &Lease, state: &Stamped<ArmState>) -> Order {
        let here = Some(state.value.tcp_pose);
        if matches!(self.phase, Phase::BackingOff(_)) || lease.pauses {
            self.rest(here);
            return Order::Stop(StopKind::Hold);
        }
        self.hold(lease.until, here, GateEvents::LEASE_EXPIRED)
    }

    fn follow(
        &mut self,
        now: Timestamp,
        lease: &Lease,
        state: &Stamped<ArmState>,
        seen: &Seen<'_>,
    ) -> Order {
        let measured = state.value.tcp_pose;
        let follows = matches!(self.phase, Phase::Following(_));
        let wrench = state.value.wrench.as_ref();
        if self.force.trips(now, wrench, &self.limits.force) && follows {
            return self.touched(now, &measured);
        }
        let condition = seen.jacobian.map_or(1.0, joints::condition);
        let room = joints::pace(condition, &self.limits.joints);
        if room < 1.0 {
            self.note_once(GateEvents::SINGULARITY);
        }
        if room <= 0.0 {
            self.refusal.trip_over(Trip::Singular { condition });
            return self.hold(now, Some(measured), GateEvents::default());
        }
        let Some(mut profile) = self.profile.take() else {
            return self.hold(now, Some(measured), GateEvents::default());
        };
        let workspace = &self.limits.workspace;
        let before = profile.pose(workspace);
        let pace = if follows { room * self.takeover_pace(now) } else { BACK_OFF_PACE * room };
        profile.advance(&lease.goal, pace, workspace);
        let mut target = profile.pose(workspace);
        if let Some(jacobian) = seen.jacobian {
            let twist = twist(&before, &target);
            let joints = &state.value.joints;
            let limits = &self.limits.joints;
            if joints::too_near(joints, seen.joint_ends, jacobian, &twist, limits).is_some() {
                return self.hold(now, Some(measured), GateEvents::JOINT_MARGIN);
            }
        }
        let (reach_m, reach_rad) = (self.limits.lead_max_m, self.limits.lead_max_rad);
        if approach(&mut target, &measured, reach_m, reach_rad) {
            // The arm was pushed away or is blocked: its spring must not be drawn further.
            self.note_once(GateEvents::LEAD);
            profile = Profile::at_rest(&target, &self.limits);
            target = profile.pose(&self.limits.workspace);
            if is_beyond(&target, &measured, reach_m + ARRIVED, reach_rad + ARRIVED) {
                return self.hold(now, Some(measured), GateEvents::WORKSPACE);
            }
        }
        self.profile = Some(profile);
        self.executed = Some(target);
        Order::Move(SafeTarget::new(target, lease.until))
    }

    /// How fast the arm may go so soon after a takeover.
    fn takeover_pace(&self, now: Timestamp) -> f64 {
        let ramp = self.limits.takeover_ramp.as_secs_f64();
        match self.taken_over_at {
            Some(at) => ((now.since(at) + TICK).as_secs_f64() / ramp).min(1.0),
            None => 1.0,
        }
    }

    /// Too hard a contact: hold, and back off where the motion came from.
    fn touched(&mut self, now: Timestamp, measured: &Pose) -> Order {
        let heading = self.profile.as_ref().map_or_else(Default::default, Profile::heading);
        self.note(GateEvents::FORCE);
        self.refusal.trip_over(Trip::Force);
        self.force.forget();
        let mut away = *measured;
        away.translation.vector -= heading * self.limits.force.back_off_m;
        self.limits.workspace.clamp(&mut away);
        let profile = Profile::at_rest(measured, &self.limits);
        let start = profile.pose(&self.limits.workspace);
        if distance(&start, &away).0 <= ARRIVED {
            self.rest(Some(*measured));
            return Order::Stop(StopKind::Hold);
        }
        self.profile = Some(profile);
        let until = now + BACK_OFF_MAX;
        self.phase =
            Phase::BackingOff(Lease { goal: away, commanded_at: now, until, pauses: true });
        self.executed = Some(start);
        Order::Move(SafeTarget::new(start, until))
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

    /// Stops and refuses everything until an operator has recovered the arm and cleared the latch.
    pub fn emergency(&mut self, why: &str) -> Order {
        self.note(GateEvents::EMERGENCY_STOP);
        self.rest(None);
        self.phase = Phase::Stopped;
        self.refusal.latch(why);
        Order::Stop(StopKind::Controlled)
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
        Executed { target, events: std::mem::take(&mut self.events) }
    }

    fn note(&mut self, events: GateEvents) {
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

/// The TCP's twist between two targets that are one tick apart.
fn twist(from: &Pose, to: &Pose) -> Vector6<f64> {
    let linear = to.translation.vector - from.translation.vector;
    let angular = (to.rotation * from.rotation.inverse()).scaled_axis();
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z) / TICK.as_secs_f64()
}

fn is_beyond(pose: &Pose, anchor: &Pose, reach_m: f64, reach_rad: f64) -> bool {
    let (metres, radians) = distance(pose, anchor);
    metres > reach_m || radians > reach_rad
}

fn distance(a: &Pose, b: &Pose) -> (f64, f64) {
    ((a.translation.vector - b.translation.vector).norm(), a.rotation.angle_to(&b.rotation))
}
