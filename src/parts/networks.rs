//! Backbone, architecture and policies, as the run file names them.

use std::path::Path;

use actor::{Encoder, Policy, PolicyLoader, policy::PolicyError};
use anyhow::Context;
use nets::{
    architecture::{Architecture, HeadSpec},
    backbone::{Backbone, BackboneConfig, EfficientnetLite0Config, Resnet10Config, WeightsSource},
    device::{self, Device, DeviceRequest},
    runtime::PolicyRuntime,
};
use rand_chacha::ChaCha8Rng;
use tasks::{
    RunConfig, TaskConfig,
    run::{BackboneKind, DeviceChoice, HeadKind, Mechanics},
};
use wire::{
    Action, Features, Frame, LearnerStep, Observation, PolicySnapshot, PolicyVersion, WeightsHash,
    codec,
};

/// The device of this process and the sentence that says why, threads set.
pub fn prepare_device(run: &RunConfig, threads: u32) -> anyhow::Result<(Device, String)> {
    let request = match run.device {
        DeviceChoice::Auto => DeviceRequest::Auto,
        DeviceChoice::Cpu => DeviceRequest::Cpu,
        DeviceChoice::Cuda => DeviceRequest::Cuda,
    };
    let prepared = device::prepare(request)?;
    device::set_threads(threads as usize);
    Ok(prepared)
}

/// `None` for a task without cameras.
pub fn backbone(
    task: &TaskConfig,
    run: &RunConfig,
    device: Device,
) -> anyhow::Result<Option<Backbone>> {
    if task.cameras.is_empty() {
        return Ok(None);
    }
    let backbone = Backbone::load(&backbone_config(run), device).context("loading the backbone")?;
    Ok(Some(backbone))
}

fn backbone_config(run: &RunConfig) -> BackboneConfig {
    let config = &run.backbone;
    let weights = match config.weights_file() {
        Some(path) => WeightsSource::Path(path.to_owned()),
        None => WeightsSource::Random { random: config.seed },
    };
    let (image_size, pool) = (config.image_size, config.pool);
    match config.kind {
        BackboneKind::EfficientNetLite0 => {
            let cut_block = config.cut_block;
            BackboneConfig::EfficientnetLite0(EfficientnetLite0Config {
                weights,
                image_size,
                cut_block,
                pool,
            })
        }
        BackboneKind::ResNet10 => BackboneConfig::Resnet10(Resnet10Config {
            image_size,
            pool,
            ..Resnet10Config::new(weights)
        }),
    }
}

pub fn architecture(
    task: &TaskConfig,
    run: &RunConfig,
    backbone: Option<&Backbone>,
) -> Architecture {
    let head = match backbone {
        None => HeadSpec::StateOnly,
        Some(backbone) => head(task, run, backbone.feature_shape()),
    };
    let (proprio, action) = (task.proprio_dim() as i64, task.action.dims.count() as i64);
    let base = match run.learner.mechanics {
        Mechanics::Reins => Architecture::reins(proprio, action, head),
        Mechanics::HilSerl => Architecture::hil_serl(proprio, action, head),
    };
    Architecture {
        hidden: run.network.hidden.iter().map(|width| i64::from(*width)).collect(),
        critics: run.learner.ensemble.into(),
        temperature_init: run.learner.temperature_init,
        grippers: task.action.grippers() as u8,
        ..base
    }
}

fn head(task: &TaskConfig, run: &RunConfig, feature_shape: [i64; 3]) -> HeadSpec {
    let cameras = task.cameras.clone();
    match run.head.kind {
        HeadKind::Pca => HeadSpec::Pca {
            cameras,
            feature_dim: feature_shape.iter().product(),
            components: run.head.pca_components.into(),
        },
        HeadKind::SpatialEmbedding => HeadSpec::SpatialEmbedding {
            cameras,
            feature_shape,
            kernels: run.head.kernels.into(),
            bottleneck: run.head.bottleneck.into(),
            proprio_latent: 64,
            dropout: run.head.dropout,
        },
    }
}

/// The frozen backbone as the actor uses it.
pub struct ActorEncoder(pub Backbone);

impl Encoder for ActorEncoder {
    fn hash(&self) -> WeightsHash {
        self.0.hash()
    }

    fn encode(&mut self, frames: &[&Frame]) -> Result<Vec<Features>, PolicyError> {
        Ok(self.0.encode(frames)?)
    }
}

/// Published parameters as the actor uses them.
struct ActorPolicy(PolicyRuntime);

impl Policy for ActorPolicy {
    fn version(&self) -> PolicyVersion {
        self.0.version()
    }

    fn learner_step(&self) -> LearnerStep {
        self.0.learner_step()
    }

    fn act(
        &mut self,
        observation: &Observation,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Action, PolicyError> {
        Ok(self.0.act(observation, noise)?)
    }
}

pub fn policy_loader(device: Device) -> PolicyLoader {
    Box::new(move |snapshot| {
        Ok(Box::new(ActorPolicy(PolicyRuntime::from_snapshot(snapshot, device)?)))
    })
}

/// A policy that was written to a file.
pub fn read_policy(path: &Path) -> anyhow::Result<PolicySnapshot> {
    let bytes = std::fs::read(path).with_context(|| {
        format!("reading the policy {} (is the run trained, or still training?)", path.display())
    })?;
    codec::decode(&bytes).with_context(|| format!("reading the policy {}", path.display()))
}
