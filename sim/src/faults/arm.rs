//! An arm that stops by itself, is disconnected for a while, or whose state comes late.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drivers::{
    Arm, ArmError, ArmMode, ArmState, Compliance, Jacobian, SafeTarget, Stamped, StopKind,
};
use wire::{Clock, Timestamp};

use super::{FaultKind, Faults, Late, Latency, Timeline, history::History};

pub struct FaultyArm {
    inner: Box<dyn Arm>,
    clock: Arc<dyn Clock>,
    faults: Mutex<ArmFaults>,
}

struct ArmFaults {
    latency: Latency,
    reflexes: Vec<((), Timeline)>,
    losses: Vec<((), Timeline)>,
    history: History<ArmState>,
    /// Reflexes from which the arm was recovered.
    recovered: u32,
}

impl FaultyArm {
    pub fn new(inner: Box<dyn Arm>, faults: &Faults, clock: Arc<dyn Clock>) -> Self {
        let only = |wanted: FaultKind| faults.timelines(|kind| (*kind == wanted).then_some(()));
        let faults = ArmFaults {
            latency: Latency::of(faults, |of| *of == Late::Arm),
            reflexes: only(FaultKind::ArmReflex),
            losses: only(FaultKind::ArmLost),
            history: History::default(),
            recovered: 0,
        };
        Self { inner, clock, faults: Mutex::new(faults) }
    }

    fn faults(&self) -> MutexGuard<'_, ArmFaults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self, now: Timestamp) -> Result<(), ArmError> {
        if self.faults().is_lost(now) {
            return Err(ArmError::Gone("its cable was pulled".into()));
        }
        Ok(())
    }
}

impl ArmFaults {
    fn is_lost(&mut self, now: Timestamp) -> bool {
        self.losses.iter_mut().any(|(_, timeline)| timeline.look(now).is_active())
    }

    /// How often the arm has stopped by itself.
    fn stops(&mut self, now: Timestamp) -> u32 {
        self.reflexes.iter_mut().map(|(_, timeline)| timeline.look(now).begun).sum()
    }

    fn in_reflex(&mut self, now: Timestamp) -> bool {
        self.stops(now) > self.recovered
    }
}

impl Arm for FaultyArm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let now = self.clock.now();
        self.connected(now)?;
        let taken = self.inner.state()?;
        let mut faults = self.faults();
        faults.history.push(taken.clone());
        let late = faults.latency.at(now);
        let mut state = taken;
        if !late.is_zero() {
            let at = Timestamp(now.0.saturating_sub(late.as_nanos() as u64));
            state = faults.history.as_of(at).unwrap_or(state);
        }
        if faults.in_reflex(now) {
            state.value.mode = ArmMode::Reflex;
        }
        Ok(state)
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        let now = self.clock.now();
        self.connected(now)?;
        if self.faults().in_reflex(now) {
            // The arm itself brakes, whatever it was last told.
            self.inner.stop(StopKind::Controlled)?;
            return Err(ArmError::NeedsOperator("it met something".into()));
        }
        self.inner.command(target)
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.connected(self.clock.now())?;
        self.inner.stop(how)
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        let now = self.clock.now();
        self.connected(now)?;
        self.inner.recover()?;
        let mut faults = self.faults();
        faults.recovered = faults.stops(now);
        Ok(())
    }

    fn set_compliance(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        self.inner.set_compliance(compliance)
    }

    fn skeleton(&self) -> Vec<[f64; 3]> {
        self.inner.skeleton()
    }

    fn joint_ends(&self) -> &[[f64; 2]] {
        self.inner.joint_ends()
    }

    fn jacobian(&self) -> Option<Jacobian> {
        self.inner.jacobian()
    }
}
