//! Runs side by side: one table, curves with the spread over seeds, as PNG, HTML and data.
//!
//! Runs that differ in nothing but their seed are one group. Like the report, everything is made
//! from what the runs hold; nothing is ever read back from the folder it is written to.

mod figures;
mod group;
mod page;
mod table;

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

pub use self::group::{Group, Member};
use self::table::Row;
use crate::replace::replace_file;

#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub groups: Vec<Group>,
    pub rows: Vec<Row>,
}

impl Comparison {
    pub fn of(members: Vec<Member>) -> Self {
        let groups = group::grouped(members);
        let rows = groups.iter().flat_map(Row::of).collect();
        Self { groups, rows }
    }

    /// The table as Markdown, for a terminal and for documents.
    pub fn markdown(&self) -> String {
        table::markdown(&self.rows)
    }
}

/// Writes figures, page, table and data into `folder`, over what was there.
pub fn write(folder: &Path, comparison: &Comparison) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let figures = figures::all(&comparison.groups)?;
    for figure in &figures {
        replace_file(&folder.join(figure.file_name), &figure.png)?;
    }
    replace_file(&folder.join("index.html"), page::page(comparison, &figures).as_bytes())?;
    replace_file(&folder.join("table.md"), comparison.markdown().as_bytes())?;
    let mut json =
        serde_json::to_string_pretty(&comparison.rows).context("encoding comparison.json")?;
    json.push('\n');
    replace_file(&folder.join("comparison.json"), json.as_bytes())
}

#[cfg(test)]
mod tests;
