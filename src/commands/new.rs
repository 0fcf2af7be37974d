//! `reins new`: a workspace for one cell and one task.

use tasks::reward::RewardKind;

use crate::{cli::New, workspace};

pub fn run(new: &New) -> anyhow::Result<()> {
    let folder = new.folder.clone().unwrap_or_else(|| name_of(&new.task).into());
    let made = workspace::make(&folder, &new.cell, &new.task)?;
    made.findings.iter().for_each(|finding| println!("{finding}"));
    let folder = folder.display();
    println!("made {folder} with cell.toml, task.toml and run.toml");
    let next = match made.reward {
        RewardKind::Classifier => "reins classifier collect --run labels",
        RewardKind::Sensor => "reins doctor; reins record --run first",
    };
    println!("next: cd {folder}; {next}");
    Ok(())
}

/// A workspace is called like its task.
fn name_of(task: &str) -> String {
    let stem = std::path::Path::new(task).file_stem();
    stem.map_or_else(|| "workspace".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
