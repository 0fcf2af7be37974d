//! Writes small files of the shapes that PyTorch, flax and attackers write.

use std::io::{Cursor, Write};

use pickle::program::Program;
use zip::{ZipWriter, write::SimpleFileOptions};

/// A tensor as PyTorch pickles it: a view into the f32 storage `key`.
pub struct Tensor<'a> {
    pub name: &'a str,
    pub key: &'a str,
    pub stored: usize,
    pub shape: &'a [usize],
    pub strides: &'a [usize],
}

/// A state dictionary, an OrderedDict with `_metadata` as modules write it.
pub fn state_dict(tensors: &[Tensor<'_>]) -> Program {
    let start = Program::new().global("collections", "OrderedDict").op(b")R(");
    let entries = tensors.iter().fold(start, |program, tensor| {
        program
            .text(tensor.name)
            .global("torch._utils", "_rebuild_tensor_v2")
            .op(b"((")
            .text("storage")
            .global("torch", "FloatStorage")
            .text(tensor.key)
            .text("cpu")
            .int(tensor.stored as i32)
            .op(b"NtQ")
            .int(0)
            .ints(tensor.shape)
            .ints(tensor.strides)
            .op(b"\x89")
            .global("collections", "OrderedDict")
            .op(b")RtR")
    });
    entries.op(b"u}").text("_metadata").op(b"}sb")
}

/// A file of PyTorch before 1.6 with f32 storages.
pub fn legacy_file(state: Program, storages: &[(&str, &[f32])]) -> Vec<u8> {
    let mut file = Program::new().op(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19").stop();
    file.extend(Program::new().int(1001).stop());
    file.extend(Program::new().op(b"}(").text("little_endian").op(b"\x88u").stop());
    file.extend(state.stop());
    let keys = storages.iter().fold(Program::new().op(b"]("), |keys, (key, _)| keys.text(key));
    file.extend(keys.op(b"e").stop());
    for (_, values) in storages {
        file.extend((values.len() as i64).to_le_bytes());
        file.extend(values.iter().flat_map(|x| x.to_le_bytes()));
    }
    file
}

/// A file of PyTorch since 1.6 with f32 storages.
pub fn zip_file(state: Program, storages: &[(&str, &[f32])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    let mut entry = |name: String, content: &[u8]| {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    };
    entry("net/data.pkl".into(), &state.stop());
    entry("net/byteorder".into(), b"little");
    for (key, values) in storages {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        entry(format!("net/data/{key}"), &bytes);
    }
    archive.finish().unwrap().into_inner()
}
