//! `reins learner`: the learner alone.

use std::sync::Arc;

use anyhow::Context;
use sim::faults::Disk;
use wire::{Clock, SystemClock};

use crate::{cli::Process, faults, parts, run_dir::RunDir, shutdown, status_line};

pub fn run(process: &Process) -> anyhow::Result<()> {
    let faults = faults::load(process.rehearsal.faults.as_deref())?;
    let (run_dir, configuration) = RunDir::open(&process.choice)?;
    configuration.check_apart()?;
    let shutdown = shutdown::on_signal()?;
    let link = parts::link::listen(&run_dir, &configuration)?;
    let endpoint = &configuration.run.link.endpoint;
    tracing::info!(run = run_dir.name(), endpoint, "the learner listens");
    let mut clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let storage = faults::disk(faults.as_ref(), Disk::Learner, clock.clone());
    if let Some(faults) = &faults {
        clock = faults::around_clock(clock, faults);
    }
    let parts = parts::learner::parts(&run_dir, &configuration, Arc::new(link), storage, clock)?;
    let mut say = status_line::Reporter::new(process.status_json);
    learner::run(parts, &shutdown, |status| say.learner(status)).context("learning")?;
    Ok(())
}
