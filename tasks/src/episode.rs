//! What a step means for the episode: its reward, and whether the episode goes on.

use wire::{Outcome, TruncationCause};

use crate::{
    reward::{RewardConfig, Ruling},
    task::TaskConfig,
};

#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRules {
    pub steps_max: u32,
    pub reward: RewardConfig,
}

/// What is recorded of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub reward: f32,
    /// The task ended: no bootstrap. Never together with `truncation`.
    pub terminated: bool,
    /// The rules ended the episode: values bootstrap from the next observation.
    pub truncation: Option<TruncationCause>,
    pub succeeded: bool,
    /// A person said that the task has failed.
    pub failed: bool,
}

impl EpisodeRules {
    pub fn new(task: &TaskConfig) -> Self {
        Self { steps_max: task.episode_steps, reward: task.reward.clone() }
    }

    /// `steps` counts the steps of the episode, the judged one included.
    pub fn judge(&self, steps: u32, ruling: &Ruling) -> Verdict {
        let Ruling { succeeded, failed, share, .. } = *ruling;
        let terminated = failed || succeeded && self.reward.terminate_on_success;
        let at_limit = !terminated && steps >= self.steps_max;
        Verdict {
            reward: self.reward.of(share),
            terminated,
            truncation: at_limit.then_some(TruncationCause::TimeLimit),
            succeeded,
            failed,
        }
    }
}

impl Verdict {
    pub fn ends_episode(&self) -> bool {
        self.terminated || self.truncation.is_some()
    }

    /// How the episode is counted if it ends here.
    pub fn outcome(&self) -> Outcome {
        match self.truncation {
            _ if self.failed => Outcome::Failure,
            _ if self.succeeded => Outcome::Success,
            Some(TruncationCause::TimeLimit) => Outcome::Failure,
            _ => Outcome::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `-` goes on, `T` terminated, `L` truncated at the limit of 3 steps. Reward is the share of success.
    fn check(
        terminate_on_success: bool,
        steps: u32,
        succeeded: bool,
        expected: (char, f32, Outcome),
    ) {
        let share = if succeeded { 1.0 } else { 0.0 };
        check_ruling(
            terminate_on_success,
            steps,
            Ruling { succeeded, share, ..Ruling::default() },
            expected,
        );
    }

    fn check_ruling(
        terminate_on_success: bool,
        steps: u32,
        ruling: Ruling,
        expected: (char, f32, Outcome),
    ) {
        let reward = RewardConfig { terminate_on_success, ..RewardConfig::default() };
        let verdict = EpisodeRules { steps_max: 3, reward }.judge(steps, &ruling);
        let end = match (verdict.terminated, verdict.truncation) {
            (true, None) => 'T',
            (false, Some(TruncationCause::TimeLimit)) => 'L',
            (false, None) => '-',
            other => panic!("{other:?}"),
        };
        assert_eq!((end, verdict.reward, verdict.outcome()), expected);
        assert_eq!(verdict.ends_episode(), end != '-');
    }

    #[test]
    fn an_episode_goes_on_until_something_ends_it() {
        check(true, 2, false, ('-', 0.0, Outcome::Unknown));
    }

    #[test]
    fn success_terminates() {
        check(true, 2, true, ('T', 1.0, Outcome::Success));
    }

    #[test]
    fn the_limit_truncates() {
        check(true, 3, false, ('L', 0.0, Outcome::Failure));
    }

    #[test]
    fn success_in_the_last_step_terminates_and_does_not_truncate() {
        check(true, 3, true, ('T', 1.0, Outcome::Success));
    }

    #[test]
    fn success_that_does_not_terminate_is_still_a_success_at_the_limit() {
        check(false, 3, true, ('L', 1.0, Outcome::Success));
    }

    #[test]
    fn a_person_who_says_failure_ends_it() {
        let failed = Ruling { failed: true, ..Ruling::default() };
        for terminate_on_success in [true, false] {
            check_ruling(terminate_on_success, 1, failed, ('T', 0.0, Outcome::Failure));
        }
    }

    #[test]
    fn a_stage_earns_its_share_and_ends_nothing() {
        let stage = Ruling { share: 0.25, ..Ruling::default() };
        check_ruling(true, 1, stage, ('-', 0.25, Outcome::Unknown));
    }
}
