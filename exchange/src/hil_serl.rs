//! HIL-SERL's pickles of transitions as episodes: demonstrations, and dumps of its two buffers.
//!
//! A file is a list of dictionaries with `observations` (`state` and a picture per camera),
//! `actions`, `next_observations`, `rewards`, `masks`, `dones`, and where a gripper is learned
//! `grasp_penalty`. Nothing of it is executed: names other than those of numpy's arrays are refused.
//! Where a transition does not begin with what the one before ended with, an episode ends: that is
//! how stretches of a person's driving lie in the buffer of interventions.

mod names;
mod segments;
mod transition;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use tasks::TaskConfig;

use crate::{
    episode::Episode,
    error::{ExchangeError, content, io_error},
    import::CameraNames,
};
use names::Pickle;
use segments::Segments;
use transition::Shapes;

/// Larger files are refused before memory is taken for them.
pub const FILE_MAX: u64 = 8 << 30;

/// What the records have no place for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LeftOut {
    /// Transitions with a penalty for using the gripper.
    pub grasp_penalties: u64,
}

/// Hands over the episodes of `files`, which are read in the order of their numbers.
pub fn import(
    files: &[PathBuf],
    task: &TaskConfig,
    cameras: &CameraNames,
    take: &mut dyn FnMut(Episode) -> Result<(), ExchangeError>,
) -> Result<LeftOut, ExchangeError> {
    let shapes = Shapes { task, cameras };
    let mut segments = Segments::new(task.period());
    let mut left_out = LeftOut::default();
    let mut files = files.to_vec();
    files.sort_by_cached_key(|path| in_order(path));
    for path in &files {
        let bytes = read(path)?;
        read_file(path, &bytes, &shapes, &mut segments, &mut left_out, take)?;
    }
    segments.finish().map_or(Ok(()), take)?;
    Ok(left_out)
}

/// The episodes in the bytes of one file, for tests and the fuzzer.
pub fn parse(bytes: &[u8], task: &TaskConfig) -> Result<Vec<Episode>, ExchangeError> {
    let mut segments = Segments::new(task.period());
    let mut episodes = Vec::new();
    let cameras = CameraNames::default();
    let shapes = Shapes { task, cameras: &cameras };
    let path = Path::new("transitions.pkl");
    read_file(path, bytes, &shapes, &mut segments, &mut LeftOut::default(), &mut |episode| {
        episodes.push(episode);
        Ok(())
    })?;
    episodes.extend(segments.finish());
    Ok(episodes)
}

fn read_file(
    path: &Path,
    bytes: &[u8],
    shapes: &Shapes<'_>,
    segments: &mut Segments,
    left_out: &mut LeftOut,
    take: &mut dyn FnMut(Episode) -> Result<(), ExchangeError>,
) -> Result<(), ExchangeError> {
    let unreadable = |source| ExchangeError::Pickle { path: path.into(), source };
    let pickle = Pickle::load(bytes, 0).map_err(unreadable)?;
    let transitions = pickle
        .items(pickle.root)
        .ok_or_else(|| content(path, "it is no list of transitions, as HIL-SERL writes them"))?;
    for (index, &value) in transitions.iter().enumerate() {
        let transition = shapes
            .transition(&pickle, value)
            .map_err(|what| content(path, format!("transition {index}: {what}")))?;
        left_out.grasp_penalties += u64::from(transition.grasp_penalty != 0.0);
        segments.add(transition).into_iter().try_for_each(&mut *take)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, ExchangeError> {
    let mut file = File::open(path).map_err(io_error("opening", path))?;
    let len = file.metadata().map_err(io_error("reading", path))?.len();
    if len > FILE_MAX {
        return Err(ExchangeError::TooLong { path: path.into(), len, limit: FILE_MAX });
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.by_ref().take(FILE_MAX).read_to_end(&mut bytes).map_err(io_error("reading", path))?;
    Ok(bytes)
}

/// Numbers in names count as numbers, so that `transitions_2000.pkl` comes before
/// `transitions_10000.pkl`.
fn in_order(path: &Path) -> Vec<(u64, String)> {
    let name = path.to_string_lossy();
    let mut parts = Vec::new();
    let mut rest = name.as_ref();
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(text);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        parts.push((0, word.to_owned()));
        parts.push((number.parse().unwrap_or(u64::MAX), number.to_owned()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests;
