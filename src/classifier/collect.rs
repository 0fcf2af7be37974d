//! Drives episodes for their labels: a person at the teleop device shows success and what only looks
//! like it, and holds the button while the scene shows success.

use std::sync::{Arc, atomic::AtomicBool};

use actor::{Program, Summary};
use nets::reward_classifier::Classes;

use super::episodes;
use crate::{
    driven::{Plan, Session},
    run_dir::{Configuration, RunDir},
};

/// What a folder of labels holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub episodes: usize,
    pub positives: usize,
    pub negatives: usize,
}

/// Drives until the folder has `episodes` labelled episodes, or until `shutdown`.
pub fn run(
    run_dir: &RunDir,
    configuration: &Configuration,
    episodes: u32,
    console: Option<u16>,
    shutdown: Arc<AtomicBool>,
) -> anyhow::Result<Summary> {
    let program = Program { labelling: episodes, ..Program::default() };
    let plan = Plan { program, review: false, console };
    Session::open(run_dir, configuration, episodes)?.drive(plan, shutdown, |_| {})
}

/// Counts what was labelled, for a classifier that tells success from everything else.
pub fn holdings(run_dir: &RunDir) -> anyhow::Result<Holdings> {
    let mut holdings = Holdings::default();
    for journal in super::journals(run_dir)? {
        episodes::for_each(&journal, |episode| {
            let labels = episodes::truths(&episode, Classes::Binary, false);
            holdings.episodes += 1;
            holdings.positives += labels.iter().filter(|label| **label == Some(1)).count();
            holdings.negatives += labels.iter().filter(|label| **label == Some(0)).count();
            Ok(())
        })?;
    }
    Ok(holdings)
}
