//! The cells, tasks and runs that come with the program, so that it needs no checkout.

/// A configuration file by name.
pub struct Example {
    pub name: &'static str,
    pub text: &'static str,
}

/// Fills a table from the files of one folder under `configs/`.
macro_rules! examples {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(Example {
            name: $name,
            text: include_str!(concat!("../configs/", $folder, "/", $name, ".toml")),
        }),+]
    };
}

pub const CELLS: &[Example] = examples!("cells": "franka", "franka-hil-serl", "serl-http-ram", "sim-pick-cube", "sim-pick-cube-random", "sim-ram", "sim-ram-easy", "sim-ram-hard", "sim-ram-pair", "sim-ram-spacemouse", "sim-ram-two-cameras", "sim-usb", "so101", "ur5e", "xarm6");
pub const TASKS: &[Example] = examples!("tasks": "pick-cube", "ram-insert", "ram-insert-classifier", "ram-insert-easy", "ram-insert-hard", "ram-insert-pair", "ram-insert-two-cameras", "usb-insertion");
pub const RUN: Example = Example { name: "demo", text: include_str!("../configs/runs/demo.toml") };

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A file that was put into `configs/` and forgotten here could not be chosen.
    fn check(folder: &str, known: &[Example]) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(folder);
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        there.sort();
        let mut names: Vec<&str> = known.iter().map(|example| example.name).collect();
        names.sort_unstable();
        assert_eq!(there, names);
    }

    #[test]
    fn every_example_can_be_chosen() {
        check("cells", CELLS);
        check("tasks", TASKS);
    }
}
