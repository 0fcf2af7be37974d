//! The whole encoder with two cameras behind one trunk (file g1c).

use std::sync::Arc;

use tch::{Device, Tensor};

use super::{Golden, assert_close};
use crate::{
    architecture::{Architecture, HeadSpec},
    head::{Head, Images, ObservationBatch},
    params::{Layout, ParamSet},
};

fn reference(name: &str) -> String {
    let (module, leaf) = name.rsplit_once('/').unwrap();
    let dense_or_norm = match leaf {
        "norm_scale" => "LayerNorm_0/scale".to_owned(),
        "norm_bias" => "LayerNorm_0/bias".to_owned(),
        leaf => format!("Dense_0/{leaf}"),
    };
    match module.split('/').collect::<Vec<_>>().as_slice() {
        ["head", "proprio"] => dense_or_norm,
        ["head", camera] => format!("encoder_{camera}/SpatialLearnedEmbeddings_0/kernel"),
        ["head", camera, "bottleneck"] => format!("encoder_{camera}/{dense_or_norm}"),
        _ => panic!("{name}"),
    }
}

#[test]
fn two_cameras_and_proprioception_give_the_references_encoding() {
    let golden = Golden::load("g1c_encoder_two_cameras_w8");
    let cameras = ["wrist_1", "wrist_2"];
    let head = HeadSpec::SpatialEmbedding {
        cameras: cameras.map(str::to_owned).to_vec(),
        feature_shape: [64, 4, 4],
        kernels: 8,
        bottleneck: 32,
        proprio_latent: 64,
        dropout: 0.1,
    };
    let mut layout = Layout::default();
    let head = Head::new(&mut layout, &Architecture::hil_serl(7, 6, head), Vec::new());
    let params = ParamSet::zeros(Arc::new(layout), Device::Cpu);
    tch::no_grad(|| {
        for (name, view) in params.named(&params.layout().whole()) {
            let value = golden.tensor(&format!("params/{}", reference(name)));
            // The reference: [height, width, channels, kernels]; ours: [channels, place, kernels].
            let value = match value.size().as_slice() {
                [h, w, ..] if value.dim() == 4 => {
                    value.flatten(0, 1).view([h * w, 64, 8]).transpose(0, 1)
                }
                _ => value,
            };
            view.shallow_clone().copy_(&value);
        }
    });
    let maps = |camera| golden.tensor(&format!("mid/features/{camera}")).permute([0, 3, 1, 2]);
    let batch = ObservationBatch {
        proprio: golden.tensor("in/state").squeeze_dim(1),
        images: Images::Raw(cameras.map(|camera| maps(camera).contiguous().flatten(1, -1)).into()),
    };
    let p = params.frozen();
    let encoding: Tensor = tch::no_grad(|| head.encode(p, p, &batch, None));
    assert_close(&encoding, &golden.tensor("out/encoding"), 2e-4, 2e-5, "encoding");
}
