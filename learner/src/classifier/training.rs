//! Fits a classifier to labelled frames and finds its thresholds on those that were held out.

use std::sync::Arc;

use nets::{
    params::{Layout, ParamSet},
    reward_classifier::{
        Classes, Classifier, ClassifierDropout, ClassifierError, ClassifierRuntime, ClassifierSpec,
        RewardClassifier,
    },
};
use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use tch::{Device, Kind, Tensor};
use thiserror::Error;
use wire::Features;

use super::{Figures, FrameSet, FrameSetError, Judged, Split, threshold};
use crate::{adam::Adam, noise::dropout_mask};

#[derive(Debug, Error)]
pub enum TrainingError {
    #[error(transparent)]
    Frames(#[from] FrameSetError),
    #[error(transparent)]
    Network(#[from] ClassifierError),
    #[error(
        "no {side} frame has label {label}: collect more, and hold the button while the scene shows \
         it"
    )]
    NoFrames { side: &'static str, label: u8 },
}

#[derive(Clone, Copy, Debug)]
pub struct ClassifierTraining {
    pub seed: u64,
    pub updates: u32,
    /// Frames per update, as many of each label.
    pub batch: usize,
    pub learning_rate: f64,
    /// Share of the episodes that are held out.
    pub held_out: f64,
    /// Of the frames that do not show an output's class, how many may be taken for it.
    pub false_positive_rate: f64,
    pub device: Device,
}

impl ClassifierTraining {
    /// The paper's rate and batch; more updates, for they are cheap on features that are known.
    pub fn new(seed: u64, device: Device) -> Self {
        Self {
            seed,
            updates: 400,
            batch: 256,
            learning_rate: 3e-4,
            held_out: 0.25,
            false_positive_rate: 0.001,
            device,
        }
    }
}

/// A classifier and how it came out.
#[derive(Debug)]
pub struct Trained {
    pub runtime: ClassifierRuntime,
    /// Mean loss of the last tenth of the updates.
    pub loss: f64,
    pub split: Split,
    /// Probabilities of all frames of the set, in its order.
    pub probabilities: Vec<Vec<f32>>,
    /// Of the held-out frames, one per output.
    pub figures: Vec<Figures>,
}

/// Trains on frames whose features are of the cameras of `task_cameras`.
pub fn train(
    spec: ClassifierSpec,
    set: &FrameSet,
    task_cameras: &[String],
    config: &ClassifierTraining,
) -> Result<Trained, TrainingError> {
    let split = set.split(config.held_out, config.seed)?;
    let classes = spec.classes;
    for (side, frames) in [("training", &split.training), ("held-out", &split.held_out)] {
        for label in 0..classes.labels() {
            if !frames.iter().any(|i| set.frames[*i].label == label) {
                return Err(TrainingError::NoFrames { side, label });
            }
        }
    }
    let mut layout = Layout::default();
    let network = RewardClassifier::new(&mut layout, &spec);
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let params = ParamSet::init(Arc::new(layout), &mut rng, config.device);
    let places = spec.places(task_cameras)?;
    let rows: Vec<&[Features]> = set.frames.iter().map(|f| f.features.as_slice()).collect();
    let inputs: Vec<Tensor> =
        spec.inputs(&rows, &places)?.iter().map(|x| x.to_device(config.device)).collect();
    let thresholds = vec![0.5; classes.outputs()];
    let classifier = Classifier { spec, network, params, thresholds };
    let loss = fit(&classifier, set, &split, &inputs, config, &mut rng);

    let mut runtime = ClassifierRuntime::new(classifier, task_cameras)?;
    let probabilities = runtime.judge_all(&rows)?;
    let judged = |output: usize| -> Vec<Judged> {
        let judged = |i: &usize| Judged {
            probability: probabilities[*i][output],
            shows: classes.is_target(output, set.frames[*i].label),
        };
        split.held_out.iter().map(judged).collect()
    };
    let mut figures = Vec::new();
    for output in 0..classes.outputs() {
        let judged = judged(output);
        let pairs: Vec<_> = judged.iter().map(|j| (j.probability, j.shows)).collect();
        let found = threshold(&pairs, config.false_positive_rate);
        runtime.set_threshold(output, found);
        figures.push(Figures::new(&judged, found));
    }
    Ok(Trained { runtime, loss, split, probabilities, figures })
}

fn fit(
    classifier: &Classifier,
    set: &FrameSet,
    split: &Split,
    inputs: &[Tensor],
    config: &ClassifierTraining,
    rng: &mut ChaCha8Rng,
) -> f64 {
    let Classifier { spec, network, params, .. } = classifier;
    let classes = spec.classes;
    let of_label = |label: u8| -> Vec<i64> {
        let like = split.training.iter().filter(|i| set.frames[**i].label == label);
        like.map(|i| *i as i64).collect()
    };
    let by_label: Vec<Vec<i64>> = (0..classes.labels()).map(of_label).collect();
    let per_label = config.batch.div_ceil(by_label.len());
    let batch = (per_label * by_label.len()) as i64;
    let labels: Vec<i64> =
        (0..).zip(&by_label).flat_map(|(label, _)| vec![label; per_label]).collect();
    let labels = Tensor::from_slice(&labels).to_device(config.device);

    let whole = params.layout().whole();
    let mut adam = Adam::new(params, whole);
    let last = config.updates.div_ceil(10).max(1);
    let mut loss_sum = 0.0;
    for update in 0..config.updates {
        let drawn: Vec<i64> = by_label
            .iter()
            .flat_map(|frames| {
                (0..per_label)
                    .map(|_| frames[rng.random_range(0..frames.len())])
                    .collect::<Vec<_>>()
            })
            .collect();
        let drawn = Tensor::from_slice(&drawn).to_device(config.device);
        let inputs: Vec<Tensor> = inputs.iter().map(|x| x.index_select(0, &drawn)).collect();
        let dropout = dropout(spec, batch, rng, config.device);
        let logits = network.forward(params.leaves(), &inputs, Some(&dropout));
        let loss = classifier_loss(classes, &logits, &labels);
        let leaves = params.leaves_of(adam.span());
        let gradients = Tensor::run_backward(&[&loss], leaves, false, false);
        let value = loss.double_value(&[]);
        adam.step(&gradients, config.learning_rate);
        if update + last >= config.updates {
            loss_sum += value;
        }
    }
    loss_sum / f64::from(last)
}

fn dropout(
    spec: &ClassifierSpec,
    batch: i64,
    rng: &mut ChaCha8Rng,
    device: Device,
) -> ClassifierDropout {
    let mut mask = |width| dropout_mask(rng, [batch, width], spec.dropout, device);
    let embedded = spec.feature_shape[0] * spec.kernels;
    ClassifierDropout {
        embedded: spec.cameras.iter().map(|_| mask(embedded)).collect(),
        hidden: mask(spec.hidden),
    }
}

/// Mean cross entropy: of each sigmoid with whether it should be 1, or of the softmax with the label.
/// `logits` [batch, outputs], `labels` `[batch]` of i64.
pub fn classifier_loss(classes: Classes, logits: &Tensor, labels: &Tensor) -> Tensor {
    match classes {
        Classes::NWay { .. } => logits.cross_entropy_for_logits(labels),
        Classes::Binary | Classes::Stages { .. } => {
            // Output o should be 1 where more than o stages are reached; a yes-or-no is one stage.
            let outputs = classes.outputs() as i64;
            let outputs = Tensor::arange(outputs, (Kind::Int64, labels.device()));
            let targets = labels.unsqueeze(1).gt_tensor(&outputs).to_kind(Kind::Float);
            // -[y log s(x) + (1 - y) log(1 - s(x))] = softplus(x) - y x
            (logits.softplus() - targets * logits).mean(Kind::Float)
        }
    }
}

#[cfg(test)]
mod tests;
