//! Adds the episodes of a later run in which the classifier was wrong to the labels that it is trained
//! on, as a journal of their own: the labels are in it, so the run may go away.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, ensure};
use replay::{Journal, JournalConfig};
use wire::{Mark, Record, RecordBody};

use super::{episodes, measure::Instrument};
use crate::{
    replace::{remove_folder, replace_folder},
    run_dir::RunDir,
};

/// A folder that is being written.
const UNFINISHED: &str = ".unfinished";

/// What was found and taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Amended {
    pub episodes: usize,
    pub frames: usize,
    pub misjudged: usize,
}

pub fn is_unfinished(folder: &Path) -> bool {
    folder.extension().is_some_and(|extension| *extension == UNFINISHED[1..])
}

/// Takes over the episodes of `run` in which a frame is misjudged; all whose labels are known with
/// `all`. `wrong` names episodes that a person says were ended by mistake. What the same run gave
/// before is replaced whole.
pub fn run(
    labels: &RunDir,
    run: &RunDir,
    instrument: &Instrument,
    wrong: &BTreeSet<u32>,
    all: bool,
) -> anyhow::Result<Amended> {
    ensure!(labels.path() != run.path(), "a folder of labels cannot be amended with itself");
    let classes = instrument.runtime.classes();
    let threshold = instrument.threshold();
    let place = labels.amended().join(run.name());
    let unfinished = place.with_file_name(format!("{}{UNFINISHED}", run.name()));
    remove_folder(&unfinished)?;
    let mut journal: Option<Journal> = None;
    let mut amended = Amended::default();
    episodes::for_each(&run.journal(), |mut episode| {
        let number = episode.first().map_or(0, |record| record.position.episode.0);
        let truths = episodes::truths(&episode, classes, wrong.contains(&number));
        let probabilities = instrument.judge(&episode)?;
        let misjudged = truths.iter().zip(&probabilities).filter(|(label, p)| {
            let shows = label.map(|l| classes.is_target(classes.success_output(), l));
            shows.is_some_and(|shows| shows != (**p >= threshold))
        });
        let misjudged = misjudged.count();
        if misjudged == 0 && !all || truths.iter().all(Option::is_none) {
            return Ok(());
        }
        amended.episodes += 1;
        amended.misjudged += misjudged;
        amended.frames += truths.iter().flatten().count();
        mark(&mut episode, &truths);
        let journal = match &mut journal {
            Some(journal) => journal,
            None => {
                let opened = Journal::open(&unfinished, JournalConfig::keep_forever());
                let (opened, _) =
                    opened.with_context(|| format!("writing {}", unfinished.display()))?;
                journal.insert(opened)
            }
        };
        journal.append_all(&episode).context("keeping the labels of a later run")?;
        Ok(())
    })?;
    drop(journal);
    if amended.episodes > 0 {
        replace_folder(&unfinished, &place)?;
    }
    Ok(amended)
}

/// Writes the labels into the records: what is not known stays without a mark and does not count.
fn mark(episode: &mut [Record], truths: &[Option<u8>]) {
    let steps = episode.iter_mut().filter_map(|record| match &mut record.body {
        RecordBody::Step(step) => Some(step),
        RecordBody::EpisodeStart(_) | RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => None,
    });
    for (step, label) in steps.zip(truths) {
        step.judgement.mark = label.map(Mark::Class);
    }
}
