//! The temperature of the entropy term, kept positive by a softplus (a Lagrange multiplier).

use tch::Tensor;

use crate::{
    init::Init,
    params::{Layout, ParamId, Views},
};

#[derive(Clone, Copy, Debug)]
pub struct Temperature {
    lagrange: ParamId,
}

impl Temperature {
    /// `start`: what the temperature is before the first update, positive.
    pub fn new(layout: &mut Layout, start: f64) -> Self {
        // softplus(ln(e^x - 1)) = x
        let start = start.exp_m1().ln();
        Self { lagrange: layout.add("temperature/lagrange", &[], Init::Constant(start as f32)) }
    }

    /// alpha = softplus(lagrange), a scalar.
    pub fn value(&self, params: Views<'_>) -> Tensor {
        params[self.lagrange].softplus()
    }
}
