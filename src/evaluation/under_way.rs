//! An evaluation under way: a folder beside the last one's, with what its episodes came to so far, so that one
//! that is cut short goes on and costs the last one nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use wire::{PolicySnapshot, RecordPosition, codec};

use super::{Evaluation, Measured};
use crate::{
    replace::{remove_folder, replace_file, replace_folder},
    report::EpisodeFigures,
    run_dir::Configuration,
};

/// Figures of an evaluation that has all its episodes.
pub const EPISODES: &str = "episodes.json";
const SUBJECT: &str = "subject.bin";
const SO_FAR: &str = "so-far.json";

/// What is measured, and how. Figures of two of them are never mixed.
pub struct Subject<'a> {
    policy: &'a PolicySnapshot,
    conditions: Conditions,
}

#[derive(Serialize)]
struct Conditions {
    seed: u64,
    sampled: bool,
    /// Hashes of the files.
    cell: String,
    task: String,
}

impl<'a> Subject<'a> {
    pub fn new(
        evaluation: &Evaluation,
        configuration: &Configuration,
        policy: &'a PolicySnapshot,
    ) -> Self {
        let conditions = Conditions {
            seed: evaluation.seed,
            sampled: evaluation.sampled,
            cell: configuration.cell.hash(),
            task: configuration.task.hash(),
        };
        Self { policy, conditions }
    }

    /// The conditions, then the policy, as a file holds them.
    fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(&self.conditions)?;
        bytes.extend(codec::encode(self.policy)?);
        Ok(bytes)
    }
}

/// What its episodes came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SoFar {
    /// The end of the last of them.
    pub through: Option<RecordPosition>,
    pub episodes: Vec<EpisodeFigures>,
}

#[derive(Clone, Debug)]
pub struct UnderWay {
    folder: PathBuf,
    /// Where it goes when it has all its episodes.
    place: PathBuf,
}

impl UnderWay {
    /// The one that is to take `place`, and what it came to so far if it is of this subject: one of another
    /// is thrown away.
    pub fn open(place: &Path, subject: &Subject) -> anyhow::Result<(Self, SoFar)> {
        let under_way = Self { folder: place.with_extension("under-way"), place: place.to_owned() };
        let subject = subject.bytes()?;
        let path = under_way.file(SUBJECT);
        match fs::read(&path) {
            Ok(bytes) if bytes == subject => {
                let so_far = under_way.read()?;
                return Ok((under_way, so_far));
            }
            Ok(_) => tracing::warn!(
                episodes = under_way.read().map_or(0, |so_far| so_far.episodes.len()),
                "an evaluation of another policy, seed, cell or task had been cut short: it is thrown away"
            ),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        }
        remove_folder(&under_way.folder)?;
        fs::create_dir_all(&under_way.folder)
            .with_context(|| format!("making {}", under_way.folder.display()))?;
        under_way.write(SUBJECT, &subject)?;
        Ok((under_way, SoFar::default()))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self) -> anyhow::Result<SoFar> {
        let path = self.file(SO_FAR);
        match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(SoFar::default()),
            read => serde_json::from_slice(&read?).map_err(anyhow::Error::from),
        }
        .with_context(|| format!("reading {}", path.display()))
    }

    pub fn save(&self, so_far: &SoFar) -> anyhow::Result<()> {
        self.write(SO_FAR, &serde_json::to_vec(so_far)?)
    }

    /// It has all its episodes: takes the place of the last one.
    pub fn finish(self, measured: &Measured) -> anyhow::Result<()> {
        self.write(EPISODES, &serde_json::to_vec_pretty(measured)?)?;
        replace_folder(&self.folder, &self.place)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        replace_file(&self.file(name), bytes)
    }
}
