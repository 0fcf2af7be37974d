//! Reference numbers of HIL-SERL, from files in `tests/golden`: whole updates, step by step.

use std::{collections::HashMap, path::Path};

use nets::{
    architecture::{Architecture, HeadSpec},
    augment::Shift,
    backbone::{Backbone, BackboneConfig, Resnet10Config, WeightsSource},
    grasp,
    head::{Images, ObservationBatch},
    params::{ParamSet, Span},
};
use safetensors::{Dtype, tensor::TensorView};
use tch::{Device, Kind, Tensor};
use wire::WeightsHash;

use crate::{
    adam::Adam,
    batch::{Batch, GraspColumns},
    losses::EntropyBackup,
    noise::{ActorNoise, PassNoise, UpdateNoise},
    train_state::{AgentSetup, TrainState},
    update::{Gradients, Losses, Plan, UpdateConfig, gradients_of, losses_of, update},
};

#[path = "../../nets/src/golden/hash_rule.rs"]
mod hash_rule;
mod hybrid;
mod pixels;

pub struct Golden(HashMap<String, Tensor>);

impl Golden {
    pub fn load(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let tensors = Tensor::read_safetensors(folder.join(format!("{name}.safetensors")));
        Self(tensors.unwrap().into_iter().collect())
    }

    pub fn find(&self, name: &str) -> Option<Tensor> {
        self.0.get(name).map(Tensor::shallow_clone)
    }

    pub fn tensor(&self, name: &str) -> Tensor {
        self.find(name).unwrap_or_else(|| panic!("no {name} in the file"))
    }
}

/// Fails unless |got - expected| <= atol + rtol |expected| everywhere.
pub fn assert_close(got: &Tensor, expected: &Tensor, [rtol, atol]: [f64; 2], what: &str) {
    assert_eq!(got.numel(), expected.numel(), "{what}");
    let expected = expected.view_as(got);
    let error = (got - &expected).abs();
    let excess = (&error - (expected.abs() * rtol + atol)).max().double_value(&[]);
    assert!(excess <= 0.0, "{what}: off by up to {:e}", error.max().double_value(&[]));
}

pub const CAMERAS: [&str; 2] = ["wrist_1", "wrist_2"];
const DROPOUT: f64 = 0.1;

pub const FORWARD: [f64; 2] = [2e-4, 2e-5];
pub const GRADIENT: [f64; 2] = [1e-3, 1e-5];
const PARAMETER: [f64; 2] = [0.0, 1e-5];

/// Our name of a parameter in the reference's words.
pub fn reference_name(name: &str) -> String {
    let (module, leaf) = name.rsplit_once('/').unwrap();
    let dense_or_norm = |at: &str| match leaf {
        "norm_scale" => format!("LayerNorm_{at}/scale"),
        "norm_bias" => format!("LayerNorm_{at}/bias"),
        leaf => format!("Dense_{at}/{leaf}"),
    };
    let encoder = "modules_actor/encoder";
    match module.split('/').collect::<Vec<_>>().as_slice() {
        ["critic", "q"] => format!("modules_critic/{}", dense_or_norm("0")),
        ["critic", layer] => {
            format!("modules_critic/network/VmapMLP_0/{}", dense_or_norm(&layer["layer_".len()..]))
        }
        ["grasp", "q"] => format!("modules_grasp_critic/{}", dense_or_norm("0")),
        ["grasp", layer] => {
            format!("modules_grasp_critic/network/{}", dense_or_norm(&layer["layer_".len()..]))
        }
        ["policy", "mean"] => format!("modules_actor/{}", dense_or_norm("0")),
        ["policy", "log_std"] => format!("modules_actor/{}", dense_or_norm("1")),
        ["policy", layer] => {
            format!("modules_actor/network/{}", dense_or_norm(&layer["layer_".len()..]))
        }
        ["head", "proprio"] => format!("{encoder}/{}", dense_or_norm("0")),
        ["head", camera] => format!("{encoder}/encoder_{camera}/SpatialLearnedEmbeddings_0/kernel"),
        ["head", camera, "bottleneck"] => {
            format!("{encoder}/encoder_{camera}/{}", dense_or_norm("0"))
        }
        ["temperature"] => format!("modules_temperature/{leaf}"),
        _ => panic!("{name}"),
    }
}

/// What differs between the files.
struct Case {
    file: &'static str,
    critics: i64,
    config: UpdateConfig,
    plan: &'static [Plan],
}

fn hil_serl(file: &'static str, plan: &'static [Plan]) -> Case {
    Case { file, critics: 2, config: UpdateConfig::hil_serl(3), plan }
}

const FULL: Plan = Plan::Full;
const CRITIC: Plan = Plan::CriticOnly;

fn fill(golden: &Golden, prefix: &str, params: &ParamSet) {
    tch::no_grad(|| {
        for (name, view) in params.named(&params.layout().whole()) {
            let value = golden.tensor(&format!("{prefix}/{}", reference_name(name)));
            view.shallow_clone().copy_(&from_reference(name, &value, view));
        }
    });
}

fn state_of(case: &Case, golden: &Golden) -> TrainState {
    let architecture = Architecture {
        hidden: vec![16, 16],
        critics: case.critics,
        ..Architecture::hil_serl(5, 3, HeadSpec::StateOnly)
    };
    let backbone = WeightsHash([0; 32]);
    let setup = AgentSetup { architecture, projections: Vec::new(), backbone };
    let state = TrainState::new(setup, case.config.clone(), 0, Device::Cpu);
    fill(golden, "params", &state.params);
    fill(golden, "target", &state.target);
    state
}

fn batch_of(golden: &Golden) -> Batch {
    let observation = |which: &str| ObservationBatch {
        proprio: golden.tensor(&format!("batch/{which}/state")),
        images: Images::None,
    };
    Batch {
        observation: observation("observations"),
        action: golden.tensor("batch/actions"),
        reward: golden.tensor("batch/rewards"),
        bootstrap_mask: golden.tensor("batch/masks"),
        next_observation: observation("next_observations"),
        grasp: None,
        demo_rows: 0,
    }
}

/// The reference's actions [n, arms * 7] in their parts: six of each arm, and the grippers'.
pub fn split_actions(golden: &Golden) -> (Tensor, GraspColumns) {
    let actions = golden.tensor("batch/actions");
    let n = actions.size()[0];
    let per_arm = actions.view([n, -1, 7]);
    let command = grasp::command_index(&per_arm.select(2, 6));
    let penalty = golden.tensor("batch/grasp_penalty");
    (per_arm.narrow(2, 0, 6).reshape([n, -1]), GraspColumns { command, penalty })
}

/// The reference's trunk with these parameters, by their names in it.
pub fn trunk(arrays: &[(String, Tensor)], num_filters: u16, image_size: u16) -> Backbone {
    let values: Vec<(&str, Vec<usize>, Vec<u8>)> = arrays
        .iter()
        .map(|(name, tensor)| {
            let bytes =
                nets::snapshot::to_vec(tensor).iter().flat_map(|x| x.to_le_bytes()).collect();
            (name.as_str(), tensor.size().iter().map(|&size| size as usize).collect(), bytes)
        })
        .collect();
    let views = values.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trunk.safetensors");
    std::fs::write(&file, safetensors::serialize(views, None).unwrap()).unwrap();
    let source = Resnet10Config::new(WeightsSource::Path(file));
    let config = Resnet10Config { num_filters, image_size, ..source };
    Backbone::load(&BackboneConfig::Resnet10(config), Device::Cpu).unwrap()
}

/// The reference's offsets of a crop, one for each row.
pub fn shifts(golden: &Golden, name: &str) -> Vec<Shift> {
    let offsets = golden.tensor(name).to_kind(Kind::Int64).flatten(0, -1);
    let offsets: Vec<i64> = Vec::try_from(offsets).unwrap();
    offsets.chunks(2).map(|o| Shift { row: o[0] as u8, col: o[1] as u8 }).collect()
}

/// The reference's shape of one of our parameters: only the spatial kernels are laid out otherwise,
/// theirs [height, width, channels, kernels], ours [channels, place, kernels].
pub fn to_reference(name: &str, ours: &Tensor) -> Tensor {
    if name.ends_with("/spatial") {
        ours.transpose(0, 1).contiguous()
    } else {
        ours.shallow_clone()
    }
}

/// The other way round; `like` has our shape.
pub fn from_reference(name: &str, theirs: &Tensor, like: &Tensor) -> Tensor {
    match (name.ends_with("/spatial"), like.size().as_slice()) {
        (true, [channels, area, kernels]) => {
            theirs.reshape([*area, *channels, *kernels]).transpose(0, 1)
        }
        _ => theirs.view_as(like),
    }
}

pub fn noise_of(golden: &Golden, step: usize, plan: Plan) -> UpdateNoise {
    let mask = |which: &str, camera: &str| {
        let keep =
            golden.find(&format!("step{step}/rand/{which}/dropout_keep/encoder_{camera}"))?;
        Some(keep.to_kind(Kind::Float) / (1.0 - DROPOUT))
    };
    let pass = |which: &str| PassNoise {
        eps: golden.tensor(&format!("step{step}/rand/{which}/eps")),
        dropout: CAMERAS.iter().filter_map(|camera| mask(which, camera)).collect(),
    };
    let subsample = golden.find(&format!("step{step}/rand/subsample_idx"));
    UpdateNoise {
        next: pass("critic_next"),
        subsample: subsample.map(|x| Vec::try_from(x.to_kind(Kind::Int64)).unwrap()),
        actor: (plan == FULL)
            .then(|| ActorNoise { actor: pass("actor"), temperature: pass("temperature_next") }),
    }
}

pub fn check_losses(golden: &Golden, losses: &Losses, step: usize) {
    let check = |got: &Tensor, name: &str| {
        assert_close(got, &golden.tensor(&format!("step{step}/{name}")), FORWARD, name);
    };
    check(&losses.critic, "loss/critic");
    check(&losses.q.mean(None), "info/critic/predicted_qs");
    check(&losses.target_q.mean(None), "info/critic/target_qs");
    check(&losses.reward.mean(None), "info/critic/rewards");
    check(&losses.target_q, "mid/target_q");
    check(&losses.next_q, "mid/target_next_qs");
    if let Some(grasp) = &losses.grasp {
        check(&grasp.loss, "loss/grasp_critic");
        check(&grasp.value.mean(None), "info/grasp_critic/predicted_grasp_qs");
        check(&grasp.target.mean(None), "info/grasp_critic/target_grasp_qs");
        check(&grasp.reward.mean(None), "info/grasp_critic/grasp_rewards");
    }
    if let Some(actor) = &losses.actor {
        check(&actor.actor, "loss/actor");
        check(&actor.entropy, "info/actor/entropy");
        check(&losses.alpha, "info/actor/temperature");
        check(&actor.temperature, "loss/temperature");
    }
}

/// Each parameter's gradient in the span, zero where the loss does not depend on it.
pub fn named_gradients<'a>(
    params: &'a ParamSet,
    span: &Span,
    gradients: &[Tensor],
) -> Vec<(&'a str, Tensor)> {
    let or_zero = |(gradient, view): (&Tensor, &Tensor)| {
        if gradient.defined() { gradient.shallow_clone() } else { view.zeros_like() }
    };
    let named = params.named(span).collect::<Vec<_>>();
    let values = gradients.iter().zip(named.iter().map(|(_, view)| *view)).map(or_zero);
    named.iter().map(|(name, _)| *name).zip(values).collect()
}

/// Each loss by the reference's name, with its optimiser and its gradients.
pub fn by_loss<'a>(
    state: &'a TrainState,
    gradients: &'a Gradients,
) -> impl Iterator<Item = (&'static str, &'a Adam, &'a [Tensor])> {
    let optimisers = &state.optimisers;
    let grasp = optimisers.grasp.as_ref();
    let always: [(&str, &Adam, &[Tensor]); 3] = [
        ("critic", &optimisers.critic, &gradients.critic),
        ("actor", &optimisers.actor, &gradients.actor),
        ("temperature", &optimisers.temperature, &gradients.temperature),
    ];
    always.into_iter().chain(grasp.map(|adam| ("grasp_critic", adam, &gradients.grasp[..])))
}

fn check_gradients(golden: &Golden, state: &TrainState, losses: &Losses) {
    let gradients = gradients_of(state, losses);
    for (loss, adam, gradients) in by_loss(state, &gradients) {
        let mut found = 0;
        for (name, gradient) in named_gradients(&state.params, adam.span(), gradients) {
            let expected = golden.find(&format!("step0/grad/{loss}/{}", reference_name(name)));
            found += usize::from(expected.is_some());
            let expected = expected.unwrap_or_else(|| gradient.zeros_like());
            let gradient = to_reference(name, &gradient);
            assert_close(&gradient, &expected, GRADIENT, &format!("{loss} of {name}"));
        }
        let prefix = format!("step0/grad/{loss}/");
        let there = golden.0.keys().filter(|name| name.starts_with(&prefix)).count();
        assert_eq!(found, there, "every gradient of the {loss} loss was compared");
    }
}

fn check_params(golden: &Golden, prefix: &str, params: &ParamSet) {
    for (name, view) in params.named(&params.layout().whole()) {
        let expected = golden.tensor(&format!("{prefix}/{}", reference_name(name)));
        let view = to_reference(name, view);
        assert_close(&view, &expected, PARAMETER, &format!("{prefix} {name}"));
    }
}

fn check_moments(golden: &Golden, state: &TrainState) {
    let optimisers = &state.optimisers;
    let named = [
        ("critic", &optimisers.critic),
        ("actor", &optimisers.actor),
        ("temperature", &optimisers.temperature),
    ];
    for (loss, adam) in named {
        let count = golden.tensor(&format!("adam_end/{loss}/count")).int64_value(&[]);
        assert_eq!(adam.count() as i64, count);
        let specs = &state.agent.layout.specs()[adam.span().params.clone()];
        for (moments, moment) in adam.moments().iter().zip(["mu", "nu"]) {
            for spec in specs {
                let name = format!("adam_end/{loss}/{moment}/{}", reference_name(&spec.name));
                let offset = spec.offset - adam.span().values.start;
                let got = moments.narrow(0, offset, spec.numel());
                let expected = golden.find(&name).unwrap_or_else(|| got.zeros_like());
                assert_close(&got, &expected, GRADIENT, &name);
            }
        }
    }
}

/// Every loss, every gradient of the first update, all parameters after each update.
fn check(case: Case) {
    let golden = Golden::load(case.file);
    let mut state = state_of(&case, &golden);
    let batch = batch_of(&golden);
    for (step, &plan) in case.plan.iter().enumerate() {
        let noise = noise_of(&golden, step, plan);
        let losses = losses_of(&state, &batch, plan, &noise).unwrap();
        check_losses(&golden, &losses, step);
        if step == 0 {
            check_gradients(&golden, &state, &losses);
        }
        update(&mut state, &batch, plan, &noise).unwrap();
        check_params(&golden, &format!("step{step}/after/params"), &state.params);
        check_params(&golden, &format!("step{step}/after/target"), &state.target);
    }
    check_moments(&golden, &state);
}

#[test]
fn three_full_updates_are_the_references() {
    check(hil_serl("g3a_sac_state_full3", &[FULL, FULL, FULL]));
}

#[test]
fn losses_left_out_still_step_their_optimisers_as_in_the_reference() {
    check(hil_serl("g3b_sac_state_full_critic_critic_full", &[FULL, CRITIC, CRITIC, FULL]));
}

#[test]
fn subsampled_critics_entropy_backup_and_reward_bias_are_the_references() {
    let case = hil_serl("g3c_sac_state_redq_entropy", &[FULL, CRITIC, FULL]);
    let config = UpdateConfig {
        discount: 0.95,
        critic_subsample: Some(2),
        entropy_backup: EntropyBackup::Undiscounted,
        reward_bias: -0.25,
        ..case.config
    };
    check(Case { critics: 5, config, ..case });
}

#[test]
fn networks_give_the_references_values() {
    let golden = Golden::load("g3a_sac_state_full3");
    let state = state_of(&hil_serl("", &[]), &golden);
    let check = |got: &Tensor, name: &str| assert_close(got, &golden.tensor(name), FORWARD, name);
    tch::no_grad(|| {
        let encoding = golden.tensor("batch/observations/state");
        let (agent, p) = (&state.agent, state.params.frozen());
        let action = golden.tensor("fwd/critic/actions");
        check(&agent.critic.forward(p, &encoding, &action), "fwd/critic/q");
        check(&agent.critic.forward_of_action(p, &encoding, &action), "fwd/critic/q");
        let of_target = agent.critic.forward(state.target.frozen(), &encoding, &action);
        check(&of_target, "fwd/critic/q_target_params");

        let distribution = agent.policy.forward(p, &encoding);
        check(&distribution.mean, "fwd/policy/mean");
        check(&distribution.std, "fwd/policy/std");
        check(&distribution.mode(), "fwd/policy/mode");
        check(&distribution.mode(), "fwd/sample_actions/argmax");
        let sample = distribution.sample(&golden.tensor("fwd/policy/eps"));
        check(&sample.action, "fwd/policy/action_of_eps");
        check(&sample.log_prob, "fwd/policy/logp_of_eps");
        let given = distribution.log_prob(&golden.tensor("fwd/policy/given_action"));
        check(&given, "fwd/policy/logp_of_given_action");
        check(&agent.temperature.value(p), "fwd/temperature/value");
        let penalty = crate::losses::temperature_loss(
            &agent.temperature.value(p),
            &Tensor::from(0.5_f32),
            state.config.target_entropy,
        );
        check(&penalty, "fwd/temperature/penalty_at_entropy_0.5");
    });
}
