//! `reins resume`: goes on with a run where it was, without a question.

use actor::Progress;
use anyhow::Context;
use learner::checkpoint;
use replay::{DiskStorage, journal};
use wire::ActorId;

use crate::{cli::Resume, commands::train, run_dir::RunDir};

pub fn run(resume: &Resume) -> anyhow::Result<()> {
    let run_dir = RunDir::find(&resume.run)?;
    let configuration = run_dir.configuration()?;
    train::go_on(&run_dir, &configuration, None, resume.page, resume.json)
}

/// Says from where a run goes on and which checkpoints cannot be read; nothing at its beginning.
pub fn tell(run_dir: &RunDir) -> anyhow::Result<()> {
    let (run, folder) = (run_dir.name(), run_dir.journal());
    let records = match folder.exists() {
        true => journal::records_ever(&DiskStorage, &folder).context("looking at the journal")?.0,
        false => 0,
    };
    if records == 0 {
        return Ok(());
    }
    let found = checkpoint::newest(&DiskStorage, &run_dir.checkpoints())?;
    for broken in &found.broken {
        eprintln!("run {run}: {broken}");
    }
    let learned = match &found.newest {
        Some((path, checkpoint)) => format!(
            "learning from step {} ({})",
            checkpoint.learner_step,
            path.file_name().unwrap_or_default().display()
        ),
        None if found.broken.is_empty() => "no checkpoint yet".to_owned(),
        None => "NO CHECKPOINT CAN BE READ, so learning begins anew from the records".to_owned(),
    };
    eprintln!(
        "run {run} goes on: {records} records in the learner's journal, {} episodes, {learned}",
        progress(run_dir)?.next_episode.0
    );
    Ok(())
}

/// What the first actor has done.
pub fn progress(run_dir: &RunDir) -> anyhow::Result<Progress> {
    let path = run_dir.outbox(ActorId::default()).join("progress.json");
    if !path.exists() {
        return Ok(Progress::default());
    }
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    actor::parse_progress(&bytes)
        .map_err(|reason| anyhow::anyhow!("reading {}: {reason}", path.display()))
}
