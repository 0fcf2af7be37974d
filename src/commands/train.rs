//! `reins train`: actor and learner as two processes, or both in this one, in step.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use actor::{ActorParts, Coupling, StatusSlot, reenact::Past};
use anyhow::{Context, ensure};
use replay::{DiskStorage, journal};
use sim::faults::{Disk, Faults};
use tasks::run::CouplingMode;
use wire::{ActorId, SystemClock, transport::memory};

use crate::{
    cli::{Page, Train},
    faults,
    parts::{
        self,
        actor::{self as actor_parts, Networks, Recording},
        cell::Cell,
    },
    progress::Progress,
    results,
    run_dir::{Configuration, RunDir},
    shutdown, supervise,
};

pub fn run(train: &Train) -> anyhow::Result<()> {
    let script = train.rehearsal.faults.as_deref();
    faults::check(script)?;
    let coupling = train.lockstep.then_some(CouplingMode::Lockstep);
    let (run_dir, configuration) = RunDir::open_coupled(&train.choice, coupling)?;
    go_on(&run_dir, &configuration, script, train.page, train.json)
}

/// Begins a run or goes on with it, as it was begun, with this fault script if there is one.
pub fn go_on(
    run_dir: &RunDir,
    configuration: &Configuration,
    script: Option<&Path>,
    page: Page,
    json: bool,
) -> anyhow::Result<()> {
    let in_step = configuration.run.coupling.mode == CouplingMode::Lockstep;
    let mut hands = configuration.cell.teleops();
    let is_a_persons = page.console.is_some() || hands.any(|hand| hand.driver.is_a_persons());
    ensure!(
        !is_a_persons || !in_step,
        "run {} is in lockstep, which a person cannot drive: leave --console out and take a cell with \
         another teleop.driver, or begin another run without --lockstep",
        run_dir.name()
    );
    ensure!(
        !(in_step && configuration.cell.opens_a_camera()),
        "run {} is in lockstep, and a real camera waits for nobody: take a cell with simulated cameras, or \
         begin another run without --lockstep",
        run_dir.name()
    );
    let shutdown = shutdown::on_signal()?;
    super::resume::tell(run_dir)?;
    if in_step {
        let faults = faults::load(script)?;
        in_lockstep(run_dir, configuration, faults.as_ref(), shutdown)?;
    } else {
        in_processes(run_dir, script, page, &shutdown)?;
    }
    results::report(run_dir, json)
}

/// Two children that talk zenoh; this process shows what they say.
pub fn in_processes(
    run_dir: &RunDir,
    faults: Option<&Path>,
    page: Page,
    shutdown: &Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let mut progress = Progress::new();
    let outcome =
        supervise::run(run_dir.path(), faults, page, shutdown, |heard| progress.hear(heard));
    progress.finish();
    outcome
}

/// One process, one thread, the same bytes each time.
pub fn in_lockstep(
    run_dir: &RunDir,
    configuration: &Configuration,
    faults: Option<&Faults>,
    shutdown: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let Configuration { cell, task, run, .. } = configuration;
    let (to_learner, to_actor) = memory::pair();
    let clock = Arc::new(SystemClock::new());
    let devices = Cell::start_with(cell, task, run.seed, faults)?;
    let cell_clock = devices.clock.clone();
    let disk = |of| faults::disk(faults, of, cell_clock.clone());
    let storage = disk(Disk::Learner);
    let learner_parts =
        parts::learner::parts(run_dir, configuration, Arc::new(to_actor), storage, clock)?;
    let device = learner_parts.trainer.device;
    let networks = Networks::load(configuration, device)?;
    let learner = learner::Lockstep::start(learner_parts).context("starting the learner")?;

    let past = past(run_dir, learner.records())?;
    let recording =
        Recording::start(actor_parts::viz_settings(run_dir, configuration, ActorId::default())?)?;
    let mut parts = actor_parts::parts(
        configuration,
        devices,
        networks,
        faults::around_link(Arc::new(to_learner), faults, cell_clock.clone()),
        disk(Disk::Actor),
        Some(recording.views.clone()),
        StatusSlot::default(),
    );
    if faults.is_some() {
        // When a request is sent again must not depend on how fast this machine is.
        parts.host_clock = cell_clock;
    }
    let parts = match &past {
        Some(past) => reenacting(parts, past),
        None => parts,
    };
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

/// What a run in lockstep has done already, to be done again; `None` at its beginning.
///
/// Its outbox goes: in lockstep the learner has each record before the next one is made, so the
/// outbox holds at most one that the journal lacks, and that one is made again.
fn past(run_dir: &RunDir, records: u64) -> anyhow::Result<Option<Past>> {
    let outbox = run_dir.outbox(ActorId::default());
    if outbox.exists() {
        fs::remove_dir_all(&outbox)
            .with_context(|| format!("removing the outbox {}", outbox.display()))?;
    }
    if records == 0 {
        return Ok(None);
    }
    tracing::info!(records, "doing again what the run has done, to go on from there");
    let told = journal::read_only(Arc::new(DiskStorage), &run_dir.journal())
        .context("reading what the run has done")?;
    let told = told
        .map(|read| read.map(|(_, record)| record).map_err(|e| e.to_string()))
        // Nobody acted what was imported.
        .filter(|read| !matches!(read, Ok(record) if record.actor == ActorId::IMPORTED));
    Ok(Some(Past::new(Box::new(told))))
}

/// An actor whose past is told by the journal.
fn reenacting(parts: ActorParts, past: &Past) -> ActorParts {
    ActorParts {
        link: past.link(parts.link),
        encoder: parts.encoder.map(|encoder| past.encoder(encoder)),
        load_policy: past.policies(parts.load_policy),
        ..parts
    }
}
