use half::f16;
use rand_distr::{Distribution, StandardNormal};
use wire::{ActorId, EpisodeId, RecordPosition, WeightsHash};

use super::*;
use crate::classifier::LabelledFrame;

const BACKBONE: WeightsHash = WeightsHash([4; 32]);
const CHANNELS: usize = 6;
const PLACES: usize = 4;

fn spec(classes: Classes) -> ClassifierSpec {
    ClassifierSpec {
        kernels: 4,
        bottleneck: 16,
        hidden: 16,
        ..ClassifierSpec::new(classes, vec!["wrist".into()], BACKBONE, [CHANNELS as i64, 2, 2])
    }
}

fn config(seed: u64) -> ClassifierTraining {
    ClassifierTraining {
        updates: 150,
        batch: 64,
        learning_rate: 3e-3,
        ..ClassifierTraining::new(seed, Device::Cpu)
    }
}

/// Frames of noise in which a label raises the first channel at the place of that number.
fn frames(labels: u8, episodes: u32) -> FrameSet {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut set = FrameSet::default();
    for episode in 0..episodes {
        for index in 0..20 {
            let label = (index % u32::from(labels)) as u8;
            let values = (0..CHANNELS * PLACES).map(|at| {
                let noise: f32 = StandardNormal.sample(&mut rng);
                let raised = label > 0 && at == usize::from(label) - 1;
                f16::from_f32(noise + if raised { 6.0 } else { 0.0 }).to_bits()
            });
            set.frames.push(LabelledFrame {
                source: 0,
                actor: ActorId(0),
                position: RecordPosition { episode: EpisodeId(episode), index },
                label,
                features: vec![Features { backbone: BACKBONE, values: values.collect() }],
            });
        }
    }
    set
}

fn trained(classes: Classes, seed: u64) -> Trained {
    let set = frames(classes.labels(), 20);
    train(spec(classes), &set, &["wrist".into()], &config(seed)).unwrap()
}

#[track_caller]
fn check_learns(classes: Classes) {
    let trained = trained(classes, 1);
    assert_eq!(trained.figures.len(), classes.outputs());
    for figures in &trained.figures {
        assert_eq!(figures.frames(), 100, "a quarter of 400 frames was held out");
        assert!(figures.accuracy().unwrap() > 0.95, "{figures:?}");
        assert_eq!(figures.false_positives, 0, "fewer than one in a thousand was asked for");
    }
    assert!(trained.loss < 0.2, "{}", trained.loss);
}

#[test]
fn what_tells_the_classes_apart_is_learned() {
    check_learns(Classes::Binary);
    check_learns(Classes::NWay { classes: 3, success: 2 });
}

/// Stages are cumulative: what shows the second has reached the first too.
#[test]
fn stages_are_learned_as_reached_or_not() {
    let classes = Classes::Stages { stages: 2 };
    check_learns(classes);
    let trained = trained(classes, 1);
    let set = frames(3, 20);
    let of_label = |label: u8| {
        let rows = set.frames.iter().zip(&trained.probabilities);
        let rows: Vec<_> = rows.filter(|(f, _)| f.label == label).map(|(_, p)| p).collect();
        let mean = |output: usize| rows.iter().map(|p| p[output]).sum::<f32>() / rows.len() as f32;
        [mean(0), mean(1)]
    };
    assert!(of_label(0).iter().all(|p| *p < 0.2), "{:?}", of_label(0));
    assert!(of_label(1)[0] > 0.8 && of_label(1)[1] < 0.2, "{:?}", of_label(1));
    assert!(of_label(2).iter().all(|p| *p > 0.8), "{:?}", of_label(2));
}

#[test]
fn a_seed_gives_the_same_bytes() {
    let bytes = |seed| trained(Classes::Binary, seed).runtime.classifier().to_bytes().unwrap();
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

/// Noise has nothing to learn: what was held out says so, whatever training believes.
#[test]
fn figures_are_of_frames_that_training_has_not_seen() {
    let mut set = frames(2, 20);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for frame in &mut set.frames {
        frame.label = rng.random_range(0..2);
    }
    let trained = train(spec(Classes::Binary), &set, &["wrist".into()], &config(1)).unwrap();
    let recall = trained.figures[0].recall().unwrap();
    assert!(recall < 0.5, "{:?}", trained.figures[0]);
}

#[test]
fn a_label_that_is_missing_is_named() {
    let mut set = frames(2, 4);
    set.frames.retain(|frame| frame.label == 0);
    let error = train(spec(Classes::Binary), &set, &["wrist".into()], &config(0)).unwrap_err();
    assert!(matches!(error, TrainingError::NoFrames { side: "training", label: 1 }), "{error}");
}

/// Against the definition, over numbers written out.
#[test]
fn the_loss_is_the_cross_entropy() {
    let logits = Tensor::from_slice(&[2.0_f32, -1.0, 0.5, 0.25]).view([2, 2]);
    let labels = Tensor::from_slice(&[1_i64, 2]);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let stages = classifier_loss(Classes::Stages { stages: 2 }, &logits, &labels);
    let expected =
        -(sigmoid(2.0).ln() + (1.0 - sigmoid(-1.0)).ln() + sigmoid(0.5).ln() + sigmoid(0.25).ln())
            / 4.0;
    assert!((stages.double_value(&[]) - expected).abs() < 1e-6);

    let labels = Tensor::from_slice(&[1_i64, 0]);
    let n_way = classifier_loss(Classes::NWay { classes: 2, success: 1 }, &logits, &labels);
    let expected = -(sigmoid(-3.0).ln() + sigmoid(0.25).ln()) / 2.0;
    assert!((n_way.double_value(&[]) - expected).abs() < 1e-6);
}
