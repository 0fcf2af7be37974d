//! What is commanded in one step, in policy coordinates.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// Two arms of six dimensions and a gripper each fit twice over.
pub const MAX_ACTION_DIM: usize = 28;

/// A point of the action space, every entry in [-1, 1]. Scaling to metres belongs to the task.
///
/// Where a task learns gripper commands, each arm's part ends with its gripper's entry, which is a
/// [`GripperCommand`] as a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Action(pub ArrayVec<f32, MAX_ACTION_DIM>);

impl Action {
    pub fn zeros(dim: usize) -> Self {
        Self(std::iter::repeat_n(0.0, dim).collect())
    }

    /// Panics when `values` is longer than [`MAX_ACTION_DIM`].
    pub fn from_slice(values: &[f32]) -> Self {
        Self(values.iter().copied().collect())
    }

    pub fn dim(&self) -> usize {
        self.0.len()
    }

    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    pub fn is_finite(&self) -> bool {
        self.0.iter().all(|x| x.is_finite())
    }

    /// Every entry brought into [-1, 1].
    pub fn clipped(&self) -> Self {
        Self(self.0.iter().map(|x| x.clamp(-1.0, 1.0)).collect())
    }
}

/// What a gripper is told in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GripperCommand {
    Close,
    /// As it is: nothing is sent.
    #[default]
    Stay,
    Open,
}

impl GripperCommand {
    /// The nearest command; an entry half way between two is `Stay`.
    pub fn from_entry(entry: f32) -> Self {
        match entry {
            entry if entry > 0.5 => Self::Open,
            entry if entry < -0.5 => Self::Close,
            _ => Self::Stay,
        }
    }

    /// As an action's entry: -1 close, 0 stay, +1 open.
    pub fn entry(self) -> f32 {
        match self {
            Self::Close => -1.0,
            Self::Stay => 0.0,
            Self::Open => 1.0,
        }
    }

    /// Whether it moves a gripper that was last told `before`.
    pub fn changes(self, before: Self) -> bool {
        self != Self::Stay && self != before
    }
}

/// Where the entries of `grippers` grippers stand in an action of `dim` entries.
pub fn gripper_entries(dim: usize, grippers: usize) -> impl Iterator<Item = usize> {
    (1..=grippers).map(move |arm| arm * dim / grippers - 1)
}

/// Who drove in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionSource {
    Policy,
    Human,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_the_nearest_command() {
        for (entry, command) in [
            (-1.0, GripperCommand::Close),
            (-0.9, GripperCommand::Close),
            (-0.5, GripperCommand::Stay),
            (0.2, GripperCommand::Stay),
            (0.5, GripperCommand::Stay),
            (0.9, GripperCommand::Open),
            (f32::NAN, GripperCommand::Stay),
        ] {
            assert_eq!(GripperCommand::from_entry(entry), command, "{entry}");
            assert_eq!(GripperCommand::from_entry(command.entry()), command);
        }
    }

    #[test]
    fn only_another_command_moves_a_gripper() {
        use GripperCommand::{Close, Open, Stay};
        assert!(Close.changes(Open) && Open.changes(Close) && Close.changes(Stay));
        assert!(!Close.changes(Close) && !Stay.changes(Open) && !Stay.changes(Stay));
    }

    #[test]
    fn each_arms_part_ends_with_its_gripper() {
        let entries = |dim, grippers| gripper_entries(dim, grippers).collect::<Vec<_>>();
        assert_eq!(entries(7, 1), [6]);
        assert_eq!(entries(14, 2), [6, 13]);
        assert!(entries(6, 0).is_empty());
    }
}
