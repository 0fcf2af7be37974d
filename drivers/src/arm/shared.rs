//! What the threads of a driver and its owner share.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wire::Clock;

use super::ArmError;

/// How far somebody's wish to recover the arm has come.
#[derive(Debug, Default)]
pub(super) enum Recovery {
    #[default]
    NotAsked,
    Asked,
    UnderWay,
    Done(Result<(), ArmError>),
}

pub(super) trait Recoverable {
    fn recovery(&mut self) -> &mut Recovery;
}

/// Status and what its waiters wait on.
pub(super) struct Shared<S> {
    pub(super) status: Mutex<S>,
    /// Something for the servo thread to do.
    pub(super) wake: Condvar,
    /// Something new of the arm, or of a recovery.
    pub(super) news: Condvar,
    pub(super) clock: Arc<dyn Clock>,
}

impl<S: Default> Shared<S> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { status: Mutex::default(), wake: Condvar::new(), news: Condvar::new(), clock }
    }
}

impl<S> Shared<S> {
    pub(super) fn lock(&self) -> MutexGuard<'_, S> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news while `waits` says so, at most this long.
    pub(super) fn wait_for_news<'a>(
        &self,
        status: MutexGuard<'a, S>,
        limit: Duration,
        waits: impl FnMut(&mut S) -> bool,
    ) -> MutexGuard<'a, S> {
        let waited = self.news.wait_timeout_while(status, limit, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl<S: Recoverable> Shared<S> {
    /// Asks the servo thread to recover the arm, and waits at most this long for what comes of it. One that
    /// takes longer goes on.
    pub(super) fn recover(
        &self,
        mut status: MutexGuard<'_, S>,
        limit: Duration,
    ) -> Result<(), ArmError> {
        *status.recovery() = Recovery::Asked;
        self.wake.notify_one();
        let waits = |status: &mut S| !matches!(status.recovery(), Recovery::Done(_));
        let mut status = self.wait_for_news(status, limit, waits);
        match std::mem::take(status.recovery()) {
            Recovery::Done(outcome) => outcome,
            pending => {
                *status.recovery() = pending;
                Ok(())
            }
        }
    }
}
