//! The temperature of the entropy term, kept positive by a softplus (a Lagrange multiplier).

use tch::Tensor;

use crate::{
    init::Init,
    params::{Layout, ParamId, Views},
};

/// What the temperature is at the start.
pub const START: f64 = 0.01;

#[derive(Clone, Copy, Debug)]
pub struct Temperature {
    lagrange: ParamId,
}

impl Temperature {
    pub fn new(layout: &mut Layout) -> Self {
        // softplus(ln(e^x - 1)) = x
        let start = START.exp_m1().ln();
        Self { lagrange: layout.add("temperature/lagrange", &[], Init::Constant(start as f32)) }
    }

    /// alpha = softplus(lagrange), a scalar.
    pub fn value(&self, params: Views<'_>) -> Tensor {
        params[self.lagrange].softplus()
    }
}
