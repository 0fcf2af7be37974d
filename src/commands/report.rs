//! `reins report`: writes the report of a run again.

use crate::{cli::Report, results, run_dir::RunDir};

pub fn run(report: &Report) -> anyhow::Result<()> {
    results::report(&RunDir::find(&report.run)?, report.json)
}
