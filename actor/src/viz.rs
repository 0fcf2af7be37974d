//! Writes `actor.rrd`: what the control loop tells the viewer, as a rerun recording with a layout.
//!
//! The one module of the actor that knows rerun. It runs on a thread of its own, opens no port and
//! never holds the control loop up: whoever sends the events drops them when the channel is full.

mod layout;
mod moment;
mod recording;
mod spans;
mod track;

use std::{
    io,
    path::PathBuf,
    thread::{self, JoinHandle},
};

use crossbeam_channel::Receiver;
use thiserror::Error;

use self::recording::Recording;
use crate::view_event::ViewEvent;

/// Rows that are held back and written together. A crash loses this many of the recording; the
/// steps themselves are in the journal.
const ROWS_TOGETHER: usize = 256;

/// What to write and where.
#[derive(Clone, Debug, PartialEq)]
pub struct VizSettings {
    /// A new file; what was there is written over.
    pub path: PathBuf,
    /// Which layout the viewer uses: the same for all runs of one task.
    pub application_id: String,
    /// The same as the learner's, so that the viewer shows both as one recording.
    pub recording_id: String,
    /// In the order of the task file.
    pub cameras: Vec<String>,
    /// Names of the action's dimensions, for example "x", "grip".
    pub action_names: Vec<String>,
    /// Lower and upper corner of where the TCP of each arm may be (m, the arm's base frame).
    pub workspaces: Vec<([f64; 3], [f64; 3])>,
    /// Of the pictures in the recording, 1 to 100.
    pub jpeg_quality: u8,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VizReport {
    pub steps: u64,
    pub episodes: u64,
    /// Pictures that could not be encoded and are missing.
    pub pictures_lost: u64,
}

#[derive(Debug, Error)]
pub enum VizError {
    #[error("cannot write the recording {}: {source}", path.display())]
    Create { path: PathBuf, source: Box<rerun::RecordingStreamError> },
    #[error("cannot add to the recording {}: {source}", path.display())]
    Write { path: PathBuf, source: Box<rerun::RecordingStreamError> },
    #[error("the recording {} is not complete: {source}", path.display())]
    Finish { path: PathBuf, source: rerun::sink::SinkFlushError },
}

/// Writes until the channel closes. Blocks; see [`spawn`].
pub fn run(events: &Receiver<ViewEvent>, settings: &VizSettings) -> Result<VizReport, VizError> {
    let path = || settings.path.clone();
    let mut recording = Recording::create(settings)
        .map_err(|source| VizError::Create { path: path(), source: source.into() })?;
    let write = |source: rerun::RecordingStreamError| VizError::Write {
        path: path(),
        source: source.into(),
    };
    for event in events {
        recording.add(event).map_err(write)?;
    }
    recording.write_all().map_err(write)?;
    recording.finish().map_err(|source| VizError::Finish { path: path(), source })
}

/// [`run`] on a thread named `viz`.
pub fn spawn(
    events: Receiver<ViewEvent>,
    settings: VizSettings,
) -> io::Result<JoinHandle<Result<VizReport, VizError>>> {
    thread::Builder::new().name("viz".into()).spawn(move || run(&events, &settings))
}

#[cfg(test)]
mod tests;
