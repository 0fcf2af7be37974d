//! Episodes that a person drives, without a learner: what is sent lies in the run's journal when it is
//! acknowledged. Each step is on the disk before the next one begins.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use actor::{ActorConfig, Coupling, Program, Status, StatusSlot, Summary};
use anyhow::Context;
use learner::ingest::Ingest;
use replay::{DiskStorage, StoreConfig};
use sim::ClockMode;
use tasks::CellConfig;
use wire::{
    ActorId, ActorRequest, EpisodeKind, LearnerReply, Outcome, Pace, PolicySnapshot,
    transport::{LearnerLink, LinkError, LinkState},
};

use crate::{
    parts::{
        self,
        actor::{self as actor_parts, Networks, Recording},
        cell::{self, Cell, in_real_time},
        networks,
    },
    run_dir::{Configuration, RunDir},
    terminal, web_console,
};

/// How often the status is looked at: a wait for a word must be told at once.
const STATUS_EVERY: Duration = Duration::from_millis(50);

/// The run's journal, open, and what an actor looks through.
pub struct Session<'a> {
    run_dir: &'a RunDir,
    configuration: &'a Configuration,
    networks: Networks,
    ingest: Ingest,
}

/// What is driven.
pub struct Plan {
    pub program: Program,
    /// Each demonstration waits for the person's word on it.
    pub review: bool,
    /// Port of the operator's page.
    pub console: Option<u16>,
}

impl<'a> Session<'a> {
    /// Opens the journal, which no learner may have open. `episodes` are to be driven, about.
    pub fn open(
        run_dir: &'a RunDir,
        configuration: &'a Configuration,
        episodes: u32,
    ) -> anyhow::Result<Self> {
        let Configuration { task, run, .. } = configuration;
        let (device, _) = networks::prepare_device(run, run.threads.actor)?;
        let networks = Networks::load(configuration, device)?;
        let config = parts::learner::store_config(task, run, networks.backbone.as_ref());
        let config = parts::learner::with_room_for(run_dir, config)?;
        // Every other one may be driven again.
        let more = episodes.saturating_mul(4).saturating_mul(task.episode_steps);
        let max_observations = config.max_observations.saturating_add(more);
        let (ingest, _) = Ingest::open(
            Arc::new(DiskStorage),
            &run_dir.journal(),
            parts::learner::identity(run_dir, task),
            parts::learner::journal_config(run),
            StoreConfig { max_observations, ..config },
            None,
        )
        .context("opening the run's journal")?;
        // Nobody says when there are enough but the program.
        ingest.set_pace(Pace { env_step_limit: Some(0), ..Pace::default() });
        Ok(Self { run_dir, configuration, networks, ingest })
    }

    /// Demonstrations in the journal that count, of this actor and of all others.
    pub fn demonstrations(&self) -> (u32, u32) {
        let inner = self.ingest.lock();
        let counts = inner.store.episodes().iter().filter(|episode| {
            let kept = episode.end.is_some_and(|end| end.outcome == Outcome::Success);
            episode.kind == EpisodeKind::Demonstration && kept
        });
        let (own, others): (Vec<_>, Vec<_>) =
            counts.partition(|episode| episode.actor == ActorId::default());
        (own.len() as u32, others.len() as u32)
    }

    /// Drives until the program is done, or until `shutdown`. `watch` is shown the actor's status.
    pub fn drive(
        self,
        plan: Plan,
        shutdown: Arc<AtomicBool>,
        watch: impl FnMut(&Status) + Send + 'static,
    ) -> anyhow::Result<Summary> {
        let Self { run_dir, configuration, networks, ingest } = self;
        let Configuration { cell, task, run, .. } = configuration;
        let (say, heard) = crossbeam_channel::bounded(terminal::QUEUE);
        let page = (plan.console)
            .map(|port| {
                let shown = shown(configuration, &plan.program);
                web_console::Page::serve(port, run_dir, &shown, say.clone(), plan.review)
            })
            .transpose()?;
        let cell = if page.is_some() { &in_real_time(cell) } else { cell };
        let coupling = coupling(cell, configuration)?;
        let mut devices = Cell::start(cell, task, run.seed)?;
        if let Some(page) = &page {
            page.take_over(&mut devices);
        }
        let viz = actor_parts::viz_settings(run_dir, configuration, ActorId::default())?;
        let recording = Recording::start(viz)?;
        let status = StatusSlot::default();
        let page = page
            .map(|page| page.watch(recording.views.clone(), status.clone(), run_dir))
            .transpose()?;
        let views = page.as_ref().map_or(&recording.views, |page| page.views()).clone();
        let mut parts = actor_parts::parts(
            configuration,
            devices,
            networks,
            Arc::new(ToJournal(ingest)),
            Arc::new(DiskStorage),
            Some(views),
            status.clone(),
        );
        let heeded = terminal::listen(say, plan.review)? || page.is_some();
        parts.operator = heeded.then_some(heard);
        let config = ActorConfig {
            review: plan.review,
            ..actor_parts::config(
                &run_dir.name(),
                configuration,
                &run_dir.outbox(ActorId::default()),
                plan.program,
                coupling,
            )
        };
        let ended = Arc::new(AtomicBool::new(false));
        let watching = watch_until(ended.clone(), status, watch)?;
        let acted = actor::run(config, parts, shutdown).context("driving");
        ended.store(true, Ordering::SeqCst);
        // One that panicked has said so; what was driven matters more.
        let _ = watching.join();
        if let Some(page) = page {
            page.finish();
        }
        recording.finish()?;
        acted
    }
}

/// What the page is to count to.
fn shown(configuration: &Configuration, program: &Program) -> Configuration {
    let mut shown = configuration.clone();
    shown.run.budget.demo_episodes = program.demonstrations;
    shown.run.budget.env_steps = 0;
    shown
}

/// On a real clock no step waits for the disk; in simulated time nobody is kept waiting.
fn coupling(cell: &CellConfig, configuration: &Configuration) -> anyhow::Result<Coupling> {
    let task = &configuration.task;
    Ok(match cell::clock_mode(cell, task)? {
        ClockMode::Simulated => Coupling::Lockstep,
        ClockMode::Real => Coupling::Threads,
    })
}

fn watch_until(
    ended: Arc<AtomicBool>,
    status: StatusSlot,
    mut watch: impl FnMut(&Status) + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let look = move || {
        while !ended.load(Ordering::SeqCst) {
            watch(&status.get());
            thread::sleep(STATUS_EVERY);
        }
        watch(&status.get());
    };
    thread::Builder::new().name("status".into()).spawn(look).context("starting the status line")
}

/// Stands in for a learner.
struct ToJournal(Ingest);

impl std::fmt::Debug for ToJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a run's journal")
    }
}

impl LearnerLink for ToJournal {
    fn request(&self, request: &ActorRequest, _: Duration) -> Result<LearnerReply, LinkError> {
        Ok(self.0.answer(request.clone()))
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        None
    }

    fn pace(&self) -> Option<Pace> {
        None
    }

    fn state(&self) -> LinkState {
        LinkState::Connected
    }
}
