//! The actor's progress on disk: `progress.json` beside the outbox's segments, replaced whole.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use replay::storage::{Storage, read_whole, write_atomically};
use serde::{Deserialize, Serialize};
use wire::EpisodeId;

use super::OutboxError;
use crate::schedule::{LastDemonstration, Progress};

const FILE_NAME: &str = "progress.json";
/// Version 1 knew no labelled episodes, version 2 no demonstration that may be taken back.
const VERSION: u32 = 3;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    next_episode: u32,
    #[serde(default)]
    labelled: u32,
    demonstrations: u32,
    evaluations: u32,
    evaluation_successes: u32,
    #[serde(default)]
    last_demonstration: Option<StoredDemonstration>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDemonstration {
    episode: u32,
    kept: bool,
}

#[derive(Debug)]
pub struct ProgressFile {
    storage: Arc<dyn Storage>,
    path: PathBuf,
}

impl ProgressFile {
    pub fn beside(storage: Arc<dyn Storage>, outbox_dir: &Path) -> Self {
        Self { storage, path: outbox_dir.join(FILE_NAME) }
    }

    /// A file that is not there is the progress of a new run.
    pub fn read(&self) -> Result<Progress, OutboxError> {
        let bytes = match read_whole(&*self.storage, &self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Progress::default()),
            Err(source) => return Err(self.failed("reading", source)),
        };
        parse(&bytes).map_err(|reason| self.unreadable(reason))
    }

    pub fn write(&self, progress: &Progress) -> Result<(), OutboxError> {
        let stored = Stored {
            version: VERSION,
            next_episode: progress.next_episode.0,
            labelled: progress.labelled,
            demonstrations: progress.demonstrations,
            evaluations: progress.evaluations,
            evaluation_successes: progress.evaluation_successes,
            last_demonstration: progress
                .last_demonstration
                .map(|last| StoredDemonstration { episode: last.episode.0, kept: last.kept }),
        };
        let bytes = serde_json::to_vec(&stored).expect("numbers always become JSON");
        write_atomically(&*self.storage, &self.path, &bytes).map_err(|e| self.failed("writing", e))
    }

    fn failed(&self, action: &'static str, source: io::Error) -> OutboxError {
        OutboxError::Progress { action, path: self.path.display().to_string(), source }
    }

    fn unreadable(&self, reason: String) -> OutboxError {
        OutboxError::ProgressFormat { path: self.path.display().to_string(), reason }
    }
}

/// Reads the bytes of a progress file; what is wrong with them is told in words.
pub fn parse(bytes: &[u8]) -> Result<Progress, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if !(1..=VERSION).contains(&stored.version) {
        return Err(format!("version {} where {VERSION} is the newest known", stored.version));
    }
    Ok(Progress {
        next_episode: EpisodeId(stored.next_episode),
        labelled: stored.labelled,
        demonstrations: stored.demonstrations,
        evaluations: stored.evaluations,
        evaluation_successes: stored.evaluation_successes,
        last_demonstration: stored
            .last_demonstration
            .map(|last| LastDemonstration { episode: EpisodeId(last.episode), kept: last.kept }),
    })
}
