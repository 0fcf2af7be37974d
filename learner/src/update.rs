//! One gradient step of the agent: critics alone, or critics, policy and temperature.
//!
//! All gradients are taken at the same parameters, then every loss's own Adam steps. Two presets in
//! one: `hil_serl` follows the reference to the number, `reins` mends its defects
//! (hil-serl.md 8.2). Never samples a batch, never draws: chance comes as [`UpdateNoise`].

use nets::{agent::Agent, head::ObservationBatch, params::ParamSet, policy::TanhGaussian};
use serde::{Deserialize, Serialize};
use tch::Tensor;
use thiserror::Error;

pub use crate::noise::{ActorNoise, PassNoise, UpdateNoise};
use crate::{
    batch::{Batch, EpisodeEndRule},
    losses::{self, EntropyBackup, NextValue, TargetRule},
    train_state::TrainState,
};

/// What the policy is trained by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Values of its actions, by critics.
    #[default]
    Rlpd,
    /// What a person did, in demonstrations and interventions; see [`crate::imitation`].
    HgDagger,
}

/// By how much the person's command is to be worth more than another, where a success is worth 1.
const GRASP_MARGIN: f64 = 0.05;

/// Who steps what, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanics {
    /// Each optimiser owns its module's parameters and rests when its loss is left out.
    Reins,
    /// A loss that is left out still steps its optimiser, with a gradient of zero; the policy's
    /// optimiser moves the embedding of proprioception too; the target copies everything.
    HilSerl,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateConfig {
    /// gamma
    pub discount: f64,
    /// How far the target moves towards the parameters in each update.
    pub tau: f64,
    /// Of critics and policy.
    pub learning_rate: f64,
    pub temperature_learning_rate: f64,
    pub target_entropy: f64,
    /// Critics drawn for each target, with replacement; all when `None`.
    pub critic_subsample: Option<usize>,
    pub entropy_backup: EntropyBackup,
    /// Added to every reward.
    pub reward_bias: f64,
    /// What values can be at all, from the range of the rewards; bootstrapped ones are clamped.
    pub value_range: Option<[f64; 2]>,
    /// Weight of the imitation term of the policy's loss, over the demo rows.
    pub bc_weight: f64,
    /// Weight of [`losses::grasp_margin_loss`] in the grasp critic's loss, over the demo rows.
    #[serde(default)]
    pub grasp_margin_weight: f64,
    pub mechanics: Mechanics,
    #[serde(default)]
    pub algorithm: Algorithm,
}

impl UpdateConfig {
    /// `learned_dims`: dimensions that the policy itself chooses. Values are clamped to [0, 1],
    /// which is right for a sparse reward of one.
    pub fn reins(learned_dims: usize) -> Self {
        Self {
            discount: 0.97,
            tau: 0.005,
            learning_rate: 3e-4,
            temperature_learning_rate: 3e-3,
            target_entropy: -(learned_dims as f64) / 2.0,
            critic_subsample: None,
            entropy_backup: EntropyBackup::Off,
            reward_bias: 0.0,
            value_range: Some([0.0, 1.0]),
            bc_weight: 0.1,
            grasp_margin_weight: 0.0,
            mechanics: Mechanics::Reins,
            algorithm: Algorithm::Rlpd,
        }
    }

    /// `env_dims`: all dimensions of the environment's action, learned or not.
    pub fn hil_serl(env_dims: usize) -> Self {
        Self {
            temperature_learning_rate: 3e-4,
            value_range: None,
            bc_weight: 0.0,
            mechanics: Mechanics::HilSerl,
            ..Self::reins(env_dims)
        }
    }

    /// How batches for this preset mark the end of an episode.
    pub fn episode_end_rule(&self) -> EpisodeEndRule {
        match self.mechanics {
            Mechanics::Reins => EpisodeEndRule::Terminated,
            Mechanics::HilSerl => EpisodeEndRule::TerminatedOrTruncated,
        }
    }

    fn target_rule(&self) -> TargetRule {
        TargetRule {
            discount: self.discount,
            entropy_backup: self.entropy_backup,
            value_range: self.value_range,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    CriticOnly,
    /// Critics, policy and temperature.
    Full,
}

/// What happened, as means over the batch, at the parameters before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateInfo {
    pub critic_loss: f32,
    pub q: f32,
    pub target_q: f32,
    pub reward: f32,
    /// alpha
    pub temperature: f32,
    /// Where gripper commands are learned.
    pub grasp: Option<GraspInfo>,
    /// In a full update.
    pub actor: Option<ActorInfo>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GraspInfo {
    pub loss: f32,
    pub value: f32,
    pub target: f32,
    /// With the penalty.
    pub reward: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActorInfo {
    /// Without the imitation term.
    pub actor_loss: f32,
    /// Unweighted; 0 when there is no such term. Where the policy only imitates, with the cross-entropy of the
    /// gripper's commands.
    pub bc_loss: f32,
    /// Of the policy at the observations.
    pub entropy: f32,
    pub temperature_loss: f32,
}

#[derive(Debug, Error, PartialEq)]
pub enum UpdateError {
    #[error("a batch does not fit the agent: {0}")]
    Batch(String),
    #[error("a full update needs noise for the actor")]
    NoiseMissing,
    #[error("a loss is not finite ({0:?}); the parameters were left as they were")]
    NotFinite(UpdateInfo),
}

/// Losses of one update as tensors that know their graph, and what they were made of.
#[derive(Debug)]
pub struct Losses {
    pub critic: Tensor,
    /// [E, B]
    pub q: Tensor,
    /// [E, B]
    pub next_q: Tensor,
    /// `[B]`
    pub target_q: Tensor,
    pub reward: Tensor,
    /// alpha, a constant.
    pub alpha: Tensor,
    pub grasp: Option<GraspLosses>,
    pub actor: Option<ActorLosses>,
}

#[derive(Debug)]
pub struct GraspLosses {
    /// With the margin's term.
    pub total: Tensor,
    pub loss: Tensor,
    /// G of the commands that were given, `[B]`.
    pub value: Tensor,
    /// `[B]`
    pub target: Tensor,
    /// With the penalty, `[B]`.
    pub reward: Tensor,
}

#[derive(Debug)]
pub struct ActorLosses {
    /// With the imitation term.
    pub total: Tensor,
    pub actor: Tensor,
    pub bc: Option<Tensor>,
    pub entropy: Tensor,
    pub temperature: Tensor,
}

/// Gradients of [`Losses`], one tensor per parameter of the optimiser's span; undefined where the
/// loss does not depend on the parameter.
#[derive(Debug)]
pub struct Gradients {
    pub critic: Vec<Tensor>,
    /// Where the grasp critic has an optimiser of its own.
    pub grasp: Vec<Tensor>,
    pub actor: Vec<Tensor>,
    pub temperature: Vec<Tensor>,
}

/// One update. On an error nothing has changed.
pub fn update(
    state: &mut TrainState,
    batch: &Batch,
    plan: Plan,
    noise: &UpdateNoise,
) -> Result<UpdateInfo, UpdateError> {
    if let Some(mismatch) = batch.mismatch(&state.agent.architecture) {
        return Err(UpdateError::Batch(mismatch));
    }
    let losses = losses_of(state, batch, plan, noise)?;
    let info = read_info(&losses);
    if !info.is_finite() {
        return Err(UpdateError::NotFinite(info));
    }
    let gradients = gradients_of(state, &losses);
    drop(losses);
    step(state, plan, &gradients);
    Ok(info)
}

/// All losses at the present parameters.
pub fn losses_of(
    state: &TrainState,
    batch: &Batch,
    plan: Plan,
    noise: &UpdateNoise,
) -> Result<Losses, UpdateError> {
    let TrainState { agent, params, target, config, .. } = state;
    let reward = match config.reward_bias {
        0.0 => batch.reward.shallow_clone(),
        bias => &batch.reward + bias,
    };
    let alpha = agent.temperature.value(params.frozen());

    let (next, next_q, target_q, next_g) = tch::no_grad(|| {
        let (p, target) = (params.frozen(), target.frozen());
        let observation = &batch.next_observation;
        let encoding = agent.head.encode(p, p, observation, noise.next.masks());
        let next = agent.policy.forward(p, &encoding);
        let sample = next.sample(&noise.next.eps);
        let online = agent.grasp.as_ref().map(|grasp| {
            // As when acting: nothing is dropped.
            let undropped = noise.next.masks().map(|_| agent.head.encode(p, p, observation, None));
            grasp.forward(p, undropped.as_ref().unwrap_or(&encoding))
        });
        let encoding = if agent.head.is_learned() {
            agent.head.encode(target, target, observation, None)
        } else {
            encoding
        };
        let next_g = agent.grasp.as_ref().zip(online);
        let next_g = next_g.map(|(grasp, online)| [online, grasp.forward(target, &encoding)]);
        let q = agent.critic.forward(target, &encoding, &sample.action);
        let next_value = NextValue {
            q: &q,
            log_prob: &sample.log_prob,
            alpha: &alpha,
            subsample: noise.subsample.as_deref(),
        };
        let rule = config.target_rule();
        let target_q = losses::td_target(&reward, &batch.bootstrap_mask, &next_value, rule);
        (next, q, target_q, next_g)
    });

    let p = params.leaves();
    let encoding = agent.head.encode(p, p, &batch.observation, None);
    let q = agent.critic.forward(p, &encoding, &batch.action);
    let critic = losses::critic_loss(&q, &target_q);
    let grasp = next_g.and_then(|next_g| grasp_losses(state, batch, &encoding, &reward, &next_g));

    let actor = match plan {
        Plan::CriticOnly => None,
        Plan::Full => {
            let noise = noise.actor.as_ref().ok_or(UpdateError::NoiseMissing)?;
            let next = next_for_entropy(state, &batch.next_observation, next, noise);
            Some(actor_losses(state, batch, &encoding.detach(), &next, &alpha, noise))
        }
    };
    Ok(Losses { critic, q, next_q, target_q, reward, alpha, grasp, actor })
}

/// `next_g`: G of the next observations, by the parameters and by the target's.
fn grasp_losses(
    TrainState { agent, params, config, .. }: &TrainState,
    batch: &Batch,
    encoding: &Tensor,
    reward: &Tensor,
    [online, target]: &[Tensor; 2],
) -> Option<GraspLosses> {
    let (grasp, columns) = agent.grasp.as_ref().zip(batch.grasp.as_ref())?;
    let reward = reward + &columns.penalty;
    let mask = &batch.bootstrap_mask;
    let target = losses::grasp_target(&reward, mask, online, target, config.target_rule());
    let g = grasp.forward(params.leaves(), encoding);
    let value = losses::value_of_command(&g, &columns.command);
    let loss = losses::grasp_loss(&value, &target);
    let rows = batch.demo_rows;
    let total = match config.grasp_margin_weight {
        weight if weight != 0.0 && rows > 0 => {
            let shown = columns.command.narrow(0, 0, rows);
            let margin = losses::grasp_margin_loss(&g.narrow(0, 0, rows), &shown, GRASP_MARGIN);
            &loss + margin * weight
        }
        _ => loss.shallow_clone(),
    };
    Some(GraspLosses { total, loss, value, target, reward })
}

/// The policy at the next observations, with dropout of its own where the head drops anything.
fn next_for_entropy(
    TrainState { agent, params, .. }: &TrainState,
    observation: &ObservationBatch,
    next: TanhGaussian,
    noise: &ActorNoise,
) -> TanhGaussian {
    let Some(masks) = noise.temperature.masks() else { return next };
    tch::no_grad(|| {
        let p = params.frozen();
        agent.policy.forward(p, &agent.head.encode(p, p, observation, Some(masks)))
    })
}

fn actor_losses(
    TrainState { agent, params, config, .. }: &TrainState,
    batch: &Batch,
    encoding: &Tensor,
    next: &TanhGaussian,
    alpha: &Tensor,
    noise: &ActorNoise,
) -> ActorLosses {
    let p = params.leaves();
    let encoding_of_policy = if agent.head.is_learned() {
        let proprio_params = match config.mechanics {
            Mechanics::Reins => params.frozen(),
            Mechanics::HilSerl => params.leaves(),
        };
        let masks = noise.actor.masks();
        agent.head.encode(params.frozen(), proprio_params, &batch.observation, masks)
    } else {
        encoding.shallow_clone()
    };
    let distribution = agent.policy.forward(p, &encoding_of_policy);
    let sample = distribution.sample(&noise.actor.eps);
    let q = agent.critic.forward_of_action(params.frozen(), encoding, &sample.action);
    let actor = losses::actor_loss(&q, &sample.log_prob, alpha);

    let rows = batch.demo_rows;
    let bc = (config.bc_weight != 0.0 && rows > 0).then(|| {
        let mode = distribution.mean.narrow(0, 0, rows).tanh();
        losses::bc_loss(&mode, &batch.action.narrow(0, 0, rows))
    });
    let total = match &bc {
        Some(bc) => &actor + bc * config.bc_weight,
        None => actor.shallow_clone(),
    };

    let next_log_prob = tch::no_grad(|| next.sample(&noise.temperature.eps).log_prob);
    let alpha_leaf = agent.temperature.value(p);
    let temperature = losses::temperature_loss(
        &alpha_leaf,
        &losses::entropy(&next_log_prob),
        config.target_entropy,
    );
    let entropy = losses::entropy(&sample.log_prob.detach());
    ActorLosses { total, actor, bc, entropy, temperature }
}

/// Gradients for the optimisers' spans.
pub fn gradients_of(state: &TrainState, losses: &Losses) -> Gradients {
    let through = |losses: &[&Tensor], optimiser: &crate::adam::Adam, keep_graph| {
        Tensor::run_backward(losses, state.params.leaves_of(optimiser.span()), keep_graph, false)
    };
    let of = |loss: &Tensor, optimiser: &crate::adam::Adam| through(&[loss], optimiser, false);
    let optimisers = &state.optimisers;
    let (critic, grasp) = match (&losses.grasp, &optimisers.grasp) {
        (None, _) => (of(&losses.critic, &optimisers.critic), Vec::new()),
        // One optimiser for the sum of both.
        (Some(grasp), None) => {
            (through(&[&losses.critic, &grasp.total], &optimisers.critic, false), Vec::new())
        }
        // Both go through the head's graph.
        (Some(grasp), Some(adam)) => {
            (through(&[&losses.critic], &optimisers.critic, true), of(&grasp.total, adam))
        }
    };
    let (actor, temperature) = match &losses.actor {
        None => (Vec::new(), Vec::new()),
        Some(actor) => {
            (of(&actor.total, &optimisers.actor), of(&actor.temperature, &optimisers.temperature))
        }
    };
    Gradients { critic, grasp, actor, temperature }
}

fn step(state: &mut TrainState, plan: Plan, gradients: &Gradients) {
    let TrainState { optimisers, config, counters, .. } = state;
    let (rate, temperature_rate) = (config.learning_rate, config.temperature_learning_rate);
    optimisers.critic.step(&gradients.critic, rate);
    if let Some(grasp) = &mut optimisers.grasp {
        grasp.step(&gradients.grasp, rate);
    }
    match (plan, config.mechanics) {
        (Plan::Full, _) => {
            optimisers.actor.step(&gradients.actor, rate);
            optimisers.temperature.step(&gradients.temperature, temperature_rate);
        }
        (Plan::CriticOnly, Mechanics::HilSerl) => {
            optimisers.actor.step_without_gradient(rate);
            optimisers.temperature.step_without_gradient(temperature_rate);
        }
        (Plan::CriticOnly, Mechanics::Reins) => {}
    }
    counters.critic_updates += 1;
    counters.actor_updates += u64::from(plan == Plan::Full);
    move_target(&state.agent, &state.params, &state.target, &state.config);
}

/// target <- (1 - tau) target + tau params
fn move_target(agent: &Agent, params: &ParamSet, target: &ParamSet, config: &UpdateConfig) {
    let span = match config.mechanics {
        Mechanics::Reins => agent.spans.values(),
        Mechanics::HilSerl => agent.layout.whole(),
    };
    tch::no_grad(|| {
        let _ = target.flat_of(&span).lerp_(&params.flat_of(&span), config.tau);
    });
}

/// All figures in one tensor, so that a GPU is waited for once.
fn read_info(losses: &Losses) -> UpdateInfo {
    tch::no_grad(|| {
        let mean = |x: &Tensor| x.mean(None);
        let mut scalars = vec![
            losses.critic.shallow_clone(),
            mean(&losses.q),
            mean(&losses.target_q),
            mean(&losses.reward),
            losses.alpha.shallow_clone(),
        ];
        if let Some(grasp) = &losses.grasp {
            let GraspLosses { loss, value, target, reward, .. } = grasp;
            scalars.extend([loss.shallow_clone(), mean(value), mean(target), mean(reward)]);
        }
        if let Some(actor) = &losses.actor {
            let bc =
                actor.bc.as_ref().map_or_else(|| actor.actor.zeros_like(), Tensor::shallow_clone);
            scalars.extend([
                actor.actor.shallow_clone(),
                bc,
                actor.entropy.shallow_clone(),
                actor.temperature.shallow_clone(),
            ]);
        }
        let mut values = nets::snapshot::to_vec(&Tensor::stack(&scalars, 0)).into_iter();
        let mut next = || values.next().expect("as many values as scalars");
        UpdateInfo {
            critic_loss: next(),
            q: next(),
            target_q: next(),
            reward: next(),
            temperature: next(),
            grasp: losses.grasp.as_ref().map(|_| GraspInfo {
                loss: next(),
                value: next(),
                target: next(),
                reward: next(),
            }),
            actor: losses.actor.as_ref().map(|_| ActorInfo {
                actor_loss: next(),
                bc_loss: next(),
                entropy: next(),
                temperature_loss: next(),
            }),
        }
    })
}

impl UpdateInfo {
    /// Of an update that has no critics. What it does not compute is no number.
    pub fn imitation(bc_loss: f32) -> Self {
        let none = f32::NAN;
        let actor =
            ActorInfo { actor_loss: bc_loss, bc_loss, entropy: none, temperature_loss: none };
        Self {
            critic_loss: none,
            q: none,
            target_q: none,
            reward: none,
            temperature: none,
            grasp: None,
            actor: Some(actor),
        }
    }

    fn is_finite(&self) -> bool {
        let Self { critic_loss, q, target_q, reward, temperature, grasp, actor } = self;
        let own = [critic_loss, q, target_q, reward, temperature].iter().all(|x| x.is_finite());
        let grasps = grasp.is_none_or(|GraspInfo { loss, value, target, reward }| {
            [loss, value, target, reward].iter().all(|x| x.is_finite())
        });
        own && grasps
            && actor.is_none_or(|actor| {
                let ActorInfo { actor_loss, bc_loss, entropy, temperature_loss } = actor;
                [actor_loss, bc_loss, entropy, temperature_loss].iter().all(|x| x.is_finite())
            })
    }
}
