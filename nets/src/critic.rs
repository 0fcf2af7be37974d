//! The ensemble of critics, all members in one batched product.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{
    init::Init,
    mlp::{Dense, LAYER_NORM_EPS, xavier},
    params::{Layout, ParamId, Views},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CriticOutput {
    /// One last layer for all members (the reference; see its issue 33).
    Shared,
    /// Each member has its own.
    Separate,
}

/// tanh(LayerNorm(x W_e + b_e)) for every member e; W [E, in, out], the rest [E, 1, out].
#[derive(Clone, Debug)]
struct EnsembleLayer {
    kernel: ParamId,
    bias: ParamId,
    scale: ParamId,
    shift: ParamId,
    width: i64,
}

impl EnsembleLayer {
    fn new(layout: &mut Layout, name: &str, [members, input, output]: [i64; 3]) -> Self {
        let row = [members, 1, output];
        Self {
            kernel: layout.add(
                format!("{name}/kernel"),
                &[members, input, output],
                xavier(input, output),
            ),
            bias: layout.add(format!("{name}/bias"), &row, Init::Constant(0.0)),
            scale: layout.add(format!("{name}/norm_scale"), &row, Init::Constant(1.0)),
            shift: layout.add(format!("{name}/norm_bias"), &row, Init::Constant(0.0)),
            width: output,
        }
    }

    /// x [E, batch, in] to [E, batch, out].
    fn forward(&self, params: Views<'_>, x: &Tensor) -> Tensor {
        self.normed_tanh(params, &params[self.bias].baddbmm(x, &params[self.kernel], 1.0, 1.0))
    }

    /// The layer on [constant, varying], where no gradient reaches the first: that costs no
    /// product for its gradient.
    fn forward_split(&self, params: Views<'_>, constant: &Tensor, varying: &Tensor) -> Tensor {
        let kernel = &params[self.kernel];
        let split = constant.size()[2];
        let of_constant = kernel.narrow(1, 0, split);
        let of_varying = kernel.narrow(1, split, varying.size()[2]);
        let x = params[self.bias].baddbmm(constant, &of_constant, 1.0, 1.0);
        self.normed_tanh(params, &x.baddbmm(varying, &of_varying, 1.0, 1.0))
    }

    fn normed_tanh(&self, params: Views<'_>, x: &Tensor) -> Tensor {
        let normed =
            x.layer_norm(self.width, None::<Tensor>, None::<Tensor>, LAYER_NORM_EPS, false);
        params[self.shift].addcmul(&normed, &params[self.scale]).tanh_()
    }
}

#[derive(Clone, Debug)]
enum Output {
    Shared(Dense),
    /// kernel [E, in, 1], bias [E, 1, 1].
    Separate {
        kernel: ParamId,
        bias: ParamId,
    },
}

#[derive(Clone, Debug)]
pub struct CriticEnsemble {
    members: i64,
    layers: Vec<EnsembleLayer>,
    output: Output,
}

impl CriticEnsemble {
    /// `input` is the width of encoding and action together.
    pub fn new(
        layout: &mut Layout,
        [members, input]: [i64; 2],
        hidden: &[i64],
        output: CriticOutput,
    ) -> Self {
        let inputs = std::iter::once(input).chain(hidden.iter().copied());
        let layers = inputs
            .zip(hidden)
            .enumerate()
            .map(|(at, (input, &output))| {
                let size = [members, input, output];
                EnsembleLayer::new(layout, &format!("critic/layer_{at}"), size)
            })
            .collect();
        let width = hidden.last().copied().unwrap_or(input);
        let output = match output {
            CriticOutput::Shared => {
                Output::Shared(Dense::new(layout, "critic/q", [width, 1], xavier(width, 1)))
            }
            CriticOutput::Separate => Output::Separate {
                kernel: layout.add("critic/q/kernel", &[members, width, 1], xavier(width, 1)),
                bias: layout.add("critic/q/bias", &[members, 1, 1], Init::Constant(0.0)),
            },
        };
        Self { members, layers, output }
    }

    /// Q [E, batch] of `encoding` [batch, width] and `action` [batch, action].
    pub fn forward(&self, params: Views<'_>, encoding: &Tensor, action: &Tensor) -> Tensor {
        let x = self.for_all(&Tensor::cat(&[encoding, action], 1));
        self.finish(params, self.layers.iter(), x)
    }

    /// The same Q; gradients flow to `action` alone.
    pub fn forward_of_action(
        &self,
        params: Views<'_>,
        encoding: &Tensor,
        action: &Tensor,
    ) -> Tensor {
        let Some((first, rest)) = self.layers.split_first() else {
            return self.forward(params, &encoding.detach(), action);
        };
        let encoding = self.for_all(&encoding.detach());
        let x = first.forward_split(params, &encoding, &self.for_all(action));
        self.finish(params, rest.iter(), x)
    }

    /// [batch, n] to [E, batch, n] without copying.
    fn for_all(&self, x: &Tensor) -> Tensor {
        x.unsqueeze(0).expand([self.members, -1, -1], false)
    }

    fn finish<'a>(
        &self,
        params: Views<'_>,
        layers: impl Iterator<Item = &'a EnsembleLayer>,
        x: Tensor,
    ) -> Tensor {
        let x = layers.fold(x, |x, layer| layer.forward(params, &x));
        match &self.output {
            Output::Shared(dense) => {
                dense.forward(params, &x.flatten(0, 1)).view([self.members, -1])
            }
            Output::Separate { kernel, bias } => {
                params[*bias].baddbmm(&x, &params[*kernel], 1.0, 1.0).squeeze_dim(2)
            }
        }
    }
}
