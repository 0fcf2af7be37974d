//! Transitions as tensors. Never samples: whoever fills a batch decides what is in it.

use nets::{architecture::Architecture, head::ObservationBatch};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;
use wire::{GripperCommand, action::gripper_entries};

/// `n` transitions, those of the demo view first.
#[derive(Debug)]
pub struct Batch {
    pub observation: ObservationBatch,
    /// Actions [n, action], f32 in [-1, 1]; see [`choose_actions`].
    pub action: Tensor,
    /// `[n]`, f32.
    pub reward: Tensor,
    /// `[n]`, f32: 1 where the value of the next observation counts, else 0; see
    /// [`bootstrap_mask`].
    pub bootstrap_mask: Tensor,
    pub next_observation: ObservationBatch,
    /// Present where the agent learns gripper commands.
    pub grasp: Option<GraspColumns>,
    /// How many of the first rows come from the demo view.
    pub demo_rows: i64,
}

/// What the grasp critic learns from.
#[derive(Debug)]
pub struct GraspColumns {
    /// Index of the joint command `[n]`, i64; see [`nets::grasp::command_index`].
    pub command: Tensor,
    /// `[n]`, f32, 0 or below: what moving the gripper costs. The other critics do not see it.
    pub penalty: Tensor,
}

/// Sampled actions in their parts.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionParts {
    /// `[n, action]`: what moves the arms.
    pub motion: Vec<f32>,
    /// `[n, grippers]`
    pub grippers: Vec<f32>,
    /// `[n]`: minus `penalty` for each gripper that the action moves.
    pub penalty: Vec<f32>,
}

/// Takes the `grippers` entries out of each action of `sampled`. As in the reference a command costs
/// when it moves a gripper: to close one that is open, or to open one that is closed.
pub fn split_actions(sampled: &replay::Batch, grippers: usize, penalty: f32) -> ActionParts {
    let n = sampled.len();
    let dim = sampled.action.len() / n.max(1);
    let mut parts = ActionParts { motion: vec![], grippers: vec![], penalty: vec![0.0; n] };
    for (row, action) in sampled.action.chunks_exact(dim.max(1)).enumerate() {
        let before = &sampled.gripper_before[row * grippers..][..grippers];
        let mut from = 0;
        for (at, before) in gripper_entries(dim, grippers).zip(before) {
            parts.motion.extend_from_slice(&action[from..at]);
            parts.grippers.push(action[at]);
            let command = GripperCommand::from_entry(action[at]);
            if command.changes(GripperCommand::from_entry(*before)) {
                parts.penalty[row] -= penalty;
            }
            from = at + 1;
        }
        parts.motion.extend_from_slice(&action[from..]);
    }
    parts
}

/// Which action of a step the critics learn the value of.
///
/// Where the gate changes a command, the command and what the gate made of it both lead to the
/// stored successor, so both are true transitions. With executed actions alone nothing is ever
/// learned about commands that the gate cuts: the policy proposes them, their values stay a guess,
/// and a policy that climbs a wrong guess is never put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnedActions {
    /// Either, by a coin per row.
    Both,
    Commanded,
    Executed,
}

/// Turns `sampled.action`, the executed ones, into those that are learned from.
pub fn choose_actions(sampled: &mut replay::Batch, which: LearnedActions, rng: &mut ChaCha8Rng) {
    if sampled.is_empty() {
        return;
    }
    let dim = sampled.action.len() / sampled.len();
    let rows = sampled.action.chunks_exact_mut(dim).zip(sampled.commanded_action.chunks_exact(dim));
    for (action, commanded) in rows {
        let take = match which {
            LearnedActions::Both => rng.random_bool(0.5),
            LearnedActions::Commanded => true,
            LearnedActions::Executed => false,
        };
        if take {
            action.copy_from_slice(commanded);
        }
    }
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
            .or_else(|| match (&self.grasp, architecture.grippers) {
                (None, 0) => None,
                (Some(grasp), 1..) => expect("gripper commands", grasp.command.size(), &[n])
                    .or_else(|| expect("gripper penalties", grasp.penalty.size(), &[n])),
                (None, _) => Some("gripper commands are missing".into()),
                (Some(_), 0) => Some("gripper commands are there and none is learned".into()),
            })
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
    use rand::SeedableRng;

    fn check(terminated: bool, truncated: bool, reins: f32, hil_serl: f32) {
        let rules = [EpisodeEndRule::Terminated, EpisodeEndRule::TerminatedOrTruncated];
        assert_eq!(
            rules.map(|rule| bootstrap_mask(terminated, truncated, rule)),
            [reins, hil_serl]
        );
    }

    /// Executed 0, commanded 1, `n` rows of two dimensions: which rows became what.
    fn chosen(which: LearnedActions, n: usize) -> Vec<f32> {
        let mut sampled = replay::Batch {
            reward: vec![0.0; n],
            action: vec![0.0; 2 * n],
            commanded_action: vec![1.0; 2 * n],
            ..replay::Batch::default()
        };
        choose_actions(&mut sampled, which, &mut ChaCha8Rng::seed_from_u64(1));
        sampled.action
    }

    #[test]
    fn a_step_is_learned_from_its_command_its_execution_or_either() {
        assert_eq!(chosen(LearnedActions::Executed, 2), [0.0; 4]);
        assert_eq!(chosen(LearnedActions::Commanded, 2), [1.0; 4]);
        let both = chosen(LearnedActions::Both, 400);
        assert!(both.chunks(2).all(|row| row[0] == row[1]), "a row is never mixed");
        let commanded = both.iter().sum::<f32>() / 2.0;
        assert!((150.0..250.0).contains(&commanded), "{commanded} of 400");
    }

    /// One arm of two entries and a gripper: the command of each row, and what the gripper had been
    /// told before; what that costs.
    fn check_penalty(rows: [(f32, f32); 6], expected: [f32; 6]) {
        let sampled = replay::Batch {
            reward: vec![0.0; 6],
            action: rows.iter().flat_map(|(command, _)| [0.25, 0.75, *command]).collect(),
            gripper_before: rows.iter().map(|(_, before)| *before).collect(),
            ..replay::Batch::default()
        };
        let parts = split_actions(&sampled, 1, 0.5);
        assert_eq!(parts.motion, [0.25, 0.75].repeat(6));
        assert_eq!(parts.grippers, rows.map(|(command, _)| command));
        assert_eq!(parts.penalty, expected);
    }

    #[test]
    fn moving_a_gripper_costs_and_telling_it_the_same_again_does_not() {
        let rows = [(-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (1.0, 1.0), (0.0, 1.0), (0.0, -1.0)];
        check_penalty(rows, [-0.5, -0.5, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn two_arms_have_their_grippers_apart() {
        let sampled = replay::Batch {
            reward: vec![0.0],
            action: vec![0.1, 0.2, -1.0, 0.3, 0.4, 1.0],
            gripper_before: vec![1.0, -1.0],
            ..replay::Batch::default()
        };
        let parts = split_actions(&sampled, 2, 0.5);
        assert_eq!(parts.motion, [0.1, 0.2, 0.3, 0.4]);
        assert_eq!((parts.grippers, parts.penalty), (vec![-1.0, 1.0], vec![-1.0]));
    }

    #[test]
    fn without_a_gripper_an_action_is_all_motion() {
        let sampled = replay::Batch {
            reward: vec![0.0; 2],
            action: vec![0.1, 0.2, 0.3, 0.4],
            ..replay::Batch::default()
        };
        let parts = split_actions(&sampled, 0, 0.5);
        assert_eq!((parts.motion, parts.penalty), (sampled.action, vec![0.0; 2]));
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
