//! `reins actor`: the actor alone, beside the robot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use actor::{Coupling, StatusSlot};
use anyhow::Context;
use wire::transport::zenoh::ZenohLearnerLink;

use crate::{
    cli::Process,
    parts::{
        actor::{self as actor_parts, Networks, Recording},
        cell::Cell,
        networks,
    },
    run_dir::RunDir,
    shutdown, status_line,
};

const STATUS_EVERY: Duration = Duration::from_millis(500);

pub fn run(process: &Process) -> anyhow::Result<()> {
    let (run_dir, configuration) = RunDir::open(&process.choice)?;
    configuration.check_apart()?;
    configuration.warn_of_open_link();
    let shutdown = shutdown::on_signal()?;
    let run = &configuration.run;
    let (device, why) = networks::prepare_device(run, run.threads.actor)?;
    tracing::info!("{why}");
    let networks =
        Networks { backbone: networks::backbone(&configuration.task, run, device)?, device };
    let cell = Cell::start(&configuration.cell, &configuration.task, run.seed)?;
    let link = ZenohLearnerLink::connect(&run.link.endpoint, &run_dir.name())?;
    let recording = Recording::start(actor_parts::viz_settings(&run_dir, &configuration)?)?;
    let status = StatusSlot::default();
    let parts = actor_parts::parts(
        &configuration,
        cell,
        networks,
        Arc::new(link),
        Some(recording.views.clone()),
        status.clone(),
    );
    let program = actor_parts::training_program(&configuration);
    let config = actor_parts::config(
        &run_dir.name(),
        &configuration,
        &run_dir.outbox(),
        program,
        Coupling::Threads,
    );
    let ended = Arc::new(AtomicBool::new(false));
    let reporter = report_until(ended.clone(), status, process.status_json)?;
    let outcome = actor::run(config, parts, shutdown).context("acting");
    ended.store(true, Ordering::SeqCst);
    // A reporter that panicked has said so; what the actor did matters more.
    let _ = reporter.join();
    recording.finish()?;
    let summary = outcome?;
    if summary.unsent > 0 {
        tracing::warn!(
            records = summary.unsent,
            "the learner has not taken everything; the same command sends the rest"
        );
    }
    Ok(())
}

fn report_until(
    ended: Arc<AtomicBool>,
    status: StatusSlot,
    json: bool,
) -> anyhow::Result<thread::JoinHandle<()>> {
    let report = move || {
        let mut say = status_line::Reporter::new(json);
        while !ended.load(Ordering::SeqCst) {
            say.actor(&status.get());
            thread::sleep(STATUS_EVERY);
        }
        say.actor(&status.get());
    };
    thread::Builder::new().name("status".into()).spawn(report).context("starting the status line")
}
