//! Transitions as tensors. Never samples: whoever fills a batch decides what is in it.

use nets::{architecture::Architecture, head::ObservationBatch};
use tch::Tensor;

/// `n` transitions, those of the demo view first.
#[derive(Debug)]
pub struct Batch {
    pub observation: ObservationBatch,
    /// Executed actions [n, action], f32 in [-1, 1].
    pub action: Tensor,
    /// [n], f32.
    pub reward: Tensor,
    /// [n], f32: 1 where the value of the next observation counts, else 0; see
    /// [`bootstrap_mask`].
    pub bootstrap_mask: Tensor,
    pub next_observation: ObservationBatch,
    /// How many of the first rows come from the demo view.
    pub demo_rows: i64,
}

/// Which ends of an episode cut off the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpisodeEndRule {
    /// Only a true end; after a time limit or a fault the values go on.
    Terminated,
    /// Any end, as in the reference (its issue 20).
    TerminatedOrTruncated,
}

/// 1.0 where the target bootstraps from the next observation, 0.0 where it does not.
pub fn bootstrap_mask(terminated: bool, truncated: bool, rule: EpisodeEndRule) -> f32 {
    let cut = match rule {
        EpisodeEndRule::Terminated => terminated,
        EpisodeEndRule::TerminatedOrTruncated => terminated || truncated,
    };
    if cut { 0.0 } else { 1.0 }
}

impl Batch {
    pub fn len(&self) -> i64 {
        self.observation.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What does not fit `architecture`, in words; `None` when all fits.
    pub fn mismatch(&self, architecture: &Architecture) -> Option<String> {
        let n = self.len();
        if n == 0 {
            return Some("there are no transitions in it".into());
        }
        if !(0..=n).contains(&self.demo_rows) {
            return Some(format!("{} of {n} rows are said to be demos", self.demo_rows));
        }
        let expect = |what: &str, got: Vec<i64>, size: &[i64]| {
            (got != size).then(|| format!("{what} are {got:?}, not {size:?}"))
        };
        let named = |which: &str, mismatch: String| format!("{which}: {mismatch}");
        expect("actions", self.action.size(), &[n, architecture.action_dim])
            .or_else(|| expect("rewards", self.reward.size(), &[n]))
            .or_else(|| expect("bootstrap masks", self.bootstrap_mask.size(), &[n]))
            .or_else(|| self.observation.mismatch(architecture, n).map(|m| named("observation", m)))
            .or_else(|| {
                self.next_observation
                    .mismatch(architecture, n)
                    .map(|m| named("next observation", m))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(terminated: bool, truncated: bool, reins: f32, hil_serl: f32) {
        let rules = [EpisodeEndRule::Terminated, EpisodeEndRule::TerminatedOrTruncated];
        assert_eq!(
            rules.map(|rule| bootstrap_mask(terminated, truncated, rule)),
            [reins, hil_serl]
        );
    }

    #[test]
    fn values_go_on_within_an_episode() {
        check(false, false, 1.0, 1.0);
    }

    #[test]
    fn values_go_on_after_a_time_limit_but_not_in_the_reference() {
        check(false, true, 1.0, 0.0);
    }

    #[test]
    fn values_end_with_success() {
        check(true, false, 0.0, 0.0);
        check(true, true, 0.0, 0.0);
    }
}
