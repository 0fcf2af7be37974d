//! Puts transitions together to episodes. Pure.

use std::time::Duration;

use wire::{
    ActionSource, ActorId, EpisodeEnd, EpisodeId, EpisodeKind, EpisodeStart, GateEvents, Judgement,
    Observation, Outcome, PolicyVersion, Step, Timestamp, TruncationCause, UnixNanos,
};

use super::transition::{Seen, Transition};
use crate::episode::Episode;

/// A longer episode is cut; nothing that a person would drive is.
const STEPS_MAX: usize = 1 << 17;

pub(super) struct Segments {
    period: Duration,
    open: Option<Open>,
}

struct Open {
    start: Observation,
    steps: Vec<Step>,
    last: Seen,
}

impl Segments {
    pub fn new(period: Duration) -> Self {
        Self { period, open: None }
    }

    /// The episodes that this transition ends: the one before where it does not go on from there,
    /// and its own where it is done.
    pub fn add(&mut self, transition: Transition) -> Vec<Episode> {
        let goes_on = |open: &Open| open.last == transition.seen && open.steps.len() < STEPS_MAX;
        let mut ended = Vec::new();
        if !self.open.as_ref().is_some_and(goes_on) {
            ended.extend(self.finish());
        }
        let Transition { seen, action, next, reward, done, mask, .. } = transition;
        let mut open = self.open.take().unwrap_or_else(|| Open {
            start: at(Timestamp(0), seen.clone()),
            steps: Vec::new(),
            last: seen,
        });
        let success = done && reward > 0.0;
        let terminated = success && mask == 0.0;
        let before = open.steps.last().map_or(Timestamp(0), |s| s.next_observation.captured_at);
        open.steps.push(Step {
            started_at: before,
            source: ActionSource::Human,
            policy_version: PolicyVersion(0),
            policy_action: None,
            human_action: None,
            commanded_action: action.clone(),
            executed_action: action,
            gate_events: GateEvents::default(),
            reward,
            judgement: Judgement::default(),
            terminated,
            // The reference ends its time limits like failures, and nothing else ends without a
            // reward.
            truncated: done && !terminated,
            next_observation: at(before + self.period, next.clone()),
        });
        open.last = next;
        if !done {
            self.open = Some(open);
            return ended;
        }
        let outcome = if success { Outcome::Success } else { Outcome::Failure };
        let truncation = (!terminated).then_some(TruncationCause::TimeLimit);
        ended.push(open.end(outcome, truncation));
        ended
    }

    /// What is there of an episode that is not done: a stretch of one.
    pub fn finish(&mut self) -> Option<Episode> {
        let mut open = self.open.take()?;
        if let Some(last) = open.steps.last_mut() {
            last.truncated = true;
        }
        Some(open.end(Outcome::Unknown, Some(TruncationCause::Interrupted)))
    }
}

impl Open {
    fn end(self, outcome: Outcome, truncation: Option<TruncationCause>) -> Episode {
        let steps = self.steps.len() as u32;
        Episode {
            actor: ActorId::IMPORTED,
            id: EpisodeId(0),
            start: EpisodeStart {
                kind: EpisodeKind::Demonstration,
                seed: 0,
                started_at: UnixNanos(0),
                observation: self.start,
            },
            steps: self.steps,
            end: EpisodeEnd { steps, outcome, truncation, human_steps: steps, interventions: 0 },
        }
    }
}

fn at(captured_at: Timestamp, seen: Seen) -> Observation {
    Observation { captured_at, proprio: seen.proprio, frames: seen.frames, features: Vec::new() }
}
