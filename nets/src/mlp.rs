//! Dense layers and the block that all networks are built of: Dense, LayerNorm, tanh.

use tch::Tensor;

use crate::{
    init::Init,
    params::{Layout, ParamId, Views},
};

/// As in flax; libtorch's own default is ten times larger.
pub const LAYER_NORM_EPS: f64 = 1e-6;

/// y = x W + b; x [batch, in], W [in, out], b `[out]`.
#[derive(Clone, Debug)]
pub struct Dense {
    kernel: ParamId,
    bias: ParamId,
}

impl Dense {
    pub fn new(layout: &mut Layout, name: &str, [input, output]: [i64; 2], kernel: Init) -> Self {
        Self::with_bias(layout, name, [input, output], kernel, 0.0)
    }

    pub fn with_bias(
        layout: &mut Layout,
        name: &str,
        [input, output]: [i64; 2],
        kernel: Init,
        bias: f32,
    ) -> Self {
        Self {
            kernel: layout.add(format!("{name}/kernel"), &[input, output], kernel),
            bias: layout.add(format!("{name}/bias"), &[output], Init::Constant(bias)),
        }
    }

    pub fn forward(&self, params: Views<'_>, x: &Tensor) -> Tensor {
        params[self.bias].addmm(x, &params[self.kernel])
    }
}

pub(crate) fn xavier(fan_in: i64, fan_out: i64) -> Init {
    Init::XavierUniform { fan_in, fan_out }
}

/// tanh(LayerNorm(x W + b)).
#[derive(Clone, Debug)]
pub struct DenseNormTanh {
    dense: Dense,
    scale: ParamId,
    shift: ParamId,
    width: i64,
}

impl DenseNormTanh {
    pub fn new(layout: &mut Layout, name: &str, [input, output]: [i64; 2], kernel: Init) -> Self {
        Self {
            dense: Dense::new(layout, name, [input, output], kernel),
            scale: layout.add(format!("{name}/norm_scale"), &[output], Init::Constant(1.0)),
            shift: layout.add(format!("{name}/norm_bias"), &[output], Init::Constant(0.0)),
            width: output,
        }
    }

    pub fn forward(&self, params: Views<'_>, x: &Tensor) -> Tensor {
        self.dense
            .forward(params, x)
            .layer_norm(
                self.width,
                Some(&params[self.scale]),
                Some(&params[self.shift]),
                LAYER_NORM_EPS,
                false,
            )
            .tanh_()
    }
}

/// A chain of [`DenseNormTanh`], the last one included, with Xavier-uniform kernels.
#[derive(Clone, Debug)]
pub struct Mlp(Vec<DenseNormTanh>);

impl Mlp {
    pub fn new(layout: &mut Layout, name: &str, input: i64, hidden: &[i64]) -> Self {
        let inputs = std::iter::once(input).chain(hidden.iter().copied());
        let layer = |(at, (input, &output))| {
            let name = format!("{name}/layer_{at}");
            DenseNormTanh::new(layout, &name, [input, output], xavier(input, output))
        };
        Self(inputs.zip(hidden).enumerate().map(layer).collect())
    }

    /// x [batch, in] to [batch, last hidden].
    pub fn forward(&self, params: Views<'_>, x: &Tensor) -> Tensor {
        self.0.iter().fold(x.shallow_clone(), |x, layer| layer.forward(params, &x))
    }
}
