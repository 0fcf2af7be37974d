//! What the feature cache saves: one critic update at batch 256 with two cameras, on cached
//! features and with the frozen trunk run on the 1,024 images that such a batch looks at. The
//! ratio of the two times is what counts.
//!
//! `cargo bench -p learner --profile dev`: libtorch does the work, and that profile is built already.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use learner::{
    batch::Batch,
    train_state::{AgentSetup, TrainState},
    update::{Plan, UpdateConfig, update},
};
use nets::{
    architecture::{Architecture, HeadSpec},
    backbone::{Backbone, BackboneConfig, EfficientnetLite0Config, WeightsSource},
    head::{Images, ObservationBatch},
    projection::Projection,
};
use tch::{Device, Kind, Tensor};
use wire::WeightsHash;

const BATCH: i64 = 256;
const CAMERAS: i64 = 2;
const PROPRIO: i64 = 24;
const ACTION: i64 = 6;
const COMPONENTS: i64 = 128;
/// Images that go through the trunk in one call.
const CHUNK: i64 = 64;
const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

fn projection(dim: i64) -> Projection {
    let components = Tensor::randn([dim, COMPONENTS], F32);
    Projection::new(Tensor::zeros([dim], F32), components, 30.0).expect("random values are sound")
}

fn state(dim: i64) -> TrainState {
    let cameras = vec!["wrist".to_owned(), "side".to_owned()];
    let head = HeadSpec::Pca { cameras, feature_dim: dim, components: COMPONENTS };
    let setup = AgentSetup {
        architecture: Architecture::reins(PROPRIO, ACTION, head),
        projections: vec![projection(dim), projection(dim)],
        backbone: WeightsHash([0; 32]),
    };
    TrainState::new(setup, UpdateConfig::reins(ACTION as usize), 0, Device::Cpu)
}

fn batch(images: impl Fn() -> Images) -> Batch {
    let observation =
        || ObservationBatch { proprio: Tensor::randn([BATCH, PROPRIO], F32), images: images() };
    Batch {
        observation: observation(),
        action: Tensor::rand([BATCH, ACTION], F32) * 2.0 - 1.0,
        reward: Tensor::rand([BATCH], F32).gt(0.9).to_kind(Kind::Float),
        bootstrap_mask: Tensor::ones([BATCH], F32),
        next_observation: observation(),
        grasp: None,
        demo_rows: BATCH / 2,
    }
}

/// Features of `BATCH` frames of one camera, the trunk run on each.
fn encode(backbone: &Backbone, images: &Tensor) -> Tensor {
    let chunks: Vec<Tensor> = images
        .split(CHUNK, 0)
        .iter()
        .map(|chunk| backbone.encode_tensor(chunk).expect("the images fit").flatten(1, -1))
        .collect();
    Tensor::cat(&chunks, 0)
}

fn one_update(state: &mut TrainState, batch: &Batch) {
    let noise = state.draw_noise(BATCH, Plan::CriticOnly);
    black_box(update(state, batch, Plan::CriticOnly, &noise).expect("the batch fits"));
}

fn updates(criterion: &mut Criterion) {
    tch::set_num_threads(1);
    let config = EfficientnetLite0Config::new(WeightsSource::Random { random: 0 });
    let backbone = Backbone::load(&BackboneConfig::EfficientnetLite0(config), Device::Cpu)
        .expect("random weights need no file");
    let dim = backbone.feature_shape().iter().product();
    let mut state = state(dim);
    let mut group = criterion.benchmark_group("critic update, batch 256, two cameras");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));

    let cached = batch(|| Images::Projected(Tensor::randn([BATCH, CAMERAS * COMPONENTS], F32)));
    group.bench_function("cached features", |b| b.iter(|| one_update(&mut state, &cached)));

    let images = Tensor::randint(256, [BATCH, 128, 128, 3], (Kind::Uint8, Device::Cpu));
    group.bench_function("trunk on 1,024 images", |b| {
        b.iter(|| {
            let raw = || Images::Raw(vec![encode(&backbone, &images), encode(&backbone, &images)]);
            one_update(&mut state, &batch(raw));
        });
    });
    group.finish();
}

criterion_group!(benches, updates);
criterion_main!(benches);
