//! One tick: what an arm that follows, backs off or holds is told next.

use std::time::Duration;

use nalgebra::Vector6;
use wire::{GateEvents, Timestamp, geometry::Pose};

use super::{ARRIVED, Core, Lease, Order, Phase, Seen, distance, is_beyond};
use crate::{
    Stamped,
    arm::{ArmMode, ArmState, StopKind},
    gate::{SafeTarget, Trip, goal::approach, joints, limits::TICK, profile::Profile},
};

/// Share of the speed at which the arm backs off from a contact, and how long at most.
const BACK_OFF_PACE: f64 = 0.2;
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

impl Core {
    /// One pass of the device loop.
    pub fn tick(&mut self, now: Timestamp, seen: &Seen<'_>) -> Order {
        // When the clock goes back, time goes on here tick by tick: no lease becomes longer by it.
        let now = if now < self.last_tick { self.last_tick + TICK } else { now };
        self.last_tick = now;
        if let Some(state) = seen.state {
            self.seen_at = self.seen_at.max(state.at);
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
        let Some(mut profile) = self.profile.take() else {
            return self.hold(now, Some(measured), GateEvents::default());
        };
        let before = profile.pose(&self.limits.workspace);
        let along = twist(&before, &lease.goal);
        let room = seen.jacobian.map_or(1.0, |j| joints::pace(j, &along, &self.limits.joints));
        if room < 1.0 {
            self.note_once(GateEvents::SINGULARITY);
        }
        if room <= 0.0 {
            return self.hold(now, Some(measured), GateEvents::default());
        }
        let workspace = &self.limits.workspace;
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
}

/// The TCP's twist between two targets that are one tick apart.
fn twist(from: &Pose, to: &Pose) -> Vector6<f64> {
    let linear = to.translation.vector - from.translation.vector;
    let angular = (to.rotation * from.rotation.inverse()).scaled_axis();
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z) / TICK.as_secs_f64()
}
