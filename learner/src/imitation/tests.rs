use nets::{
    architecture::{Architecture, HeadSpec},
    head::Images,
    params::Span,
};
use tch::{Device, Kind};
use wire::WeightsHash;

use super::*;
use crate::{
    train_state::AgentSetup,
    update::{Algorithm, UpdateConfig},
};

const ROWS: i64 = 32;
const CHANNELS: i64 = 4;

fn state() -> TrainState {
    state_with(0)
}

fn state_with(grippers: u8) -> TrainState {
    let HeadSpec::SpatialEmbedding { cameras, feature_shape, dropout, .. } =
        HeadSpec::spatial_embedding(vec!["wrist".into()], [CHANNELS, 2, 2])
    else {
        panic!("the head that learns")
    };
    let head = HeadSpec::SpatialEmbedding {
        cameras,
        feature_shape,
        dropout,
        kernels: 2,
        bottleneck: 8,
        proprio_latent: 4,
    };
    let architecture =
        Architecture { hidden: vec![16], grippers, ..Architecture::reins(3, 2, head) };
    let setup =
        AgentSetup { architecture, projections: Vec::new(), backbone: WeightsHash([0; 32]) };
    let config = UpdateConfig {
        algorithm: Algorithm::HgDagger,
        learning_rate: 3e-3,
        ..UpdateConfig::reins(2)
    };
    TrainState::new(setup, config, 0, Device::Cpu)
}

/// Actions that can be told from the picture alone.
fn shown() -> (ObservationBatch, Shown) {
    let at = Tensor::linspace(-1.0, 1.0, ROWS, (Kind::Float, Device::Cpu)).view([ROWS, 1]);
    let features = (&at * 2.0).expand([ROWS, CHANNELS * 4], false).contiguous();
    let proprio = Tensor::zeros([ROWS, 3], (Kind::Float, Device::Cpu));
    let motion = Tensor::cat(&[&at * 0.8, &at * -0.5], 1);
    let images = Images::Raw(vec![features]);
    (ObservationBatch { proprio, images }, Shown { motion, command: None })
}

fn values(state: &TrainState, span: &Span) -> Tensor {
    state.params.flat_of(span).copy()
}

fn bc_loss(info: UpdateInfo) -> f32 {
    info.actor.unwrap().bc_loss
}

#[test]
fn head_and_policy_learn_what_was_shown_and_the_critics_rest() {
    let mut state = state();
    let spans = &state.agent.spans;
    let [head, policy, critic] = [&spans.head, &spans.policy, &spans.critic]
        .map(|span| (span.clone(), values(&state, span)));
    let (observation, person) = shown();
    let first = bc_loss(imitate(&mut state, &observation, &person).unwrap());
    let mut last = first;
    for _ in 0..300 {
        last = bc_loss(imitate(&mut state, &observation, &person).unwrap());
    }
    assert!(last < 0.1 * first, "from {first} to {last}");
    let moved = |(span, before): &(Span, Tensor)| {
        (values(&state, span) - before).abs().max().double_value(&[])
    };
    assert!(moved(&head) > 1e-3 && moved(&policy) > 1e-3);
    assert_eq!(moved(&critic), 0.0);
    assert_eq!(state.learner_step().0, 301);
}

#[test]
fn an_action_that_is_no_number_changes_nothing() {
    let mut state = state();
    let whole = state.agent.layout.whole();
    let before = values(&state, &whole);
    let (observation, person) = shown();
    let nan = Shown { motion: person.motion * f64::NAN, command: None };
    let error = imitate(&mut state, &observation, &nan).unwrap_err();
    assert!(matches!(error, UpdateError::NotFinite(_)), "{error}");
    assert_eq!(values(&state, &whole), before);
    assert_eq!(state.learner_step().0, 0);
}

#[test]
fn gripper_commands_are_learned_too() {
    let mut state = state_with(1);
    let (observation, person) = shown();
    // Close in the first third of the pictures, stay, and open in the last.
    let thirds = (0..ROWS).map(|row| (row * 3 / ROWS) as f32 - 1.0).collect::<Vec<_>>();
    let command = grasp::command_index(&Tensor::from_slice(&thirds).view([ROWS, 1]));
    let person = Shown { command: Some(command.copy()), ..person };
    for _ in 0..300 {
        imitate(&mut state, &observation, &person).unwrap();
    }
    let params = state.params.frozen();
    let encoding = state.agent.head.encode(params, params, &observation, None);
    let chosen = state.agent.grasp.as_ref().unwrap().forward(params, &encoding).argmax(1, false);
    let right = chosen.eq_tensor(&command).sum(Kind::Int64).int64_value(&[]);
    assert!(right >= ROWS - 2, "{right} of {ROWS}");
}
