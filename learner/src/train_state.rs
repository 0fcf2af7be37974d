//! Everything that training changes, and everything needed to go on with it exactly.

use nets::{
    agent::Agent,
    architecture::{Architecture, ArchitectureError},
    params::{ParamSet, Span},
    projection::{Projection, ProjectionError},
    snapshot::{self, Provenance, SnapshotError},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};
use thiserror::Error;
use wire::{LearnerStep, PolicySnapshot, PolicyVersion, WeightsHash};

use crate::{
    adam::Adam,
    archive::{Archive, ArchiveError, ArchiveWriter},
    noise::UpdateNoise,
    update::{Algorithm, Mechanics, Plan, UpdateConfig},
};

const FORMAT: &str = "reins-train-state-1";

/// What an agent is made from; does not change while it trains.
#[derive(Debug)]
pub struct AgentSetup {
    pub architecture: Architecture,
    /// One per camera where the head projects, else empty.
    pub projections: Vec<Projection>,
    /// The backbone whose features are learned from; all zero without cameras.
    pub backbone: WeightsHash,
}

#[derive(Debug)]
pub struct TrainState {
    pub agent: Agent,
    pub backbone: WeightsHash,
    pub config: UpdateConfig,
    pub params: ParamSet,
    pub target: ParamSet,
    pub optimisers: Optimisers,
    pub counters: Counters,
    pub rng: ChaCha8Rng,
}

#[derive(Debug)]
pub struct Optimisers {
    /// Owns critics and head.
    pub critic: Adam,
    /// As in the reference: owns the grasp critic and moves the head too. Else it is the critic's
    /// optimiser that owns the grasp critic.
    pub grasp: Option<Adam>,
    /// Owns the policy; in imitation head and grasp critic too. In the reference it moves the head as well, of
    /// which only the embedding of proprioception has a gradient.
    pub actor: Adam,
    pub temperature: Adam,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub critic_updates: u64,
    pub actor_updates: u64,
}

#[derive(Debug, Error)]
pub enum RestoreError {
    #[error("a training state cannot be read")]
    Archive(#[from] ArchiveError),
    #[error("a training state describes an impossible network")]
    Architecture(#[from] ArchitectureError),
    #[error("a training state's projection cannot be used")]
    Projection(#[from] ProjectionError),
    #[error(
        "a training state was written by a program that lays its parameters out in another way"
    )]
    Layout,
}

/// The part of a saved state that is not tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    architecture: Architecture,
    backbone: WeightsHash,
    config: UpdateConfig,
    counters: Counters,
    adam_counts: Vec<u64>,
    rng: ChaCha8Rng,
    layout: Vec<(String, Vec<i64>, i64)>,
    projection_scales: Vec<f32>,
}

impl TrainState {
    /// Parameters and all later noise follow from `seed`.
    pub fn new(setup: AgentSetup, config: UpdateConfig, seed: u64, device: Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let agent = Agent::new(setup.architecture, setup.projections);
        let params = ParamSet::init(agent.layout.clone(), &mut rng, device);
        Self::from_parts(agent, setup.backbone, config, params, rng)
    }

    fn from_parts(
        agent: Agent,
        backbone: WeightsHash,
        config: UpdateConfig,
        params: ParamSet,
        rng: ChaCha8Rng,
    ) -> Self {
        let target = params.duplicate();
        let optimisers = Optimisers::new(&agent, &params, &config);
        let counters = Counters::default();
        Self { agent, backbone, config, params, target, optimisers, counters, rng }
    }

    /// Draws what one update needs.
    pub fn draw_noise(&mut self, batch: i64, plan: Plan) -> UpdateNoise {
        let device = self.params.device();
        UpdateNoise::draw(&mut self.rng, &self.agent, &self.config, batch, plan, device)
    }

    pub fn learner_step(&self) -> LearnerStep {
        LearnerStep(self.counters.critic_updates)
    }

    /// Head and policy for the actors.
    pub fn snapshot(&self, version: PolicyVersion) -> Result<PolicySnapshot, SnapshotError> {
        let provenance =
            Provenance { version, learner_step: self.learner_step(), backbone: self.backbone };
        snapshot::snapshot(&self.agent, &self.params, provenance)
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, ArchiveError> {
        let mut archive = ArchiveWriter::default();
        archive.add("params", self.params.flat());
        archive.add("target", self.target.flat());
        for (name, adam) in self.optimisers.all() {
            let [m, v] = adam.moments();
            archive.add(format!("adam/{name}/m"), m);
            archive.add(format!("adam/{name}/v"), v);
        }
        let projections = self.agent.head.projections();
        for (at, projection) in projections.iter().enumerate() {
            archive.add(format!("projection/{at}/mean"), projection.mean());
            archive.add(format!("projection/{at}/components"), projection.components());
        }
        archive.finish(
            FORMAT,
            &Description {
                architecture: self.agent.architecture.clone(),
                backbone: self.backbone,
                config: self.config.clone(),
                counters: self.counters,
                adam_counts: self.optimisers.all().map(|(_, adam)| adam.count()).collect(),
                rng: self.rng.clone(),
                layout: described(&self.agent),
                projection_scales: projections.iter().map(Projection::scale).collect(),
            },
        )
    }

    pub fn from_bytes(bytes: &[u8], device: Device) -> Result<Self, RestoreError> {
        let (archive, description) = Archive::read::<Description>(bytes, FORMAT)?;
        description.architecture.check()?;
        let projections = description
            .projection_scales
            .iter()
            .enumerate()
            .map(|(at, scale)| {
                let mean = archive.tensor(&format!("projection/{at}/mean"))?;
                let components = archive.tensor(&format!("projection/{at}/components"))?;
                Ok(Projection::new(mean, components, *scale)?.to_device(device))
            })
            .collect::<Result<Vec<_>, RestoreError>>()?;
        let agent = Agent::new(description.architecture, projections);
        if described(&agent) != description.layout {
            return Err(RestoreError::Layout);
        }
        let flat = |name: &str, span: &Span| -> Result<Tensor, ArchiveError> {
            Ok(archive.tensor_of(name, &[span.len()])?.to_device(device))
        };
        let whole = agent.layout.whole();
        let params = ParamSet::new(agent.layout.clone(), flat("params", &whole)?);
        let target = ParamSet::new(agent.layout.clone(), flat("target", &whole)?);
        let mut optimisers = Optimisers::new(&agent, &params, &description.config);
        let counts = description.adam_counts;
        if counts.len() != optimisers.all().count() {
            return Err(RestoreError::Layout);
        }
        for ((name, adam), count) in optimisers.all_mut().zip(counts) {
            let moment = |part: &str| flat(&format!("adam/{name}/{part}"), adam.span());
            let moments = [moment("m")?, moment("v")?];
            adam.restore(count, &moments);
        }
        Ok(Self {
            agent,
            backbone: description.backbone,
            config: description.config,
            params,
            target,
            optimisers,
            counters: description.counters,
            rng: description.rng,
        })
    }
}

impl Optimisers {
    fn new(agent: &Agent, params: &ParamSet, config: &UpdateConfig) -> Self {
        let spans = &agent.spans;
        let of_actor = match (config.algorithm, config.mechanics) {
            (Algorithm::Rlpd, Mechanics::Reins) => spans.policy.clone(),
            (Algorithm::Rlpd, Mechanics::HilSerl) => spans.head.join(&spans.policy),
            (Algorithm::HgDagger, _) => spans.grasp.join(&spans.head).join(&spans.policy),
        };
        let grasp = match config.mechanics {
            Mechanics::HilSerl if agent.grasp.is_some() => {
                Some(Adam::new(params, spans.grasp.join(&spans.head)))
            }
            _ => None,
        };
        Self {
            critic: Adam::new(params, spans.values()),
            grasp,
            actor: Adam::new(params, of_actor),
            temperature: Adam::new(params, spans.temperature.clone()),
        }
    }

    /// By the names that they have in a saved state.
    fn all(&self) -> impl Iterator<Item = (&'static str, &Adam)> {
        let Self { critic, grasp, actor, temperature } = self;
        let always = [("critic", critic), ("actor", actor), ("temperature", temperature)];
        always.into_iter().chain(grasp.as_ref().map(|grasp| ("grasp", grasp)))
    }

    fn all_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Adam)> {
        let Self { critic, grasp, actor, temperature } = self;
        let always = [("critic", critic), ("actor", actor), ("temperature", temperature)];
        always.into_iter().chain(grasp.as_mut().map(|grasp| ("grasp", grasp)))
    }
}

/// Name, shape and place of every parameter.
fn described(agent: &Agent) -> Vec<(String, Vec<i64>, i64)> {
    agent.layout.specs().iter().map(|s| (s.name.clone(), s.shape.clone(), s.offset)).collect()
}
