//! `reins import`: demonstrations and buffers of others into a run's journal.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use drivers::Crop;
use exchange::{CameraNames, Fit, Imported, Importer, Role, hil_serl, lerobot};
use tasks::{CellConfig, TaskConfig};
use wire::Frame;

use super::video::LensCodec;
use crate::{
    cli::{Import, ImportFormat, ImportHilSerl, ImportInto, ImportLerobot, ImportRole},
    parts,
    run_dir::{Configuration, RunDir},
};

pub fn run(import: &Import) -> anyhow::Result<()> {
    match &import.format {
        ImportFormat::Lerobot(import) => from_lerobot(import),
        ImportFormat::HilSerl(import) => from_hil_serl(import),
    }
}

fn from_lerobot(import: &ImportLerobot) -> anyhow::Result<()> {
    let into = Destination::open(&import.into)?;
    let task = &into.configuration.task;
    let as_the_cell_does = AsTheCellDoes(&into.configuration.cell);
    let options = lerobot::ImportOptions {
        cameras: cameras(&import.into, task)?,
        videos: Some(&LensCodec),
        fit: import.resize.then_some(&as_the_cell_does as &dyn Fit),
        assume_success: import.assume_success,
    };
    let mut importer = into.importer()?;
    let role = into.role.unwrap_or(Role::Recorded);
    lerobot::import(&import.folder, task, &options, &mut |episode| importer.add(episode, role))?;
    into.tell(importer.finish()?);
    Ok(())
}

fn from_hil_serl(import: &ImportHilSerl) -> anyhow::Result<()> {
    let into = Destination::open(&import.into)?;
    let task = &into.configuration.task;
    let cameras = cameras(&import.into, task)?;
    let files = pickles(&import.files)?;
    let mut importer = into.importer()?;
    let role = into.role.unwrap_or(Role::Demonstrations);
    let left_out =
        hil_serl::import(&files, task, &cameras, &mut |episode| importer.add(episode, role))?;
    into.tell(importer.finish()?);
    if left_out.grasp_penalties > 0 {
        eprintln!(
            "{} transitions have a grasp_penalty, which records do not keep: the penalty comes \
             from the task file",
            left_out.grasp_penalties
        );
    }
    Ok(())
}

/// Pictures as the cell's cameras would have cut and scaled them.
#[derive(Debug)]
struct AsTheCellDoes<'a>(&'a CellConfig);

impl Fit for AsTheCellDoes<'_> {
    fn fit(&self, camera: &str, frame: &Frame, size: (u16, u16)) -> Result<Frame, String> {
        let crop = self.0.camera(camera).and_then(|config| config.crop);
        let crop = crop.map_or_else(|| Crop::whole(frame), parts::cell::crop);
        if !crop.fits([frame.width, frame.height]) {
            return Err(format!(
                "the picture has {}x{} pixels, and the crop of camera {camera} in cell {} reaches beyond \
                 it: import for a cell file without that crop",
                frame.width, frame.height, self.0.name
            ));
        }
        Ok(crop.cut(frame, size.into()))
    }
}

/// Where it goes.
struct Destination {
    run_dir: RunDir,
    configuration: Configuration,
    role: Option<Role>,
}

impl Destination {
    fn open(into: &ImportInto) -> anyhow::Result<Self> {
        let (run_dir, configuration) = RunDir::open(&into.choice)?;
        let role = into.role.map(|role| match role {
            ImportRole::Demonstrations => Role::Demonstrations,
            ImportRole::Interventions => Role::Interventions,
            ImportRole::Online => Role::Online,
        });
        Ok(Self { run_dir, configuration, role })
    }

    fn importer(&self) -> anyhow::Result<Importer> {
        let config = parts::learner::journal_config(&self.configuration.run);
        let folder = self.run_dir.journal();
        let opened = Importer::open(&folder, config, &self.configuration.task);
        opened.with_context(|| format!("opening the journal of run {}", self.run_dir.name()))
    }

    fn tell(&self, imported: Imported) {
        let Imported { episodes, steps, successes, known } = imported;
        let name = self.run_dir.name();
        println!("run {name}: {episodes} episodes, {steps} steps, {successes} successes imported");
        if known > 0 {
            println!("{known} episodes were there already");
        }
        println!("go on: reins resume {}", self.run_dir.path().display());
    }
}

fn cameras(into: &ImportInto, task: &TaskConfig) -> anyhow::Result<CameraNames> {
    for (_, camera) in &into.camera {
        if !task.cameras.contains(camera) {
            bail!("--camera: the task has no camera {camera}, it has {:?}", task.cameras);
        }
    }
    Ok(CameraNames::new(into.camera.iter().cloned()))
}

/// The files named, and those in the folders named.
fn pickles(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        files.extend(in_folder(path)?.into_iter().filter(|file| {
            file.extension().is_some_and(|extension| extension == "pkl" || extension == "pickle")
        }));
        if files.len() == before {
            bail!("there is no .pkl file in {}", path.display());
        }
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reading = || format!("reading the folder {}", folder.display());
    let entries = fs::read_dir(folder).with_context(reading)?;
    entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>().with_context(reading)
}
