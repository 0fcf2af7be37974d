//! ResNet-10 with group normalisation, as HIL-SERL freezes it (spec: flax `resnet_v1`, stages of
//! one block each).
//!
//! Parameters are named and laid out as in flax (`ResNetBlock_1/Conv_0/kernel`, HWIO); they are
//! turned round once, at loading.

use tch::{Device, Tensor};

use super::{
    parameters::{Needed, Parameters},
    preprocess::Normalisation,
};

/// ImageNet's, for values in [0, 1].
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const STD: [f64; 3] = [0.229, 0.224, 0.225];
const GROUPS: i64 = 4;
const GROUP_NORM_EPS: f64 = 1e-5;
const BLOCKS: usize = 4;
/// Input pixels per output pixel: the first convolution, the pool, and three blocks halve.
pub const STRIDE: i64 = 32;

#[derive(Debug)]
pub struct Resnet10 {
    normalisation: Normalisation,
    stem: Conv,
    stem_norm: GroupNorm,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    convs: [Conv; 2],
    norms: [GroupNorm; 2],
    /// Brings the input to the shape of the output, where that differs.
    projection: Option<(Conv, GroupNorm)>,
}

pub fn output_channels(filters: usize) -> usize {
    filters << (BLOCKS - 1)
}

/// Channels into and out of a block, and its stride.
fn block_shape(block: usize, filters: usize) -> (usize, usize, i64) {
    match block {
        0 => (filters, filters, 1),
        _ => (filters << (block - 1), filters << block, 2),
    }
}

/// All parameters, with `filters` channels after the first convolution (64 in the reference).
pub fn needed(filters: usize) -> Vec<Needed> {
    let mut needed = vec![];
    let mut conv = |norm: String, conv: String, size: usize, from: usize, to: usize| {
        let fan_in = size * size * from;
        needed.push(Needed::kernel(format!("{conv}/kernel"), &[size, size, from, to], 2.0, fan_in));
        needed.push(Needed::constant(format!("{norm}/scale"), to, 1.0));
        needed.push(Needed::constant(format!("{norm}/bias"), to, 0.0));
    };
    conv("norm_init".into(), "conv_init".into(), 7, 3, filters);
    for block in 0..BLOCKS {
        let (from, to, stride) = block_shape(block, filters);
        let name = |part: &str| format!("ResNetBlock_{block}/{part}");
        conv(name("MyGroupNorm_0"), name("Conv_0"), 3, from, to);
        conv(name("MyGroupNorm_1"), name("Conv_1"), 3, to, to);
        if stride != 1 {
            conv(name("norm_proj"), name("conv_proj"), 1, from, to);
        }
    }
    needed
}

impl Resnet10 {
    pub fn new(filters: usize, parameters: &Parameters, device: Device) -> Self {
        let conv = |name: &str, stride, padding| {
            let kernel = parameters.tensor(&format!("{name}/kernel")).permute([3, 2, 0, 1]);
            Conv { kernel: channels_last(&kernel.to_device(device)), stride, padding }
        };
        let norm = |name: &str| GroupNorm {
            scale: parameters.tensor(&format!("{name}/scale")).to_device(device),
            bias: parameters.tensor(&format!("{name}/bias")).to_device(device),
        };
        let block = |index| {
            let (_, _, stride) = block_shape(index, filters);
            let name = |part: &str| format!("ResNetBlock_{index}/{part}");
            let first = if stride == 1 { Padding::Even(1) } else { Padding::After };
            Block {
                convs: [
                    conv(&name("Conv_0"), stride, first),
                    conv(&name("Conv_1"), 1, Padding::Even(1)),
                ],
                norms: [norm(&name("MyGroupNorm_0")), norm(&name("MyGroupNorm_1"))],
                projection: (stride != 1).then(|| {
                    (conv(&name("conv_proj"), stride, Padding::Even(0)), norm(&name("norm_proj")))
                }),
            }
        };
        Self {
            normalisation: Normalisation::new(MEAN, STD, device),
            stem: conv("conv_init", 2, Padding::Even(3)),
            stem_norm: norm("norm_init"),
            blocks: (0..BLOCKS).map(block).collect(),
        }
    }

    /// f32 [n, 3, s, s] in 0..=255 to [n, 8 filters, s/32, s/32].
    pub fn forward(&self, images: &Tensor) -> Tensor {
        self.forward_seen(images, &mut |_, _| ())
    }

    /// Like [`Resnet10::forward`]; shows each stage to `see` under its name in the reference.
    fn forward_seen(&self, images: &Tensor, see: &mut impl FnMut(String, &Tensor)) -> Tensor {
        let x = self.stem.forward(&self.normalisation.apply(images)); // [n, f, s/2, s/2]
        see("conv_init".into(), &x);
        let x = self.stem_norm.forward(&x);
        see("norm_init#0".into(), &x);
        // Padding with -inf and padding the ReLU's output with zeros come to the same.
        let x = Padding::After.apply(&x.relu()).max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false);
        self.blocks.iter().enumerate().fold(x, |x, (index, block)| {
            let x = block.forward(&x, &mut |part, x| see(format!("ResNetBlock_{index}/{part}"), x));
            see(format!("ResNetBlock_{index}"), &x);
            x
        })
    }
}

impl Block {
    fn forward(&self, x: &Tensor, see: &mut impl FnMut(&str, &Tensor)) -> Tensor {
        let mut y = self.convs[0].forward(x);
        see("Conv_0", &y);
        y = self.norms[0].forward(&y);
        see("MyGroupNorm_0#0", &y);
        y = self.convs[1].forward(&y.relu_());
        see("Conv_1", &y);
        y = self.norms[1].forward(&y);
        see("MyGroupNorm_1#0", &y);
        let skip = self.projection.as_ref().map(|(conv, norm)| {
            let skip = conv.forward(x);
            see("conv_proj", &skip);
            let skip = norm.forward(&skip);
            see("norm_proj#0", &skip);
            skip
        });
        (y + skip.as_ref().unwrap_or(x)).relu_()
    }
}

/// Zeros round the input of a convolution.
#[derive(Clone, Copy, Debug)]
enum Padding {
    Even(i64),
    /// "SAME" for a 3x3 window at stride 2 on an even size: none before, one after.
    After,
}

impl Padding {
    fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Self::Even(0) => x.shallow_clone(),
            Self::Even(n) => x.constant_pad_nd([n, n, n, n]),
            Self::After => x.constant_pad_nd([0, 1, 0, 1]),
        }
    }
}

#[derive(Debug)]
struct Conv {
    kernel: Tensor, // [out, in, k, k]
    stride: i64,
    padding: Padding,
}

impl Conv {
    fn forward(&self, x: &Tensor) -> Tensor {
        let stride = [self.stride; 2];
        match self.padding {
            Padding::Even(n) => x.conv2d(&self.kernel, None::<Tensor>, stride, [n, n], [1, 1], 1),
            padding => {
                padding.apply(x).conv2d(&self.kernel, None::<Tensor>, stride, [0, 0], [1, 1], 1)
            }
        }
    }
}

#[derive(Debug)]
struct GroupNorm {
    scale: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(GROUPS, Some(&self.scale), Some(&self.bias), GROUP_NORM_EPS, true)
    }
}

/// The same kernel with its channels last in memory, as the images have them.
fn channels_last(kernel: &Tensor) -> Tensor {
    kernel.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests;
