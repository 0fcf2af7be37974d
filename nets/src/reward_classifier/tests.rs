use std::sync::Arc;

use half::f16;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use tch::Device;

use super::*;
use crate::{golden::hash_uniform, params::ParamSet, snapshot::to_vec};

const BACKBONE: WeightsHash = WeightsHash([3; 32]);

fn spec(classes: Classes, cameras: &[&str]) -> ClassifierSpec {
    ClassifierSpec {
        kernels: 2,
        bottleneck: 4,
        hidden: 5,
        ..ClassifierSpec::new(
            classes,
            cameras.iter().map(ToString::to_string).collect(),
            BACKBONE,
            [3, 2, 2],
        )
    }
}

fn classifier(spec: ClassifierSpec) -> Classifier {
    let mut layout = Layout::default();
    let network = RewardClassifier::new(&mut layout, &spec);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let params = ParamSet::init(Arc::new(layout), &mut rng, Device::Cpu);
    // Norms and biases too, so that none of them can be left out unnoticed.
    let shaken = hash_uniform("shake", params.flat().numel(), -0.3, 0.3);
    tch::no_grad(|| {
        let flat = params.flat() + Tensor::from_slice(&shaken);
        params.flat().shallow_clone().copy_(&flat);
    });
    let thresholds = vec![0.5; spec.classes.outputs()];
    Classifier { spec, network, params, thresholds }
}

fn features(seed: &str) -> Features {
    let values = hash_uniform(seed, 12, -1.0, 1.0);
    let bits = values.iter().map(|x| f16::from_f32(*x).to_bits());
    Features { backbone: BACKBONE, values: bits.collect() }
}

/// Where `name` begins among the parameters.
fn param(classifier: &Classifier, name: &str) -> Vec<f32> {
    to_vec(classifier.params.get(name).unwrap_or_else(|| panic!("no {name}")))
}

fn dense(x: &[f32], kernel: &[f32], bias: &[f32]) -> Vec<f32> {
    let outputs = bias.len();
    (0..outputs)
        .map(|o| {
            bias[o] + x.iter().enumerate().map(|(i, x)| x * kernel[i * outputs + o]).sum::<f32>()
        })
        .collect()
}

fn normed(x: &[f32], scale: &[f32], shift: &[f32]) -> Vec<f32> {
    let n = x.len() as f32;
    let mean = x.iter().sum::<f32>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n;
    let norm = |(i, x): (usize, &f32)| (x - mean) / (variance + 1e-6).sqrt() * scale[i] + shift[i];
    x.iter().enumerate().map(norm).collect()
}

/// The reference's network, written out over single numbers.
fn by_hand(classifier: &Classifier, features: &[Features], places: &[usize]) -> Vec<f32> {
    let get = |name: &str| param(classifier, name);
    let mut side_by_side = Vec::new();
    for (camera, &place) in classifier.spec.cameras.iter().zip(places) {
        let x: Vec<f32> =
            features[place].values.iter().map(|b| f16::from_bits(*b).to_f32()).collect();
        let spatial = get(&format!("head/{camera}/spatial"));
        let mut z = Vec::new();
        for channel in 0..3_usize {
            for kernel in 0..2_usize {
                let places = 0..4;
                let term = |p: usize| x[channel * 4 + p] * spatial[(channel * 4 + p) * 2 + kernel];
                z.push(places.map(term).sum::<f32>());
            }
        }
        let name = |part: &str| get(&format!("head/{camera}/bottleneck/{part}"));
        let z = dense(&z, &name("kernel"), &name("bias"));
        let z = normed(&z, &name("norm_scale"), &name("norm_bias"));
        side_by_side.extend(z.iter().map(|z| z.tanh()));
    }
    let hidden =
        dense(&side_by_side, &get("classifier/hidden/kernel"), &get("classifier/hidden/bias"));
    let hidden = normed(&hidden, &get("classifier/norm_scale"), &get("classifier/norm_bias"));
    let hidden: Vec<f32> = hidden.iter().map(|x| x.max(0.0)).collect();
    dense(&hidden, &get("classifier/output/kernel"), &get("classifier/output/bias"))
}

#[track_caller]
fn check_forward(classes: Classes, cameras: &[&str], normalise: impl Fn(&[f32]) -> Vec<f32>) {
    let task: Vec<String> = ["side", "wrist", "top"].map(String::from).to_vec();
    let runtime = ClassifierRuntime::new(classifier(spec(classes, cameras)), &task).unwrap();
    let seen = ["a", "b", "c"].map(features);
    let places = runtime.classifier().spec.places(&task).unwrap();
    let expected = normalise(&by_hand(runtime.classifier(), &seen, &places));
    let got = runtime.judge(&seen).unwrap();
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }
}

fn sigmoids(logits: &[f32]) -> Vec<f32> {
    logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let sum: f32 = logits.iter().map(|x| x.exp()).sum();
    logits.iter().map(|x| x.exp() / sum).collect()
}

#[test]
fn the_network_is_the_references_written_out() {
    check_forward(Classes::Binary, &["wrist"], sigmoids);
    check_forward(Classes::Binary, &["top", "side"], sigmoids);
    check_forward(Classes::NWay { classes: 3, success: 2 }, &["wrist"], softmax);
    check_forward(Classes::Stages { stages: 2 }, &["wrist", "side"], sigmoids);
}

#[test]
fn many_frames_are_judged_as_each_alone() {
    let task = ["wrist".to_owned()];
    let spec = spec(Classes::Stages { stages: 3 }, &["wrist"]);
    let runtime = ClassifierRuntime::new(classifier(spec), &task).unwrap();
    let frames: Vec<Vec<Features>> =
        (0..300).map(|i| vec![features(&format!("frame {i}"))]).collect();
    let all = runtime.judge_all(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    for (frame, row) in frames.iter().zip(&all) {
        let alone = runtime.judge(frame).unwrap();
        assert!(alone.iter().zip(row).all(|(a, b)| (a - b).abs() < 1e-6), "{alone:?} {row:?}");
    }
}

#[test]
fn dropout_multiplies_what_it_masks() {
    let classifier = classifier(spec(Classes::Binary, &["wrist"]));
    let seen = [features("a")];
    let inputs = classifier.spec.inputs(&[&seen[..]], &[0]).unwrap();
    let run = |embedded: f64, hidden: f64| {
        let dropout = ClassifierDropout {
            embedded: vec![Tensor::full([1, 6], embedded, (Kind::Float, Device::Cpu))],
            hidden: Tensor::full([1, 5], hidden, (Kind::Float, Device::Cpu)),
        };
        let params = classifier.params.frozen();
        to_vec(&classifier.network.forward(params, &inputs, Some(&dropout)))[0]
    };
    let free = to_vec(&classifier.network.forward(classifier.params.frozen(), &inputs, None))[0];
    assert!((run(1.0, 1.0) - free).abs() < 1e-6);
    assert!((run(0.0, 1.0) - free).abs() > 1e-3);
    // All hidden values gone: what is left are the norm's shift and the last layer.
    let shift: Vec<f32> = param(&classifier, "classifier/norm_bias");
    let shift: Vec<f32> = shift.iter().map(|x| x.max(0.0)).collect();
    let bare = dense(
        &shift,
        &param(&classifier, "classifier/output/kernel"),
        &param(&classifier, "classifier/output/bias"),
    );
    assert!((run(1.0, 0.0) - bare[0]).abs() < 1e-5);
}

#[test]
fn labels_and_outputs_belong_together() {
    let targets = |classes: Classes| -> Vec<Vec<bool>> {
        let row = |label| (0..classes.outputs()).map(|o| classes.is_target(o, label)).collect();
        (0..classes.labels()).map(row).collect()
    };
    assert_eq!(targets(Classes::Binary), [[false], [true]]);
    let n_way = Classes::NWay { classes: 3, success: 1 };
    assert_eq!(targets(n_way), [[true, false, false], [false, true, false], [false, false, true]]);
    let stages = Classes::Stages { stages: 2 };
    assert_eq!(targets(stages), [[false, false], [true, false], [true, true]]);
    for classes in [Classes::Binary, n_way, stages] {
        assert!(classes.is_target(classes.success_output(), classes.success_label()));
    }
}

#[test]
fn a_file_comes_back_the_same() {
    for classes in [Classes::Binary, Classes::NWay { classes: 4, success: 3 }] {
        let mut made = classifier(spec(classes, &["wrist", "side"]));
        made.thresholds = vec![0.75; classes.outputs()];
        let bytes = made.to_bytes().unwrap();
        let read = Classifier::from_bytes(&bytes, Device::Cpu).unwrap();
        assert_eq!((&read.spec, &read.thresholds), (&made.spec, &made.thresholds));
        for (name, value) in made.params.named(&made.params.layout().whole()) {
            assert_eq!(to_vec(value), param(&read, name), "{name}");
        }
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let bytes = classifier(spec(Classes::Binary, &["wrist"])).to_bytes().unwrap();
    let read = |bytes: &[u8]| Classifier::from_bytes(bytes, Device::Cpu);
    for cut in (0..bytes.len()).step_by(7) {
        assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for bit in (0..8 * bytes.len()).step_by(11).chain(0..160) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&damaged).is_err(), "bit {bit}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(read(&longer), Err(ClassifierFileError::Length)));
    let mut newer = bytes;
    newer[4] = 9;
    assert!(matches!(read(&newer), Err(ClassifierFileError::Version(9))));
}

/// With a right checksum, but impossible inside.
#[test]
fn a_file_that_does_not_fit_itself_is_refused() {
    let mut made = classifier(spec(Classes::Binary, &["wrist"]));
    made.thresholds = vec![1.5];
    let bytes = made.to_bytes().unwrap();
    assert!(matches!(
        Classifier::from_bytes(&bytes, Device::Cpu),
        Err(ClassifierFileError::Tensor(_))
    ));
    made.thresholds = vec![0.5];
    made.spec.hidden = 6;
    let bytes = made.to_bytes().unwrap();
    assert!(matches!(
        Classifier::from_bytes(&bytes, Device::Cpu),
        Err(ClassifierFileError::Tensor(_))
    ));
    made.spec.classes = Classes::NWay { classes: 1, success: 0 };
    let bytes = made.to_bytes().unwrap();
    assert!(matches!(
        Classifier::from_bytes(&bytes, Device::Cpu),
        Err(ClassifierFileError::Spec(_))
    ));
}

#[test]
fn what_was_not_trained_on_is_refused() {
    let task = ["wrist".to_owned()];
    let runtime =
        ClassifierRuntime::new(classifier(spec(Classes::Binary, &["wrist"])), &task).unwrap();
    assert_eq!(runtime.judge(&[]), Err(ClassifierError::Features { needed: 1, got: 0 }));
    let other = Features { backbone: WeightsHash([9; 32]), ..features("a") };
    assert!(matches!(runtime.judge(&[other]), Err(ClassifierError::Backbone { .. })));
    let short = Features { backbone: BACKBONE, values: vec![0; 11].into() };
    assert!(matches!(runtime.judge(&[short]), Err(ClassifierError::FeatureDim { .. })));
    let missing = ClassifierRuntime::new(classifier(spec(Classes::Binary, &["top"])), &task);
    assert_eq!(missing.unwrap_err(), ClassifierError::Camera { camera: "top".into() });
}

/// One frame through a classifier of the default size, as an actor does it.
#[test]
#[ignore = "a measurement: cargo test --workspace -p nets -- --ignored how_long_a_judgement --nocapture"]
fn how_long_a_judgement_takes() {
    let spec = ClassifierSpec::new(Classes::Binary, vec!["wrist".into()], BACKBONE, [80, 4, 4]);
    let runtime = ClassifierRuntime::new(classifier(spec), &["wrist".to_owned()]).unwrap();
    let values = hash_uniform("frame", 1280, -1.0, 1.0);
    let bits = values.iter().map(|x| f16::from_f32(*x).to_bits());
    let seen = [Features { backbone: BACKBONE, values: bits.collect() }];
    let clock = wire::SystemClock::new();
    let mut times: Vec<f64> = (0..1000)
        .map(|_| {
            let began = wire::Clock::now(&clock);
            runtime.judge(&seen).unwrap();
            1e3 * wire::Clock::now(&clock).since(began).as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (median, longest) = (times[500], times[999]);
    eprintln!("{median:.3} ms, at most {longest:.3} ms");
    assert!(median < 1.0, "{median} ms");
}
