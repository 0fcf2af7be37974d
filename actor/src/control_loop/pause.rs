//! What the operator says while the arm moves, and the wait while the operator pauses.

use std::sync::atomic::AtomicBool;

use wire::{Mark, TruncationCause};

use super::{ControlLoop, WAIT_POLL, review::Verdict};
use crate::{config::OperatorCommand, status::Activity};

/// What the operator has asked for and not got yet.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The end of the episode.
    pub end: bool,
    pub pause: bool,
    /// What the operator says of the next step.
    pub mark: Option<Mark>,
    /// What the operator says of the demonstration that has ended.
    pub verdict: Option<Verdict>,
}

impl Asked {
    /// What waits for its place; everything else has effect at once or not at all.
    pub fn note(&mut self, command: OperatorCommand) {
        match command {
            OperatorCommand::EndEpisode => self.end = true,
            OperatorCommand::Pause => self.pause = true,
            OperatorCommand::Resume => self.pause = false,
            OperatorCommand::Mark(mark) => self.mark = Some(mark),
            OperatorCommand::Keep => self.verdict = Some(Verdict::Keep),
            OperatorCommand::Discard => {
                self.verdict = Some(Verdict::Discard);
                // One that is under way. Between two episodes nothing is left to end.
                self.end = true;
            }
            OperatorCommand::Undo => self.verdict = Some(Verdict::Undo),
            OperatorCommand::Release
            | OperatorCommand::EmergencyStop
            | OperatorCommand::Recover => {}
        }
    }
}

impl ControlLoop {
    /// Carries out what the operator said, or notes it where it has to wait for its place.
    pub(super) fn operator_commands(&mut self) {
        while let Some(command) =
            self.devices.operator.as_ref().and_then(|commands| commands.try_recv().ok())
        {
            self.heed(command);
        }
    }

    pub(super) fn heed(&mut self, command: OperatorCommand) {
        self.asked.note(command);
        match command {
            OperatorCommand::Release => self.arbiter.release(),
            OperatorCommand::EmergencyStop => {
                // What is latched needs no pause, and `Recover` is then heard.
                self.asked.pause = false;
                self.devices.arms.emergency_stop("the operator asked for it");
            }
            // A moving arm has nothing to recover from.
            OperatorCommand::Recover
            | OperatorCommand::EndEpisode
            | OperatorCommand::Mark(_)
            | OperatorCommand::Keep
            | OperatorCommand::Discard
            | OperatorCommand::Undo
            | OperatorCommand::Pause
            | OperatorCommand::Resume => {}
        }
    }

    /// Between two steps: hears the operator, and holds the arm while there is a pause. Says why the
    /// episode is to end before its next step, if so.
    pub(super) fn pause_within(&mut self, shutdown: &AtomicBool) -> Option<TruncationCause> {
        self.operator_commands();
        if !self.asked.pause {
            return None;
        }
        self.halt(None);
        while self.asked.pause {
            if self.must_end(shutdown) {
                return Some(TruncationCause::Interrupted);
            }
            if std::mem::take(&mut self.asked.end) {
                return Some(TruncationCause::Operator);
            }
            self.pause();
        }
        self.pacer.restart(self.devices.clock.now());
        self.show(Activity::Driving);
        None
    }

    /// Between two episodes and on the way to the first step of one: holds the arm while there is a
    /// pause; `false` when the actor is to end instead.
    pub(super) fn await_resume(&mut self, shutdown: &AtomicBool) -> bool {
        self.operator_commands();
        if !self.asked.pause {
            return true;
        }
        let before = self.status.activity;
        self.halt(None);
        while self.asked.pause {
            if self.must_end(shutdown) {
                return false;
            }
            self.pause();
        }
        self.show(before);
        true
    }

    fn pause(&mut self) {
        self.show(Activity::Paused);
        self.devices.arms.expect_pause();
        self.hub.wait(WAIT_POLL);
        self.operator_commands();
    }
}
