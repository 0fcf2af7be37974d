//! Adam (Kingma & Ba 2015) over a span of the flat parameters, with the constants of optax.

use nets::params::{ParamSet, Span};
use tch::{Device, Kind, Tensor};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Values that are worked on at a time on a CPU: all arrays together stay in its second cache.
const CHUNK: i64 = 1 << 15;

/// Moments of one optimiser. Holds views of the parameters that it was made for.
#[derive(Debug)]
pub struct Adam {
    span: Span,
    count: u64,
    /// First moment, second moment.
    moments: [Tensor; 2],
    gradient: Tensor,
    gradient_views: Vec<Tensor>,
    chunks: Vec<Chunk>,
}

/// One stretch of the flat tensors, as views.
#[derive(Debug)]
struct Chunk {
    values: Tensor,
    gradient: Tensor,
    m: Tensor,
    v: Tensor,
    scratch: Tensor,
}

impl Adam {
    /// Steps will change the part of `params` that `span` names.
    pub fn new(params: &ParamSet, span: Span) -> Self {
        let options = (Kind::Float, params.device());
        let zeros = || Tensor::zeros([span.len()], options);
        let (m, v, gradient, scratch) = (zeros(), zeros(), zeros(), zeros());
        let chunk_len = if params.device() == Device::Cpu { CHUNK } else { span.len().max(1) };
        let values = params.flat_of(&span);
        let chunk = |start: i64| {
            let len = chunk_len.min(span.len() - start);
            let part = |tensor: &Tensor| tensor.narrow(0, start, len);
            Chunk {
                values: part(&values),
                gradient: part(&gradient),
                m: part(&m),
                v: part(&v),
                scratch: part(&scratch),
            }
        };
        let chunks = (0..span.len()).step_by(chunk_len as usize).map(chunk).collect();
        let specs = &params.layout().specs()[span.params.clone()];
        let gradient_views = specs
            .iter()
            .map(|spec| {
                let start = spec.offset - span.values.start;
                gradient.narrow(0, start, spec.numel()).view(spec.shape.as_slice())
            })
            .collect();
        Self { span, count: 0, moments: [m, v], gradient, gradient_views, chunks }
    }

    /// One step along `gradients`, one per parameter of the span; an undefined one counts as zero.
    ///
    /// m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g²,
    /// theta <- theta - rate m^ / (sqrt(v^) + eps) with m^ = m / (1 - b1^t), v^ = v / (1 - b2^t)
    pub fn step(&mut self, gradients: &[Tensor], learning_rate: f64) {
        assert_eq!(gradients.len(), self.gradient_views.len(), "one gradient per parameter");
        tch::no_grad(|| {
            for (view, gradient) in self.gradient_views.iter_mut().zip(gradients) {
                if gradient.defined() {
                    view.copy_(gradient);
                } else {
                    let _ = view.zero_();
                }
            }
            self.apply(learning_rate);
        });
    }

    /// A step of a loss that was left out, as the reference makes it: with a gradient of zero.
    pub fn step_without_gradient(&mut self, learning_rate: f64) {
        tch::no_grad(|| {
            let _ = self.gradient.zero_();
            self.apply(learning_rate);
        });
    }

    fn apply(&mut self, learning_rate: f64) {
        self.count += 1;
        let t = self.count as f64;
        let corrections = [BETA1, BETA2].map(|beta| 1.0 - beta.powf(t));
        // theta += m / (c (sqrt(v) / sqrt(correction2) + eps)), c = -correction1 / rate
        let c = -corrections[0] / learning_rate;
        for Chunk { values, gradient, m, v, scratch } in &mut self.chunks {
            let _ = m.lerp_(gradient, 1.0 - BETA1);
            let _ = v.lerp_(&gradient.square_out(scratch), 1.0 - BETA2);
            let mut divisor = v.sqrt_out(scratch);
            let _ = divisor.g_mul_scalar_(c / corrections[1].sqrt());
            let _ = divisor.g_add_scalar_(c * EPSILON);
            let _ = values.addcdiv_(m, &divisor);
        }
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// First and second moment, as long as the span.
    pub fn moments(&self) -> &[Tensor; 2] {
        &self.moments
    }

    /// Continues where another left off; `moments` as long as the span.
    pub fn restore(&mut self, count: u64, moments: &[Tensor; 2]) {
        self.count = count;
        for (own, saved) in self.moments.iter_mut().zip(moments) {
            own.copy_(saved);
        }
    }
}
