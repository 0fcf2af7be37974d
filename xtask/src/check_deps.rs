//! `cargo xtask check-deps`: holds the table "who may use whom" of ARCHITECTURE.md, keeps libtorch
//! out of the crates that must do without, and each outside system in its own module.

mod graph;
mod outside;
mod rules;

use crate::paths::Paths;
use crate::shell;
use anyhow::{Context, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;

pub fn run(paths: &Paths) -> anyhow::Result<()> {
    let graph = graph::Graph::from_metadata(&metadata(&paths.root, &["--locked"])?)?;
    let mut complaints = rules::violations(&graph);
    for (file, text) in sources(&paths.root, &graph)? {
        complaints.extend(outside::violations(&file, &text));
    }
    if complaints.is_empty() {
        eprintln!("check-deps: the crates use each other as the design says");
        return Ok(());
    }
    bail!("the crates use each other as they should not:\n  {}", complaints.join("\n  "))
}

/// What `cargo metadata` says.
pub fn metadata(root: &Path, options: &[&str]) -> anyhow::Result<Value> {
    let mut command = shell::cargo(root);
    command.args(["metadata", "--format-version", "1"]).args(options);
    let output = command.output().context("could not start cargo")?;
    if !output.status.success() {
        bail!("`{}` failed:\n{}", shell::text(&command), String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("`cargo metadata` did not answer in JSON")
}

/// Path below the root and text of every Rust file of our crates.
fn sources(root: &Path, graph: &graph::Graph) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for folder in graph.members().map(|name| if name == rules::ROOT { "" } else { name }) {
        for below in ["build.rs", "src", "tests", "benches", "examples"] {
            read_sources(root, &root.join(folder).join(below), &mut found)?;
        }
    }
    Ok(found)
}

fn read_sources(root: &Path, path: &Path, found: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    let reading = || format!("could not read {}", path.display());
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(reading)? {
            read_sources(root, &entry.with_context(reading)?.path(), found)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && path.exists() {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        found.push((name, fs::read_to_string(path).with_context(reading)?));
    }
    Ok(())
}
