//! Lays a component under `third_party/`: unpacked beside, moved into place, and stamped last, so
//! that an interrupted set-up is seen as such and done again.

use super::hash;
use super::parts::{Archive, Component, Take};
use crate::progress::Progress;
use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Component as Part, Path, PathBuf};

/// True if this very component was laid and all its files are still there at their full length.
pub fn is_laid(component: &Component, third_party: &Path) -> bool {
    let Ok(stamp) = fs::read_to_string(stamp_file(component, third_party)) else { return false };
    let mut lines = stamp.lines();
    let folder = third_party.join(component.folder);
    let is_whole = |line: &str| {
        let (bytes, path) = line.split_once(' ').unwrap_or(("", line));
        fs::metadata(folder.join(path)).is_ok_and(|found| found.len().to_string() == bytes)
    };
    lines.next() == Some(recipe(component).as_str()) && lines.all(is_whole)
}

/// Lays the component anew. What else lies in its folder stays.
pub fn lay(component: &Component, downloads: &Path, third_party: &Path) -> anyhow::Result<()> {
    let incoming = third_party.join(".incoming");
    remove(&incoming)?;
    fs::create_dir_all(&incoming).with_context(|| writing(&incoming))?;
    for (archive, takes) in component.from {
        let file = downloads.join(archive.file);
        unpack(archive, &file, takes, &incoming)
            .with_context(|| format!("could not unpack {}", file.display()))?;
    }
    for (path, target) in component.links {
        let link = incoming.join(path);
        symlink(target, &link).with_context(|| writing(&link))?;
    }
    let folder = third_party.join(component.folder);
    let stamp_file = stamp_file(component, third_party);
    remove(&stamp_file)?;
    fs::create_dir_all(&folder).with_context(|| writing(&folder))?;
    for entry in fs::read_dir(&incoming).with_context(|| writing(&incoming))? {
        let entry = entry.with_context(|| writing(&incoming))?;
        let place = folder.join(entry.file_name());
        remove(&place)?;
        fs::rename(entry.path(), &place).with_context(|| writing(&place))?;
    }
    remove(&incoming)?;
    write_stamp(component, &folder, &stamp_file)
}

fn writing(path: &Path) -> String {
    format!("could not write {}", path.display())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.with_context(|| format!("could not remove {}", path.display()))
}

fn stamp_file(component: &Component, third_party: &Path) -> PathBuf {
    third_party.join(format!(".{}.stamp", component.folder))
}

/// Changes with every version, hash and path of the table.
fn recipe(component: &Component) -> String {
    hash::hex(&Sha256::digest(format!("{component:?}")))
}

/// First line the recipe, then length and path of every file taken.
fn write_stamp(component: &Component, folder: &Path, stamp_file: &Path) -> anyhow::Result<()> {
    let mut stamp = format!("{}\n", recipe(component));
    let takes = component.from.iter().flat_map(|(_, takes)| *takes);
    let files = takes.filter_map(|take| match take {
        Take::File(_, to) => Some(*to),
        Take::Tree(..) | Take::Libraries(..) => None,
    });
    let links = component.links.iter().map(|(path, _)| *path);
    let trees = component.from.iter().flat_map(|(_, takes)| *takes).filter_map(|take| match take {
        Take::Tree(_, to) | Take::Libraries(_, to) => Some(*to),
        Take::File(..) => None,
    });
    let mut paths: Vec<PathBuf> = files.chain(links).map(PathBuf::from).collect();
    for tree in trees {
        list(folder, Path::new(tree), &mut paths)?;
    }
    paths.sort();
    paths.dedup();
    for path in paths {
        let found = fs::metadata(folder.join(&path))
            .with_context(|| format!("{} was not laid", folder.join(&path).display()))?;
        writeln!(stamp, "{} {}", found.len(), path.display()).expect("a String takes all");
    }
    let fresh = stamp_file.with_extension("fresh");
    fs::write(&fresh, stamp).with_context(|| writing(&fresh))?;
    fs::rename(&fresh, stamp_file).with_context(|| writing(stamp_file))
}

/// Adds the files below `folder/below`, as paths below `folder`.
fn list(folder: &Path, below: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let here = folder.join(below);
    for entry in fs::read_dir(&here).with_context(|| format!("{} was not laid", here.display()))? {
        let entry = entry.with_context(|| format!("could not read {}", here.display()))?;
        let path = below.join(entry.file_name());
        if entry.path().is_dir() {
            list(folder, &path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

/// Where a member goes, if it is taken.
fn place(member: &str, takes: &[Take]) -> Option<PathBuf> {
    let is_library = |name: &str| {
        let name = name.rsplit('/').next().unwrap_or(name);
        name.ends_with(".so") || name.contains(".so.")
    };
    let place = takes.iter().find_map(|take| match take {
        Take::File(from, to) => (member == *from).then(|| PathBuf::from(to)),
        Take::Tree(from, to) => Some(Path::new(to).join(member.strip_prefix(from)?)),
        Take::Libraries(from, to) => {
            let rest = member.strip_prefix(from)?;
            is_library(member).then(|| Path::new(to).join(rest))
        }
    })?;
    // The archives are known by hash; a path out of the folder would still be a bug of ours.
    place.components().all(|part| matches!(part, Part::Normal(_))).then_some(place)
}

fn unpack(archive: &Archive, file: &Path, takes: &[Take], to: &Path) -> anyhow::Result<()> {
    let label = format!("unpacking {} {}", archive.package, archive.version);
    if archive.file.ends_with(".whl") {
        unpack_wheel(file, &label, takes, to)
    } else {
        unpack_source(file, &label, takes, to)
    }
}

fn unpack_wheel(file: &Path, label: &str, takes: &[Take], to: &Path) -> anyhow::Result<()> {
    let mut wheel = zip::ZipArchive::new(io::BufReader::new(File::open(file)?))?;
    let mut chosen = Vec::new();
    let mut total = 0;
    for index in 0..wheel.len() {
        let member = wheel.by_index_raw(index)?;
        if let Some(place) = place(member.name(), takes).filter(|_| !member.is_dir()) {
            chosen.push((index, place));
            total += member.size();
        }
    }
    if chosen.is_empty() {
        bail!("it holds nothing of what is to be taken");
    }
    let mut progress = Progress::new(label, total);
    let mut done = 0;
    for (index, place) in chosen {
        copy(&mut wheel.by_index(index)?, &to.join(place), &mut done, &mut progress)?;
    }
    progress.finish();
    Ok(())
}

fn unpack_source(file: &Path, label: &str, takes: &[Take], to: &Path) -> anyhow::Result<()> {
    let compressed = io::BufReader::new(File::open(file)?);
    let mut source = tar::Archive::new(flate2::bufread::GzDecoder::new(compressed));
    let mut taken = 0;
    for member in source.entries()? {
        let mut member = member?;
        let name = member.path()?.to_string_lossy().into_owned();
        let is_file = member.header().entry_type().is_file();
        let Some(place) = place(&name, takes).filter(|_| is_file) else { continue };
        let mut progress = Progress::new(label, member.size());
        copy(&mut member, &to.join(place), &mut 0, &mut progress)?;
        progress.finish();
        taken += 1;
    }
    if taken == 0 {
        bail!("it holds nothing of what is to be taken");
    }
    Ok(())
}

fn copy(
    from: &mut impl Read,
    to: &Path,
    done: &mut u64,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| writing(folder))?;
    }
    let mut file = File::create(to).with_context(|| writing(to))?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..count]).with_context(|| writing(to))?;
        *done += count as u64;
        progress.set(*done);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const LETTERS: Archive = Archive {
        package: "letters",
        version: "1.0",
        file: "letters-1.0-py3-none-any.whl",
        sha256: "",
        bytes: 0,
    };

    const COMPONENT: Component = Component {
        folder: "letters",
        about: "",
        from: &[(
            &LETTERS,
            &[Take::Tree("x/include/", "include/"), Take::File("x/lib/liba.so.1", "lib/liba.so.1")],
        )],
        links: &[("lib/liba.so", "liba.so.1")],
        bytes: 0,
    };

    struct Cell {
        folder: tempfile::TempDir,
    }

    impl Cell {
        /// With a wheel of these members, each holding its own name.
        fn with_wheel(members: &[&str]) -> Cell {
            let folder = tempfile::tempdir().unwrap();
            let file = File::create(folder.path().join(LETTERS.file)).unwrap();
            let mut wheel = zip::ZipWriter::new(file);
            let stored = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            for member in members {
                wheel.start_file(*member, stored).unwrap();
                wheel.write_all(member.as_bytes()).unwrap();
            }
            wheel.finish().unwrap();
            Cell { folder }
        }

        fn path(&self, below: &str) -> PathBuf {
            self.folder.path().join("third_party").join(below)
        }

        fn lay(&self) -> anyhow::Result<()> {
            lay(&COMPONENT, self.folder.path(), &self.path(""))
        }

        fn is_laid(&self) -> bool {
            is_laid(&COMPONENT, &self.path(""))
        }
    }

    const WHOLE: &[&str] = &["x/include/a.h", "x/lib/liba.so.1", "x/lib/libb.so.1"];

    #[test]
    fn a_component_is_laid_with_its_links_and_nothing_else() {
        let cell = Cell::with_wheel(WHOLE);
        assert!(!cell.is_laid());
        cell.lay().unwrap();
        assert!(cell.is_laid());
        assert_eq!(fs::read(cell.path("letters/include/a.h")).unwrap(), b"x/include/a.h");
        assert_eq!(fs::read(cell.path("letters/lib/liba.so")).unwrap(), b"x/lib/liba.so.1");
        assert!(!cell.path("letters/lib/libb.so.1").exists());
        assert!(!cell.path(".incoming").exists());
    }

    /// `harm` is done to a laid component: it must be seen, and mended by laying again.
    #[track_caller]
    fn check_mended(harm: impl Fn(&Cell)) {
        let cell = Cell::with_wheel(WHOLE);
        cell.lay().unwrap();
        harm(&cell);
        assert!(!cell.is_laid());
        cell.lay().unwrap();
        assert!(cell.is_laid());
    }

    #[test]
    fn a_lost_file_is_seen_and_mended() {
        check_mended(|cell| fs::remove_file(cell.path("letters/include/a.h")).unwrap());
    }

    #[test]
    fn a_torn_file_is_seen_and_mended() {
        check_mended(|cell| fs::write(cell.path("letters/lib/liba.so.1"), "torn").unwrap());
    }

    #[test]
    fn another_version_is_seen_and_replaced() {
        check_mended(|cell| fs::write(cell.path(".letters.stamp"), "another\n").unwrap());
    }

    #[test]
    fn what_an_interrupted_set_up_left_is_cleared() {
        check_mended(|cell| {
            fs::remove_file(cell.path(".letters.stamp")).unwrap();
            fs::create_dir_all(cell.path(".incoming/lib")).unwrap();
            fs::write(cell.path(".incoming/lib/half"), "").unwrap();
        });
    }

    #[test]
    fn what_else_lies_in_the_folder_stays() {
        let cell = Cell::with_wheel(WHOLE);
        fs::create_dir_all(cell.path("letters")).unwrap();
        fs::write(cell.path("letters/own"), "mine").unwrap();
        cell.lay().unwrap();
        assert_eq!(fs::read(cell.path("letters/own")).unwrap(), b"mine");
    }

    #[test]
    fn an_archive_without_the_file_is_an_error_that_names_it() {
        let cell = Cell::with_wheel(&["x/include/a.h"]);
        let error = format!("{:#}", cell.lay().unwrap_err());
        assert!(error.contains("liba.so"), "{error}");
        assert!(!cell.is_laid());
    }

    #[test]
    fn members_go_where_the_table_says() {
        let takes = [Take::File("a/f", "g"), Take::Libraries("n/", "m/"), Take::Tree("t/", "u/")];
        let check = |member: &str, expected: Option<&str>| {
            assert_eq!(place(member, &takes), expected.map(PathBuf::from), "{member}");
        };
        check("a/f", Some("g"));
        check("n/c/lib/libx.so.12", Some("m/c/lib/libx.so.12"));
        check("n/c/include/x.h", None);
        check("t/../../etc/passwd", None);
        check("t/deep/file", Some("u/deep/file"));
    }
}
