//! The reference's agents with learned grippers, one arm and two, from small pictures (files g3d,
//! g3e, g3f): every value, every gradient, all parameters after each update.

use nets::{
    architecture::{Architecture, HeadSpec},
    augment::{Shift, shifted},
    backbone::Backbone,
    grasp::command_parts,
    head::{Images, ObservationBatch},
    runtime::PolicyRuntime,
};
use tch::{Device, Kind, Tensor};
use wire::{Observation, PolicyVersion, Timestamp, WeightsHash};

use super::{
    CAMERAS, CRITIC, DROPOUT, FORWARD, FULL, GRADIENT, Golden, assert_close, check_gradients,
    check_losses, check_params, fill, named_gradients, noise_of, reference_name, shifts,
    split_actions, to_reference, trunk,
};
use crate::{
    batch::Batch,
    train_state::{AgentSetup, TrainState},
    update::{Mechanics, UpdateConfig, gradients_of, losses_of, update},
};

const TRUNK: &str = "params/modules_actor/encoder/encoder_wrist_1/pretrained_encoder/";
const SIDE: u16 = 64;
const FILTERS: u16 = 8;

struct Hybrid {
    golden: Golden,
    trunk: Backbone,
    state: TrainState,
}

impl Hybrid {
    fn load(file: &str, arms: u8, dropout: f64) -> Self {
        let golden = Golden::load(file);
        let arrays: Vec<(String, Tensor)> = golden
            .0
            .iter()
            .filter_map(|(name, tensor)| {
                Some((name.strip_prefix(TRUNK)?.to_owned(), tensor.shallow_clone()))
            })
            .collect();
        let head = HeadSpec::SpatialEmbedding {
            cameras: CAMERAS.map(str::to_owned).to_vec(),
            feature_shape: [64, 2, 2],
            kernels: 4,
            bottleneck: 16,
            proprio_latent: 16,
            dropout,
        };
        let architecture = Architecture {
            hidden: vec![24, 24],
            grippers: arms,
            ..Architecture::hil_serl(7, 6 * i64::from(arms), head)
        };
        let backbone = WeightsHash([0; 32]);
        let setup = AgentSetup { architecture, projections: Vec::new(), backbone };
        // The reference counts the grippers too.
        let config = UpdateConfig::hil_serl(7 * usize::from(arms));
        let state = TrainState::new(setup, config, 0, Device::Cpu);
        fill(&golden, "params", &state.params);
        fill(&golden, "target", &state.target);
        Self { trunk: trunk(&arrays, FILTERS, SIDE), golden, state }
    }

    fn observation(&self, which: &str, shifts: &[Shift]) -> ObservationBatch {
        let features = CAMERAS.map(|camera| {
            let frames = self.golden.tensor(&format!("batch/{which}/{camera}")).squeeze_dim(1);
            let maps = self.trunk.encode_tensor(&shifted(&frames, shifts).unwrap()).unwrap();
            maps.contiguous().flatten(1, -1)
        });
        ObservationBatch {
            proprio: self.golden.tensor(&format!("batch/{which}/state")).squeeze_dim(1),
            images: Images::Raw(features.into()),
        }
    }

    fn batch(&self, step: usize) -> Batch {
        let (action, grasp) = split_actions(&self.golden);
        let of = |which: &str, crop: &str| {
            self.observation(which, &shifts(&self.golden, &format!("step{step}/rand/{crop}")))
        };
        Batch {
            observation: of("observations", "crop_obs"),
            action,
            reward: self.golden.tensor("batch/rewards"),
            bootstrap_mask: self.golden.tensor("batch/masks"),
            next_observation: of("next_observations", "crop_next"),
            grasp: Some(grasp),
            demo_rows: 0,
        }
    }

    fn check_networks(&self) {
        let golden = &self.golden;
        let check =
            |got: &Tensor, name: &str| assert_close(got, &golden.tensor(name), FORWARD, name);
        tch::no_grad(|| {
            let (agent, p) = (&self.state.agent, self.state.params.frozen());
            let target = self.state.target.frozen();
            let rows = golden.tensor("batch/rewards").size()[0] as usize;
            let observation = self.observation("observations", &vec![Shift::NONE; rows]);
            let encoding = agent.head.encode(p, p, &observation, None);
            let of_target = agent.head.encode(target, target, &observation, None);
            let action = golden.tensor("fwd/critic/actions");
            check(&agent.critic.forward(p, &encoding, &action), "fwd/critic/q");
            let grasp = agent.grasp.as_ref().unwrap();
            check(&grasp.forward(p, &encoding), "fwd/grasp/q");
            check(&grasp.forward(target, &of_target), "fwd/grasp/q_target_params");
            let distribution = agent.policy.forward(p, &encoding);
            check(&distribution.mean, "fwd/policy/mean");
        });
    }
}

fn check(file: &str, arms: u8, dropout: f64) {
    let mut hybrid = Hybrid::load(file, arms, dropout);
    hybrid.check_networks();
    for (step, plan) in [FULL, CRITIC].into_iter().enumerate() {
        let batch = hybrid.batch(step);
        let noise = noise_of(&hybrid.golden, step, plan);
        let losses = losses_of(&hybrid.state, &batch, plan, &noise).unwrap();
        check_losses(&hybrid.golden, &losses, step);
        if step == 0 {
            check_gradients(&hybrid.golden, &hybrid.state, &losses);
        }
        update(&mut hybrid.state, &batch, plan, &noise).unwrap();
        check_params(&hybrid.golden, &format!("step{step}/after/params"), &hybrid.state.params);
        check_params(&hybrid.golden, &format!("step{step}/after/target"), &hybrid.state.target);
    }
}

#[test]
fn the_margin_counts_for_the_rows_of_demonstrations() {
    let mut hybrid = Hybrid::load("g3d_hybrid_single_pixel_nodrop", 1, 0.0);
    let mut batch = hybrid.batch(0);
    let noise = noise_of(&hybrid.golden, 0, CRITIC);
    let mut margin = |weight, rows| {
        hybrid.state.config.grasp_margin_weight = weight;
        batch.demo_rows = rows;
        let losses = losses_of(&hybrid.state, &batch, CRITIC, &noise).unwrap();
        let grasp = losses.grasp.unwrap();
        f64::try_from(grasp.total - grasp.loss).unwrap()
    };
    assert_eq!((margin(0.0, 2), margin(1.0, 0)), (0.0, 0.0));
    let (first, both) = (margin(1.0, 1), margin(1.0, 2));
    assert!(first > 0.0 && both > 0.0 && first != both, "{first} {both}");
    assert!((margin(0.25, 2) - both / 4.0).abs() < 1e-6);
}

#[test]
fn one_arm_with_a_gripper_is_the_references() {
    check("g3d_hybrid_single_pixel_nodrop", 1, 0.0);
}

#[test]
fn dropout_reaches_the_policys_passes_alone_as_in_the_reference() {
    check("g3e_hybrid_single_pixel_dropout", 1, DROPOUT);
}

#[test]
fn two_arms_with_grippers_are_the_references() {
    check("g3f_hybrid_dual_pixel_nodrop", 2, 0.0);
}

/// Our own preset: one optimiser, whose gradient is the sum of the reference's two.
#[test]
fn one_optimiser_steps_the_sum_of_both_losses() {
    let mut hybrid = Hybrid::load("g3d_hybrid_single_pixel_nodrop", 1, 0.0);
    hybrid.state.config.mechanics = Mechanics::Reins;
    hybrid.state.optimisers.grasp = None;
    let (batch, noise) = (hybrid.batch(0), noise_of(&hybrid.golden, 0, CRITIC));
    let losses = losses_of(&hybrid.state, &batch, CRITIC, &noise).unwrap();
    let gradients = gradients_of(&hybrid.state, &losses);
    assert!(gradients.grasp.is_empty());
    let (state, golden) = (&hybrid.state, &hybrid.golden);
    let span = state.optimisers.critic.span();
    for (name, gradient) in named_gradients(&state.params, span, &gradients.critic) {
        let gradient = to_reference(name, &gradient);
        let of = |loss: &str| golden.find(&format!("step0/grad/{loss}/{}", reference_name(name)));
        let parts = [of("critic"), of("grasp_critic")];
        let sum = parts.into_iter().flatten().reduce(|a, b| a + b).unwrap();
        assert_close(&gradient, &sum.view_as(&gradient), GRADIENT, name);
    }
}

/// -1 close, 0 stay, +1 open; of two arms the first counts three times.
#[test]
fn gripper_actions_become_the_references_commands() {
    let golden = Golden::load("g3f_hybrid_dual_pixel_nodrop");
    let actions = golden.tensor("batch/actions");
    let of = |dim: i64| actions.select(1, dim).round().to_kind(Kind::Int64) + 1;
    let expected = of(6) * 3 + of(13);
    assert!(split_actions(&golden).1.command.equal(&expected));
}

/// What the actors get acts as the learner's own networks do: each arm's part, then its gripper's.
#[test]
fn a_snapshot_gives_the_mean_action_and_the_greedy_commands() {
    let architecture =
        Architecture { grippers: 2, ..Architecture::hil_serl(5, 12, HeadSpec::StateOnly) };
    let backbone = WeightsHash([0; 32]);
    let setup = AgentSetup { architecture, projections: Vec::new(), backbone };
    let state = TrainState::new(setup, UpdateConfig::hil_serl(14), 3, Device::Cpu);
    let runtime =
        PolicyRuntime::from_snapshot(&state.snapshot(PolicyVersion(1)).unwrap(), Device::Cpu);
    let mut seen = std::collections::BTreeSet::new();
    for at in 0..32 {
        let proprio: Vec<f32> = (0..5).map(|n| ((at * 5 + n) as f32).sin() * 2.0).collect();
        let row = Tensor::from_slice(&proprio).view([1, 5]);
        let (agent, p) = (&state.agent, state.params.frozen());
        let mode = nets::snapshot::to_vec(&agent.policy.forward(p, &row).mode());
        let command = agent.grasp.as_ref().unwrap().best(p, &row).int64_value(&[0]);
        seen.insert(command);
        let parts = command_parts(command, 2);
        let expected = [&mode[..6], &parts[..1], &mode[6..], &parts[1..]].concat();
        let observation =
            Observation { captured_at: Timestamp(0), proprio, frames: vec![], features: vec![] };
        let action = runtime.as_ref().unwrap().act(&observation, None).unwrap();
        assert_eq!(action.as_slice(), expected);
    }
    assert!(seen.len() > 1, "always the same command: {seen:?}");
}
