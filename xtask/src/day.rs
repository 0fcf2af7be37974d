//! `cargo xtask day`: the operator's day on the simulated cell, in the commands that a person types.
//! A day that was interrupted goes on where it was.

use crate::args::{Day, SetupOptions};
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;
use crate::{demo, setup, shell};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CELL: &str = "sim-ram";
const TASK: &str = "ram-insert-classifier";
const LABELS: &str = "labels";
const RUN: &str = "first";

pub fn run(paths: &Paths, day: &Day) -> anyhow::Result<()> {
    ctrlc::set_handler(|| {}).context("could not take over Ctrl-C")?;
    setup::run(paths, &SetupOptions::default())?;
    shell::run(shell::cargo(&paths.root).args(["build", "--workspace", "--bin", "reins"]))?;
    let reins = demo::target_folder(&paths.root)?.join("debug/reins");

    let watch = Stopwatch::start();
    let workspace = Workspace { reins, folder: paths.root.join(&day.folder) };
    if !workspace.folder.exists() {
        let mut new = Command::new(&workspace.reins);
        new.current_dir(&paths.root).args(["new", CELL, TASK, "--folder"]).arg(&workspace.folder);
        shell::run(&mut new)?;
    }
    let seed = day.seed.to_string();
    let with_seed = ["--seed", &seed];
    workspace.run(&["classifier", "collect", "--run", LABELS], &with_seed)?;
    workspace.run(&["classifier", "train", LABELS], &with_seed)?;
    workspace.run(&["record", "--run", RUN], &with_seed)?;
    workspace.run(&["train", "--run", RUN], &with_seed)?;
    workspace.run(&["eval", RUN], &with_seed)?;
    workspace.run(&["classifier", "eval", RUN], &[])?;
    workspace.run(&["report", RUN], &[])?;
    println!("{}", Figures::read(&workspace, day.seed)?.line(&watch));
    Ok(())
}

struct Workspace {
    reins: PathBuf,
    folder: PathBuf,
}

impl Workspace {
    fn run(&self, words: &[&str], more: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.reins);
        shell::run(command.current_dir(&self.folder).args(words).args(more))
    }

    fn json(&self, path: &str) -> anyhow::Result<Value> {
        read_json(&self.folder.join("runs").join(path))
    }
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// What the day came to, out of the files that the commands left.
#[derive(Debug)]
struct Figures {
    seed: u64,
    demonstrations: u64,
    collected_frames: u64,
    step_rate_hz: f64,
    train_minutes: f64,
    episodes: u64,
    /// As the cell's own sensor saw them.
    successes: u64,
    /// Episodes that the classifier ended as a success, and that were none.
    false_positives: u64,
    missed: u64,
    cycle_time_s: Option<f64>,
}

impl Figures {
    fn read(workspace: &Workspace, seed: u64) -> anyhow::Result<Self> {
        let summary = workspace.json(&format!("{RUN}/report/summary.json"))?;
        let labels = workspace.json(&format!("{LABELS}/classifier/summary.json"))?;
        Self::of(&summary, &labels, seed)
    }

    fn of(summary: &Value, labels: &Value, seed: u64) -> anyhow::Result<Self> {
        let eval = &summary["eval"];
        let count = |value: &Value, key: &str| {
            value[key].as_u64().with_context(|| format!("the report has no `{key}`: {value}"))
        };
        let demonstrations = &summary["demonstrations"];
        let (steps, seconds) =
            (&demonstrations["cycle_time_steps"], &demonstrations["cycle_time_s"]);
        let (steps, seconds) = (steps.as_f64(), seconds.as_f64());
        let rate = steps.zip(seconds).map(|(steps, seconds)| steps / seconds);
        let figures = Self {
            seed,
            demonstrations: count(demonstrations, "episodes")?,
            collected_frames: count(labels, "frames")? + count(labels, "left_out")?,
            step_rate_hz: rate.context("the report has no demonstration that succeeded")?,
            train_minutes: summary["train_minutes"].as_f64().context("the run was not trained")?,
            episodes: count(eval, "episodes")?,
            successes: count(&eval["truth"], "successes")?,
            false_positives: count(&eval["truth"], "false_positives")?,
            missed: count(&eval["truth"], "missed")?,
            cycle_time_s: eval["cycle_time_s"].as_f64(),
        };
        ensure!(figures.episodes > 0, "nothing was measured");
        Ok(figures)
    }

    fn line(&self, watch: &Stopwatch) -> String {
        let collecting = self.collected_frames as f64 / self.step_rate_hz / 60.0;
        let cycle = self.cycle_time_s.map_or_else(|| "none".to_owned(), |s| format!("{s:.2} s"));
        format!(
            "day: seed {}, {} demonstrations, {collecting:.1} min of collecting, {:.1} min of training, \
             {} of {} true successes, {} false positives, {} missed, cycle {cycle}, {} in all",
            self.seed,
            self.demonstrations,
            self.train_minutes,
            self.successes,
            self.episodes,
            self.false_positives,
            self.missed,
            watch.read(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn summary() -> Value {
        json!({
            "train_minutes": 3.5,
            "demonstrations": {"episodes": 20, "cycle_time_steps": 28.0, "cycle_time_s": 2.8},
            "eval": {
                "episodes": 100,
                "cycle_time_s": 1.25,
                "truth": {"successes": 97, "false_positives": 1, "missed": 2}
            }
        })
    }

    fn line(summary: &Value) -> anyhow::Result<String> {
        let labels = json!({"frames": 2700, "left_out": 300});
        Ok(Figures::of(summary, &labels, 3)?.line(&Stopwatch::start()))
    }

    #[test]
    fn the_last_line_says_what_the_day_came_to() {
        assert_eq!(
            line(&summary()).unwrap(),
            "day: seed 3, 20 demonstrations, 5.0 min of collecting, 3.5 min of training, 97 of 100 \
             true successes, 1 false positives, 2 missed, cycle 1.25 s, 0.0 s in all"
        );
    }

    #[test]
    fn a_day_that_was_not_measured_has_no_figures() {
        let mut without = summary();
        without["eval"] = Value::Null;
        assert!(line(&without).unwrap_err().to_string().contains("`episodes`"));
        let mut by_sensor = summary();
        by_sensor["eval"]["truth"] = Value::Null;
        assert!(line(&by_sensor).unwrap_err().to_string().contains("`successes`"));
    }
}
