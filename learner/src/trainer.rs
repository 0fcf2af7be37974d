//! Turns what has arrived into gradient steps: waits for the demonstrations, fits the projection,
//! builds the agent, then updates as far as the rate limiter allows.
//!
//! Decides nothing about threads or links: [`Trainer::pump`] does one portion of work and says
//! what came of it, so that the free-running process and the lockstep run share every line.

mod training;

use std::{path::PathBuf, sync::Arc};

use nets::{
    architecture::{Architecture, HeadSpec},
    backbone::Backbone,
    projection::Projection,
    snapshot::SnapshotError,
};
use replay::{DiskStorage, InsertError, RateLimiter, ReplayStore, View};
use tch::Device;
use thiserror::Error;
use wire::{
    Clock, EpisodeKind, LearnerStep, Outcome, Pace, PolicySnapshot, PolicyVersion, Timestamp,
};

use crate::{
    archive::ArchiveError,
    batch::LearnedActions,
    checkpoint::{self, Checkpoint, CheckpointError, Found},
    feature_cache::{FeatureCache, FeatureCacheError, FrameShifts, fit_projections},
    ingest::Ingest,
    metrics::Metrics,
    status::{Phase, Status},
    train_state::{AgentSetup, RestoreError, TrainState},
    update::{UpdateConfig, UpdateError},
};

use training::Training;

/// Rows of lacking features that one portion computes.
const BACKBONE_ROWS: usize = 32;

#[derive(Debug, Error)]
pub enum TrainerError {
    #[error("a gradient step failed")]
    Update(#[from] UpdateError),
    #[error(transparent)]
    Features(#[from] FeatureCacheError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the training state could not be saved")]
    Save(#[from] ArchiveError),
    #[error("the checkpoint {path} cannot be continued from")]
    Restore { path: PathBuf, source: RestoreError },
    #[error(
        "the checkpoint {path} was made with another network, learner or backbone in the run file: \
         give the run its own file back, or take another --run"
    )]
    OtherConfiguration { path: PathBuf },
    #[error(
        "the checkpoint {path} was made with another backbone: give the run its weights file back, \
         or take another --run"
    )]
    OtherBackbone { path: PathBuf },
    #[error("the policy could not be published")]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Insert(#[from] InsertError),
}

/// How to learn. Made from the run, task and cell files by the root.
#[derive(Debug)]
pub struct TrainerConfig {
    pub seed: u64,
    pub demo_episodes: u32,
    /// Random steps before learning begins, where there are no demonstrations.
    pub explore_steps: u64,
    pub env_steps: u64,
    /// Transitions in a batch, half of them from the demo view.
    pub batch: usize,
    pub actions: LearnedActions,
    /// What the grasp critic takes off the reward of a step that moves a gripper.
    pub gripper_penalty: f32,
    /// Largest shift of a frame's shifted variants (pixels).
    pub shift_px: u8,
    /// Critic updates per actor update.
    pub critic_to_actor_ratio: u64,
    /// Updates on the demonstrations before the first policy is published; for imitation.
    pub pretrain_updates: u64,
    /// Learner steps between two published policies, two lines of metrics, two checkpoints.
    pub publish_every: u64,
    pub log_every: u64,
    pub checkpoint_every: u64,
    pub architecture: Architecture,
    pub update: UpdateConfig,
    pub limiter: RateLimiter,
    pub config_hash: String,
    pub checkpoints: PathBuf,
    pub device: Device,
    /// What is said about the device.
    pub device_description: String,
    /// Training time of earlier processes of this run.
    pub minutes_before: f64,
}

impl TrainerConfig {
    fn shifts(&self) -> FrameShifts {
        FrameShifts { most_px: self.shift_px, seed: self.seed }
    }

    /// Updates that count for the UTD ratio, of `updates` in all.
    fn paced(&self, updates: u64) -> u64 {
        updates.saturating_sub(self.pretrain_updates)
    }

    /// Training time of the run, at `now`, in a process that began to train at `began`.
    fn minutes(&self, began: Timestamp, now: Timestamp) -> f64 {
        self.minutes_before + now.since(began).as_secs_f64() / 60.0
    }
}

/// What a portion of work came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing can be done before something arrives.
    Waiting,
    Done,
    Finished,
}

/// What a portion of work wants to be sent and written.
#[derive(Debug, Default)]
pub struct Output {
    pub policy: Option<PolicySnapshot>,
    pub metrics: Option<(LearnerStep, Metrics)>,
    /// A checkpoint is due, after the rest of this.
    pub checkpoint: bool,
}

#[derive(Debug)]
enum Stage {
    Collecting,
    Training(Box<Training>),
}

pub struct Trainer {
    config: TrainerConfig,
    ingest: Arc<Ingest>,
    backbone: Option<Backbone>,
    clock: Arc<dyn Clock>,
    stage: Stage,
    finished: bool,
    /// Why the last checkpoint or line of metrics was not written.
    trouble: Option<String>,
    policy_version: PolicyVersion,
    /// What that version is.
    published: Option<PolicySnapshot>,
    /// When this process began to train.
    began: Option<Timestamp>,
    status: Status,
}

impl Trainer {
    /// Continues from the checkpoint that was `found`, if there is one.
    pub fn open(
        config: TrainerConfig,
        ingest: Arc<Ingest>,
        backbone: Option<Backbone>,
        clock: Arc<dyn Clock>,
        found: Found,
    ) -> Result<Self, TrainerError> {
        let status = Status {
            device: config.device_description.clone(),
            demonstrations_wanted: config.demo_episodes,
            env_steps_wanted: config.env_steps,
            ..Status::default()
        };
        let mut trainer = Self {
            config,
            ingest,
            backbone,
            clock,
            stage: Stage::Collecting,
            finished: false,
            trouble: None,
            policy_version: PolicyVersion(0),
            published: None,
            began: None,
            status,
        };
        if let Some((path, checkpoint)) = found.newest {
            trainer.restore(path, checkpoint)?;
        }
        trainer.refresh_pace();
        Ok(trainer)
    }

    fn restore(&mut self, path: PathBuf, checkpoint: Checkpoint) -> Result<(), TrainerError> {
        if checkpoint.config_hash != self.config.config_hash {
            return Err(TrainerError::OtherConfiguration { path });
        }
        let state = TrainState::from_bytes(&checkpoint.train_state, self.config.device)
            .map_err(|source| TrainerError::Restore { path: path.clone(), source })?;
        if self.backbone.as_ref().is_some_and(|backbone| backbone.hash() != state.backbone) {
            return Err(TrainerError::OtherBackbone { path });
        }
        self.policy_version = checkpoint.policy_version;
        // A checkpoint is of the step at which its policy was published.
        if state.learner_step().0 >= self.config.pretrain_updates {
            self.published = Some(state.snapshot(checkpoint.policy_version)?);
        }
        let cache = self.new_cache(state.agent.head.projections());
        self.stage = Stage::Training(Box::new(Training::new(state, cache)));
        Ok(())
    }

    /// One portion of work. `output` receives what is to be sent or written.
    pub fn pump(&mut self, output: &mut Output) -> Result<Work, TrainerError> {
        if self.finished {
            return Ok(Work::Finished);
        }
        let work = match &mut self.stage {
            Stage::Collecting => self.begin_if_ready(output)?,
            Stage::Training(_) => self.train(output)?,
        };
        self.refresh_pace();
        Ok(work)
    }

    /// The newest policy once more, for an actor that has just come.
    pub fn policy(&self) -> Option<&PolicySnapshot> {
        self.published.as_ref()
    }

    /// Makes the parameters as they are the newest policy, unless they are it already.
    fn publish(&mut self) -> Result<Option<PolicySnapshot>, TrainerError> {
        let Stage::Training(training) = &self.stage else { return Ok(None) };
        let step = training.state.learner_step();
        if self.published.as_ref().is_none_or(|policy| policy.learner_step != step) {
            self.policy_version = PolicyVersion(self.policy_version.0 + 1);
            self.published = Some(training.state.snapshot(self.policy_version)?);
        }
        Ok(self.published.clone())
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    pub fn pace(&self) -> Pace {
        let learner_step = self.learner_step();
        let collecting = self.status.phase == Phase::WaitingForDemonstrations;
        let env_step_limit = match &self.stage {
            // With demonstrations that is no step yet.
            Stage::Collecting if collecting => Some(self.config.explore_steps),
            _ => self.config.limiter.env_step_limit(self.config.paced(learner_step.0)),
        };
        Pace {
            env_steps: self.status.env_steps,
            learner_step,
            policy_version: self.policy_version,
            env_step_limit,
            finished: self.finished,
        }
    }

    fn learner_step(&self) -> LearnerStep {
        match &self.stage {
            Stage::Collecting => LearnerStep(0),
            Stage::Training(training) => training.state.learner_step(),
        }
    }

    fn refresh_pace(&mut self) {
        let inner = self.ingest.lock();
        self.status.env_steps = inner.store.env_steps();
        self.status.demonstrations = successful_demonstrations(&inner.store);
        self.status.storage_trouble = inner.trouble().or(self.trouble.as_deref()).map(Into::into);
        self.status.demo_transitions = inner.store.view(View::Demo).len();
        self.status.online_transitions = inner.store.view(View::Online).len();
        drop(inner);
        self.status.learner_step = self.learner_step().0;
        self.status.policy_version = self.policy_version.0;
        if let Some(began) = self.began {
            self.status.training_minutes = self.config.minutes(began, self.clock.now());
        }
        self.status.utd_reached =
            self.status.learner_step as f64 / self.status.env_steps.max(1) as f64;
        self.ingest.set_pace(self.pace());
    }

    fn begin_if_ready(&mut self, output: &mut Output) -> Result<Work, TrainerError> {
        let mut inner = self.ingest.lock();
        let ready = successful_demonstrations(&inner.store) >= self.config.demo_episodes
            && inner.store.env_steps() >= self.config.explore_steps;
        if !ready {
            return Ok(Work::Waiting);
        }
        if self.status.phase != Phase::Preparing {
            // Said before the work begins, so that no actor gives more than is wanted.
            self.status.phase = Phase::Preparing;
            return Ok(Work::Done);
        }
        if let Some(backbone) = &self.backbone {
            let shifts = self.config.shifts();
            let cache = FeatureCache::new(&inner.store, &[], shifts, self.config.device);
            while cache.compute_lacking(&mut inner.store, backbone, BACKBONE_ROWS)? > 0 {}
        }
        let projections = match &self.config.architecture.head {
            HeadSpec::Pca { components, .. } => {
                fit_projections(&inner.store, *components, self.config.device)?
            }
            _ => Vec::new(),
        };
        drop(inner);
        let cache = self.new_cache(&projections);
        let setup = AgentSetup {
            architecture: self.config.architecture.clone(),
            projections,
            backbone: self.backbone.as_ref().map_or(wire::WeightsHash([0; 32]), |b| b.hash()),
        };
        let state = TrainState::new(
            setup,
            self.config.update.clone(),
            self.config.seed,
            self.config.device,
        );
        self.stage = Stage::Training(Box::new(Training::new(state, cache)));
        self.status.phase = Phase::Training;
        self.began = Some(self.clock.now());
        if self.config.pretrain_updates == 0 {
            output.policy = self.publish()?;
        }
        Ok(Work::Done)
    }

    fn new_cache(&self, projections: &[Projection]) -> FeatureCache {
        let inner = self.ingest.lock();
        FeatureCache::new(&inner.store, projections, self.config.shifts(), self.config.device)
    }

    /// One policy update's worth of critic updates, as far as allowed.
    fn train(&mut self, output: &mut Output) -> Result<Work, TrainerError> {
        self.status.phase = Phase::Training;
        let began = *self.began.get_or_insert_with(|| self.clock.now());
        let Stage::Training(training) = &mut self.stage else { return Ok(Work::Waiting) };
        let config = &self.config;
        let env_steps = self.ingest.lock().store.env_steps();
        let step = training.state.learner_step().0;
        let pretraining = config.pretrain_updates.saturating_sub(step);
        let allowed = match pretraining {
            0 => config.limiter.updates_allowed(env_steps, config.paced(step)),
            left => left,
        };
        if allowed == 0 {
            if config.limiter.is_finished(env_steps, config.paced(step)) {
                self.finish(output)?;
                return Ok(Work::Finished);
            }
            return Ok(Work::Waiting);
        }
        let until_actor = config.critic_to_actor_ratio - step % config.critic_to_actor_ratio;
        for _ in 0..allowed.min(until_actor) {
            training.update_once(config, &self.ingest, self.backbone.as_ref(), &*self.clock)?;
        }
        let step = training.state.learner_step().0;
        let passed = |every: u64, before: u64| every > 0 && step / every > before / every;
        let before = step - allowed.min(until_actor);
        // A checkpoint begins a new line of metrics and is a published policy, so that nothing
        // between two of either need be kept in it.
        let save = passed(config.checkpoint_every, before);
        let fitted = step >= config.pretrain_updates;
        let first = fitted && before < config.pretrain_updates;
        let publish = fitted && (save || first || passed(config.publish_every, before));
        if save || passed(config.log_every, before) {
            let now = self.clock.now();
            let minutes = config.minutes(began, now);
            let metrics = training.tally.line(now, env_steps, step, minutes);
            self.status.critic_loss = Some(metrics.critic_loss).filter(|loss| loss.is_finite());
            self.status.mean_q = Some(metrics.mean_q).filter(|q| q.is_finite());
            self.status.temperature = metrics.temperature;
            self.status.updates_per_s = metrics.updates_per_s;
            output.metrics = Some((LearnerStep(step), metrics));
        }
        if publish {
            let started = self.clock.now();
            output.policy = self.publish()?;
            let spent = self.clock.now().since(started);
            if let Stage::Training(training) = &mut self.stage {
                training.tally.publish_ms += spent.as_secs_f64() * 1e3;
            }
        }
        output.checkpoint = save;
        Ok(Work::Done)
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), TrainerError> {
        output.policy = self.publish()?;
        output.checkpoint = true;
        self.finished = true;
        self.status.phase = Phase::Finished;
        Ok(())
    }

    /// Writes a checkpoint, if there is anything to write. A disk that does not take it is the
    /// status's to tell: the one before is still there, and the next one may succeed.
    pub fn checkpoint(&mut self) -> Result<(), TrainerError> {
        self.publish()?;
        let Stage::Training(training) = &self.stage else { return Ok(()) };
        let (env_steps, records) = {
            let inner = self.ingest.lock();
            (inner.store.env_steps(), inner.records())
        };
        let checkpoint = Checkpoint {
            learner_step: training.state.learner_step(),
            policy_version: self.policy_version,
            env_steps,
            records: Some(records),
            config_hash: self.config.config_hash.clone(),
            train_state: training.state.to_bytes()?,
        };
        let saved = checkpoint::save(&DiskStorage, &self.config.checkpoints, &checkpoint);
        self.note_storage(saved.map_err(|e| e.to_string()).map(drop));
        Ok(())
    }

    /// Whether the learner's own files could be written.
    pub fn note_storage(&mut self, outcome: Result<(), String>) {
        if let Err(trouble) = &outcome {
            tracing::error!(%trouble, "the learner's state could not be written; it goes on");
        }
        self.trouble = outcome.err();
    }
}

/// Demonstrations that count: complete and successful.
fn successful_demonstrations(store: &ReplayStore) -> u32 {
    let counts = |e: &&replay::Episode| {
        e.kind == EpisodeKind::Demonstration
            && e.end.is_some_and(|end| end.outcome == Outcome::Success)
    };
    store.episodes().iter().filter(counts).count() as u32
}
