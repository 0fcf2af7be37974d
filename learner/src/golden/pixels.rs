//! A whole update of the reference's agent at full size, from pixels: crop, trunk, heads, losses,
//! gradients, Adam, target (files g6a and g6b). Parameters and images come from the hash rule; of each tensor
//! the file holds two numbers, its norm and its product with a hashed direction.

use nets::{
    architecture::{Architecture, HeadSpec},
    augment::{Shift, shifted},
    backbone::Backbone,
    head::{Images, ObservationBatch},
    params::ParamSet,
};
use tch::{Device, Kind, Tensor};
use wire::WeightsHash;

use super::{
    CAMERAS, FORWARD, FULL, Golden, assert_close, by_loss, check_losses, from_reference,
    hash_rule::hash_uniform, named_gradients, noise_of, reference_name, shifts, split_actions,
    to_reference,
};
use crate::{
    batch::Batch,
    train_state::{AgentSetup, TrainState},
    update::{UpdateConfig, gradients_of, losses_of, update},
};

const BATCH: i64 = 4;
const SIDE: i64 = 128;

fn hashed(path: &str, salt: &str, shape: &[i64]) -> Tensor {
    let fan_in: i64 = match shape {
        _ if path.contains("SpatialLearned") => shape[0],
        [_, inner, _] if path.contains("Vmap") => *inner,
        [inner @ .., _] => inner.iter().product(),
        [] => 1,
    };
    let gain = if path.contains("onv") { 2.0 } else { 1.0 };
    let bound = (3.0 * gain / fan_in as f64).sqrt();
    let (low, high) = match path.rsplit_once('/').unwrap().1 {
        "kernel" => (-bound, bound),
        "scale" => (0.8, 1.2),
        "bias" => (-0.1, 0.1),
        _ => (-2.0, -1.0),
    };
    let count = shape.iter().product::<i64>() as usize;
    Tensor::from_slice(&hash_uniform(&format!("{salt}{path}"), count, low, high)).view(shape)
}

fn fill(params: &ParamSet, salt: &str) {
    tch::no_grad(|| {
        for (name, view) in params.named(&params.layout().whole()) {
            let shape = to_reference(name, view).size();
            let value = hashed(&reference_name(name), salt, &shape);
            view.shallow_clone().copy_(&from_reference(name, &value, view));
        }
    });
}

/// The trunk of the first camera serves both.
fn trunk(salt: &str) -> Backbone {
    let mut arrays: Vec<(String, Vec<i64>)> = Vec::new();
    let mut layer = |norm: String, conv: String, shape: [i64; 4]| {
        arrays.push((format!("{conv}/kernel"), shape.to_vec()));
        for leaf in ["scale", "bias"] {
            arrays.push((format!("{norm}/{leaf}"), vec![shape[3]]));
        }
    };
    layer("norm_init".into(), "conv_init".into(), [7, 7, 3, 64]);
    for (block, [from, to]) in [[64, 64], [64, 128], [128, 256], [256, 512]].into_iter().enumerate()
    {
        let name = |part: &str| format!("ResNetBlock_{block}/{part}");
        layer(name("MyGroupNorm_0"), name("Conv_0"), [3, 3, from, to]);
        layer(name("MyGroupNorm_1"), name("Conv_1"), [3, 3, to, to]);
        if from != to {
            layer(name("norm_proj"), name("conv_proj"), [1, 1, from, to]);
        }
    }
    let path = "modules_actor/encoder/encoder_wrist_1/pretrained_encoder/";
    let arrays: Vec<(String, Tensor)> = arrays
        .into_iter()
        .map(|(name, shape)| {
            let value = hashed(&format!("{path}{name}"), salt, &shape);
            (name, value)
        })
        .collect();
    super::trunk(&arrays, 64, SIDE as u16)
}

/// hash_u8: coarse squares of 8 x 8 pixels and fine noise.
fn picture(name: &str) -> Tensor {
    let count = (BATCH * SIDE * SIDE * 3) as usize;
    let noise = Tensor::from_slice(&hash_uniform(name, count, 0.0, 1.0));
    let noise = noise.view([BATCH, SIDE, SIDE, 3]).to_kind(Kind::Double);
    let blocks = hash_uniform(&format!("{name}#blocks"), count / 64, 0.0, 1.0);
    let blocks = Tensor::from_slice(&blocks)
        .view([BATCH, SIDE / 8, SIDE / 8, 3])
        .to_kind(Kind::Double)
        .repeat_interleave_self_int(8, 1, None)
        .repeat_interleave_self_int(8, 2, None);
    ((blocks * 0.7 + noise * 0.3) * 255.999).floor().to_kind(Kind::Uint8)
}

struct Pixels {
    /// Name of the file; names and salts begin with it.
    name: &'static str,
    golden: Golden,
    trunk: Backbone,
    state: TrainState,
}

impl Pixels {
    fn load(name: &'static str, grippers: u8) -> Self {
        let head = HeadSpec::spatial_embedding(CAMERAS.map(str::to_owned).to_vec(), [512, 4, 4]);
        let setup = AgentSetup {
            architecture: Architecture { grippers, ..Architecture::hil_serl(19, 6, head) },
            projections: Vec::new(),
            backbone: WeightsHash([0; 32]),
        };
        let config = UpdateConfig::hil_serl(6 + usize::from(grippers));
        let state = TrainState::new(setup, config, 0, Device::Cpu);
        let salt = format!("{name}/");
        fill(&state.params, &salt);
        fill(&state.target, &format!("{salt}target/"));
        Self { name, golden: Golden::load(name), trunk: trunk(&salt), state }
    }

    /// `crop`: the offsets in the file; `None` leaves the pictures as they are.
    fn observation(&self, which: &str, pictures: &str, crop: Option<&str>) -> ObservationBatch {
        let golden = &self.golden;
        let shifts: Vec<Shift> = match crop {
            None => vec![Shift::NONE; BATCH as usize],
            Some(crop) => shifts(golden, &format!("step0/rand/{crop}")),
        };
        let features = CAMERAS.map(|camera| {
            let frames = picture(&format!("{}/{pictures}/{camera}", self.name));
            let row = golden.tensor(&format!("check/{which}/{camera}_row0"));
            assert!(frames.select(1, 0).equal(&row), "the picture of {camera} is made otherwise");
            let maps = self.trunk.encode_tensor(&shifted(&frames, &shifts).unwrap()).unwrap();
            maps.contiguous().flatten(1, -1)
        });
        ObservationBatch {
            proprio: golden.tensor(&format!("batch/{which}/state")).squeeze_dim(1),
            images: Images::Raw(features.into()),
        }
    }

    fn batch(&self) -> Batch {
        let (action, grasp) = match self.state.agent.architecture.grippers {
            0 => (self.golden.tensor("batch/actions"), None),
            _ => {
                let (action, grasp) = split_actions(&self.golden);
                (action, Some(grasp))
            }
        };
        Batch {
            observation: self.observation("observations", "obs", Some("crop_obs")),
            action,
            grasp,
            reward: self.golden.tensor("batch/rewards"),
            bootstrap_mask: self.golden.tensor("batch/masks"),
            next_observation: self.observation("next_observations", "next", Some("crop_next")),
            demo_rows: 0,
        }
    }

    /// Norm and product with a hashed direction, within these shares of the norm.
    fn check_probe(&self, prefix: &str, name: &str, ours: &Tensor, [norm, product]: [f64; 2]) {
        let path = reference_name(name);
        let value = to_reference(name, ours).to_kind(Kind::Double).flatten(0, -1);
        let count = value.numel();
        let direction =
            Tensor::from_slice(&hash_uniform(&format!("probe/{path}"), count, -1.0, 1.0));
        let expected: Vec<f64> =
            Vec::try_from(self.golden.tensor(&format!("{prefix}/{path}")).to_kind(Kind::Double))
                .unwrap();
        let got = [value.norm(), value.dot(&direction.to_kind(Kind::Double))]
            .map(|x| x.double_value(&[]));
        for (at, share) in [norm, product].into_iter().enumerate() {
            let off = (got[at] - expected[at]).abs();
            assert!(
                off <= share * expected[0].abs() + 1e-6,
                "{prefix}/{path}: {got:?}, not {expected:?}"
            );
        }
    }
}

/// g6a and g6b: without and with a gripper.
const FILES: [(&str, u8); 2] = [("g6a_full_sac", 0), ("g6b_full_hybrid_single", 1)];

#[test]
fn networks_at_full_size_give_the_references_values() {
    for (name, grippers) in FILES {
        check_networks(&Pixels::load(name, grippers));
    }
}

fn check_networks(pixels: &Pixels) {
    let (golden, state) = (&pixels.golden, &pixels.state);
    let check = |got: &Tensor, name: &str| assert_close(got, &golden.tensor(name), FORWARD, name);
    tch::no_grad(|| {
        let (agent, p, target) = (&state.agent, state.params.frozen(), state.target.frozen());
        let observation = pixels.observation("observations", "obs", None);
        let encoding = agent.head.encode(p, p, &observation, None);
        let action = golden.tensor("fwd/critic/actions");
        check(&agent.critic.forward(p, &encoding, &action), "fwd/critic/q");
        let of_target = agent.head.encode(target, target, &observation, None);
        let q = agent.critic.forward(target, &of_target, &action);
        check(&q, "fwd/critic/q_target_params");
        let distribution = agent.policy.forward(p, &encoding);
        check(&distribution.mean, "fwd/policy/mean");
        check(&distribution.std, "fwd/policy/std");
        let mode = distribution.mode();
        let greedy = match &agent.grasp {
            None => mode,
            Some(grasp) => {
                check(&grasp.forward(p, &encoding), "fwd/grasp/q");
                check(&grasp.forward(target, &of_target), "fwd/grasp/q_target_params");
                let command = (grasp.best(p, &encoding) - 1).unsqueeze(1);
                Tensor::cat(&[mode, command.to_kind(Kind::Float)], 1)
            }
        };
        check(&greedy, "fwd/sample_actions/argmax");
    });
}

#[test]
fn an_update_at_full_size_from_pixels_is_the_references() {
    for (name, grippers) in FILES {
        check_update(Pixels::load(name, grippers));
    }
}

fn check_update(mut pixels: Pixels) {
    let (batch, noise) = (pixels.batch(), noise_of(&pixels.golden, 0, FULL));
    let losses = losses_of(&pixels.state, &batch, FULL, &noise).unwrap();
    check_losses(&pixels.golden, &losses, 0);
    let gradients = gradients_of(&pixels.state, &losses);
    for (loss, adam, gradients) in by_loss(&pixels.state, &gradients) {
        for (name, gradient) in named_gradients(&pixels.state.params, adam.span(), gradients) {
            let path = format!("step0/grad/{loss}/{}", reference_name(name));
            if pixels.golden.find(&path).is_some() {
                let prefix = format!("step0/grad/{loss}");
                pixels.check_probe(&prefix, name, &gradient, [1e-3, 1e-3]);
            } else {
                assert_eq!(gradient.abs().max().double_value(&[]), 0.0, "{loss} of {name}");
            }
        }
    }

    let before = [pixels.state.params.duplicate(), pixels.state.target.duplicate()];
    update(&mut pixels.state, &batch, FULL, &noise).unwrap();
    for (which, before) in ["params", "target"].into_iter().zip(&before) {
        let after = if which == "params" { &pixels.state.params } else { &pixels.state.target };
        let whole = after.layout().whole();
        for ((name, after), (_, before)) in after.named(&whole).zip(before.named(&whole)) {
            let prefix = format!("step0/after_minus_before/{which}");
            // Adam's first step is as good as a sign: where a gradient is near nothing it may flip.
            pixels.check_probe(&prefix, name, &(after - before).detach(), [2e-3, 0.04]);
        }
    }
}
