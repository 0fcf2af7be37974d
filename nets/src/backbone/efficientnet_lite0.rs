//! EfficientNet-Lite0 up to one of its 16 blocks: no squeeze-and-excitation, ReLU6, batch
//! normalisation folded into the convolutions.
//!
//! Parameters are named as in the `efficientnet-lite-pytorch` package, whose weights were carried
//! over from Google's TensorFlow checkpoint; so are its constants and TensorFlow's "SAME" padding.

use tch::{Device, Kind, Tensor};

use super::{
    parameters::{Needed, Parameters},
    preprocess::Normalisation,
};

/// Google's Lite checkpoints were trained on (x - 127) / 128, not on ImageNet's mean and deviation:
/// only with these do the stem's stored batch statistics fit its kernels (see the tests).
const MEAN: [f64; 3] = [127.0 / 255.0; 3];
const STD: [f64; 3] = [128.0 / 255.0; 3];
const BATCH_NORM_EPS: f64 = 1e-3;
const STEM_CHANNELS: usize = 32;

/// Blocks of one kind: how many, kernel, stride of the first, expansion, channels out.
struct Stage {
    repeats: usize,
    kernel: usize,
    stride: i64,
    expand: usize,
    channels: usize,
}

const fn stage(
    repeats: usize,
    kernel: usize,
    stride: i64,
    expand: usize,
    channels: usize,
) -> Stage {
    Stage { repeats, kernel, stride, expand, channels }
}

const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, 320),
];

pub const BLOCKS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BlockShape {
    from: usize,
    to: usize,
    kernel: usize,
    stride: i64,
    expand: usize,
}

/// The blocks 0..=cut.
fn block_shapes(cut: usize) -> impl Iterator<Item = BlockShape> {
    let blocks = STAGES.iter().flat_map(|stage| {
        (0..stage.repeats).map(move |i| (stage, if i == 0 { stage.stride } else { 1 }))
    });
    let shapes = blocks.scan(STEM_CHANNELS, |from, (stage, stride)| {
        let from = std::mem::replace(from, stage.channels);
        let Stage { kernel, expand, channels: to, .. } = *stage;
        Some(BlockShape { from, to, kernel, stride, expand })
    });
    shapes.take(cut + 1)
}

/// Channels after block `cut`, and input pixels per pixel there.
pub fn output_shape(cut: usize) -> (usize, i64) {
    block_shapes(cut)
        .fold((STEM_CHANNELS, 2), |(_, stride), block| (block.to, stride * block.stride))
}

/// All parameters up to block `cut`.
pub fn needed(cut: usize) -> Vec<Needed> {
    let mut needed = vec![];
    let mut conv = |conv: String, norm: String, shape: [usize; 4], gain: f64| {
        let fan_in = shape[1] * shape[2] * shape[3];
        needed.push(Needed::kernel(format!("{conv}.weight"), &shape, gain, fan_in));
        for (part, value) in
            [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)]
        {
            needed.push(Needed::constant(format!("{norm}.{part}"), shape[0], value));
        }
    };
    conv("_conv_stem".into(), "_bn0".into(), [STEM_CHANNELS, 3, 3, 3], 2.0);
    for (index, block) in block_shapes(cut).enumerate() {
        let BlockShape { from, to, kernel, expand, .. } = block;
        let name = |part: &str| format!("_blocks.{index}.{part}");
        let inner = from * expand;
        if expand != 1 {
            conv(name("_expand_conv"), name("_bn0"), [inner, from, 1, 1], 2.0);
        }
        conv(name("_depthwise_conv"), name("_bn1"), [inner, 1, kernel, kernel], 2.0);
        conv(name("_project_conv"), name("_bn2"), [to, inner, 1, 1], 1.0);
    }
    needed
}

#[derive(Debug)]
pub struct EfficientnetLite0 {
    normalisation: Normalisation,
    stem: Conv,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    expand: Option<Pointwise>,
    depthwise: Conv,
    project: Pointwise,
    skip: bool,
}

impl EfficientnetLite0 {
    pub fn new(cut: usize, parameters: &Parameters, device: Device) -> Self {
        let folded = |conv: &str, norm: &str| Folded::new(parameters, conv, norm, device);
        let block = |(index, shape): (usize, BlockShape)| {
            let name = |part: &str| format!("_blocks.{index}.{part}");
            let folded = |conv, norm| folded(&name(conv), &name(norm));
            let expand = (shape.expand != 1).then(|| folded("_expand_conv", "_bn0").pointwise());
            let groups = (shape.from * shape.expand) as i64;
            Block {
                expand,
                depthwise: folded("_depthwise_conv", "_bn1").conv(shape.stride, groups),
                project: folded("_project_conv", "_bn2").pointwise(),
                skip: shape.stride == 1 && shape.from == shape.to,
            }
        };
        Self {
            normalisation: Normalisation::new(MEAN, STD, device),
            stem: folded("_conv_stem", "_bn0").conv(2, 1),
            blocks: block_shapes(cut).enumerate().map(block).collect(),
        }
    }

    /// f32 [n, 3, s, s] in 0..=255 to [n, channels, s/stride, s/stride] of [`output_shape`].
    pub fn forward(&self, images: &Tensor) -> Tensor {
        let stem = relu6(self.stem.forward(&self.normalisation.apply(images)));
        self.blocks.iter().fold(stem, |x, block| block.forward(&x))
    }
}

impl Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let expanded = self.expand.as_ref().map(|conv| relu6(conv.forward(x)));
        let inner = relu6(self.depthwise.forward(expanded.as_ref().unwrap_or(x)));
        let y = self.project.forward(&inner);
        if self.skip { y + x } else { y }
    }
}

fn relu6(mut x: Tensor) -> Tensor {
    x.relu6_()
}

/// A convolution with the batch normalisation after it folded in.
struct Folded {
    kernel: Tensor, // [out, in / groups, k, k]
    bias: Tensor,   // [out]
}

impl Folded {
    /// w' = w g / sqrt(v + eps), b' = b - m g / sqrt(v + eps), for scale g, bias b, mean m, variance v.
    fn new(parameters: &Parameters, conv: &str, norm: &str, device: Device) -> Self {
        let part = |name: &str| parameters.tensor(name).to_kind(Kind::Double);
        let norm = |name: &str| part(&format!("{norm}.{name}"));
        let gain = norm("weight") / (norm("running_var") + BATCH_NORM_EPS).sqrt(); // [out]
        let kernel = part(&format!("{conv}.weight")) * gain.view([-1, 1, 1, 1]);
        let bias = norm("bias") - norm("running_mean") * gain;
        let ready = |x: Tensor| x.to_kind(Kind::Float).to_device(device);
        Self { kernel: ready(kernel), bias: ready(bias) }
    }

    fn conv(self, stride: i64, groups: i64) -> Conv {
        let (before, after) = same_padding(self.kernel.size()[2], stride);
        Conv { kernel: self.kernel, bias: self.bias, before, after, stride, groups }
    }

    fn pointwise(self) -> Pointwise {
        Pointwise { kernel: self.kernel.flatten(1, 3), bias: self.bias }
    }
}

#[derive(Debug)]
struct Conv {
    kernel: Tensor, // [out, in / groups, k, k]
    bias: Tensor,   // [out]
    /// Zeros before and after each row and column.
    before: i64,
    after: i64,
    stride: i64,
    groups: i64,
}

impl Conv {
    fn forward(&self, x: &Tensor) -> Tensor {
        let Self { before, after, .. } = *self;
        let conv = |x: &Tensor, padding| {
            let (stride, padding) = ([self.stride; 2], [padding; 2]);
            x.conv2d(&self.kernel, Some(&self.bias), stride, padding, [1, 1], self.groups)
        };
        if before == after {
            conv(x, before)
        } else {
            conv(&x.constant_pad_nd([before, after, before, after]), 0)
        }
    }
}

/// A 1x1 convolution. As a matrix product over the channels, which lie last in memory, it takes a
/// third less time than torch's convolution on one thread.
#[derive(Debug)]
struct Pointwise {
    kernel: Tensor, // [out, in]
    bias: Tensor,   // [out]
}

impl Pointwise {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.permute([0, 2, 3, 1]).linear(&self.kernel, Some(&self.bias)).permute([0, 3, 1, 2])
    }
}

/// TensorFlow's "SAME" padding before and after, for sizes that the stride divides.
fn same_padding(kernel: i64, stride: i64) -> (i64, i64) {
    let total = (kernel - stride).max(0);
    (total / 2, total - total / 2)
}

#[cfg(test)]
mod tests;
