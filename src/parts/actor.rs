//! The actor of a run.

use std::{path::PathBuf, sync::Arc, thread::JoinHandle, time::Duration};

use ::actor::{
    ActorConfig, ActorParts, Coupling, Judge, Program, StatusSlot, TrainingBudget, ViewEvent,
    arbiter::ArbiterConfig,
    viz::{self, VizSettings},
};
use anyhow::Context;
use crossbeam_channel::Sender;
use nets::{backbone::Backbone, device::Device};
use replay::{JournalConfig, SyncPolicy, storage::Storage};
use tasks::{CellConfig, run::StorageConfig};
use wire::{ActorId, SystemClock, transport::LearnerLink};

use super::{cell::Cell, networks};
use crate::{
    run_dir::{Configuration, RunDir},
    view,
};

/// View events that may wait for the recording; more are dropped and counted.
const VIEW_QUEUE: usize = 256;
const JPEG_QUALITY: u8 = 85;

/// What the actor's networks run on.
pub struct Networks {
    pub backbone: Option<Backbone>,
    /// Where the task's reward asks for it.
    pub judge: Option<Box<dyn Judge>>,
    pub device: Device,
}

impl Networks {
    pub fn load(configuration: &Configuration, device: Device) -> anyhow::Result<Self> {
        let backbone = networks::backbone(&configuration.task, &configuration.run, device)?;
        let judge = networks::judge(configuration, backbone.as_ref(), device)?;
        Ok(Self { backbone, judge, device })
    }
}

/// The program of a training run: the demonstrations, then training until the learner has enough.
pub fn training_program(configuration: &Configuration) -> Program {
    let run = &configuration.run;
    Program {
        demonstrations: run.budget.demo_episodes,
        training: Some(TrainingBudget { env_steps_max: Some(run.budget.env_steps) }),
        explore: run.budget.explore_steps() > 0,
        ..Program::default()
    }
}

/// The recording of this actor's process. The viewer shows the first actor on one timeline with the
/// learner, and each further one by itself: they look through cameras of the same names.
pub fn viz_settings(
    run_dir: &RunDir,
    configuration: &Configuration,
    actor: ActorId,
) -> anyhow::Result<VizSettings> {
    let path = view::next_recording(run_dir.path(), view::Recorder::Actor(actor));
    let run = run_dir.recording_id()?;
    let id = if actor == ActorId::default() { run } else { format!("{run}-actor{actor}") };
    settings_at(path, id, configuration)
}

/// A recording of this cell and task at `path`.
pub fn settings_at(
    path: PathBuf,
    recording_id: String,
    configuration: &Configuration,
) -> anyhow::Result<VizSettings> {
    let Configuration { cell, task, .. } = configuration;
    Ok(VizSettings {
        path,
        application_id: view::application_id(&task.name),
        recording_id,
        cameras: task.cameras.clone(),
        action_names: task.action_names(),
        workspaces: cell
            .arm_cells()
            .iter()
            .map(|cell| (cell.limits.workspace_min_m, cell.limits.workspace_max_m))
            .collect(),
        jpeg_quality: JPEG_QUALITY,
    })
}

pub fn config(
    run: &str,
    configuration: &Configuration,
    outbox: &std::path::Path,
    program: Program,
    coupling: Coupling,
) -> ActorConfig {
    let Configuration { cell, task, run: run_config, .. } = configuration;
    let ages = task.cameras.iter().filter_map(|name| cell.camera(name)).map(|c| c.age_max());
    ActorConfig {
        seed: run_config.seed,
        program,
        coupling,
        arbiter: ArbiterConfig { release_hold: release_hold(cell), ..ArbiterConfig::default() },
        camera_age_max: ages.collect(),
        camera_skew_max: cell.limits.camera_skew_max(),
        outbox: outbox_journal(&run_config.storage),
        train_with_noise: run_config.learner.learns_spread(),
        ..ActorConfig::new(run, outbox, task.cameras.len())
    }
}

/// The policy drives again when both of two hands have rested so long.
fn release_hold(cell: &CellConfig) -> Duration {
    let second = cell.second.as_ref().map(|second| second.teleop.release_hold());
    cell.teleop.release_hold().max(second.unwrap_or_default())
}

fn outbox_journal(storage: &StorageConfig) -> JournalConfig {
    let outbox = JournalConfig::outbox(storage.outbox_mib << 20);
    JournalConfig {
        segment_bytes: outbox.segment_bytes.min(storage.segment_mib << 20),
        sync: match storage.outbox_sync_ms {
            0 => SyncPolicy::EveryAppend,
            millis => SyncPolicy::EveryMillis(millis),
        },
        ..outbox
    }
}

pub fn parts(
    configuration: &Configuration,
    cell: Cell,
    networks: Networks,
    link: Arc<dyn LearnerLink>,
    storage: Arc<dyn Storage>,
    views: Option<Sender<ViewEvent>>,
    status: StatusSlot,
) -> ActorParts {
    let encoder = networks
        .backbone
        .map(|backbone| Box::new(networks::ActorEncoder(backbone)) as Box<dyn ::actor::Encoder>);
    ActorParts {
        clock: cell.clock,
        host_clock: Arc::new(SystemClock::new()),
        arms: cell.arms,
        cameras: cell.cameras,
        fixture: cell.fixture,
        success: cell.success,
        link,
        storage,
        encoder,
        load_policy: networks::policy_loader(networks.device),
        judge: networks.judge,
        task: configuration.task.clone(),
        views,
        operator: None,
        status,
    }
}

/// The thread that writes the recording, and the way to it.
pub struct Recording {
    pub views: Sender<ViewEvent>,
    thread: JoinHandle<Result<viz::VizReport, viz::VizError>>,
}

impl Recording {
    pub fn start(settings: VizSettings) -> anyhow::Result<Self> {
        let (views, events) = crossbeam_channel::bounded(VIEW_QUEUE);
        let thread = viz::spawn(events, settings).context("starting the recording")?;
        Ok(Self { views, thread })
    }

    /// Waits until everything is written. Call when the actor has let go of its sender.
    pub fn finish(self) -> anyhow::Result<()> {
        drop(self.views);
        match self.thread.join() {
            Ok(result) => result.map(drop).context("writing the recording"),
            Err(_) => anyhow::bail!("the recording's thread panicked; the journal has everything"),
        }
    }
}
