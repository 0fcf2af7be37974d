//! Everything needed to go on exactly, in one file that is either whole or not there.
//!
//! Written to a temporary file, flushed to the disk, renamed; the newest valid one is taken when a
//! run resumes, and a broken one is named. The drawing is in `docs/formats.md`.

use std::{
    io,
    path::{Path, PathBuf},
};

use replay::{
    Storage,
    storage::{read_whole, write_atomically},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::{LearnerStep, PolicyVersion};

const MAGIC: [u8; 4] = *b"RNCK";
const VERSION: u16 = 2;
pub const HEADER_LEN: usize = 20;
/// Checkpoints that stay on the disk.
const KEEP: usize = 3;

#[derive(Debug, Error)]
pub enum CheckpointError {
    #[error("{action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{path} is no usable checkpoint: {reason}")]
    Broken { path: PathBuf, reason: String },
}

/// What a learner was in the middle of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub learner_step: LearnerStep,
    pub policy_version: PolicyVersion,
    /// Training steps that the updates so far have counted.
    pub env_steps: u64,
    /// Records of the journal that had been taken in; `None` in files of version 1.
    pub records: Option<u64>,
    /// Hash of the run's configuration; another one cannot continue exactly.
    pub config_hash: String,
    /// The training state, as it writes itself.
    #[serde(with = "serde_bytes")]
    pub train_state: Vec<u8>,
}

/// The body of version 1.
#[derive(Serialize, Deserialize)]
struct CheckpointV1 {
    learner_step: LearnerStep,
    policy_version: PolicyVersion,
    env_steps: u64,
    config_hash: String,
    #[serde(with = "serde_bytes")]
    train_state: Vec<u8>,
}

impl From<CheckpointV1> for Checkpoint {
    fn from(old: CheckpointV1) -> Self {
        Self {
            learner_step: old.learner_step,
            policy_version: old.policy_version,
            env_steps: old.env_steps,
            records: None,
            config_hash: old.config_hash,
            train_state: old.train_state,
        }
    }
}

/// What was found when a run resumed.
#[derive(Debug, Default)]
pub struct Found {
    pub newest: Option<(PathBuf, Checkpoint)>,
    /// Files that could not be used, newest first.
    pub broken: Vec<CheckpointError>,
}

impl Found {
    /// Records of the journal that the newest one had taken in.
    pub fn records(&self) -> u64 {
        self.newest.as_ref().and_then(|(_, checkpoint)| checkpoint.records).unwrap_or(0)
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io { action, path, source }
}

fn path_of(folder: &Path, step: LearnerStep) -> PathBuf {
    folder.join(format!("step-{:010}.ckpt", step.0))
}

/// Writes `checkpoint` into `folder` and removes the oldest ones beyond the few that stay.
pub fn save(
    storage: &dyn Storage,
    folder: &Path,
    checkpoint: &Checkpoint,
) -> Result<PathBuf, CheckpointError> {
    storage.create_dir_all(folder).map_err(io_error("creating", folder))?;
    let path = path_of(folder, checkpoint.learner_step);
    write_atomically(storage, &path, &encode(checkpoint)).map_err(io_error("writing", &path))?;
    for old in files(storage, folder)?.into_iter().skip(KEEP) {
        storage.remove(&old).map_err(io_error("removing", &old))?;
    }
    Ok(path)
}

/// Finds the newest checkpoint that can be read.
pub fn newest(storage: &dyn Storage, folder: &Path) -> Result<Found, CheckpointError> {
    let mut found = Found::default();
    for path in files(storage, folder)? {
        let bytes = read_whole(storage, &path).map_err(io_error("reading", &path))?;
        match decode(&bytes) {
            Ok(checkpoint) => {
                found.newest = Some((path, checkpoint));
                break;
            }
            Err(reason) => found.broken.push(CheckpointError::Broken { path, reason }),
        }
    }
    Ok(found)
}

/// The checkpoints of a folder, newest first; none where there is no folder.
fn files(storage: &dyn Storage, folder: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let names = match storage.list(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(io_error("listing", folder))?,
    };
    let ours = names.iter().map(|name| folder.join(name));
    let mut files: Vec<_> = ours.filter(|p| p.extension().is_some_and(|e| e == "ckpt")).collect();
    files.sort();
    files.reverse();
    Ok(files)
}

/// The bytes of a checkpoint file.
pub fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let body = postcard::to_allocvec(checkpoint).expect("a checkpoint is plain data");
    sealed(VERSION, &body)
}

/// A body behind its header.
fn sealed(version: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
    bytes.extend(MAGIC);
    bytes.extend(version.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(body).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// Reads the bytes of a checkpoint file; what is wrong with them is told in words.
pub fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
    let (header, body) = bytes
        .split_first_chunk::<HEADER_LEN>()
        .ok_or_else(|| format!("{} bytes are fewer than its header has", bytes.len()))?;
    let [m0, m1, m2, m3, v0, v1, _, _, l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3] = *header;
    if [m0, m1, m2, m3] != MAGIC {
        return Err("it does not begin like one".into());
    }
    let version = u16::from_le_bytes([v0, v1]);
    if !(1..=VERSION).contains(&version) {
        return Err(format!("it has version {version}, this program reads up to {VERSION}"));
    }
    let len = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    if len != body.len() as u64 {
        return Err(format!("it says {len} bytes follow; {} do", body.len()));
    }
    let checksum = u32::from_le_bytes([c0, c1, c2, c3]);
    if checksum != crc32fast::hash(body) {
        return Err("its checksum is wrong".into());
    }
    let read = match version {
        1 => postcard::from_bytes::<CheckpointV1>(body).map(Checkpoint::from),
        _ => postcard::from_bytes(body),
    };
    read.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
