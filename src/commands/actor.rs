//! `reins actor`: the actor alone, beside the robot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use actor::{ActorConfig, Coupling, StatusSlot};
use anyhow::Context;
use sim::faults::Disk;
use wire::ActorId;

use crate::{
    cli::Actor,
    faults,
    parts::{
        actor::{self as actor_parts, Networks, Recording},
        cell::{Cell, in_real_time},
        link, networks,
    },
    run_dir::{Configuration, RunDir},
    shutdown, status_line, terminal, web_console,
};

const STATUS_EVERY: Duration = Duration::from_millis(500);

pub fn run(arguments: &Actor) -> anyhow::Result<()> {
    let (process, actor) = (&arguments.process, ActorId(arguments.actor));
    let faults = faults::load(process.rehearsal.faults.as_deref())?;
    let (run_dir, configuration) = RunDir::open(&process.choice)?;
    configuration.check_apart()?;
    let shutdown = shutdown::on_signal()?;
    let run = &configuration.run;
    let (device, why) = networks::prepare_device(run, run.threads.actor)?;
    tracing::info!("{why}");
    let networks = Networks::load(&configuration, device)?;
    let (say, heard) = crossbeam_channel::bounded(terminal::QUEUE);
    let page = (arguments.page.console)
        .map(|port| web_console::Page::serve(port, &run_dir, &configuration, say.clone(), false))
        .transpose()?;
    let Configuration { cell, task, .. } = &configuration;
    let mut cell = match (&arguments.device, &page) {
        (Some(socket), _) => Cell::at_device(cell, task, socket)?,
        (None, None) => Cell::start_with(cell, task, run.seed, faults.as_ref())?,
        (None, Some(_)) => Cell::start_with(&in_real_time(cell), task, run.seed, faults.as_ref())?,
    };
    if let Some(page) = &page {
        page.take_over(&mut cell);
    }
    let clock = cell.clock.clone();
    let to_learner = link::connect(&run_dir, &configuration, actor)?;
    let recording = Recording::start(actor_parts::viz_settings(&run_dir, &configuration, actor)?)?;
    let status = StatusSlot::default();
    let page = page
        .map(|page| page.watch(recording.views.clone(), status.clone(), &run_dir))
        .transpose()?;
    let views = page.as_ref().map_or(&recording.views, |page| page.views()).clone();
    let mut parts = actor_parts::parts(
        &configuration,
        cell,
        networks,
        faults::around_link(Arc::new(to_learner), faults.as_ref(), clock.clone()),
        faults::disk(faults.as_ref(), Disk::Actor, clock),
        Some(views),
        status.clone(),
    );
    let heeded = terminal::listen(say, false)? || page.is_some();
    parts.operator = heeded.then_some(heard);
    let program = actor_parts::training_program(&configuration);
    let config = ActorConfig {
        actor,
        ..actor_parts::config(
            &run_dir.name(),
            &configuration,
            &run_dir.outbox(actor),
            program,
            Coupling::Threads,
        )
    };
    let ended = Arc::new(AtomicBool::new(false));
    let reporter = report_until(ended.clone(), status, process.status_json)?;
    let outcome = actor::run(config, parts, shutdown).context("acting");
    ended.store(true, Ordering::SeqCst);
    // A reporter that panicked has said so; what the actor did matters more.
    let _ = reporter.join();
    if let Some(page) = page {
        page.finish();
    }
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
