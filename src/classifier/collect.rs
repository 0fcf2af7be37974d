//! Drives episodes for their labels: a person at the teleop device shows success and what only looks
//! like it, and holds the button while the scene shows success.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use actor::{Coupling, Program, StatusSlot, Summary};
use anyhow::Context;
use learner::ingest::Ingest;
use nets::reward_classifier::Classes;
use replay::DiskStorage;
use sim::ClockMode;
use tasks::cell::ArmDriver;
use wire::{
    ActorId, ActorRequest, LearnerReply, Pace, PolicySnapshot,
    transport::{LearnerLink, LinkError, LinkState},
};

use super::episodes;
use crate::{
    parts::{
        self,
        actor::{self as actor_parts, Networks, Recording},
        cell::{self, Cell},
        networks,
    },
    run_dir::{Configuration, RunDir},
    terminal,
};

/// What a folder of labels holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub episodes: usize,
    pub positives: usize,
    pub negatives: usize,
}

/// Drives until the folder has `episodes` labelled episodes, or until `shutdown`. Each step is on the
/// disk before the next one begins.
pub fn run(
    run_dir: &RunDir,
    configuration: &Configuration,
    episodes: u32,
    shutdown: Arc<AtomicBool>,
) -> anyhow::Result<Summary> {
    let Configuration { cell, task, run, .. } = configuration;
    let (device, _) = networks::prepare_device(run, run.threads.actor)?;
    let networks = Networks::load(configuration, device)?;
    let (ingest, _) = Ingest::open(
        Arc::new(DiskStorage),
        &run_dir.journal(),
        parts::learner::identity(run_dir, task),
        parts::learner::journal_config(run),
        parts::learner::store_config(task, run, networks.backbone.as_ref()),
        None,
    )
    .context("opening the journal of labelled episodes")?;
    let recording =
        Recording::start(actor_parts::viz_settings(run_dir, configuration, ActorId::default())?)?;
    let mut parts = actor_parts::parts(
        configuration,
        Cell::start(cell, task, run.seed)?,
        networks,
        Arc::new(ToJournal(ingest)),
        Arc::new(DiskStorage),
        Some(recording.views.clone()),
        StatusSlot::default(),
    );
    let (say, heard) = crossbeam_channel::bounded(terminal::QUEUE);
    parts.operator = terminal::listen(say)?.then_some(heard);
    let config = actor_parts::config(
        &run_dir.name(),
        configuration,
        &run_dir.outbox(ActorId::default()),
        Program { labelling: episodes, ..Program::default() },
        coupling(configuration)?,
    );
    let acted = actor::run(config, parts, shutdown).context("driving for labels");
    recording.finish()?;
    acted
}

/// On a real clock no step waits for the disk; in simulated time nobody is kept waiting.
fn coupling(configuration: &Configuration) -> anyhow::Result<Coupling> {
    let Configuration { cell, task, run, .. } = configuration;
    let clock = match cell.arm.driver {
        ArmDriver::Sim => cell::sim_config(cell, task, run.seed)?.clock,
    };
    Ok(match clock {
        ClockMode::Simulated => Coupling::Lockstep,
        ClockMode::Real => Coupling::Threads,
    })
}

/// Counts what was labelled, for a classifier that tells success from everything else.
pub fn holdings(run_dir: &RunDir) -> anyhow::Result<Holdings> {
    let mut holdings = Holdings::default();
    for journal in super::journals(run_dir)? {
        episodes::for_each(&journal, |episode| {
            let labels = episodes::truths(&episode, Classes::Binary, false);
            holdings.episodes += 1;
            holdings.positives += labels.iter().filter(|label| **label == Some(1)).count();
            holdings.negatives += labels.iter().filter(|label| **label == Some(0)).count();
            Ok(())
        })?;
    }
    Ok(holdings)
}

/// Stands in for a learner: what is sent lies in the journal when it is acknowledged.
struct ToJournal(Ingest);

impl std::fmt::Debug for ToJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a journal of labelled episodes")
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
