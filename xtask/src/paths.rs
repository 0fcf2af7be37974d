//! Where things lie.

use anyhow::Context;
use std::env;
use std::path::{Path, PathBuf};

pub struct Paths {
    /// The repository.
    pub root: PathBuf,
    /// What `setup` lays down; ignored by git.
    pub third_party: PathBuf,
    /// What outlives a clone: downloads and built tools.
    pub cache: PathBuf,
}

impl Paths {
    pub fn find() -> anyhow::Result<Paths> {
        // Read when it runs, not when it is built: a shared target folder serves several clones.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .context("CARGO_MANIFEST_DIR is not set: start this as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("the xtask crate has no folder above it")?
            .to_owned();
        let cache = cache_folder(|name| env::var_os(name).map(PathBuf::from))
            .context("neither HOME nor REINS_CACHE is set: set REINS_CACHE to a folder of yours")?;
        Ok(Paths { third_party: root.join("third_party"), root, cache })
    }

    pub fn downloads(&self) -> PathBuf {
        self.cache.join("downloads")
    }
}

fn cache_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("REINS_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("reins")))
        .or_else(|| Some(variable("HOME")?.join(".cache/reins")))
}

#[cfg(test)]
mod test {
    use super::cache_folder;
    use std::path::PathBuf;

    fn check(variables: &[(&str, &str)], expected: Option<&str>) {
        let found = cache_folder(|name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(PathBuf::from(value))
        });
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn the_cache_is_under_home_unless_told() {
        check(&[("HOME", "/h")], Some("/h/.cache/reins"));
        check(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")], Some("/x/reins"));
        check(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("REINS_CACHE", "/r")], Some("/r"));
        check(&[], None);
    }
}
