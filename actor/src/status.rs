//! What the actor says about itself: one snapshot that the status line reads when it likes.
//! Writing it never waits.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError, TryLockError},
};

use drivers::GateCounts;
use serde::{Deserialize, Serialize};
use wire::{EpisodeEnd, EpisodeId, EpisodeKind, Outcome, PolicyVersion, transport::LinkState};

use crate::{
    pacer::Punctuality,
    trouble::Trouble,
    view_event::{PolicyLag, RecentView, StepTiming},
};

/// Episodes that the rates look back on.
pub const RECENT_EPISODES: usize = 20;

/// What the actor is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// No learner has welcomed this actor yet.
    #[default]
    WaitingForLearner,
    /// Nothing can be trained or measured before the first parameters come.
    WaitingForPolicy,
    Resetting,
    Driving,
    /// The rate limiter: the learner has to catch up.
    WaitingForPace,
    /// The disk or the outbox is full: nothing moves until the learner has taken records.
    WaitingForOutbox,
    /// The arm was stopped; nothing moves until the operator says so.
    WaitingForOperator,
    /// The operator has paused: nothing moves until the operator says so.
    Paused,
    /// A demonstration has ended: nothing moves until the operator says what becomes of it.
    Reviewing,
    /// The arm or a camera is away: nothing moves until it is back.
    WaitingForDevice,
    /// Sending what is left.
    Draining,
    Ended,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub activity: Activity,
    pub episode: EpisodeId,
    pub kind: Option<EpisodeKind>,
    /// Steps of this episode so far.
    pub episode_steps: u32,
    /// Training steps of the run.
    pub env_steps: u64,
    /// Demonstrations that succeeded and were not taken back.
    pub demonstrations: u32,
    /// While [`Activity::Reviewing`]: whether the demonstration counts as things stand.
    pub kept: Option<bool>,
    pub evaluations: Evaluations,
    pub recent: RecentView,
    pub policy_version: Option<PolicyVersion>,
    pub policy_lag: PolicyLag,
    pub punctuality: Punctuality,
    pub timing: StepTiming,
    /// Records that the learner has not acknowledged.
    pub outbox_depth: u64,
    /// Times that a step waited for the learner's pace.
    pub pace_waits: u64,
    pub faults: Faults,
    /// What the gate has done.
    pub gate: GateCounts,
    pub views_dropped: u64,
    /// What is wrong just now, with the remedy.
    pub troubles: Vec<Trouble>,
    /// Why the last request to the learner failed; `None` while the link works.
    pub link_trouble: Option<String>,
    /// Whether the learner is there, and if not, why.
    pub link: LinkState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluations {
    pub episodes: u32,
    pub successes: u32,
}

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// A camera's last frame was used again.
    pub stale_frames: u64,
    /// Samples in which the teleop device was lost.
    pub teleop_lost: u64,
    /// Episodes cut short by a fault.
    pub episodes: u64,
    /// Times that the arm was recovered from a stop of its own.
    pub recoveries: u64,
    /// Parameters that could not be used.
    pub unusable_policies: u64,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WaitingForLearner => "waiting for the learner",
            Self::WaitingForPolicy => "waiting for the first policy",
            Self::Resetting => "resetting",
            Self::Driving => "driving",
            Self::WaitingForPace => "waiting for the learner to catch up",
            Self::WaitingForOutbox => "waiting for room for records",
            Self::WaitingForOperator => "the arm was stopped, waiting for the operator",
            Self::Paused => "paused by the operator",
            Self::Reviewing => "waiting for a word on the demonstration",
            Self::WaitingForDevice => "waiting for a device",
            Self::Draining => "sending what is left",
            Self::Ended => "ended",
        })
    }
}

/// One line for people.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "actor: {}", self.activity)?;
        if let Some(kind) = self.kind {
            let kind = match kind {
                EpisodeKind::Demonstration => "demonstration",
                EpisodeKind::Training => "training",
                EpisodeKind::Evaluation => "evaluation",
                EpisodeKind::Labelling => "labelling",
            };
            write!(f, ", {kind} {}, step {}", self.episode, self.episode_steps)?;
        }
        let mut share = |name: &str, share: Option<f32>| match share {
            Some(share) => write!(f, " · {name} {:.0} %", 100.0 * share),
            None => Ok(()),
        };
        share("success alone", self.recent.success_autonomous)?;
        share("with help", self.recent.success_assisted)?;
        share("interventions", self.recent.intervention_rate)?;
        if self.evaluations.episodes > 0 {
            let Evaluations { episodes, successes } = self.evaluations;
            write!(f, " · measured {successes}/{episodes}")?;
        }
        if let Some(version) = self.policy_version {
            write!(f, " · policy v{version}, {} behind", self.policy_lag.0)?;
        }
        let total_ms = 1e3 * self.timing.total.as_secs_f64();
        write!(f, " · step {total_ms:.0} ms, {} missed", self.punctuality.missed)?;
        write!(f, " · outbox {}", self.outbox_depth)?;
        for (name, count) in self.gate.serious() {
            write!(f, " · gate: {name} {count}")?;
        }
        self.troubles.iter().try_for_each(|trouble| write!(f, " · ! {trouble}"))
    }
}

/// Where the newest status lies.
#[derive(Clone, Debug, Default)]
pub struct StatusSlot(Arc<Mutex<Status>>);

impl StatusSlot {
    pub fn get(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does not wait: a status that is being read just now stays as it is.
    pub(crate) fn publish(&self, status: &Status) {
        match self.0.try_lock() {
            Ok(mut slot) => slot.clone_from(status),
            Err(TryLockError::Poisoned(slot)) => slot.into_inner().clone_from(status),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// The last word.
    pub(crate) fn end(&self, outbox_depth: u64) {
        let mut status = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        status.activity = Activity::Ended;
        status.outbox_depth = outbox_depth;
    }
}

/// The last training episodes.
#[derive(Clone, Debug, Default)]
pub struct Recent(VecDeque<EpisodeEnd>);

impl Recent {
    pub fn add(&mut self, kind: EpisodeKind, end: EpisodeEnd) {
        if kind != EpisodeKind::Training {
            return;
        }
        if self.0.len() == RECENT_EPISODES {
            self.0.pop_front();
        }
        self.0.push_back(end);
    }

    pub fn view(&self) -> RecentView {
        let share = |part: u32, whole: u32| (whole > 0).then(|| part as f32 / whole as f32);
        let successes = |assisted: bool| {
            let counts = |end: &&EpisodeEnd| {
                end.outcome == Outcome::Success && (end.human_steps > 0) == assisted
            };
            share(self.0.iter().filter(counts).count() as u32, self.0.len() as u32)
        };
        RecentView {
            success_autonomous: successes(false),
            success_assisted: successes(true),
            intervention_rate: share(
                self.0.iter().map(|end| end.human_steps).sum(),
                self.0.iter().map(|end| end.steps).sum(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `S` an autonomous success, `A` an assisted one (half of its steps), `.` a failure.
    fn check(kind: EpisodeKind, episodes: &str, expected: [Option<f32>; 3]) {
        let mut recent = Recent::default();
        for letter in episodes.chars() {
            let outcome = if letter == '.' { Outcome::Failure } else { Outcome::Success };
            let human_steps = if letter == 'A' { 5 } else { 0 };
            let steps = 10;
            recent.add(
                kind,
                EpisodeEnd { steps, outcome, truncation: None, human_steps, interventions: 0 },
            );
        }
        let view = recent.view();
        let got = [view.success_autonomous, view.success_assisted, view.intervention_rate];
        assert_eq!(got, expected);
    }

    #[test]
    fn without_an_episode_there_is_no_rate() {
        check(EpisodeKind::Training, "", [None; 3]);
    }

    #[test]
    fn autonomous_and_assisted_successes_are_told_apart() {
        check(EpisodeKind::Training, "SSA.", [Some(0.5), Some(0.25), Some(0.125)]);
    }

    #[test]
    fn only_the_last_episodes_count() {
        let episodes = [".".repeat(5), "S".repeat(20)].concat();
        check(EpisodeKind::Training, &episodes, [Some(1.0), Some(0.0), Some(0.0)]);
    }

    #[test]
    fn demonstrations_and_evaluations_do_not_count() {
        check(EpisodeKind::Demonstration, "AA", [None; 3]);
        check(EpisodeKind::Evaluation, "SS", [None; 3]);
    }
}
