//! How a classifier does on what runs have recorded, frame by frame and episode by episode.

use std::path::Path;

use anyhow::Context;
use learner::classifier::{Figures, Judged};
use nets::{backbone::Backbone, reward_classifier::ClassifierRuntime};
use serde::Serialize;
use wire::{EpisodeKind, Features, Frame, Outcome, Record, RecordBody};

use super::episodes;
use crate::{
    parts::networks,
    run_dir::{Configuration, RunDir},
    truth::Truth,
};

/// A classifier beside what is known of a run's frames.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    pub run: String,
    /// Frames of which somebody knows whether they show success.
    pub frames: Figures,
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub false_positive_rate: Option<f64>,
    pub calibration_error: Option<f64>,
    /// Episodes that the classifier ended as successes when they were driven.
    pub successes: usize,
    /// Of them, those in which the cell's own sensor saw none.
    pub false_successes: usize,
    /// Episodes in which the sensor saw success and that were not counted as such.
    pub missed_successes: usize,
}

/// The classifier of `from`, made ready for the cameras of a run, with the backbone for frames whose
/// features are of another one.
pub struct Instrument {
    pub runtime: ClassifierRuntime,
    backbone: Option<Backbone>,
}

impl Instrument {
    pub fn load(from: &Path, configuration: &Configuration) -> anyhow::Result<Self> {
        let Configuration { task, run, .. } = configuration;
        let (device, _) = networks::prepare_device(run, run.threads.learner)?;
        let backbone = networks::backbone(task, run, device)?;
        let runtime = networks::read_classifier(from, None, &task.cameras, device)?;
        Ok(Self { runtime, backbone })
    }

    /// Probability of success after each step of an episode.
    pub fn judge(&self, episode: &[Record]) -> anyhow::Result<Vec<f32>> {
        let features: Vec<Vec<Features>> = episodes::steps(episode)
            .map(|(_, step)| {
                let seen = &step.next_observation;
                let ours = self.runtime.classifier().spec.backbone;
                match &self.backbone {
                    Some(backbone)
                        if seen.features.is_empty()
                            || seen.features.iter().any(|f| f.backbone != ours) =>
                    {
                        backbone.encode(&seen.frames.iter().collect::<Vec<&Frame>>())
                    }
                    _ => Ok(seen.features.clone()),
                }
            })
            .collect::<Result<_, _>>()
            .context("computing features")?;
        let rows: Vec<&[Features]> = features.iter().map(Vec::as_slice).collect();
        let output = self.runtime.classes().success_output();
        let probabilities = self.runtime.judge_all(&rows).context("judging the frames")?;
        Ok(probabilities.into_iter().map(|p| p[output]).collect())
    }

    pub fn threshold(&self) -> f32 {
        self.runtime.thresholds()[self.runtime.classes().success_output()]
    }
}

pub fn run(run_dir: &RunDir, instrument: &Instrument) -> anyhow::Result<Measurement> {
    let classes = instrument.runtime.classes();
    let mut judged = Vec::new();
    let (mut successes, mut false_successes, mut missed_successes) = (0, 0, 0);
    episodes::for_each(&run_dir.journal(), |episode| {
        let probabilities = instrument.judge(&episode)?;
        let truths = episodes::truths(&episode, classes, false);
        judged.extend(truths.into_iter().zip(probabilities).filter_map(|(label, probability)| {
            let shows = classes.is_target(classes.success_output(), label?);
            Some(Judged { probability, shows })
        }));
        if episodes::kind(&episode) != Some(EpisodeKind::Labelling) {
            let mut truth = Truth::default();
            episodes::steps(&episode).for_each(|(_, step)| truth.add(&step.judgement));
            let outcome = episode.last().and_then(|record| match &record.body {
                RecordBody::EpisodeEnd(end) => Some(end.outcome),
                RecordBody::EpisodeStart(_) | RecordBody::Step(_) | RecordBody::Revision(_) => None,
            });
            let succeeded = outcome == Some(Outcome::Success);
            successes += usize::from(succeeded);
            false_successes += usize::from(succeeded && truth.known() == Some(false));
            missed_successes += usize::from(!succeeded && truth.known() == Some(true));
        }
        Ok(())
    })?;
    let frames = Figures::new(&judged, instrument.threshold());
    Ok(Measurement {
        run: run_dir.name(),
        precision: frames.precision(),
        recall: frames.recall(),
        false_positive_rate: frames.false_positive_rate(),
        calibration_error: frames.calibration_error(),
        frames,
        successes,
        false_successes,
        missed_successes,
    })
}
