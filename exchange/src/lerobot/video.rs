//! Pictures that are kept as videos. Their codec is another's: who exports or imports brings it.
//!
//! A file holds the pictures of several episodes, one behind the other at the data set's rate.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use arrow_array::{RecordBatch, cast::AsArray, types::Float64Type};
use arrow_cast::cast;
use arrow_schema::DataType;
use wire::Frame;

use super::{DataFile, columns};
use crate::error::{ExchangeError, io_error};

pub trait VideoCodec: fmt::Debug {
    /// The pictures of a file, from the first to the last.
    fn read(&self, path: &Path) -> io::Result<Pictures>;

    /// Makes a file of `fps` pictures a second, each of (width, height) pixels.
    fn write(&self, path: &Path, fps: f64, size: (u16, u16)) -> io::Result<Box<dyn VideoSink>>;
}

pub type Pictures = Box<dyn Iterator<Item = io::Result<Frame>>>;

/// A file in the making.
pub trait VideoSink {
    fn write(&mut self, frame: &Frame) -> io::Result<()>;

    /// Returns when the file is whole.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// As `video_path` of `info.json` says.
pub(super) const PATH: &str =
    "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4";

fn path(root: &Path, key: &str, file: DataFile) -> PathBuf {
    root.join(format!("videos/{key}/chunk-{:03}/file-{:03}.mp4", file.chunk, file.file))
}

/// The column of the episodes' metadata that says where a video is.
pub(super) fn column(key: &str, what: &str) -> String {
    format!("videos/{key}/{what}")
}

/// Where an episode's pictures are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub file: DataFile,
    /// Of its first picture, in the time of the file.
    pub from_s: f64,
}

/// The videos of one camera in the making.
pub(super) struct Film<'a> {
    codec: &'a dyn VideoCodec,
    root: PathBuf,
    pub key: String,
    size: (u16, u16),
    fps: f64,
    bytes_max: u64,
    files_per_chunk: u32,
    file: DataFile,
    open: Option<Box<dyn VideoSink>>,
    /// In the open file.
    pictures: u64,
}

impl<'a> Film<'a> {
    /// `bytes_max`: a file that has reached this is followed by another.
    pub fn new(
        codec: &'a dyn VideoCodec,
        (root, key): (&Path, String),
        (size, fps): ((u16, u16), f64),
        (bytes_max, files_per_chunk): (u64, u32),
    ) -> Self {
        Self {
            codec,
            root: root.to_owned(),
            key,
            size,
            fps,
            bytes_max,
            files_per_chunk,
            file: DataFile::default(),
            open: None,
            pictures: 0,
        }
    }

    pub fn add(&mut self, frames: &[&Frame]) -> Result<Span, ExchangeError> {
        let mut path = self.path();
        let len = path.metadata().map_or(0, |about| about.len());
        if self.open.is_some() && len >= self.bytes_max {
            self.finish()?;
            self.file = self.file.next(self.files_per_chunk);
            path = self.path();
        }
        let sink = match &mut self.open {
            Some(sink) => sink,
            none => {
                let folder = path.parent().unwrap_or(&path);
                fs::create_dir_all(folder).map_err(io_error("making the folder", folder))?;
                let made = self.codec.write(&path, self.fps, self.size);
                self.pictures = 0;
                none.insert(made.map_err(io_error("making the video", &path))?)
            }
        };
        for frame in frames {
            sink.write(frame).map_err(io_error("writing the video", &path))?;
        }
        let span = Span { file: self.file, from_s: self.pictures as f64 / self.fps };
        self.pictures += frames.len() as u64;
        Ok(span)
    }

    pub fn finish(&mut self) -> Result<(), ExchangeError> {
        match self.open.take() {
            Some(sink) => sink.finish().map_err(io_error("writing the video", self.path())),
            None => Ok(()),
        }
    }

    fn path(&self) -> PathBuf {
        path(&self.root, &self.key, self.file)
    }
}

/// The videos of a data set, read in the order of its rows.
pub(super) struct Videos<'a> {
    codec: Option<&'a dyn VideoCodec>,
    root: &'a Path,
    fps: f64,
    /// By feature and episode.
    pub spans: BTreeMap<String, BTreeMap<i64, Span>>,
    open: BTreeMap<String, Open>,
}

struct Open {
    file: DataFile,
    /// The number of the picture that comes next.
    next: u64,
    pictures: Pictures,
}

impl<'a> Videos<'a> {
    /// `keys`: the features that are videos.
    pub fn new(
        codec: Option<&'a dyn VideoCodec>,
        root: &'a Path,
        fps: f64,
        keys: impl IntoIterator<Item = String>,
    ) -> Self {
        let spans = keys.into_iter().map(|key| (key, BTreeMap::new())).collect();
        Self { codec, root, fps, spans, open: BTreeMap::new() }
    }

    /// Takes in where the metadata says that the pictures of these episodes are; what is wrong in words.
    pub fn locate(&mut self, metadata: &RecordBatch, episodes: &[i64]) -> Result<(), String> {
        for (key, known) in &mut self.spans {
            known.extend(episodes.iter().copied().zip(spans(metadata, key)?));
        }
        Ok(())
    }

    /// The picture of a row; what is wrong in words.
    pub fn frame(
        &mut self,
        key: &str,
        (episode, frame_index): (i64, i64),
    ) -> Result<Frame, String> {
        let span = self.spans.get(key).and_then(|spans| spans.get(&episode)).ok_or_else(|| {
            format!("the metadata does not say where the pictures {key} of episode {episode} are")
        })?;
        let first = (span.from_s * self.fps).round() as u64;
        let wanted = first.saturating_add(u64::try_from(frame_index).unwrap_or(0));
        let path = path(self.root, key, span.file);
        let trouble = |what: String| format!("{}: {what}", path.display());
        let open = self.open.remove(key).filter(|o| o.file == span.file && o.next <= wanted);
        let mut open = match open {
            Some(open) => open,
            None => {
                let codec =
                    self.codec.ok_or_else(|| trouble("nothing here reads videos".into()))?;
                let pictures = codec.read(&path).map_err(|error| trouble(error.to_string()))?;
                Open { file: span.file, next: 0, pictures }
            }
        };
        loop {
            let there = open.next;
            let frame = open.pictures.next().ok_or_else(|| {
                trouble(format!(
                    "it ends after {there} pictures, and row {frame_index} of episode {episode} is \
                     its picture {wanted}: the data set is damaged"
                ))
            })?;
            let frame = frame.map_err(|error| trouble(error.to_string()))?;
            open.next += 1;
            if there < wanted {
                continue;
            }
            self.open.insert(key.to_owned(), open);
            return Ok(frame);
        }
    }
}

/// Of each row of the episodes' metadata where its pictures `key` are.
fn spans(batch: &RecordBatch, key: &str) -> Result<Vec<Span>, String> {
    let of = |what: &str| {
        let name = column(key, what);
        let found = batch.column_by_name(&name);
        found.cloned().ok_or_else(|| format!("it has no column {name}"))
    };
    let numbers = |what: &str| -> Result<Vec<u32>, String> {
        let found = columns::to_whole(&of(what)?).map_err(|why| format!("{what}: {why}"))?;
        let short = |number| u32::try_from(number).map_err(|_| format!("{what} is {number}"));
        found.into_iter().map(short).collect()
    };
    let (chunks, files) = (numbers("chunk_index")?, numbers("file_index")?);
    let from = cast(&of("from_timestamp")?, &DataType::Float64).map_err(|why| why.to_string())?;
    let from = from.as_primitive::<Float64Type>().values().to_vec();
    let span = |((chunk, file), from_s)| Span { file: DataFile { chunk, file }, from_s };
    Ok(chunks.into_iter().zip(files).zip(from).map(span).collect())
}
