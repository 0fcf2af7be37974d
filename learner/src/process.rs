//! The learner as a process: answers actors on the link's threads, learns on this one.
//!
//! In lockstep the same trainer runs inside the answer to a request, on the actor's thread, so that
//! a run with one seed gives the same bytes each time.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nets::backbone::Backbone;
use replay::{
    DiskStorage, JournalConfig, Records, StoreConfig,
    storage::{Storage, write_atomically},
};
use thiserror::Error;
use wire::{
    ActorRequest, Clock, PolicySnapshot, Timestamp, codec,
    transport::{ActorLink, LinkError},
};

use crate::{
    checkpoint::{self, CheckpointError, Found},
    ingest::{Identity, Ingest, IngestError},
    metrics::{MetricsError, MetricsWriter},
    status::{Phase, Status},
    trainer::{Output, Trainer, TrainerConfig, TrainerError, Work},
    viz::{LearnerViz, VizError, VizSettings},
};

/// How long the learner sleeps when nothing arrives, before it looks at the shutdown flag.
const IDLE: Duration = Duration::from_millis(100);
const STATUS_EVERY: Duration = Duration::from_millis(500);
/// How long a finished learner waits for actors to leave.
const FAREWELL: Duration = Duration::from_secs(20);

#[derive(Debug, Error)]
pub enum LearnerError {
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Trainer(#[from] TrainerError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Viz(#[from] VizError),
    #[error("writing the policy to {path}: {source}")]
    PolicyFile { path: PathBuf, source: std::io::Error },
    #[error("a policy could not be encoded")]
    Codec(#[from] codec::CodecError),
}

/// Where a learner keeps what.
#[derive(Clone, Debug)]
pub struct LearnerPaths {
    pub journal: PathBuf,
    pub metrics: PathBuf,
    /// The newest published policy.
    pub policy: PathBuf,
}

/// Everything a learner is made of.
pub struct LearnerParts {
    pub identity: Identity,
    pub store: StoreConfig,
    pub journal: JournalConfig,
    pub trainer: TrainerConfig,
    /// `None` for tasks without cameras.
    pub backbone: Option<Backbone>,
    pub link: Arc<dyn ActorLink>,
    /// Where the journal lies.
    pub storage: Arc<dyn Storage>,
    /// Of this machine; learning is not on the cell's time.
    pub clock: Arc<dyn Clock>,
    pub paths: LearnerPaths,
    /// `None`: no recording.
    pub viz: Option<VizSettings>,
}

/// A learner put together: what both ways of running share.
struct Learner {
    trainer: Trainer,
    link: Arc<dyn ActorLink>,
    metrics: MetricsWriter,
    viz: Option<LearnerViz>,
    policy_path: PathBuf,
}

/// The learner, what feeds it, and the records that it has not taken in yet.
type Opened = (Learner, Arc<Ingest>, Records);

/// What a learner takes in before it goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Everything that the journal holds.
    All,
    /// What it had taken in when the checkpoint was made.
    AsInCheckpoint,
}

impl Learner {
    fn open(parts: LearnerParts, known: Known) -> Result<Opened, LearnerError> {
        let mut found = checkpoint::newest(&DiskStorage, &parts.trainer.checkpoints)?;
        if known == Known::AsInCheckpoint {
            // One that does not say what it had taken in is no place to go on from exactly.
            found.newest = found.newest.filter(|(_, checkpoint)| checkpoint.records.is_some());
        }
        let records = (known == Known::AsInCheckpoint).then(|| found.records());
        let (ingest, rest) = Ingest::open(
            parts.storage,
            &parts.paths.journal,
            parts.identity,
            parts.journal,
            parts.store,
            records,
        )?;
        let ingest = Arc::new(ingest);
        tell(&found, &ingest);
        let trainer =
            Trainer::open(parts.trainer, ingest.clone(), parts.backbone, parts.clock, found)?;
        let learner = Self {
            trainer,
            link: parts.link,
            metrics: MetricsWriter::open(&parts.paths.metrics)?,
            viz: parts.viz.map(LearnerViz::create).transpose()?,
            policy_path: parts.paths.policy,
        };
        Ok((learner, ingest, rest))
    }

    fn pump(&mut self) -> Result<Work, LearnerError> {
        let mut output = Output::default();
        let work = self.trainer.pump(&mut output)?;
        if let Some((step, metrics)) = &output.metrics {
            let written = self.metrics.append(step.0, metrics);
            self.trainer.note_storage(written.map_err(|e| e.to_string()));
            if let Some(viz) = &mut self.viz {
                viz.log_update(step.0, metrics)?;
            }
        }
        if let Some(policy) = &output.policy {
            self.link.publish_policy(policy)?;
        }
        // Last: what stands before it is not done again when the run resumes from here.
        if output.checkpoint {
            self.trainer.checkpoint()?;
        }
        if work == Work::Finished
            && let Some(policy) = &output.policy
        {
            self.write_policy(policy)?;
        }
        Ok(work)
    }

    /// The newest policy as a file, for evaluation and for people.
    fn write_policy(&self, policy: &PolicySnapshot) -> Result<(), LearnerError> {
        let bytes = codec::encode(policy)?;
        let path = &self.policy_path;
        write_atomically(&DiskStorage, path, &bytes)
            .map_err(|source| LearnerError::PolicyFile { path: path.clone(), source })
    }

    fn status(&self) -> Status {
        Status { actors: self.link.actors(), ..self.trainer.status().clone() }
    }

    /// Leaves everything so that the same command continues.
    fn close(&mut self) -> Result<(), LearnerError> {
        self.trainer.checkpoint()?;
        if let Some(policy) = self.trainer.policy() {
            self.write_policy(policy)?;
        }
        Ok(())
    }
}

/// Says from where the run goes on, and what could not be used.
fn tell(found: &Found, ingest: &Ingest) {
    for broken in &found.broken {
        tracing::error!(%broken, "skipped a broken checkpoint");
    }
    let inner = ingest.lock();
    let (records, episodes) = (inner.records(), inner.store.episodes().len());
    match &found.newest {
        Some((path, checkpoint)) => tracing::info!(
            checkpoint = %path.display(),
            learner_step = checkpoint.learner_step.0,
            records,
            episodes,
            "resumed"
        ),
        None if !found.broken.is_empty() => tracing::error!(
            records,
            episodes,
            "no checkpoint can be read: what was recorded is all there, learning begins anew from it"
        ),
        None if records > 0 => tracing::info!(
            records,
            episodes,
            "resumed before the first checkpoint: learning begins with what was recorded"
        ),
        None => {}
    }
}

/// Learns until the budget is used and the actors have left, or until `shutdown`.
pub fn run(
    parts: LearnerParts,
    shutdown: &AtomicBool,
    mut report: impl FnMut(&Status),
) -> Result<Status, LearnerError> {
    let clock = parts.clock.clone();
    let (mut learner, ingest, _) = Learner::open(parts, Known::All)?;
    let newcomers = Arc::new(AtomicBool::new(false));
    serve(&learner.link, &ingest, &newcomers)?;
    let mut seen = 0;
    let mut last_report: Option<Timestamp> = None;
    let mut finished_at: Option<Timestamp> = None;
    while !shutdown.load(Ordering::SeqCst) {
        if newcomers.swap(false, Ordering::SeqCst)
            && let Some(policy) = learner.trainer.policy()
        {
            learner.link.publish_policy(policy)?;
        }
        let work = learner.pump()?;
        let now = clock.now();
        if last_report.is_none_or(|last| now.since(last) >= STATUS_EVERY) {
            last_report = Some(now);
            report(&learner.status());
        }
        match work {
            Work::Done => learner.link.publish_pace(&learner.trainer.pace())?,
            Work::Waiting => seen = ingest.wait_for_request(seen, IDLE),
            Work::Finished => {
                learner.link.publish_pace(&learner.trainer.pace())?;
                let since = now.since(*finished_at.get_or_insert(now));
                if ingest.all_left() || since > FAREWELL {
                    break;
                }
                seen = ingest.wait_for_request(seen, IDLE);
            }
        }
    }
    learner.close()?;
    report(&learner.status());
    Ok(learner.status())
}

fn serve(
    link: &Arc<dyn ActorLink>,
    ingest: &Arc<Ingest>,
    newcomers: &Arc<AtomicBool>,
) -> Result<(), LinkError> {
    let (ingest, newcomers) = (ingest.clone(), newcomers.clone());
    link.serve(Arc::new(move |request| {
        let hello = matches!(request, ActorRequest::Hello(_));
        let reply = ingest.answer(request);
        if hello {
            newcomers.store(true, Ordering::SeqCst);
        }
        reply
    }))
}

/// A learner that works inside the answers to its actor's requests.
///
/// What it has learned follows from the records it has taken in, and from nothing else: after each
/// it learns as far as that allows. So one that was killed takes in again what came after its
/// checkpoint, one record at a time, and is then what it was.
pub struct Lockstep {
    learner: Arc<Mutex<Learner>>,
    records: u64,
}

impl Lockstep {
    /// Serves the link from now on. Each answer comes after all learning that it made possible.
    pub fn start(parts: LearnerParts) -> Result<Self, LearnerError> {
        let (mut learner, ingest, mut rest) = Learner::open(parts, Known::AsInCheckpoint)?;
        while ingest.take_in(&mut rest)? {
            catch_up(&mut learner, false)?;
        }
        let records = ingest.lock().records();
        let link = learner.link.clone();
        let learner = Arc::new(Mutex::new(learner));
        let working = learner.clone();
        link.serve(Arc::new(move |request| {
            let hello = matches!(request, ActorRequest::Hello(_));
            let reply = ingest.answer(request);
            let mut learner = working.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = catch_up(&mut learner, hello) {
                tracing::error!(error = &error as &dyn std::error::Error, "learning stopped");
            }
            reply
        }))?;
        Ok(Self { learner, records })
    }

    /// Records of earlier processes that it went on from.
    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn status(&self) -> Status {
        self.learner.lock().unwrap_or_else(PoisonError::into_inner).status()
    }

    /// Writes the last checkpoint and policy.
    pub fn close(self) -> Result<Status, LearnerError> {
        let mut learner = self.learner.lock().unwrap_or_else(PoisonError::into_inner);
        learner.close()?;
        Ok(learner.status())
    }
}

fn catch_up(learner: &mut Learner, newcomer: bool) -> Result<(), LearnerError> {
    if newcomer && let Some(policy) = learner.trainer.policy() {
        learner.link.publish_policy(policy)?;
    }
    while learner.pump()? == Work::Done {}
    let pace = learner.trainer.pace();
    learner.link.publish_pace(&pace)?;
    debug_assert!(learner.trainer.status().phase != Phase::Preparing, "what is begun is finished");
    Ok(())
}
