use std::{collections::BTreeSet, path::Path};

use super::*;
use crate::{
    backbone::preprocess::sized,
    golden::{Golden, assert_close, hash_uniform},
    weights::{Array, Arrays},
};

const RTOL: f64 = 2e-4;
const ATOL: f64 = 2e-5;

fn nchw(x: &Tensor) -> Tensor {
    x.permute([0, 3, 1, 2])
}

/// The parameters below `prefix` of a golden file.
fn network(golden: &Golden, prefix: &str, filters: usize) -> Resnet10 {
    let array = |tensor: &Tensor| Array {
        shape: tensor.size().iter().map(|&dim| dim as usize).collect(),
        values: tensor.flatten(0, -1).try_into().unwrap(),
    };
    let arrays: Arrays =
        golden.below(prefix).map(|(name, tensor)| (name.to_owned(), array(tensor))).collect();
    build(arrays, filters)
}

fn build(arrays: Arrays, filters: usize) -> Resnet10 {
    let count = arrays.len();
    let needed = needed(filters);
    assert_eq!(count, needed.len(), "as many parameters as the reference");
    let parameters = Parameters::from_file(&needed, Path::new("golden"), arrays).unwrap();
    Resnet10::new(filters, &parameters, Device::Cpu)
}

#[test]
fn every_stage_equals_the_reference() {
    let golden = Golden::load("g1a_resnet10_w8");
    let network = network(&golden, "params/", 8);
    let mut seen = BTreeSet::new();
    let _ = network.forward_seen(&sized(&golden.tensor("in/image"), 128), &mut |name, got| {
        let expected = nchw(&golden.tensor(&format!("mid/{name}")));
        let got = got.narrow(0, 0, expected.size()[0]); // large stages hold the first sample alone
        assert_close(&got, &expected, RTOL, ATOL, &name);
        seen.insert(name);
    });
    // The file shows each normalisation twice (#0 and #1, the same values).
    let stages: BTreeSet<_> =
        golden.below("mid/").map(|(name, _)| name.replace("#1", "#0")).collect();
    assert_eq!(seen, stages);
}

fn check_features(input: &str, output: &str) {
    let golden = Golden::load("g1a_resnet10_w8");
    let features = network(&golden, "params/", 8).forward(&sized(&golden.tensor(input), 128));
    assert_close(&features, &nchw(&golden.tensor(output)), RTOL, ATOL, output);
}

#[test]
fn features_of_every_input_size_equal_the_reference() {
    check_features("in/image", "out/features");
    check_features("in/image_200x160", "out/features_200x160_resized_to_128");
    check_features("in/image_64", "out/features_64_resized_to_128");
}

#[test]
fn the_full_width_equals_the_reference() {
    let golden = Golden::load("g1b_resnet10_full_hash");
    let arrays = needed(64).into_iter().map(|parameter| {
        let (name, shape) = (parameter.name, parameter.shape);
        let (low, high) = match (name.rsplit_once('/'), shape.as_slice()) {
            (Some((_, "kernel")), [fan_in @ .., _]) => {
                let bound = (3.0 * 2.0 / fan_in.iter().product::<usize>() as f64).sqrt();
                (-bound, bound)
            }
            (Some((_, "scale")), _) => (0.8, 1.2),
            _ => (-0.1, 0.1),
        };
        let values = hash_uniform(&format!("g1b/{name}"), shape.iter().product(), low, high);
        (name, Array { shape, values })
    });
    let network = build(arrays.collect(), 64);
    let features = network.forward(&sized(&golden.tensor("in/image"), 128));
    assert_close(&features, &nchw(&golden.tensor("out/features")), RTOL, ATOL, "features");
}

fn check_shared_trunk(camera: &str) {
    let golden = Golden::load("g1c_encoder_two_cameras_w8");
    let network = network(&golden, "params/encoder_wrist_1/pretrained_encoder/", 8);
    let frames = golden.tensor(&format!("in/{camera}")).squeeze_dim(1);
    let expected = nchw(&golden.tensor(&format!("mid/features/{camera}")));
    assert_close(&network.forward(&sized(&frames, 128)), &expected, RTOL, ATOL, camera);
}

#[test]
fn one_trunk_serves_both_cameras_as_in_the_reference() {
    check_shared_trunk("wrist_1");
    check_shared_trunk("wrist_2");
}

#[test]
fn the_full_width_has_as_many_parameters_as_the_specification_says() {
    let values: usize = needed(64).iter().map(|p| p.shape.iter().product::<usize>()).sum();
    assert_eq!(values, 4_905_792);
}

/// Of next to constant channels (file g2b), where the epsilon is seen.
#[test]
fn the_group_norm_divides_as_in_the_reference() {
    let golden = Golden::load("g2b_edges");
    let norm = GroupNorm {
        scale: golden.tensor("gn/params/scale"),
        bias: golden.tensor("gn/params/bias"),
    };
    let got = norm.forward(&nchw(&golden.tensor("gn/in")));
    assert_close(&got, &nchw(&golden.tensor("gn/out")), RTOL, ATOL, "group norm");
}
