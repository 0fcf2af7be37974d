//! The run file: how the task is learned. A preset gives the defaults, the file's own keys win.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    error::ConfigError,
    load::{self, ConfigFile, Fault},
    reward::RewardConfig,
    schema::Key,
};

mod keys;
mod link;

pub use link::LinkConfig;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    pub preset: Preset,
    pub seed: u64,
    pub device: DeviceChoice,
    pub budget: BudgetConfig,
    pub learner: LearnerConfig,
    pub network: NetworkConfig,
    pub head: HeadConfig,
    pub backbone: BackboneConfig,
    pub coupling: CouplingConfig,
    pub link: LinkConfig,
    pub storage: StorageConfig,
    pub threads: ThreadsConfig,
    pub eval: EvalConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    Reins,
    HilSerl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceChoice {
    Auto,
    Cpu,
    Cuda,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    /// Steps of training episodes.
    pub env_steps: u64,
    pub demo_episodes: u32,
}

/// Random steps that take the place of demonstrations where there are none: the first view of the
/// cell, and what the projection is fitted to.
const EXPLORE_STEPS: u64 = 300;

impl BudgetConfig {
    /// 0 where there are demonstrations.
    pub fn explore_steps(&self) -> u64 {
        if self.demo_episodes == 0 { EXPLORE_STEPS.min(self.env_steps) } else { 0 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnerConfig {
    /// Left out of a resolved file where it is the default, as the key below: runs that are older than
    /// these keys keep their hash, and so their checkpoints.
    #[serde(skip_serializing_if = "Algorithm::is_default")]
    pub algorithm: Algorithm,
    pub mechanics: Mechanics,
    /// Transitions in a batch, half of them from the demo view.
    pub batch: u32,
    /// Critic updates per env step, unless actor and learner run free.
    pub utd_ratio: f64,
    /// Critic updates per actor update.
    pub critic_to_actor_ratio: u32,
    pub discount: f64,
    pub tau: f64,
    /// Of policy, critics and heads.
    pub learning_rate: f64,
    pub temperature_learning_rate: f64,
    pub ensemble: u32,
    /// Critics whose minimum is the target; all when equal to `ensemble`.
    pub subsample: u32,
    pub temperature_init: f64,
    pub target_entropy: TargetEntropy,
    pub backup_entropy: bool,
    pub q_clip: QClip,
    pub bc_weight: f64,
    #[serde(default, skip_serializing_if = "is_off")]
    pub grasp_margin_weight: f64,
    pub actions: LearnedActions,
    /// Env steps before the first update.
    pub training_starts: u64,
    /// For imitation: updates on the demonstrations before the policy drives.
    #[serde(skip_serializing_if = "is_zero")]
    pub pretrain_updates: u64,
    /// Learner steps between two published policies.
    pub publish_every: u64,
    pub checkpoint_every: u64,
}

/// What the policy is trained by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Reinforcement learning from demonstrations, interventions and what the policy tries.
    Rlpd,
    /// Imitation of demonstrations and interventions, to compare with.
    HgDagger,
}

impl Algorithm {
    fn is_default(&self) -> bool {
        *self == Self::Rlpd
    }
}

fn is_off(weight: &f64) -> bool {
    *weight == 0.0
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Which action of a step the critics learn the value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearnedActions {
    /// Either, by a coin: both led to the successor.
    Both,
    /// What went into the gate.
    Commanded,
    /// What came out of it.
    Executed,
}

/// How an update is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanics {
    /// Separate critic heads, target entropy from the learned dimensions, bootstrapping at
    /// truncation, no optimiser step on a skipped loss.
    Reins,
    /// What HIL-SERL at commit 5d02aed does.
    HilSerl,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WordOrNumber", into = "WordOrNumber")]
pub enum TargetEntropy {
    /// Minus half the number of action dimensions.
    Auto,
    Nats(f64),
}

impl TargetEntropy {
    /// In nats.
    pub fn value(self, action_dim: usize) -> f64 {
        match self {
            Self::Auto => -(action_dim as f64) / 2.0,
            Self::Nats(nats) => nats,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "\"auto\" or a number")]
enum WordOrNumber {
    Word(String),
    Number(f64),
}

impl TryFrom<WordOrNumber> for TargetEntropy {
    type Error = String;

    fn try_from(raw: WordOrNumber) -> Result<Self, String> {
        match raw {
            WordOrNumber::Number(nats) => Ok(Self::Nats(nats)),
            WordOrNumber::Word(word) if word == "auto" => Ok(Self::Auto),
            WordOrNumber::Word(word) => Err(format!("\"{word}\" is neither \"auto\" nor a number")),
        }
    }
}

impl From<TargetEntropy> for WordOrNumber {
    fn from(entropy: TargetEntropy) -> Self {
        match entropy {
            TargetEntropy::Auto => Self::Word("auto".into()),
            TargetEntropy::Nats(nats) => Self::Number(nats),
        }
    }
}

/// Where the bootstrapped Q value is clipped to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WordOrRange", into = "WordOrRange")]
pub enum QClip {
    /// The returns that the task's reward allows.
    Auto,
    None,
    Range(f64, f64),
}

impl QClip {
    pub fn bounds(self, reward: &RewardConfig, discount: f64) -> Option<(f64, f64)> {
        match self {
            Self::Auto => Some(reward.return_bounds(discount)),
            Self::None => None,
            Self::Range(low, high) => Some((low, high)),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "\"auto\", \"none\" or [low, high]")]
enum WordOrRange {
    Word(String),
    Range([f64; 2]),
}

impl TryFrom<WordOrRange> for QClip {
    type Error = String;

    fn try_from(raw: WordOrRange) -> Result<Self, String> {
        match raw {
            WordOrRange::Range([low, high]) => Ok(Self::Range(low, high)),
            WordOrRange::Word(word) if word == "auto" => Ok(Self::Auto),
            WordOrRange::Word(word) if word == "none" => Ok(Self::None),
            WordOrRange::Word(word) => Err(format!("\"{word}\" is neither \"auto\" nor \"none\"")),
        }
    }
}

impl From<QClip> for WordOrRange {
    fn from(clip: QClip) -> Self {
        match clip {
            QClip::Auto => Self::Word("auto".into()),
            QClip::None => Self::Word("none".into()),
            QClip::Range(low, high) => Self::Range([low, high]),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Widths of the hidden layers of policy and critics.
    pub hidden: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    pub kind: HeadKind,
    /// For `Pca`.
    pub pca_components: u32,
    /// For `SpatialEmbedding`, as the two below.
    pub kernels: u32,
    pub bottleneck: u32,
    pub dropout: f64,
}

/// What turns the backbone's feature map into a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// A projection fitted once on the demonstrations.
    Pca,
    /// Learned, as in HIL-SERL.
    SpatialEmbedding,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneConfig {
    pub kind: BackboneKind,
    /// A safetensors file, or "random" for weights drawn from `seed`.
    pub weights: String,
    pub seed: u64,
    /// Frames of another size are resized to this many pixels square.
    pub image_size: u16,
    /// For `EfficientNetLite0`: the last block that runs, counted from 0.
    pub cut_block: u8,
    /// Side of the squares that are averaged.
    pub pool: u8,
    /// Shifted copies of each frame whose features are kept; 0: none.
    pub shift_variants: u32,
    pub shift_px: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneKind {
    #[serde(rename = "efficientnet-lite0")]
    EfficientNetLite0,
    #[serde(rename = "resnet10")]
    ResNet10,
}

impl BackboneConfig {
    /// The weights file, if the weights are not random.
    pub fn weights_file(&self) -> Option<&Path> {
        (self.weights != "random").then(|| Path::new(&self.weights))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouplingConfig {
    pub mode: CouplingMode,
    /// How many env steps either side may be ahead of the UTD ratio.
    pub slack_steps: u64,
    /// Highest UTD ratio when running free.
    pub utd_cap: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CouplingMode {
    /// Actor and learner wait for each other.
    Coupled,
    /// As on a real robot.
    Free,
    /// One process, one thread, the same bytes each time.
    Lockstep,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// The actor's records that the learner does not have yet.
    pub outbox_mib: u64,
    /// Between forcing records to the actor's disk; 0: each before it is sent.
    pub outbox_sync_ms: u64,
    /// Of journal and outbox.
    pub segment_mib: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreadsConfig {
    pub actor: u32,
    pub learner: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalConfig {
    pub episodes: u32,
    pub actions: EvalActions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvalActions {
    Sampled,
    Mean,
}

impl RunConfig {
    pub fn load(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::load(file.as_ref())
    }

    /// `file` only names the text in errors.
    pub fn from_toml(text: &str, file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::parse(text, file.as_ref())
    }

    pub fn preset(preset: Preset) -> Self {
        let name = match preset {
            Preset::Reins => "reins",
            Preset::HilSerl => "hil-serl",
        };
        Self::from_toml(&format!("preset = \"{name}\""), "preset").expect("presets are valid")
    }

    pub fn to_toml(&self) -> String {
        load::to_toml(self)
    }

    /// SHA-256 of the resolved configuration, in hex.
    pub fn hash(&self) -> String {
        load::hash(self)
    }

    /// The same of what a training state follows from. A run that goes on may have another endpoint,
    /// other threads or more steps; it may not have another network.
    pub fn learning_hash(&self) -> String {
        let base = Self::preset(self.preset);
        let Self { device, budget, link, storage, threads, eval, .. } = base;
        load::hash(&Self { device, budget, link, storage, threads, eval, ..self.clone() })
    }
}

impl LearnerConfig {
    /// Whether a policy knows how far to stray from its mean: imitation teaches it the mean alone.
    pub fn learns_spread(&self) -> bool {
        self.algorithm == Algorithm::Rlpd
    }
}

impl ConfigFile for RunConfig {
    const KIND: &'static str = "run";
    const KEYS: &'static [Key] = keys::KEYS;

    fn defaults(given: &Table) -> Table {
        let reins = load::built_in(include_str!("run/reins.toml"));
        match given.get("preset").and_then(Value::as_str) {
            Some("hil-serl") => {
                load::overlaid(&reins, &load::built_in(include_str!("run/hil-serl.toml")))
            }
            _ => reins,
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let learner = &self.learner;
        if learner.algorithm == Algorithm::Rlpd && learner.pretrain_updates > 0 {
            faults.push(Fault::new(
                "learner.pretrain_updates",
                "goes with learner.algorithm = \"hg-dagger\" only",
                "Leave it out",
            ));
        }
        if learner.algorithm == Algorithm::HgDagger && self.budget.demo_episodes == 0 {
            faults.push(Fault::new(
                "budget.demo_episodes",
                "leaves \"hg-dagger\" nothing to imitate",
                "Ask for some demonstrations",
            ));
        }
        if !learner.batch.is_multiple_of(2) {
            faults.push(Fault::new(
                "learner.batch",
                "is odd, but half of a batch comes from each view",
                format!("Set it to {}", learner.batch + 1),
            ));
        }
        if learner.subsample > learner.ensemble {
            faults.push(Fault::new(
                "learner.subsample",
                format!("is more than the ensemble of {}", learner.ensemble),
                format!("Set it to {} or less", learner.ensemble),
            ));
        }
        if let QClip::Range(low, high) = learner.q_clip
            && low >= high
        {
            faults.push(Fault::new(
                "learner.q_clip",
                "begins at or above its end",
                "Write [low, high], or \"auto\" for what the reward allows",
            ));
        }
        faults.extend(self.link.faults());
        faults
    }
}
