//! Every file of the fuzzer's corpora through its decoder, on the ordinary toolchain: what the
//! fuzzer once found stays mended.

use std::{fs, path::PathBuf};

#[test]
fn no_decoder_trips_over_its_corpus() {
    let corpora = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, decode) in fuzz::ENTRIES {
        let mut files: Vec<PathBuf> =
            fs::read_dir(corpora.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "the corpus of {name} is empty");
        for file in files {
            eprintln!("{name}: {}", file.display());
            decode(&fs::read(&file).unwrap());
        }
    }
}
