use pickle::program::Program;

use super::{
    testing::{Tensor, legacy_file, state_dict, zip_file},
    *,
};

const STORED: &[f32] = &[0., 1., 2., 3., 4., 5.];

/// Two tensors that share a storage, one of them transposed.
fn torch_state() -> Program {
    let tensor = |name, shape, strides| Tensor { name, key: "7", stored: 6, shape, strides };
    state_dict(&[tensor("conv.weight", &[3, 2], &[1, 3]), tensor("bn.bias", &[6], &[1])])
}

fn check_torch_arrays(file: &[u8]) {
    let arrays = parse(file).unwrap();
    assert_eq!(arrays.keys().collect::<Vec<_>>(), ["bn.bias", "conv.weight"]);
    assert_eq!(arrays["bn.bias"], Array { shape: vec![6], values: STORED.to_vec() });
    let transposed = vec![0., 3., 1., 4., 2., 5.];
    assert_eq!(arrays["conv.weight"], Array { shape: vec![3, 2], values: transposed });
}

#[test]
fn pytorch_files_of_both_formats_are_read() {
    check_torch_arrays(&legacy_file(torch_state(), &[("7", STORED)]));
    check_torch_arrays(&zip_file(torch_state(), &[("7", STORED)]));
}

fn check_flax_arrays(file: &[u8]) {
    let arrays = parse(file).unwrap();
    let names: Vec<_> = arrays.keys().collect();
    let group_norm = "ResNetBlock_0/MyGroupNorm_0";
    let expected =
        [&format!("{group_norm}/bias"), &format!("{group_norm}/scale"), "conv_init/kernel", "half"];
    assert_eq!(names, expected); // the integer `step` is left out
    let kernel = &arrays["conv_init/kernel"];
    assert_eq!(kernel.shape, [2, 2, 3, 2]);
    assert_eq!(kernel.values, (0..24).map(|i| i as f32 / 8.0).collect::<Vec<_>>());
    assert_eq!(arrays[&format!("{group_norm}/scale")].values, [1.5, -2.25]);
    // In Fortran order on disk, and f64.
    let bias = Array { shape: vec![2, 3], values: STORED.to_vec() };
    assert_eq!(arrays[&format!("{group_norm}/bias")], bias);
    assert_eq!(arrays["half"].values, [0.5, 65504.0]);
}

// Made with numpy 2.4 on Python 3.11: pickle.dumps of a nested dict of arrays.
const PROTOCOL_2: &[u8] = include_bytes!("../../tests/weights/nested_arrays_protocol2.pkl");
const PROTOCOL_4: &[u8] = include_bytes!("../../tests/weights/nested_arrays_protocol4.pkl");
const PROTOCOL_5: &[u8] = include_bytes!("../../tests/weights/nested_arrays_protocol5.pkl");

#[test]
fn pickled_arrays_of_every_protocol_are_read() {
    check_flax_arrays(PROTOCOL_2);
    check_flax_arrays(PROTOCOL_4);
    check_flax_arrays(PROTOCOL_5);
}

/// An ndarray's state as protocol 2 writes it, f4, little-endian.
fn array_state(program: Program, shape: &[usize], data: &[u8]) -> Program {
    let dtype = program.op(b"(").int(1).ints(shape).global("numpy", "dtype").op(b"(").text("f4");
    dtype
        .op(b"\x89\x88tR(")
        .int(3)
        .text("<")
        .op(b"NNN")
        .int(-1)
        .int(-1)
        .int(0)
        .op(b"tb\x89")
        .bytes(data)
        .op(b"t")
}

#[test]
fn older_numpy_and_jax_arrays_and_frozen_dicts_are_read() {
    let data: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let reconstruct = |p: Program| {
        p.global("numpy.core.multiarray", "_reconstruct")
            .op(b"(")
            .global("numpy", "ndarray")
            .int(0)
            .op(b"NtR")
    };
    let frozen = Program::new().global("flax.core.frozen_dict", "FrozenDict").op(b"(}(");
    let numpy = array_state(reconstruct(frozen.text("numpy")), &[2], &data).op(b"b");
    let jax = numpy
        .text("jax")
        .global("jax._src.array", "_reconstruct_array")
        .op(b"(")
        .global("numpy.core.multiarray", "_reconstruct")
        .op(b")");
    let file = array_state(jax, &[1, 2], &data).op(b"}tRutR").stop();
    let arrays = parse(&file).unwrap();
    assert_eq!(arrays["numpy"], Array { shape: vec![2], values: vec![1.5, -2.0] });
    assert_eq!(arrays["jax"], Array { shape: vec![1, 2], values: vec![1.5, -2.0] });
}

#[test]
fn safetensors_files_are_read() {
    let data: Vec<u8> = STORED.iter().flat_map(|x| x.to_le_bytes()).collect();
    let view = |dtype, shape| safetensors::tensor::TensorView::new(dtype, shape, &data).unwrap();
    let tensors = [
        ("a/kernel", view(safetensors::Dtype::F32, vec![2, 3])),
        ("count", view(safetensors::Dtype::I32, vec![6])),
    ];
    let arrays = parse(&safetensors::serialize(tensors, None).unwrap()).unwrap();
    assert_eq!(arrays.len(), 1);
    assert_eq!(arrays["a/kernel"], Array { shape: vec![2, 3], values: STORED.to_vec() });
}

/// Every file shorter than the whole is refused, and no changed byte makes the reader panic.
fn check_cuts_and_changes(file: &[u8]) {
    for len in 0..file.len() {
        assert!(parse(&file[..len]).is_err(), "cut to {len} of {} bytes", file.len());
    }
    for at in 0..file.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = file.to_vec();
            changed[at] ^= change;
            let _ = parse(&changed);
        }
    }
}

#[test]
fn files_cut_at_any_byte_are_refused() {
    check_cuts_and_changes(&legacy_file(torch_state(), &[("7", STORED)]));
    check_cuts_and_changes(&zip_file(torch_state(), &[("7", STORED)]));
    check_cuts_and_changes(PROTOCOL_2);
    check_cuts_and_changes(PROTOCOL_4);
    check_cuts_and_changes(PROTOCOL_5);
}

fn check_refused(file: &[u8], expected: &str) {
    let error = parse(file).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn hostile_files_are_refused_and_say_why() {
    let call = |program: Program| program.global("os", "system").op(b"(").text("true").op(b"tR");
    check_refused(&legacy_file(call(Program::new()), &[]), "os.system");
    check_refused(&zip_file(call(Program::new()), &[]), "os.system");
    check_refused(&call(Program::new()).stop(), "os.system");
    check_refused(b"hello", "neither a PyTorch");
    check_refused(&Program::new().op(b"]").stop(), "holds no dictionary");
    check_refused(
        &Program::new().op(b"}").text("x").op(b"}s").text("y").int(1).op(b"s").stop(),
        "y: it is no array",
    );
}

#[test]
fn views_that_leave_their_storage_are_refused() {
    let one = |shape, strides| {
        let tensor = Tensor { name: "w", key: "7", stored: 6, shape, strides };
        legacy_file(state_dict(&[tensor]), &[("7", STORED)])
    };
    check_refused(&one(&[7], &[1]), "has 6 stored values");
    check_refused(&one(&[2], &[6]), "reaches over");
    check_refused(&one(&[1 << 30, 1 << 30], &[0, 0]), "has 6 stored values");
    let strange = Tensor { name: "w", key: "8", stored: 6, shape: &[1], strides: &[1] };
    check_refused(&zip_file(state_dict(&[strange]), &[("7", STORED)]), "\"8\" is missing");
}

#[test]
fn a_storage_that_claims_more_than_the_file_has_is_refused() {
    let mut file = legacy_file(torch_state(), &[("7", STORED)]);
    let count = file.len() - 6 * 4 - 8;
    file[count..count + 8].copy_from_slice(&i64::MAX.to_le_bytes());
    check_refused(&file, "ends inside the storage");
    file[count..count + 8].copy_from_slice(&(-1i64).to_le_bytes());
    check_refused(&file, "ends inside the storage");
}

#[test]
fn a_small_file_cannot_become_a_large_one() {
    // Each level holds the one below many times: 200^8 entries if they were followed.
    let level = |program: Program, below: u8, this: u8| {
        let dict = program.op(b"}q").op(&[this]).op(b"(");
        (0..200).fold(dict, |p, i| p.text(&i.to_string()).op(&[b'h', below])).op(b"u")
    };
    let bottom = Program::new().op(b"}q\x00");
    let file = (1..8).fold(bottom, |program, this| level(program, this - 1, this)).stop();
    check_refused(&file, "over 10000 entries");
    // A dictionary inside itself.
    check_refused(&Program::new().op(b"}q\x00").text("x").op(b"h\x00s").stop(), "nested too deep");
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = read(Path::new("no/such/weights.pth")).unwrap_err().to_string();
    assert!(
        error.contains("no/such/weights.pth") && error.contains("cargo xtask setup"),
        "{error}"
    );
}
