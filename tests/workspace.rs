//! From nothing to a comparison of runs, in a folder that `reins new` made.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{Workplace, small_run, text};

/// `reins` with these words in the workspace `name`.
fn within(workplace: &Workplace, name: &str, words: &[&str]) -> Command {
    let mut command = workplace.reins(words);
    command.current_dir(workplace.path(name));
    command
}

#[test]
fn a_workspace_serves_every_command_without_naming_a_file() {
    let workplace = Workplace::new();
    let said = workplace.must(workplace.reins(&["new", "sim-ram-easy", "ram-insert-easy"]));
    assert!(said.contains("next: cd ram-insert-easy"), "{said}");
    let folder = workplace.path("ram-insert-easy");
    assert!(text(&folder.join("cell.toml")).contains("sim-ram-easy"));
    // What comes with the program is for minutes; the rest of this test is not about learning.
    fs::write(folder.join("run.toml"), small_run()).unwrap();
    let there = |words: &[&str]| workplace.must(within(&workplace, "ram-insert-easy", words));
    for seed in ["0", "1"] {
        let run = format!("rl-{seed}");
        there(&["train", "--lockstep", "--run", &run, "--seed", seed]);
        there(&["eval", &run, "--episodes", "2"]);
    }
    let resolved = text(&folder.join("runs/rl-0/task.toml"));
    assert!(resolved.contains("ram-insert-easy"), "{resolved}");

    let rows: Value = serde_json::from_str(&there(&["compare", "rl-0", "rl-1", "--json"])).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1, "two seeds of one kind: {rows}");
    assert_eq!((&rows[0]["group"], &rows[0]["runs"]), (&"rl".into(), &2.into()));
    assert_eq!(rows[0]["episodes"], 4);
    assert!(rows[0]["demonstration_minutes"].as_f64().unwrap() > 0.0);
    assert!(folder.join("comparison/index.html").is_file());
}

#[test]
fn where_a_classifier_is_to_judge_it_comes_first() {
    let workplace = Workplace::new();
    let words = ["new", "sim-ram", "ram-insert-classifier", "--folder", "ram"];
    let said = workplace.must(workplace.reins(&words));
    assert!(said.contains("next: cd ram; reins classifier collect"), "{said}");
    let guide = text(&workplace.path("ram/README.md"));
    let at = |words: &str| guide.find(words).unwrap_or_else(|| panic!("no {words}: {guide}"));
    assert!(at("reins classifier train") < at("reins record"));
}

#[test]
fn runs_of_two_kinds_stand_in_two_rows() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "plain"));
    workplace.write("run.toml", &small_run().replace("batch = 16", "batch = 8"));
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "small-batches"));
    for run in ["plain", "small-batches"] {
        workplace.must(workplace.reins(&["eval", run, "--episodes", "1"]));
    }
    let said = workplace.must(workplace.reins(&["compare", "plain", "small-batches"]));
    assert!(said.contains("| plain (") && said.contains("| small-batches ("), "{said}");
}
