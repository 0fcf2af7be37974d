//! What an agent is made of, as plain data: it travels with every snapshot and checkpoint.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::action::MAX_ACTION_DIM;

use crate::{critic::CriticOutput, grasp::GRIPPERS_MAX, policy::StdRule};

const WIDTH_MAX: i64 = 1 << 20;
const LAYERS_MAX: usize = 8;
const TEMPERATURE_MAX: f64 = 100.0;
const MEMBERS_MAX: i64 = 64;
const CAMERAS_MAX: usize = 16;

/// How an observation becomes the vector that policy and critics see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeadSpec {
    /// Proprioception alone, unchanged.
    StateOnly,
    /// Proprioception beside a frozen projection of each camera's features.
    Pca {
        cameras: Vec<String>,
        /// Values of one feature map, flattened.
        feature_dim: i64,
        components: i64,
    },
    /// The reference's learned head: spatial embeddings, bottleneck, embedded proprioception.
    SpatialEmbedding {
        cameras: Vec<String>,
        /// Channels, height, width of a feature map.
        feature_shape: [i64; 3],
        kernels: i64,
        bottleneck: i64,
        proprio_latent: i64,
        /// Share of spatial features dropped in the actor's training passes.
        dropout: f64,
    },
}

impl HeadSpec {
    /// The reference's sizes.
    pub fn spatial_embedding(cameras: Vec<String>, feature_shape: [i64; 3]) -> Self {
        Self::SpatialEmbedding {
            cameras,
            feature_shape,
            kernels: 8,
            bottleneck: 256,
            proprio_latent: 64,
            dropout: 0.1,
        }
    }

    pub fn cameras(&self) -> &[String] {
        match self {
            Self::StateOnly => &[],
            Self::Pca { cameras, .. } | Self::SpatialEmbedding { cameras, .. } => cameras,
        }
    }

    /// Values of one camera's features; 0 without cameras.
    pub fn feature_dim(&self) -> i64 {
        match self {
            Self::StateOnly => 0,
            Self::Pca { feature_dim, .. } => *feature_dim,
            Self::SpatialEmbedding { feature_shape, .. } => feature_shape.iter().product(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    pub proprio_dim: i64,
    pub action_dim: i64,
    pub head: HeadSpec,
    /// Widths of the hidden layers, of the policy and of each critic.
    pub hidden: Vec<i64>,
    pub std_rule: StdRule,
    pub critics: i64,
    pub critic_output: CriticOutput,
    /// alpha before the first update.
    pub temperature_init: f64,
    /// Grippers whose commands are learned, beside the continuous actions.
    #[serde(default)]
    pub grippers: u8,
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error("the architecture's {field} is {got}, allowed is {allowed}")]
pub struct ArchitectureError {
    field: &'static str,
    got: String,
    allowed: String,
}

impl Architecture {
    /// The default: separate critics, means and deviations that start small.
    pub fn reins(proprio_dim: i64, action_dim: i64, head: HeadSpec) -> Self {
        Self {
            proprio_dim,
            action_dim,
            head,
            hidden: vec![256, 256],
            std_rule: StdRule::ClampLogStd,
            critics: 2,
            critic_output: CriticOutput::Separate,
            temperature_init: 0.01,
            grippers: 0,
        }
    }

    /// As in the reference.
    pub fn hil_serl(proprio_dim: i64, action_dim: i64, head: HeadSpec) -> Self {
        Self {
            std_rule: StdRule::ClipStd,
            critic_output: CriticOutput::Shared,
            ..Self::reins(proprio_dim, action_dim, head)
        }
    }

    /// Bounds every size, so that nothing absurd is allocated for data from outside.
    pub fn check(&self) -> Result<(), ArchitectureError> {
        let within = |field, got: i64, max: i64| {
            let allowed = || format!("1 to {max}");
            if (1..=max).contains(&got) {
                return Ok(());
            }
            Err(ArchitectureError { field, got: got.to_string(), allowed: allowed() })
        };
        within("proprio_dim", self.proprio_dim, WIDTH_MAX)?;
        within("action_dim", self.action_dim, MAX_ACTION_DIM as i64)?;
        within("critics", self.critics, MEMBERS_MAX)?;
        within("number of hidden layers", self.hidden.len() as i64, LAYERS_MAX as i64)?;
        self.hidden.iter().try_for_each(|width| within("hidden width", *width, WIDTH_MAX))?;
        if !(self.temperature_init > 0.0 && self.temperature_init <= TEMPERATURE_MAX) {
            let (got, allowed) =
                (self.temperature_init.to_string(), format!("above 0, up to {TEMPERATURE_MAX}"));
            return Err(ArchitectureError { field: "temperature_init", got, allowed });
        }
        if self.grippers > GRIPPERS_MAX {
            let (got, allowed) = (self.grippers.to_string(), format!("0 to {GRIPPERS_MAX}"));
            return Err(ArchitectureError { field: "grippers", got, allowed });
        }
        let arms = i64::from(self.grippers.max(1));
        let all = self.action_dim + i64::from(self.grippers);
        if self.action_dim % arms != 0 || all > MAX_ACTION_DIM as i64 {
            let got = self.action_dim.to_string();
            let allowed = format!("as many for each of {arms} arms, up to {MAX_ACTION_DIM} in all");
            return Err(ArchitectureError { field: "action_dim", got, allowed });
        }
        if self.head == HeadSpec::StateOnly {
            return Ok(());
        }
        within("number of cameras", self.head.cameras().len() as i64, CAMERAS_MAX as i64)?;
        match &self.head {
            HeadSpec::StateOnly => Ok(()),
            HeadSpec::Pca { feature_dim, components, .. } => {
                within("feature_dim", *feature_dim, WIDTH_MAX)?;
                within("components", *components, *feature_dim)
            }
            HeadSpec::SpatialEmbedding {
                feature_shape,
                kernels,
                bottleneck,
                proprio_latent,
                dropout,
                ..
            } => {
                feature_shape.iter().try_for_each(|size| within("feature_shape", *size, 4096))?;
                within("kernels", *kernels, 256)?;
                within("bottleneck", *bottleneck, WIDTH_MAX)?;
                within("proprio_latent", *proprio_latent, WIDTH_MAX)?;
                if (0.0..1.0).contains(dropout) {
                    return Ok(());
                }
                let (got, allowed) = (dropout.to_string(), "0 up to but not 1".to_owned());
                Err(ArchitectureError { field: "dropout", got, allowed })
            }
        }
    }
}
