//! sha256 of archives. Nothing is taken from an archive before this has agreed.

use super::parts::Archive;
use crate::progress::Progress;
use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Fails, naming both hashes, unless the file is the archive.
pub fn check(archive: &Archive, file: &Path) -> anyhow::Result<()> {
    let label = format!("checking {} {}", archive.package, archive.version);
    let found = sha256_of(file, &mut Progress::new(&label, archive.bytes))?;
    if found != archive.sha256 {
        bail!(
            "{} is not {} {}: its sha256 is {found}, not {}",
            file.display(),
            archive.package,
            archive.version,
            archive.sha256
        );
    }
    Ok(())
}

fn sha256_of(path: &Path, progress: &mut Progress) -> anyhow::Result<String> {
    let reading = || format!("could not read {}", path.display());
    let mut file = File::open(path).with_context(reading)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let count = file.read(&mut buffer).with_context(reading)?;
        if count == 0 {
            progress.finish();
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
        done += count as u64;
        progress.set(done);
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    const ABC: Archive = Archive {
        package: "letters",
        version: "1.0",
        file: "letters-1.0.tar.gz",
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        bytes: 3,
    };

    fn checked(content: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, content).unwrap();
        check(&ABC, &file).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_right_file_passes() {
        assert_eq!(checked("abc"), Ok(()));
    }

    #[test]
    fn another_file_is_refused_with_both_hashes() {
        let error = checked("abd").unwrap_err();
        assert!(error.contains("is not letters 1.0"), "{error}");
        assert!(error.contains(ABC.sha256), "{error}");
        assert!(error.contains("a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9"));
    }
}
