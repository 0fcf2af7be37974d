//! The critic of discrete gripper commands: one value per command, of an observation alone.

use tch::Tensor;

use crate::{
    mlp::{Dense, DenseNormTanh, xavier},
    params::{Layout, Views},
};

/// What one gripper can be told: close, stay, open.
pub const COMMANDS_PER_GRIPPER: i64 = 3;
/// Arms with a gripper that is learned, at most.
pub const GRIPPERS_MAX: u8 = 2;

/// Joint commands of so many grippers.
pub fn commands(grippers: u8) -> i64 {
    COMMANDS_PER_GRIPPER.pow(grippers.into())
}

/// Index of a joint command. Each gripper's part in [-1, 1] is rounded: -1 close, 0 stay, +1 open;
/// the first gripper counts most. The last dimension of `parts` [batch, grippers] goes away.
pub fn command_index(parts: &Tensor) -> Tensor {
    let digits = parts.round().clamp(-1.0, 1.0) + 1.0;
    let grippers = parts.size()[1];
    let places: Vec<f32> =
        (0..grippers).rev().map(|at| COMMANDS_PER_GRIPPER.pow(at as u32) as f32).collect();
    let places = Tensor::from_slice(&places).to_device(parts.device());
    (digits * places).sum_dim_intlist(1, false, None).to_kind(tch::Kind::Int64)
}

/// The parts of the joint command with this index: -1, 0 or +1 for each gripper.
pub fn command_parts(index: i64, grippers: u8) -> Vec<f32> {
    let digit = |at: u32| index / COMMANDS_PER_GRIPPER.pow(at) % COMMANDS_PER_GRIPPER;
    (0..u32::from(grippers)).rev().map(|at| digit(at) as f32 - 1.0).collect()
}

/// G(s, ·). As in the reference the last hidden layer has neither LayerNorm nor tanh.
#[derive(Clone, Debug)]
pub struct GraspCritic {
    layers: Vec<DenseNormTanh>,
    last: Dense,
    output: Dense,
}

impl GraspCritic {
    /// `input` is the width of the encoding.
    pub fn new(layout: &mut Layout, input: i64, hidden: &[i64], grippers: u8) -> Self {
        let inputs = std::iter::once(input).chain(hidden.iter().copied());
        let sizes: Vec<[i64; 2]> =
            inputs.zip(hidden).map(|(input, &output)| [input, output]).collect();
        let (&last, normed) = sizes.split_last().unwrap_or((&[input, input], &[]));
        let layers = normed
            .iter()
            .enumerate()
            .map(|(at, &[input, output])| {
                let name = format!("grasp/layer_{at}");
                DenseNormTanh::new(layout, &name, [input, output], xavier(input, output))
            })
            .collect();
        let name = format!("grasp/layer_{}", normed.len());
        let commands = commands(grippers);
        Self {
            layers,
            last: Dense::new(layout, &name, last, xavier(last[0], last[1])),
            output: Dense::new(layout, "grasp/q", [last[1], commands], xavier(last[1], commands)),
        }
    }

    /// G [batch, commands] of `encoding` [batch, width].
    pub fn forward(&self, params: Views<'_>, encoding: &Tensor) -> Tensor {
        let x = self.layers.iter().fold(encoding.shallow_clone(), |x, l| l.forward(params, &x));
        self.output.forward(params, &self.last.forward(params, &x))
    }

    /// The greedy command `[batch]`.
    pub fn best(&self, params: Views<'_>, encoding: &Tensor) -> Tensor {
        self.forward(params, encoding).argmax(1, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_and_its_index_are_the_same_thing() {
        for grippers in [1_u8, 2] {
            for index in 0..commands(grippers) {
                let parts = command_parts(index, grippers);
                let row = Tensor::from_slice(&parts).view([1, grippers.into()]);
                assert_eq!(command_index(&row).int64_value(&[0]), index);
            }
        }
        assert_eq!(command_parts(5, 2), [0.0, 1.0]);
    }

    #[test]
    fn a_part_counts_as_the_nearest_command() {
        let parts = Tensor::from_slice(&[-0.9_f32, -0.4, 0.3, 0.95, -1.7]).view([5, 1]);
        assert_eq!(Vec::<i64>::try_from(command_index(&parts)).unwrap(), [0, 1, 1, 2, 0]);
    }
}
