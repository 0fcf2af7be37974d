//! The link of an evaluation, at whose other end nobody learns.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wire::{
    ActorRequest, EpisodeKind, LearnerReply, Pace, PolicySnapshot, Record, RecordBody,
    RecordPosition, Refusal, TruncationCause, Welcome,
    transport::{LearnerLink, LinkError, LinkState},
};

use super::under_way::{SoFar, UnderWay};
use crate::{report::EpisodeFigures, truth::Truth};

/// Stands in for a learner: hands out one policy, learns nothing. What an episode came to is on the disk
/// before its end is acknowledged.
#[derive(Debug)]
pub struct EvaluationLink {
    pace: Pace,
    under_way: UnderWay,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    policy: Option<PolicySnapshot>,
    so_far: SoFar,
    /// An episode has ended that the disk does not know of.
    is_unsaved: bool,
    through: Option<RecordPosition>,
    /// Of the episode under way.
    truth: Truth,
}

impl EvaluationLink {
    pub fn new(policy: PolicySnapshot, under_way: UnderWay, so_far: SoFar) -> Self {
        let pace = Pace {
            learner_step: policy.learner_step,
            policy_version: policy.version,
            finished: true,
            ..Pace::default()
        };
        let inner = Inner {
            policy: Some(policy),
            through: so_far.through,
            so_far,
            is_unsaved: false,
            truth: Truth::default(),
        };
        Self { pace, under_way, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take_figures(&self) -> Vec<EpisodeFigures> {
        std::mem::take(&mut self.lock().so_far.episodes)
    }
}

impl LearnerLink for EvaluationLink {
    fn request(&self, request: &ActorRequest, _: Duration) -> Result<LearnerReply, LinkError> {
        let mut inner = self.lock();
        Ok(match request {
            ActorRequest::Hello(_) => {
                LearnerReply::Welcome(Welcome { through: inner.through, pace: self.pace })
            }
            ActorRequest::Append(append) => {
                for record in &append.records {
                    inner.take(record);
                }
                if inner.is_unsaved {
                    if let Err(e) = self.under_way.save(&inner.so_far) {
                        return Ok(LearnerReply::Refused(Refusal::Unavailable(format!("{e:#}"))));
                    }
                    inner.is_unsaved = false;
                }
                match inner.through {
                    Some(through) => LearnerReply::Appended { through, pace: self.pace },
                    None => LearnerReply::Refused(Refusal::Gap { expected_after: None }),
                }
            }
            ActorRequest::Goodbye(_) => LearnerReply::Farewell,
        })
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        self.lock().policy.take()
    }

    fn pace(&self) -> Option<Pace> {
        Some(self.pace)
    }

    fn state(&self) -> LinkState {
        LinkState::Connected
    }
}

impl Inner {
    fn take(&mut self, record: &Record) {
        if self.through >= Some(record.position) {
            return;
        }
        self.through = Some(record.position);
        if let RecordBody::Step(step) = &record.body {
            self.truth.add(&step.judgement);
        }
        let RecordBody::EpisodeEnd(end) = &record.body else { return };
        let truth = std::mem::take(&mut self.truth).known();
        self.so_far.through = self.through;
        self.is_unsaved = true;
        // One that was cut short by the end of the process counts as nothing: another takes its place.
        if end.truncation != Some(TruncationCause::Interrupted) {
            self.so_far.episodes.push(EpisodeFigures {
                index: record.position.episode.0,
                kind: EpisodeKind::Evaluation,
                steps: end.steps,
                human_steps: end.human_steps,
                interventions: end.interventions,
                outcome: end.outcome,
                env_step: 0,
                minutes: 0.0,
                truth,
            });
        }
    }
}
