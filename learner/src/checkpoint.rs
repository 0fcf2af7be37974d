//! Everything needed to go on exactly, in one file that is either whole or not there.
//!
//! Written to a temporary file, flushed to the disk, renamed; the newest valid one is taken when a
//! run resumes, and a broken one is named. The drawing is in `docs/formats.md`.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::{LearnerStep, PolicyVersion};

const MAGIC: [u8; 4] = *b"RNCK";
const VERSION: u16 = 1;
const HEADER_LEN: usize = 20;
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
    /// Hash of the run's configuration; another one cannot continue exactly.
    pub config_hash: String,
    /// The training state, as it writes itself.
    #[serde(with = "serde_bytes")]
    pub train_state: Vec<u8>,
}

/// What was found when a run resumed.
#[derive(Debug, Default)]
pub struct Found {
    pub newest: Option<(PathBuf, Checkpoint)>,
    /// Files that could not be used, newest first.
    pub broken: Vec<CheckpointError>,
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io { action, path, source }
}

fn path_of(folder: &Path, step: LearnerStep) -> PathBuf {
    folder.join(format!("step-{:010}.ckpt", step.0))
}

/// Writes `checkpoint` into `folder` and removes the oldest ones beyond the few that stay.
pub fn save(folder: &Path, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
    fs::create_dir_all(folder).map_err(io_error("creating", folder))?;
    let path = path_of(folder, checkpoint.learner_step);
    let temporary = path.with_extension("tmp");
    let bytes = encode(checkpoint);
    let mut file = File::create(&temporary).map_err(io_error("creating", &temporary))?;
    file.write_all(&bytes).map_err(io_error("writing", &temporary))?;
    file.sync_all().map_err(io_error("flushing", &temporary))?;
    fs::rename(&temporary, &path).map_err(io_error("renaming to", &path))?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(io_error("flushing", folder))?;
    for old in files(folder)?.into_iter().skip(KEEP) {
        fs::remove_file(&old).map_err(io_error("removing", &old))?;
    }
    Ok(path)
}

/// Finds the newest checkpoint that can be read.
pub fn newest(folder: &Path) -> Result<Found, CheckpointError> {
    let mut found = Found::default();
    if !folder.exists() {
        return Ok(found);
    }
    for path in files(folder)? {
        let bytes = fs::read(&path).map_err(io_error("reading", &path))?;
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

/// The checkpoints of a folder, newest first.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error("listing", folder))? {
        let path = entry.map_err(io_error("listing", folder))?.path();
        if path.extension().is_some_and(|e| e == "ckpt") {
            files.push(path);
        }
    }
    files.sort();
    files.reverse();
    Ok(files)
}

fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let body = postcard::to_allocvec(checkpoint).expect("a checkpoint is plain data");
    let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(&body).to_le_bytes());
    bytes.extend(body);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
    let (header, body) = bytes
        .split_first_chunk::<HEADER_LEN>()
        .ok_or_else(|| format!("{} bytes are fewer than its header has", bytes.len()))?;
    let [m0, m1, m2, m3, v0, v1, _, _, l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3] = *header;
    if [m0, m1, m2, m3] != MAGIC {
        return Err("it does not begin like one".into());
    }
    let version = u16::from_le_bytes([v0, v1]);
    if version != VERSION {
        return Err(format!("it has version {version}, this program reads {VERSION}"));
    }
    let len = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    if len != body.len() as u64 {
        return Err(format!("it says {len} bytes follow; {} do", body.len()));
    }
    let checksum = u32::from_le_bytes([c0, c1, c2, c3]);
    if checksum != crc32fast::hash(body) {
        return Err("its checksum is wrong".into());
    }
    postcard::from_bytes(body).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint {
            learner_step: LearnerStep(step),
            policy_version: PolicyVersion(step / 50),
            env_steps: step / 4,
            config_hash: "hash".into(),
            train_state: (0..200).collect(),
        }
    }

    #[test]
    fn the_newest_of_several_comes_back_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        (1..=5).for_each(|step| drop(save(folder.path(), &checkpoint(step * 9)).unwrap()));
        let found = newest(folder.path()).unwrap();
        assert_eq!(found.newest.unwrap().1, checkpoint(45));
        assert_eq!(files(folder.path()).unwrap().len(), KEEP);
    }

    #[test]
    fn a_checkpoint_cut_anywhere_or_changed_anywhere_is_refused_and_the_one_before_taken() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), &checkpoint(1)).unwrap();
        let path = save(folder.path(), &checkpoint(2)).unwrap();
        let whole = fs::read(&path).unwrap();
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let found = newest(folder.path()).unwrap();
            assert_eq!(found.newest.unwrap().1, checkpoint(1));
            assert!(found.broken[0].to_string().contains("step-0000000002"));
        };
        (0..whole.len()).for_each(|cut| check(&whole[..cut]));
        for place in (0..whole.len()).filter(|place| ![6, 7].contains(place)) {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            check(&changed);
        }
    }

    #[test]
    fn a_temporary_file_left_by_a_crash_is_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("step-0000000009.tmp"), b"half").unwrap();
        let found = newest(folder.path()).unwrap();
        assert!(found.newest.is_none() && found.broken.is_empty());
    }
}
