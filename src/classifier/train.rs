//! Trains the classifier of a folder of labels, and writes it with its report.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use anyhow::{Context, ensure};
use learner::classifier::{ClassifierTraining, FrameSet, Trained, train};
use nets::{
    backbone::Backbone,
    reward_classifier::{Classes, ClassifierSpec},
};
use replay::{DiskStorage, journal};
use wire::{Clock, Frame, Record, SystemClock};

use super::pictures::{self, Place};
use crate::{
    parts::networks,
    replace::replace_file,
    report::classifier::{ClassifierReport, ClassifierSummary, Misjudged},
    run_dir::{Configuration, RunDir},
};

/// Pictures of misjudged frames in the report, the worst first.
const PICTURES_MAX: usize = 40;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub classes: Classes,
    /// Cameras of the task; all of them when empty.
    pub cameras: Vec<String>,
    pub seed: u64,
    pub updates: u32,
    pub held_out: f64,
    pub false_positive_rate: f64,
    /// Frames within so many steps of a change of the mark are left out.
    pub margin: usize,
}

pub fn run(
    run_dir: &RunDir,
    configuration: &Configuration,
    wanted: &Wanted,
) -> anyhow::Result<ClassifierSummary> {
    let clock = SystemClock::new();
    let began = clock.now();
    let Configuration { task, run, .. } = configuration;
    let (device, _) = networks::prepare_device(run, run.threads.learner)?;
    let backbone = networks::backbone(task, run, device)?
        .context("a task without cameras has no pictures to judge by: name its cameras")?;
    let journals = super::journals(run_dir)?;
    let set = frames(run_dir, &journals, wanted, &backbone)?;
    ensure!(
        !set.frames.is_empty(),
        "{} holds no labelled frames: collect some with `reins classifier collect --run {}`",
        run_dir.path().display(),
        run_dir.name()
    );
    let cameras = if wanted.cameras.is_empty() { &task.cameras } else { &wanted.cameras };
    let spec = ClassifierSpec::new(
        wanted.classes,
        cameras.clone(),
        backbone.hash(),
        backbone.feature_shape(),
    );
    let read = clock.now();
    let config = ClassifierTraining {
        updates: wanted.updates,
        held_out: wanted.held_out,
        false_positive_rate: wanted.false_positive_rate,
        ..ClassifierTraining::new(wanted.seed, device)
    };
    let trained = train(spec, &set, &task.cameras, &config).context("training the classifier")?;
    let train_seconds = clock.now().since(read).as_secs_f64();

    let path = run_dir.classifier();
    replace_file(&path, &trained.runtime.classifier().to_bytes()?)?;
    let camera = task.cameras.iter().position(|name| *name == cameras[0]).unwrap_or(0);
    let misjudged = misjudged(&journals, &set, &trained, camera)?;
    let summary = ClassifierSummary {
        run: run_dir.name(),
        task: task.name.clone(),
        seed: wanted.seed,
        episodes: set.episodes(),
        frames: set.frames.len(),
        positives: set.count(wanted.classes.success_label()),
        left_out: set.left_out,
        held_out_frames: trained.split.held_out.len(),
        wanted_false_positive_rate: wanted.false_positive_rate,
        read_seconds: read.since(began).as_secs_f64(),
        train_seconds,
        loss: trained.loss,
        outputs: trained.figures.clone(),
        success_output: wanted.classes.success_output(),
    };
    let report = ClassifierReport {
        summary,
        probabilities: probabilities(&set, &trained, wanted.classes),
        misjudged,
    };
    report.write(&run_dir.classifier_report())?;
    Ok(report.summary)
}

fn frames(
    run_dir: &RunDir,
    journals: &[PathBuf],
    wanted: &Wanted,
    backbone: &Backbone,
) -> anyhow::Result<FrameSet> {
    let mut set = FrameSet::default();
    let mut recompute = |frames: &[Frame]| {
        let frames: Vec<&Frame> = frames.iter().collect();
        backbone.encode(&frames).map_err(|e| e.to_string())
    };
    for journal in journals {
        let mut failed = None;
        let records = journal::read_only(Arc::new(DiskStorage), journal)
            .with_context(|| format!("opening the journal {}", journal.display()))?;
        let records = records.map_while(|read| match read {
            Ok((_, record)) => Some(record),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        // What was amended is exact to the frame; a person's finger is not.
        let margin = if *journal == run_dir.journal() { wanted.margin } else { 0 };
        add(&mut set, records, wanted.classes, backbone, margin, &mut recompute)?;
        if let Some(error) = failed {
            return Err(error).with_context(|| format!("reading {}", journal.display()));
        }
    }
    Ok(set)
}

fn add(
    set: &mut FrameSet,
    records: impl Iterator<Item = Record>,
    classes: Classes,
    backbone: &Backbone,
    margin: usize,
    recompute: &mut learner::classifier::Recompute<'_>,
) -> anyhow::Result<()> {
    set.add(records, classes, backbone.hash(), margin, recompute).context("reading the labels")
}

/// Probability of success of each frame, whether it shows it, and whether it was held out.
fn probabilities(set: &FrameSet, trained: &Trained, classes: Classes) -> Vec<(f32, bool, bool)> {
    let output = classes.success_output();
    let held_out: BTreeSet<usize> = trained.split.held_out.iter().copied().collect();
    let frames = set.frames.iter().zip(&trained.probabilities).enumerate();
    frames
        .map(|(i, (frame, p))| {
            (p[output], classes.is_target(output, frame.label), held_out.contains(&i))
        })
        .collect()
}

/// Frames that the finished classifier takes for what they are not, the surest mistakes first.
fn misjudged(
    journals: &[PathBuf],
    set: &FrameSet,
    trained: &Trained,
    camera: usize,
) -> anyhow::Result<Vec<Misjudged>> {
    let classes = trained.runtime.classes();
    let output = classes.success_output();
    let threshold = trained.runtime.thresholds()[output];
    let held_out: BTreeSet<usize> = trained.split.held_out.iter().copied().collect();
    let mut wrong: Vec<(usize, f32)> = set
        .frames
        .iter()
        .zip(&trained.probabilities)
        .enumerate()
        .filter(|(_, (frame, p))| {
            (p[output] >= threshold) != classes.is_target(output, frame.label)
        })
        .map(|(i, (_, p))| (i, p[output]))
        .collect();
    wrong.sort_by(|a, b| (b.1 - threshold).abs().total_cmp(&(a.1 - threshold).abs()));
    let place = |i: usize| -> Place {
        let frame = &set.frames[i];
        (frame.source, frame.actor, frame.position)
    };
    let shown = &wrong[..wrong.len().min(PICTURES_MAX)];
    let wanted: BTreeSet<Place> = shown.iter().map(|(i, _)| place(*i)).collect();
    let frames = pictures::find(journals, &wanted, camera)?;
    let misjudged = |(i, probability): &(usize, f32)| {
        let frame = &set.frames[*i];
        Some(Misjudged {
            picture: frames.get(&place(*i))?.clone(),
            probability: *probability,
            label: frame.label,
            held_out: held_out.contains(i),
            place: format!("episode {}, step {}", frame.position.episode, frame.position.index),
        })
    };
    Ok(shown.iter().filter_map(misjudged).collect())
}
