//! Backbone, architecture and policies, as the run file names them.

use std::path::Path;

use crate::run_dir::Configuration;
use actor::{Encoder, Judge, Policy, PolicyLoader, policy::PolicyError};
use anyhow::{Context, ensure};
use nets::{
    architecture::{Architecture, HeadSpec},
    backbone::{Backbone, BackboneConfig, EfficientnetLite0Config, Resnet10Config, WeightsSource},
    device::{self, Device, DeviceRequest},
    reward_classifier::{Classes, ClassifierRuntime, fingerprint},
    runtime::PolicyRuntime,
};
use rand_chacha::ChaCha8Rng;
use tasks::{
    RunConfig, TaskConfig,
    reward::ClassifierRule,
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
    let (proprio, action) = (task.proprio_dim() as i64, task.motion_dim() as i64);
    let base = match run.learner.mechanics {
        Mechanics::Reins => Architecture::reins(proprio, action, head),
        Mechanics::HilSerl => Architecture::hil_serl(proprio, action, head),
    };
    Architecture {
        hidden: run.network.hidden.iter().map(|width| i64::from(*width)).collect(),
        critics: run.learner.ensemble.into(),
        temperature_init: run.learner.temperature_init,
        grippers: task.grippers() as u8,
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

/// The reward classifier as the actor uses it.
struct ActorJudge(ClassifierRuntime);

impl Judge for ActorJudge {
    fn rule(&self) -> ClassifierRule {
        let classes = self.0.classes();
        ClassifierRule {
            thresholds: self.0.thresholds().to_vec(),
            success: classes.success_output(),
            staged: matches!(classes, Classes::Stages { .. }),
        }
    }

    fn judge(&mut self, features: &[Features]) -> Result<Vec<f32>, PolicyError> {
        Ok(self.0.judge(features)?)
    }
}

/// The classifier that the task's reward asks for; it must see through the same backbone.
pub fn judge(
    configuration: &Configuration,
    backbone: Option<&Backbone>,
    device: Device,
) -> anyhow::Result<Option<Box<dyn Judge>>> {
    let Some(path) = &configuration.classifier else { return Ok(None) };
    let wanted = configuration.task.reward.classifier.as_ref().and_then(|c| c.sha256.as_deref());
    let runtime = read_classifier(path, wanted, &configuration.task.cameras, device)?;
    let (ours, theirs) = (backbone.map(Backbone::hash), runtime.classifier().spec.backbone);
    ensure!(
        ours == Some(theirs),
        "the reward classifier {} was trained on the backbone {theirs:?}, the run's files name \
         {ours:?}: use the [backbone] that it was trained with, or train it again",
        path.display()
    );
    Ok(Some(Box::new(ActorJudge(runtime))))
}

/// A classifier that was written to a file; `sha256` is what it must be, if that is known.
pub fn read_classifier(
    path: &Path,
    sha256: Option<&str>,
    task_cameras: &[String],
    device: Device,
) -> anyhow::Result<ClassifierRuntime> {
    let bytes = std::fs::read(path).with_context(|| {
        format!(
            "reading the reward classifier {} (`reins classifier train` writes one)",
            path.display()
        )
    })?;
    if let Some(wanted) = sha256 {
        let found = fingerprint(&bytes);
        ensure!(
            wanted == found,
            "the reward classifier {} is another one than the run began with (its SHA-256 is \
             {found}, not {wanted}): put the right file back, or begin a new run",
            path.display()
        );
    }
    ClassifierRuntime::from_bytes(&bytes, task_cameras, device)
        .with_context(|| format!("reading the reward classifier {}", path.display()))
}

/// A policy that was written to a file.
pub fn read_policy(path: &Path) -> anyhow::Result<PolicySnapshot> {
    let bytes = std::fs::read(path).with_context(|| {
        format!("reading the policy {} (is the run trained, or still training?)", path.display())
    })?;
    codec::decode(&bytes).with_context(|| format!("reading the policy {}", path.display()))
}
