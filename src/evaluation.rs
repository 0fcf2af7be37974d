//! Measures a policy on episodes it has never seen, without a person and without a learner.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use actor::{Coupling, Program, Punctuality, StatusSlot};
use anyhow::{Context, ensure};
use replay::DiskStorage;
use serde::{Deserialize, Serialize};
use wire::{
    ActorRequest, EpisodeKind, LearnerReply, Pace, PolicySnapshot, Record, RecordBody,
    RecordPosition, Refusal, Welcome,
    transport::{LearnerLink, LinkError, LinkState},
};

use crate::{
    parts::{
        actor::{self as actor_parts, Networks, Recording},
        cell::Cell,
        networks,
    },
    report::EpisodeFigures,
    run_dir::{Configuration, RunDir},
    truth::Truth,
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
    /// Unknown in evaluations of older versions.
    #[serde(default)]
    pub punctuality: Option<Punctuality>,
    pub episodes: Vec<EpisodeFigures>,
}

/// Runs the evaluation and keeps its figures and recording in the run's folder.
pub fn run(
    run_dir: &RunDir,
    configuration: &Configuration,
    policy: &PolicySnapshot,
    evaluation: &Evaluation,
    shutdown: Arc<AtomicBool>,
) -> anyhow::Result<Measured> {
    let folder = run_dir.evaluation(evaluation.name);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("removing the old evaluation {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let Configuration { cell, task, run, .. } = configuration;
    let (device, _) = networks::prepare_device(run, run.threads.actor)?;
    let networks = Networks::load(configuration, device)?;
    check_backbone(policy, &networks)?;
    let link = Arc::new(EvaluationLink::new(policy.clone()));
    let seed = evaluation.seed.wrapping_add(SEED_OFFSET);
    let id = format!("{}-eval-{}", run_dir.recording_id()?, evaluation.name);
    let settings = actor_parts::settings_at(folder.join("actor.rrd"), id, configuration)?;
    let recording = Recording::start(settings)?;
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
            &folder.join("outbox"),
            program,
            Coupling::Lockstep,
        )
    };
    let acted = actor::run(config, parts, shutdown).context("evaluating");
    recording.finish()?;
    acted?;
    let measured = Measured {
        seed: evaluation.seed,
        sampled: evaluation.sampled,
        policy_version: policy.version.0,
        punctuality: Some(status.get().punctuality),
        episodes: link.take_figures(),
    };
    let path = folder.join("episodes.json");
    fs::write(&path, serde_json::to_string_pretty(&measured)?)
        .with_context(|| format!("writing {}", path.display()))?;
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
    let path = folder.join("episodes.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display())).map(Some)
}

/// Stands in for a learner: hands out one policy, counts episodes, learns nothing.
#[derive(Debug)]
struct EvaluationLink {
    pace: Pace,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    policy: Option<PolicySnapshot>,
    episodes: Vec<EpisodeFigures>,
    through: Option<RecordPosition>,
    /// Of the episode under way.
    truth: Truth,
}

impl EvaluationLink {
    fn new(policy: PolicySnapshot) -> Self {
        let pace = Pace {
            learner_step: policy.learner_step,
            policy_version: policy.version,
            finished: true,
            ..Pace::default()
        };
        let inner = Inner {
            policy: Some(policy),
            episodes: Vec::new(),
            through: None,
            truth: Truth::default(),
        };
        Self { pace, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_figures(&self) -> Vec<EpisodeFigures> {
        std::mem::take(&mut self.lock().episodes)
    }
}

impl LearnerLink for EvaluationLink {
    fn request(&self, request: &ActorRequest, _: Duration) -> Result<LearnerReply, LinkError> {
        let mut inner = self.lock();
        Ok(match request {
            ActorRequest::Hello(_) => {
                LearnerReply::Welcome(Welcome { through: inner.through, pace: self.pace })
            }
            ActorRequest::Append(append) => {
                for record in &append.records {
                    inner.take(record);
                }
                match inner.through {
                    Some(through) => LearnerReply::Appended { through, pace: self.pace },
                    None => LearnerReply::Refused(Refusal::Gap { expected_after: None }),
                }
            }
            ActorRequest::Goodbye(_) => LearnerReply::Farewell,
        })
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        self.lock().policy.take()
    }

    fn pace(&self) -> Option<Pace> {
        Some(self.pace)
    }

    fn state(&self) -> LinkState {
        LinkState::Connected
    }
}

impl Inner {
    fn take(&mut self, record: &Record) {
        self.through = Some(record.position);
        if let RecordBody::Step(step) = &record.body {
            self.truth.add(&step.judgement);
        }
        if let RecordBody::EpisodeEnd(end) = &record.body {
            let truth = std::mem::take(&mut self.truth).known();
            self.episodes.push(EpisodeFigures {
                index: record.position.episode.0,
                kind: EpisodeKind::Evaluation,
                steps: end.steps,
                human_steps: end.human_steps,
                interventions: end.interventions,
                outcome: end.outcome,
                env_step: 0,
                minutes: 0.0,
                truth,
            });
        }
    }
}
