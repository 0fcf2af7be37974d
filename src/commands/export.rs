//! `reins export`: a run in the formats of others.

use std::path::Path;

use exchange::{lerobot, mcap, tensorboard};
use wire::EpisodeKind;

use super::video::LensCodec;
use crate::{
    cli::{Export, ExportFormat, ExportLerobot, ExportPlain, Kind},
    run_dir::RunDir,
};

pub fn run(export: &Export) -> anyhow::Result<()> {
    match &export.format {
        ExportFormat::Lerobot(export) => to_lerobot(export),
        ExportFormat::Tensorboard(export) => to_tensorboard(export),
        ExportFormat::Mcap(export) => to_mcap(export),
    }
}

fn to_lerobot(export: &ExportLerobot) -> anyhow::Result<()> {
    let run_dir = with_journal(&export.run)?;
    let configuration = run_dir.configuration()?;
    let source = lerobot::Source {
        journal: &run_dir.journal(),
        task: &configuration.task,
        robot: &configuration.cell.name,
    };
    let only = export.only.map(|kind| match kind {
        Kind::Demonstrations => EpisodeKind::Demonstration,
        Kind::Training => EpisodeKind::Training,
        Kind::Evaluation => EpisodeKind::Evaluation,
    });
    let videos = export.videos.then_some(&LensCodec as &dyn lerobot::VideoCodec);
    let options = lerobot::ExportOptions { only, videos, ..lerobot::ExportOptions::default() };
    let exported = lerobot::export(&source, &options, &export.out)?;
    let out = export.out.display();
    println!("{} episodes, {} steps: {out}", exported.episodes, exported.steps);
    println!("open it: LeRobotDataset(\"local/{}\", root={out:?})", run_dir.name());
    Ok(())
}

fn to_tensorboard(export: &ExportPlain) -> anyhow::Result<()> {
    let run_dir = RunDir::find(&export.run)?;
    let source = tensorboard::Source {
        metrics: &run_dir.metrics(),
        journal: &run_dir.journal(),
        created_unix_s: run_dir.manifest()?.created_unix_s,
    };
    let exported = tensorboard::export(&source, &export.out)?;
    let out = export.out.display();
    println!("{} events: {out}", exported.events);
    println!("look at them: tensorboard --logdir {out}");
    Ok(())
}

fn to_mcap(export: &ExportPlain) -> anyhow::Result<()> {
    let run_dir = with_journal(&export.run)?;
    let configuration = run_dir.configuration()?;
    let source = mcap::Source { journal: &run_dir.journal(), task: &configuration.task };
    let exported = mcap::export(&source, &export.out)?;
    println!("{} episodes, {} steps: {}", exported.episodes, exported.steps, export.out.display());
    Ok(())
}

fn with_journal(run: &Path) -> anyhow::Result<RunDir> {
    let run_dir = RunDir::find(run)?;
    anyhow::ensure!(
        run_dir.journal().is_dir(),
        "run {} has recorded nothing yet: there is no {}",
        run_dir.name(),
        run_dir.journal().display()
    );
    Ok(run_dir)
}
