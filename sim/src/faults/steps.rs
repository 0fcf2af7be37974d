//! Counts the steps that are driven, for faults that begin at one: success is asked for once in
//! each.

use std::sync::Arc;

use drivers::SuccessSensor;
use wire::Clock;

use super::Faults;

pub struct StepCounter {
    inner: Box<dyn SuccessSensor>,
    faults: Faults,
    clock: Arc<dyn Clock>,
}

impl StepCounter {
    pub fn new(inner: Box<dyn SuccessSensor>, faults: &Faults, clock: Arc<dyn Clock>) -> Self {
        Self { inner, faults: faults.clone(), clock }
    }
}

impl SuccessSensor for StepCounter {
    fn lost(&mut self) -> bool {
        self.inner.lost()
    }

    fn succeeded(&mut self) -> bool {
        self.faults.step_done(self.clock.now());
        self.inner.succeeded()
    }

    fn sees(&mut self) -> Option<bool> {
        self.faults.step_done(self.clock.now());
        self.inner.sees()
    }
}
