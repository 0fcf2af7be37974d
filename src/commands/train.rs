//! `reins train`: actor and learner as two processes, or both in this one, in step.

use std::sync::{Arc, atomic::AtomicBool};

use actor::{Coupling, StatusSlot};
use anyhow::Context;
use wire::{ActorId, SystemClock, transport::memory};

use crate::{
    cli::Train,
    parts::{
        self,
        actor::{self as actor_parts, Networks, Recording},
        cell::Cell,
        networks,
    },
    progress::Progress,
    results,
    run_dir::{Configuration, RunDir},
    shutdown, supervise,
};

pub fn run(train: &Train) -> anyhow::Result<()> {
    let (run_dir, configuration) = RunDir::open(&train.choice)?;
    let shutdown = shutdown::on_signal()?;
    if train.lockstep || configuration.run.coupling.mode == tasks::run::CouplingMode::Lockstep {
        in_lockstep(&run_dir, &configuration, shutdown)?;
    } else {
        in_processes(&run_dir, &shutdown)?;
    }
    results::report(&run_dir, train.json)
}

/// Two children that talk zenoh; this process shows what they say.
pub fn in_processes(run_dir: &RunDir, shutdown: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut progress = Progress::new();
    let outcome = supervise::run(run_dir.path(), shutdown, |heard| progress.hear(heard));
    progress.finish();
    outcome
}

/// One process, one thread, the same bytes each time.
pub fn in_lockstep(
    run_dir: &RunDir,
    configuration: &Configuration,
    shutdown: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let Configuration { cell, task, run } = configuration;
    let (to_learner, to_actor) = memory::pair();
    let clock = Arc::new(SystemClock::new());
    let learner_parts = parts::learner::parts(run_dir, configuration, Arc::new(to_actor), clock)?;
    let device = learner_parts.trainer.device;
    let networks = Networks { backbone: networks::backbone(task, run, device)?, device };
    let learner = learner::Lockstep::start(learner_parts).context("starting the learner")?;

    let recording =
        Recording::start(actor_parts::viz_settings(run_dir, configuration, ActorId::default())?)?;
    let parts = actor_parts::parts(
        configuration,
        Cell::start(cell, task, run.seed)?,
        networks,
        Arc::new(to_learner),
        Some(recording.views.clone()),
        StatusSlot::default(),
    );
    let config = actor_parts::config(
        &run_dir.name(),
        configuration,
        &run_dir.outbox(ActorId::default()),
        actor_parts::training_program(configuration),
        Coupling::Lockstep,
    );
    let acted = actor::run(config, parts, shutdown).context("acting");
    recording.finish()?;
    let status = learner.close().context("closing the learner")?;
    eprintln!("{status}");
    acted.map(drop)
}
