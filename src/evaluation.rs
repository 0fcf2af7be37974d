//! Measures a policy on episodes it has never seen, without a person and without a learner.

mod link;
mod under_way;

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use actor::{Coupling, Program, Punctuality, StatusSlot};
use anyhow::{Context, ensure};
use replay::DiskStorage;
use serde::{Deserialize, Serialize};
use wire::{ActorId, PolicySnapshot};

use self::{
    link::EvaluationLink,
    under_way::{Subject, UnderWay},
};
use crate::{
    parts::{
        actor::{self as actor_parts, Networks, Recording},
        cell::Cell,
        networks,
    },
    report::EpisodeFigures,
    run_dir::{Configuration, RunDir},
    view::{self, Recorder},
};

/// Added to the seed, so that no episode of a training run comes again.
const SEED_OFFSET: u64 = 1_000_000_007;

/// What to measure, and how.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Name of its folder under the run's `eval/`.
    pub name: &'static str,
    pub episodes: u32,
    pub seed: u64,
    /// Draw actions as in training, instead of taking the mean.
    pub sampled: bool,
}

/// What came of it, as kept in the run's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    pub seed: u64,
    pub sampled: bool,
    pub policy_version: u64,
    /// Of the process that ended it; unknown in evaluations of older versions.
    #[serde(default)]
    pub punctuality: Option<Punctuality>,
    pub episodes: Vec<EpisodeFigures>,
}

/// Runs the evaluation and keeps its figures and recording in the run's folder, in the place of those of
/// the last one of its name. One that was cut short goes on; until it has all its episodes the last one
/// stands.
pub fn run(
    run_dir: &RunDir,
    configuration: &Configuration,
    policy: &PolicySnapshot,
    evaluation: &Evaluation,
    shutdown: Arc<AtomicBool>,
) -> anyhow::Result<Measured> {
    let Configuration { cell, task, run, .. } = configuration;
    let (device, _) = networks::prepare_device(run, run.threads.actor)?;
    let networks = Networks::load(configuration, device)?;
    check_backbone(policy, &networks)?;
    let subject = Subject::new(evaluation, configuration, policy);
    let (under_way, so_far) = UnderWay::open(&run_dir.evaluation(evaluation.name), &subject)?;
    if !so_far.episodes.is_empty() {
        let measured = so_far.episodes.len();
        tracing::info!(measured, "an evaluation that was cut short goes on");
    }
    let link = Arc::new(EvaluationLink::new(policy.clone(), under_way.clone(), so_far));
    let seed = evaluation.seed.wrapping_add(SEED_OFFSET);
    let id = format!("{}-eval-{}", run_dir.recording_id()?, evaluation.name);
    let recording = view::next_recording(under_way.folder(), Recorder::Actor(ActorId::default()));
    let recording = Recording::start(actor_parts::settings_at(recording, id, configuration)?)?;
    let status = StatusSlot::default();
    let parts = actor_parts::parts(
        configuration,
        Cell::start(cell, task, seed)?,
        networks,
        link.clone(),
        Arc::new(DiskStorage),
        Some(recording.views.clone()),
        status.clone(),
    );
    let program = Program { evaluations: evaluation.episodes, ..Program::default() };
    let config = actor::ActorConfig {
        seed,
        evaluate_with_noise: evaluation.sampled,
        ..actor_parts::config(
            &run_dir.name(),
            configuration,
            &under_way.folder().join("outbox"),
            program,
            Coupling::Lockstep,
        )
    };
    let acted = actor::run(config, parts, shutdown).context("evaluating");
    recording.finish()?;
    let done = acted?.progress.evaluations;
    ensure!(
        done >= evaluation.episodes,
        "interrupted after {done} of {} episodes; the same command goes on",
        evaluation.episodes
    );
    let measured = Measured {
        seed: evaluation.seed,
        sampled: evaluation.sampled,
        policy_version: policy.version.0,
        punctuality: Some(status.get().punctuality),
        episodes: link.take_figures(),
    };
    under_way.finish(&measured)?;
    Ok(measured)
}

/// A policy sees through the features that it was trained on, or not at all.
fn check_backbone(policy: &PolicySnapshot, networks: &Networks) -> anyhow::Result<()> {
    let Some(backbone) = &networks.backbone else { return Ok(()) };
    ensure!(
        policy.backbone == backbone.hash(),
        "the policy was trained on the backbone {:?}, the run's files name {:?}: give the run the \
         [backbone] and the weights file back that it was trained with",
        policy.backbone,
        backbone.hash()
    );
    Ok(())
}

/// The figures of an evaluation that was made before; `None` if there was none.
pub fn read(folder: &Path) -> anyhow::Result<Option<Measured>> {
    let path = folder.join(under_way::EPISODES);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display())).map(Some)
}
