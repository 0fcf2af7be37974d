use super::*;

/// The smallest backbone there is, from a seed.
fn small(seed: u64) -> EfficientnetLite0Config {
    let weights = WeightsSource::Random { random: seed };
    EfficientnetLite0Config {
        image_size: 64,
        cut_block: 4,
        ..EfficientnetLite0Config::new(weights)
    }
}

fn load(config: EfficientnetLite0Config) -> Backbone {
    Backbone::load(&BackboneConfig::EfficientnetLite0(config), Device::Cpu).unwrap()
}

fn frame(width: u16, height: u16, seed: usize) -> Frame {
    let len = usize::from(width) * usize::from(height) * 3;
    let pixels: Vec<u8> = (0..len).map(|i| (i * i / 7 + i * seed) as u8).collect();
    Frame::new(width, height, pixels).unwrap()
}

fn values(features: &Features) -> Tensor {
    let values: Vec<f32> =
        features.values.iter().map(|&bits| half::f16::from_bits(bits).to_f32()).collect();
    Tensor::from_slice(&values)
}

fn assert_alike(got: &Features, expected: &Features) {
    assert_eq!(got.backbone, expected.backbone);
    crate::golden::assert_close(&values(got), &values(expected), 2e-3, 1e-3, "features");
}

#[test]
fn features_of_many_frames_are_those_of_each() {
    let backbone = load(small(1));
    let frames = [frame(64, 64, 1), frame(64, 64, 2), frame(80, 48, 3), frame(64, 64, 4)];
    let together = backbone.encode(&frames.each_ref()).unwrap();
    assert_eq!(together.len(), 4);
    for (frame, features) in frames.iter().zip(&together) {
        assert_eq!(features.values.len(), 40 * 4 * 4);
        assert_alike(features, &backbone.encode(&[frame]).unwrap()[0]);
    }
    assert_ne!(together[0], together[1]);
    assert_eq!(backbone.encode(&[]).unwrap(), []);
}

#[test]
fn features_are_flattened_channels_first() {
    let backbone = load(small(1));
    let frame = frame(64, 64, 1);
    let map = backbone.encode_tensor(&stacked(&[&frame])).unwrap();
    assert_eq!(map.size(), [1, 40, 4, 4]);
    assert_eq!(backbone.feature_shape(), [40, 4, 4]);
    let flat = map.contiguous().view([-1]);
    let features = values(&backbone.encode(&[&frame]).unwrap()[0]);
    crate::golden::assert_close(&features, &flat, 1e-3, 1e-4, "features");
}

#[test]
fn pooling_averages_squares() {
    let frame = stacked(&[&frame(64, 64, 1)]);
    let map = load(EfficientnetLite0Config { pool: 1, ..small(1) }).encode_tensor(&frame).unwrap();
    let pooled = load(small(1)).encode_tensor(&frame).unwrap();
    assert_eq!(map.size(), [1, 40, 8, 8]);
    let corner = map.narrow(2, 0, 2).narrow(3, 2, 2).mean_dim([2_i64, 3].as_slice(), false, None);
    crate::golden::assert_close(&pooled.select(2, 0).select(2, 1), &corner, 1e-4, 1e-5, "corner");
}

#[test]
fn shifted_features_are_those_of_the_shifted_frame() {
    let backbone = load(small(1));
    let frame = frame(64, 64, 1);
    let plain = backbone.encode(&[&frame]).unwrap();
    let features =
        backbone.encode_shifted(&frame, &[Shift::NONE, Shift { row: 0, col: 7 }]).unwrap();
    assert_alike(&features[0], &plain[0]);
    // Row r of the shifted frame is row r - 4 of the frame, column c is column c + 3, up to the edge.
    let source = |row: usize, col: usize| (row.saturating_sub(4) * 64 + (col + 3).min(63)) * 3;
    let places = (0..64).flat_map(|row| (0..64).map(move |col| source(row, col)));
    let pixels: Vec<u8> = places.flat_map(|at| frame.pixels[at..at + 3].to_vec()).collect();
    let moved = Frame::new(64, 64, pixels).unwrap();
    assert_alike(&features[1], &backbone.encode(&[&moved]).unwrap()[0]);
    assert_eq!(backbone.encode_shifted(&frame, &[]).unwrap(), []);
}

#[test]
fn what_is_no_image_is_refused() {
    let backbone = load(small(1));
    for size in [&[1, 64, 64][..], &[1, 3, 64, 64], &[0, 64, 64, 3]] {
        let image = Tensor::zeros(size, (Kind::Uint8, Device::Cpu));
        assert!(matches!(backbone.encode_tensor(&image), Err(BackboneError::Images(_))));
    }
    let floats = Tensor::zeros([1, 64, 64, 3], (Kind::Float, Device::Cpu));
    assert!(matches!(backbone.encode_tensor(&floats), Err(BackboneError::Images(_))));
}

#[test]
fn the_hash_follows_everything_that_changes_a_feature() {
    let hash = |config| load(config).hash();
    let one = hash(small(1));
    assert_eq!(one, hash(small(1)));
    assert_ne!(one, hash(small(2)));
    assert_ne!(one, hash(EfficientnetLite0Config { cut_block: 3, ..small(1) }));
    assert_ne!(one, hash(EfficientnetLite0Config { pool: 1, ..small(1) }));
    assert_ne!(one, hash(EfficientnetLite0Config { image_size: 128, ..small(1) }));
}

/// Features in journals are named by this hash: it may change only with a new version in it.
#[test]
fn the_hash_of_a_seed_stays_the_same() {
    let expected = "797ecbb6a57592e2824c2986e256cd66fb39e144ec5adce6c4aa0295c0d4526f";
    assert_eq!(load(small(7)).hash().to_string(), expected);
}

fn check_config(json: &str, expected: Result<[i64; 3], &str>) {
    let shape = serde_json::from_str::<BackboneConfig>(json)
        .map_err(|e| e.to_string())
        .and_then(|config| config.feature_shape().map_err(|e| e.to_string()));
    match (shape, expected) {
        (Ok(shape), Ok(expected)) => assert_eq!(shape, expected),
        (Err(e), Err(expected)) => assert!(e.contains(expected), "{e}"),
        (got, _) => panic!("{json}: {got:?}"),
    }
}

#[test]
fn configurations_are_checked() {
    let lite0 = |rest: &str| {
        format!(r#"{{"kind": "efficientnet-lite0", "weights": {{"random": 7}} {rest}}}"#)
    };
    let resnet = |rest: &str| format!(r#"{{"kind": "resnet10", "weights": "a.pkl" {rest}}}"#);
    check_config(&lite0(""), Ok([80, 4, 4]));
    check_config(&lite0(r#", "pool": 1"#), Ok([80, 8, 8]));
    check_config(&lite0(r#", "cut_block": 10, "image_size": 64"#), Ok([112, 2, 2]));
    check_config(&resnet(""), Ok([512, 4, 4]));
    check_config(&resnet(r#", "num_filters": 8, "pool": 2"#), Ok([64, 2, 2]));
    check_config(&lite0(r#", "cut_block": 16"#), Err("the blocks 0 to 15"));
    check_config(&lite0(r#", "image_size": 100"#), Err("a multiple of 32"));
    check_config(&lite0(r#", "image_size": 0"#), Err("a multiple of 32"));
    check_config(&lite0(r#", "pool": 0"#), Err("pool = 0"));
    check_config(&lite0(r#", "colour": 1"#), Err("unknown field `colour`"));
    check_config(&resnet(r#", "num_filters": 6"#), Err("a multiple of 4"));
    check_config(&resnet(r#", "cut_block": 7"#), Err("unknown field `cut_block`"));
    check_config(r#"{"kind": "resnet10", "weights": 7}"#, Err("a path or { random = <seed> }"));
    check_config(r#"{"kind": "resnet10"}"#, Err("missing field `weights`"));
    check_config(r#"{"kind": "vit"}"#, Err("unknown variant `vit`"));
}

#[test]
fn weights_that_do_not_fit_are_refused_with_the_remedy() {
    let load = |path: &std::path::Path| {
        let config = EfficientnetLite0Config::new(WeightsSource::Path(path.to_owned()));
        Backbone::load(&BackboneConfig::EfficientnetLite0(config), Device::Cpu)
            .unwrap_err()
            .to_string()
    };
    let missing = load("no/such/file.pth".as_ref());
    assert!(
        missing.contains("no/such/file.pth") && missing.contains("cargo xtask setup"),
        "{missing}"
    );
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.safetensors");
    let write = |name: &str, shape: Vec<usize>| {
        let data = vec![0; shape.iter().product::<usize>() * 4];
        let tensor =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &data).unwrap();
        std::fs::write(&other, safetensors::serialize([(name, tensor)], None).unwrap()).unwrap();
        load(&other)
    };
    let absent = write("x", vec![1]);
    assert!(absent.contains("_conv_stem.weight is missing"), "{absent}");
    let wrong = write("_conv_stem.weight", vec![3, 3]);
    assert!(wrong.contains("has the shape [3, 3], not [32, 3, 3, 3]"), "{wrong}");
}
