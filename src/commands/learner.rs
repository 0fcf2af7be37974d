//! `reins learner`: the learner alone.

use std::sync::Arc;

use anyhow::Context;
use wire::SystemClock;

use crate::{cli::Process, parts, run_dir::RunDir, shutdown, status_line};

pub fn run(process: &Process) -> anyhow::Result<()> {
    let (run_dir, configuration) = RunDir::open(&process.choice)?;
    configuration.check_apart()?;
    let shutdown = shutdown::on_signal()?;
    let link = parts::link::listen(&run_dir, &configuration)?;
    let endpoint = &configuration.run.link.endpoint;
    tracing::info!(run = run_dir.name(), endpoint, "the learner listens");
    let clock = Arc::new(SystemClock::new());
    let parts = parts::learner::parts(&run_dir, &configuration, Arc::new(link), clock)?;
    let mut say = status_line::Reporter::new(process.status_json);
    learner::run(parts, &shutdown, |status| say.learner(status)).context("learning")?;
    Ok(())
}
