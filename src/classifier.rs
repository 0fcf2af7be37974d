//! The reward classifier of a folder of labelled frames: collecting, training, measuring, and adding
//! what later runs got wrong. The folder is a run's: its journal holds the labelled episodes,
//! `amended/` those of other runs, `classifier.bin` and `classifier/` what was made of them.

pub mod amend;
pub mod collect;
mod episodes;
pub mod measure;
mod pictures;
pub mod train;

use std::path::PathBuf;

use anyhow::Context;

use crate::run_dir::RunDir;

/// The journals that hold labels: the folder's own, then those of amended runs by name.
fn journals(run_dir: &RunDir) -> anyhow::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    if run_dir.journal().is_dir() {
        journals.push(run_dir.journal());
    }
    let amended = run_dir.amended();
    if amended.is_dir() {
        let entries = std::fs::read_dir(&amended)
            .with_context(|| format!("looking into {}", amended.display()))?;
        let folders = entries.map(|entry| Ok(entry?.path()));
        let mut folders: Vec<PathBuf> = folders.collect::<anyhow::Result<_>>()?;
        folders.retain(|path| path.is_dir() && !amend::is_unfinished(path));
        folders.sort();
        journals.extend(folders);
    }
    Ok(journals)
}
