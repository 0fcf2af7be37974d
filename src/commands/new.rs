//! `reins new`: a workspace for one cell and one task.

use crate::{cli::New, workspace};

pub fn run(new: &New) -> anyhow::Result<()> {
    let folder = new.folder.clone().unwrap_or_else(|| name_of(&new.task).into());
    let findings = workspace::make(&folder, &new.cell, &new.task)?;
    findings.iter().for_each(|finding| println!("{finding}"));
    let folder = folder.display();
    println!("made {folder} with cell.toml, task.toml and run.toml");
    println!("next: cd {folder}; reins doctor; reins record --run first");
    Ok(())
}

/// A workspace is called like its task.
fn name_of(task: &str) -> String {
    let stem = std::path::Path::new(task).file_stem();
    stem.map_or_else(|| "workspace".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
