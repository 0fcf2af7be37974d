//! `reins compare`: runs side by side.

use std::path::PathBuf;

use crate::{
    cli::Compare,
    comparison::{self, Comparison},
    results,
    run_dir::RunDir,
};

pub fn run(compare: &Compare) -> anyhow::Result<()> {
    let member = |run: &PathBuf| results::member(&RunDir::find(run)?);
    let members = compare.runs.iter().map(member).collect::<anyhow::Result<Vec<_>>>()?;
    let comparison = Comparison::of(members);
    comparison::write(&compare.out, &comparison)?;
    if compare.json {
        println!("{}", serde_json::to_string_pretty(&comparison.rows)?);
        return Ok(());
    }
    print!("{}", comparison.markdown());
    let page = compare.out.join("index.html");
    println!("comparison: {}", page.display());
    if comparison.rows.is_empty() {
        println!("next: none of these runs has been evaluated: `reins eval RUN` does that");
    } else {
        println!("next: look at the curves in {}", page.display());
    }
    Ok(())
}
