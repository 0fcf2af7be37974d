//! The word on a demonstration that has ended: kept, or taken back. It is a record behind the
//! episode's end, and there is time for it until the next episode begins. Without a word a success
//! counts and anything else does not.

use std::sync::atomic::AtomicBool;

use crossbeam_channel::RecvTimeoutError;
use wire::{EpisodeEnd, EpisodeId, Outcome, RecordBody, RecordPosition, Revision};

use super::{ControlLoop, WAIT_POLL};
use crate::{config::OperatorCommand, error::ActorError, status::Activity};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Discard,
    Undo,
}

/// The demonstration on which a word may be said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revisable {
    /// Of the next word on it.
    position: RecordPosition,
    pub kept: bool,
    /// What has no steps teaches nothing.
    has_steps: bool,
}

impl ControlLoop {
    /// The last episode of an earlier process, if it is a demonstration.
    pub(super) fn recall_demonstration(&mut self) {
        let Some(last) = self.tally.progress.last_demonstration else { return };
        let of_it = self.gauge.written().filter(|written| written.episode == last.episode);
        self.revisable = of_it.filter(|_| self.config.review).map(|written| Revisable {
            position: written.next_in_episode(),
            kept: last.kept,
            has_steps: written.index > 1,
        });
    }

    /// A demonstration has ended: holds the arm until the operator says what becomes of it.
    pub(super) fn review(
        &mut self,
        episode: EpisodeId,
        end: &EpisodeEnd,
        shutdown: &AtomicBool,
    ) -> Result<(), ActorError> {
        let Some(operator) = self.devices.operator.clone() else { return Ok(()) };
        self.revisable = Some(Revisable {
            position: RecordPosition { episode, index: end.steps + 2 },
            kept: end.outcome == Outcome::Success,
            has_steps: end.steps > 0,
        });
        // What was to be undone while this one was driven is the one before, and that is too late.
        self.asked.verdict.take_if(|verdict| *verdict == Verdict::Undo);
        loop {
            let verdict = self.asked.verdict.take();
            if let Some(verdict) = verdict {
                self.revise(verdict)?;
            }
            let is_last_word = verdict.is_some_and(|verdict| verdict != Verdict::Undo);
            if is_last_word || self.must_end(shutdown) {
                return Ok(());
            }
            self.show(Activity::Reviewing);
            self.devices.arms.expect_pause();
            match operator.recv_timeout(WAIT_POLL) {
                Ok(command) => {
                    self.heed(command);
                    // After a stop the reset waits for the operator.
                    if matches!(command, OperatorCommand::Resume | OperatorCommand::EmergencyStop) {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody is there any more to say a word.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Carries out what was said of the last demonstration after the wait for it.
    pub(super) fn second_thoughts(&mut self) -> Result<(), ActorError> {
        self.asked.verdict.take().map_or(Ok(()), |verdict| self.revise(verdict))
    }

    fn revise(&mut self, verdict: Verdict) -> Result<(), ActorError> {
        let keep = verdict == Verdict::Keep;
        let Some(last) = self.revisable else {
            tracing::warn!(?verdict, "there is no demonstration to say that of");
            return Ok(());
        };
        if keep && !last.has_steps {
            tracing::warn!("a demonstration without a step cannot be kept");
            return Ok(());
        }
        if keep == last.kept {
            return Ok(());
        }
        let outcome = if keep { Outcome::Success } else { Outcome::Unknown };
        let record = self.record(last.position, RecordBody::Revision(Revision { outcome }));
        self.deliver(record)?;
        let episode = last.position.episode;
        self.revisable =
            Some(Revisable { position: last.position.next_in_episode(), kept: keep, ..last });
        self.tally.progress.revised(episode, outcome);
        let demonstrations = self.tally.progress.demonstrations;
        tracing::info!(%episode, kept = keep, demonstrations, "a word on a demonstration");
        Ok(())
    }
}
