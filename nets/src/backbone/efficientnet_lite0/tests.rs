use std::path::Path;

use super::*;
use crate::{
    golden::{assert_close, hash_uniform},
    weights::{self, Array, Arrays},
};

/// The published ImageNet weights, where `cargo xtask setup` has laid them down.
fn published() -> Option<Arrays> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../third_party/weights/efficientnet-lite0.pth");
    if !file.exists() {
        eprintln!("skipped: no {}; `cargo xtask setup` fetches it", file.display());
        return None;
    }
    Some(weights::read(&file).unwrap())
}

/// Parameters with batch statistics far from 0 and 1, so that folding has something to do.
fn uneven(cut: usize) -> Arrays {
    let array = |Needed { name, shape, .. }: Needed| {
        let fan_in = shape[1..].iter().product::<usize>() as f64;
        let (low, high) = match name.rsplit('.').next() {
            Some("weight") if shape.len() == 4 => (-(6.0 / fan_in).sqrt(), (6.0 / fan_in).sqrt()),
            Some("weight") => (0.5, 1.5),
            Some("running_var") => (0.5, 2.0),
            _ => (-0.5, 0.5),
        };
        let values = hash_uniform(&name, shape.iter().product(), low, high);
        (name, Array { shape, values })
    };
    needed(cut).into_iter().map(array).collect()
}

fn build(arrays: Arrays, cut: usize) -> (Parameters, EfficientnetLite0) {
    let parameters = Parameters::from_file(&needed(cut), Path::new("test"), arrays).unwrap();
    let network = EfficientnetLite0::new(cut, &parameters, Device::Cpu);
    (parameters, network)
}

fn images(count: i64, size: i64) -> Tensor {
    let values = hash_uniform("images", (count * 3 * size * size) as usize, 0.0, 255.0);
    Tensor::from_slice(&values).view([count, 3, size, size])
}

/// The network once more, layer by layer as published: no folding, convolutions throughout.
fn unfolded(parameters: &Parameters, cut: usize, images: &Tensor) -> Tensor {
    let conv_norm = |x: &Tensor, conv: &str, norm: &str, stride: i64, depthwise: bool| {
        let kernel = parameters.tensor(&format!("{conv}.weight"));
        let padding = match (kernel.size()[2], stride) {
            (1, 1) => [0, 0, 0, 0],
            (3, 1) => [1, 1, 1, 1],
            (3, 2) => [0, 1, 0, 1],
            (5, 1) => [2, 2, 2, 2],
            (5, 2) => [1, 2, 1, 2],
            other => panic!("Lite0 has no convolution {other:?}"),
        };
        let groups = if depthwise { kernel.size()[0] } else { 1 };
        let y = x.constant_pad_nd(padding).conv2d(
            &kernel,
            None::<Tensor>,
            [stride; 2],
            [0, 0],
            [1, 1],
            groups,
        );
        let part = |name: &str| Some(parameters.tensor(&format!("{norm}.{name}")));
        let [scale, bias, mean, var] = ["weight", "bias", "running_mean", "running_var"].map(part);
        y.batch_norm(scale, bias, mean, var, false, 0.0, 1e-3, false)
    };
    let x = (images - 127.0) / 128.0;
    let mut x = conv_norm(&x, "_conv_stem", "_bn0", 2, false).clamp(0.0, 6.0);
    let strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1];
    for (index, &stride) in strides[..=cut].iter().enumerate() {
        let name = |part: &str| format!("_blocks.{index}.{part}");
        let mut y = x.shallow_clone();
        if index > 0 {
            y = conv_norm(&y, &name("_expand_conv"), &name("_bn0"), 1, false).clamp(0.0, 6.0);
        }
        y = conv_norm(&y, &name("_depthwise_conv"), &name("_bn1"), stride, true).clamp(0.0, 6.0);
        y = conv_norm(&y, &name("_project_conv"), &name("_bn2"), 1, false);
        x = if y.size() == x.size() { y + x } else { y };
    }
    x
}

fn check_folding(arrays: Arrays, cut: usize, size: i64) {
    let (parameters, network) = build(arrays, cut);
    let images = images(2, size);
    let expected = unfolded(&parameters, cut, &images);
    let features = network.forward(&images);
    let largest = expected.abs().max().double_value(&[]);
    assert_close(&features, &expected, 1e-3, 1e-5 * largest, "features");
    let (channels, stride) = output_shape(cut);
    assert_eq!(features.size(), [2, channels as i64, size / stride, size / stride]);
}

#[test]
fn folded_and_unfolded_networks_agree() {
    check_folding(uneven(0), 0, 32);
    check_folding(uneven(4), 4, 64);
    check_folding(uneven(7), 7, 128);
    check_folding(uneven(15), 15, 64);
}

#[test]
fn folded_and_unfolded_published_weights_agree() {
    if let Some(arrays) = published() {
        check_folding(arrays, 7, 128);
    }
}

fn check_output_shape(cut: usize, expected: (usize, i64)) {
    assert_eq!(output_shape(cut), expected);
}

#[test]
fn cuts_have_the_shapes_of_the_recipe() {
    check_output_shape(4, (40, 8));
    check_output_shape(7, (80, 16));
    check_output_shape(10, (112, 16));
    check_output_shape(15, (320, 32));
}

#[test]
fn the_published_file_holds_this_network_and_its_classifier() {
    let Some(arrays) = published() else { return };
    let mut names: Vec<_> = arrays.keys().cloned().collect();
    Parameters::from_file(&needed(15), Path::new("test"), arrays).unwrap();
    let needed: Vec<_> = needed(15).into_iter().map(|parameter| parameter.name).collect();
    names.retain(|name| !needed.contains(name));
    let head = ["_bn1.bias", "_bn1.running_mean", "_bn1.running_var", "_bn1.weight"];
    assert_eq!(names, [&head[..], &["_conv_head.weight", "_fc.bias", "_fc.weight"]].concat());
}

/// Colour pictures with the spectrum of natural ones (amplitude 1/f, channels that go together),
/// of ImageNet's mean and deviation, in 0..=255. f32 [n, 3, size, size], not clipped.
fn natural(count: i64, size: i64) -> Tensor {
    let pink = |name: &str| {
        let white = hash_uniform(name, (count * size * size) as usize, -1.0, 1.0);
        let white = Tensor::from_slice(&white).view([count, size, size]);
        let f = Tensor::fft_fftfreq(size, 1.0, (Kind::Float, Device::Cpu)).square();
        let radius = (f.unsqueeze(0) + f.unsqueeze(1)).sqrt().clamp_min(1.0 / size as f64);
        let last = [-2_i64, -1];
        let pink = (white.fft_fft2(None::<&[i64]>, last, "backward") / radius)
            .fft_ifft2(None::<&[i64]>, last, "backward")
            .real();
        &pink / pink.std(false)
    };
    let (light, one, other) = (pink("light"), pink("one"), pink("other"));
    let channel = |a: f64, b: f64, c: f64, mean: f64, std: f64| {
        let x = &light * a + &one * b + &other * c;
        (&x / x.std(false) * std + mean) * 255.0
    };
    let red = channel(0.92, 0.35, 0.0, 0.485, 0.229);
    let green = channel(0.98, -0.1, 0.1, 0.456, 0.224);
    let blue = channel(0.92, -0.3, -0.2, 0.406, 0.225);
    Tensor::stack(&[red, green, blue], 1)
}

/// What the stem's batch normalisation saw in training must be what natural pictures give under our
/// normalisation. Under ImageNet's mean the correlation vanishes, under its deviation the
/// variances come out 3.5 times too large.
#[test]
fn the_published_stem_was_trained_on_this_normalisation() {
    let Some(arrays) = published() else { return };
    let (parameters, network) = build(arrays, 0);
    let kernel = parameters.tensor("_conv_stem.weight");
    let x = network.normalisation.apply(&natural(16, 224));
    let y =
        x.conv2d(&kernel, None::<Tensor>, [2, 2], [0, 0], [1, 1], 1).transpose(0, 1).flatten(1, 3);
    let (mean, var) =
        (y.mean_dim([1_i64].as_slice(), false, None), y.var_dim([1_i64].as_slice(), false, false));
    let (trained_mean, trained_var) =
        (parameters.tensor("_bn0.running_mean"), parameters.tensor("_bn0.running_var"));
    let correlation = Tensor::stack(&[mean, trained_mean], 0).corrcoef().double_value(&[0, 1]);
    assert!(correlation > 0.95, "correlation of means {correlation}");
    let ratio = (var / &trained_var).log().index(&[Some(trained_var.gt(1e-3))]);
    let ratio = ratio.median().double_value(&[]).exp();
    assert!((0.5..2.0).contains(&ratio), "variances differ by {ratio}");
}
