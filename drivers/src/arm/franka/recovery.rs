//! The thread that recovers the robot when somebody asks for it: the robot may take seconds for that,
//! and its states are read all the while.

use std::{sync::PoisonError, time::Duration};

use franka::RobotMode;

use super::{
    Shared,
    status::{FrankaFault, Seen, Session, Status},
};
use crate::arm::{ArmError, shared::Recovery};

/// How long the robot may say that it stands in a reflex after it was told to recover.
const REFLEX_OVER_WITHIN: Duration = Duration::from_secs(1);

/// Runs until the driver is dropped.
pub(super) fn run(shared: &Shared) {
    while let Some(session) = asked(shared) {
        let seen = shared.lock().seen.as_ref().map(|seen| seen.value);
        let outcome = recover(&session, seen.as_ref());
        let mut status = shared.lock();
        if outcome.is_ok() {
            status = shared.wait_for_news(status, REFLEX_OVER_WITHIN, |status| {
                !status.quits && status.seen.as_ref().is_some_and(|seen| in_reflex(&seen.value))
            });
        }
        // Unless it was stopped or lost meanwhile.
        if matches!(status.recovery, Recovery::UnderWay) {
            match outcome {
                Ok(()) => status.starts = true,
                Err(why) => {
                    tracing::warn!("recovering the Franka failed: {why}");
                    if status.fault != Some(FrankaFault::UserStop) {
                        status.fault = Some(FrankaFault::NotRecovered(why.clone()));
                    }
                    status.recovery = Recovery::Done(Err(ArmError::NeedsOperator(why)));
                    shared.news.notify_all();
                }
            }
        }
    }
}

/// Waits until somebody asks. None when the driver is dropped.
fn asked(shared: &Shared) -> Option<Session> {
    let mut status = shared.lock();
    loop {
        if status.quits {
            return None;
        }
        if matches!(status.recovery, Recovery::Asked) {
            match status.session.clone() {
                Some(session) => {
                    status.recovery = Recovery::UnderWay;
                    return Some(session);
                }
                None => status.give_up(&ArmError::Gone("the robot does not answer".into())),
            }
        }
        let waits =
            |status: &mut Status| !status.quits && !matches!(status.recovery, Recovery::Asked);
        let waited = shared.wake.wait_while(status, waits);
        status = waited.unwrap_or_else(PoisonError::into_inner);
    }
}

fn in_reflex(seen: &Seen) -> bool {
    matches!(seen.mode, RobotMode::Reflex | RobotMode::AutomaticErrorRecovery)
}

fn recover(session: &Session, seen: Option<&Seen>) -> Result<(), String> {
    match seen {
        Some(seen) if seen.mode == RobotMode::UserStopped => {
            Err("the user stop is pressed: release it, then recover the robot".into())
        }
        Some(seen) if in_reflex(seen) || seen.in_error => {
            session.robot.automatic_error_recovery().map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}
