//! The learner of a run.

use std::sync::Arc;

use ::learner::{
    LearnerParts, LearnerPaths,
    batch::LearnedActions,
    ingest::Identity,
    losses::EntropyBackup,
    trainer::TrainerConfig,
    update::{Algorithm, Mechanics, UpdateConfig},
    viz::VizSettings,
};
use anyhow::Context;
use nets::backbone::Backbone;
use replay::{
    Budget, DiskStorage, FeatureSpec, JournalConfig, RateLimiter, StoreConfig, journal,
    storage::Storage,
};
use tasks::{
    RunConfig, TaskConfig,
    run::{self, CouplingMode},
};
use wire::{Clock, transport::ActorLink};

use super::networks;
use crate::{
    run_dir::{Configuration, RunDir},
    view,
};

/// Learner steps between two lines of metrics.
const LOG_EVERY: u64 = 100;

pub fn parts(
    run_dir: &RunDir,
    configuration: &Configuration,
    link: Arc<dyn ActorLink>,
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<LearnerParts> {
    let Configuration { task, run, .. } = configuration;
    let (device, device_description) = networks::prepare_device(run, run.threads.learner)?;
    tracing::info!("{device_description}");
    let backbone = networks::backbone(task, run, device)?;
    let viz = VizSettings {
        path: view::next_recording(run_dir.path(), view::Recorder::Learner),
        application_id: view::application_id(&task.name),
        recording_id: run_dir.recording_id()?,
    };
    Ok(LearnerParts {
        identity: identity(run_dir, task),
        store: with_room_for(run_dir, store_config(task, run, backbone.as_ref()))?,
        trainer: TrainerConfig {
            seed: run.seed,
            demo_episodes: run.budget.demo_episodes,
            explore_steps: run.budget.explore_steps(),
            env_steps: run.budget.env_steps,
            batch: run.learner.batch as usize,
            shift_px: run.backbone.shift_px as u8,
            actions: match run.learner.actions {
                run::LearnedActions::Both => LearnedActions::Both,
                run::LearnedActions::Commanded => LearnedActions::Commanded,
                run::LearnedActions::Executed => LearnedActions::Executed,
            },
            gripper_penalty: task.action.gripper_penalty as f32,
            critic_to_actor_ratio: run.learner.critic_to_actor_ratio.into(),
            pretrain_updates: run.learner.pretrain_updates,
            publish_every: run.learner.publish_every,
            log_every: LOG_EVERY,
            checkpoint_every: run.learner.checkpoint_every,
            architecture: networks::architecture(task, run, backbone.as_ref()),
            update: update_config(task, run),
            limiter: rate_limiter(run)?,
            config_hash: run.learning_hash(),
            checkpoints: run_dir.checkpoints(),
            device,
            device_description,
            minutes_before: minutes_before(run_dir)?,
        },
        journal: journal_config(run),
        backbone,
        link,
        storage,
        clock,
        paths: LearnerPaths {
            journal: run_dir.journal(),
            metrics: run_dir.metrics(),
            policy: run_dir.policy(),
        },
        viz: Some(viz),
    })
}

/// With room for what the journal holds, besides: episodes may have been imported.
pub fn with_room_for(run_dir: &RunDir, config: StoreConfig) -> anyhow::Result<StoreConfig> {
    let folder = run_dir.journal();
    let records = match folder.is_dir() {
        true => journal::records_ever(&DiskStorage, &folder).context("looking at the journal")?.0,
        false => 0,
    };
    let records = u32::try_from(records).unwrap_or(u32::MAX);
    Ok(StoreConfig { max_observations: config.max_observations.saturating_add(records), ..config })
}

/// What actors of this run must be.
pub fn identity(run_dir: &RunDir, task: &TaskConfig) -> Identity {
    Identity {
        run: run_dir.name(),
        task_hash: task.hash(),
        observation: task.observation_spec(),
        action: task.action_spec(),
    }
}

/// Of the run's journal.
pub fn journal_config(run: &RunConfig) -> JournalConfig {
    JournalConfig { segment_bytes: run.storage.segment_mib << 20, ..JournalConfig::keep_forever() }
}

/// What earlier processes of this run have trained, in minutes.
fn minutes_before(run_dir: &RunDir) -> anyhow::Result<f64> {
    let path = run_dir.metrics();
    if !path.exists() {
        return Ok(0.0);
    }
    let lines = ::learner::metrics::read(&path)?;
    Ok(lines.last().map_or(0.0, |line| line.metrics.minutes))
}

pub fn store_config(
    task: &TaskConfig,
    run: &RunConfig,
    backbone: Option<&Backbone>,
) -> StoreConfig {
    let features = backbone.map(|backbone| {
        let dim = backbone.feature_shape().iter().product::<i64>() as usize;
        FeatureSpec {
            backbone: backbone.hash(),
            dims: vec![dim; task.cameras.len()],
            variants: 1 + run.backbone.shift_variants as usize,
        }
    });
    // Room for the budget, the demonstrations and the episode that is under way at the end.
    let steps = run.budget.env_steps
        + u64::from(run.budget.demo_episodes + 1) * 2 * u64::from(task.episode_steps);
    let observations = 2 * steps + 1000;
    StoreConfig {
        observation: task.observation_spec(),
        action: task.action_spec(),
        grippers: task.grippers(),
        features,
        max_observations: u32::try_from(observations).unwrap_or(u32::MAX),
    }
}

pub fn update_config(task: &TaskConfig, run: &RunConfig) -> UpdateConfig {
    let learner = &run.learner;
    let mechanics = match learner.mechanics {
        run::Mechanics::Reins => Mechanics::Reins,
        run::Mechanics::HilSerl => Mechanics::HilSerl,
    };
    // The policy draws no gripper commands; the reference counts them nevertheless.
    let dims = match mechanics {
        Mechanics::Reins => task.motion_dim(),
        Mechanics::HilSerl => task.action_spec().dim,
    };
    let entropy_backup = match (learner.backup_entropy, mechanics) {
        (false, _) => EntropyBackup::Off,
        (true, Mechanics::Reins) => EntropyBackup::InValue,
        (true, Mechanics::HilSerl) => EntropyBackup::Undiscounted,
    };
    let all = learner.subsample >= learner.ensemble;
    UpdateConfig {
        discount: learner.discount,
        tau: learner.tau,
        learning_rate: learner.learning_rate,
        temperature_learning_rate: learner.temperature_learning_rate,
        target_entropy: learner.target_entropy.value(dims),
        critic_subsample: (!all).then_some(learner.subsample as usize),
        entropy_backup,
        reward_bias: 0.0,
        value_range: learner
            .q_clip
            .bounds(&task.reward, learner.discount)
            .map(|(low, high)| [low, high]),
        bc_weight: learner.bc_weight,
        grasp_margin_weight: learner.grasp_margin_weight,
        mechanics,
        algorithm: match learner.algorithm {
            run::Algorithm::Rlpd => Algorithm::Rlpd,
            run::Algorithm::HgDagger => Algorithm::HgDagger,
        },
    }
}

fn rate_limiter(run: &RunConfig) -> anyhow::Result<RateLimiter> {
    let coupling = match run.coupling.mode {
        CouplingMode::Free => replay::Coupling::Free { utd_cap: run.coupling.utd_cap },
        CouplingMode::Coupled => replay::Coupling::Coupled {
            utd_ratio: run.learner.utd_ratio,
            slack_steps: run.coupling.slack_steps,
        },
        CouplingMode::Lockstep => {
            replay::Coupling::Coupled { utd_ratio: run.learner.utd_ratio, slack_steps: 0 }
        }
    };
    let budget = Budget { env_steps: Some(run.budget.env_steps), updates: None };
    RateLimiter::new(coupling, run.learner.training_starts, budget)
        .context("learner.utd_ratio of the run file")
}
