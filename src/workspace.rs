//! A workspace: a folder with one cell, one task and one run file, in which every command works
//! without naming them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use tasks::{Finding, Severity, doctor, reward::RewardKind};
use toml::{Table, Value};

use crate::{
    cli::Files,
    examples::{self, Example},
    run_dir::{Configuration, check_name},
};

pub const CELL: &str = "cell.toml";
pub const TASK: &str = "task.toml";
pub const RUN: &str = "run.toml";
const GUIDE: &str = "README.md";

/// Where a command finds a file that nobody names: in the workspace it is started in, or among the
/// examples of a checkout.
pub fn or_example(in_workspace: &str, example: &str) -> PathBuf {
    let here = Path::new(in_workspace);
    if here.is_file() { here.to_owned() } else { example.into() }
}

/// A workspace that was made.
#[derive(Debug)]
pub struct Made {
    /// What should be known about its files.
    pub findings: Vec<Finding>,
    pub reward: RewardKind,
}

/// Makes the folder with its files, complete or not at all.
pub fn make(folder: &Path, cell: &str, task: &str) -> anyhow::Result<Made> {
    let name = folder.file_name().context("a workspace needs a name: give --folder one")?;
    check_name("the folder", &name.to_string_lossy())?;
    ensure!(
        !folder.exists(),
        "{} is there already: work in it, or give another --folder",
        folder.display()
    );
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let temporary = tempfile::Builder::new()
        .prefix(".reins-new-")
        .tempdir_in(parent)
        .with_context(|| format!("making a folder in {}", parent.display()))?;
    let at = |name: &str| temporary.path().join(name);
    let files = [
        (CELL, text_of("cell", cell, examples::CELLS)?),
        (TASK, text_of("task", task, examples::TASKS)?),
        (RUN, run_text(examples::RUN.text)?),
    ];
    let write = |file: &str, text: &str| {
        fs::write(at(file), text).with_context(|| format!("writing {file}"))
    };
    for (file, text) in &files {
        write(file, text)?;
    }
    let configuration =
        Configuration::load(&Files { cell: at(CELL), task: at(TASK), config: at(RUN) })?;
    let Configuration { cell: cell_config, task: task_config, run, .. } = &configuration;
    let reward = task_config.reward.kind;
    write(GUIDE, &guide(&name.to_string_lossy(), reward))?;
    let findings = doctor::examine(cell_config, task_config, run);
    if let Some(error) = findings.iter().find(|finding| finding.severity == Severity::Error) {
        bail!("cell {cell} and task {task} do not go together: {}. {}", error.what, error.remedy);
    }
    fs::rename(temporary.path(), folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(Made { findings, reward })
}

/// The text of an example, or of a file of the person's own.
fn text_of(kind: &str, wanted: &str, known: &[Example]) -> anyhow::Result<String> {
    if let Some(example) = known.iter().find(|example| example.name == wanted) {
        return Ok(example.text.to_owned());
    }
    let path = Path::new(wanted);
    if !path.is_file() {
        let names: Vec<&str> = known.iter().map(|example| example.name).collect();
        bail!(
            "there is no {kind} {wanted}: choose one of {}, or give the path of a {kind} file",
            names.join(", ")
        );
    }
    fs::read_to_string(path).with_context(|| format!("reading the {kind} file {wanted}"))
}

/// The example's run file. Weights that lie beside the program's checkout are named by their whole
/// path, since a workspace may lie anywhere.
fn run_text(example: &str) -> anyhow::Result<String> {
    let default = tasks::RunConfig::preset(tasks::run::Preset::Reins);
    let Some(file) = default.backbone.weights_file() else { return Ok(example.to_owned()) };
    let here = env::current_dir().context("finding the current folder")?.join(file);
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Some(found) = [here, built_from].into_iter().find(|path| path.is_file()) else {
        return Ok(example.to_owned());
    };
    let backbone: Table =
        [("weights".to_owned(), Value::String(found.to_string_lossy().into_owned()))]
            .into_iter()
            .collect();
    let section = toml::to_string(&backbone).context("writing the backbone's section")?;
    Ok(format!("{example}\n[backbone]\n{section}"))
}

fn guide(name: &str, reward: RewardKind) -> String {
    let labels = match reward {
        RewardKind::Classifier => {
            "reins classifier collect --run labels   # show it what success is\n\
             reins classifier train labels\n"
        }
        RewardKind::Sensor => "",
    };
    format!(
        "# {name}\n\n\
         `cell.toml` says what the hardware is, `task.toml` what is to be learned, `run.toml` how.\n\
         Commands that are started in this folder take these files; runs go into `runs/`.\n\n\
         ```sh\n\
         reins doctor               # do cell, task and machine fit?\n\
         {labels}\
         reins record --run first   # demonstrations; goes on where it was stopped\n\
         reins train --run first    # training, after the demonstrations that are still missing\n\
         reins eval first           # success, with its 95 % interval\n\
         reins report first         # curves and figures\n\
         reins compare first …      # runs side by side\n\
         reins view first           # the recording in the rerun viewer\n\
         ```\n"
    )
}
