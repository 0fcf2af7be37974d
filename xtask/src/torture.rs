//! `cargo xtask torture`: kills the real processes again and again, cuts their link, or lets them
//! run for long, and compares what arrived with what happened.

use crate::args::{SetupOptions, Torture};
use crate::paths::Paths;
use crate::{setup, shell};

/// Tests that take minutes and print what they measure.
const CUTS: &str = "link_cuts::an_arm_goes_on_through_every_cut";
const SOAK: &str = "several_actors::two_actors_lose_nothing_in_minutes";

pub fn run(paths: &Paths, torture: &Torture) -> anyhow::Result<()> {
    setup::run(paths, &SetupOptions::default())?;
    let mut cargo = shell::cargo(&paths.root);
    // Of the whole workspace, so that the dependencies get the features they have in every build.
    cargo.args(["test", "--workspace", "--test"]);
    match torture {
        Torture::Kills { pass_on } => cargo.args(["torture", "--"]).args(pass_on),
        Torture::Cuts => cargo.args(long_test(CUTS)),
        Torture::Soak { minutes } => {
            cargo.env("REINS_SOAK_MINUTES", minutes.to_string()).args(long_test(SOAK))
        }
    };
    shell::run(&mut cargo)
}

fn long_test(name: &str) -> [&str; 6] {
    ["system", "--", "--ignored", "--nocapture", "--exact", name]
}
