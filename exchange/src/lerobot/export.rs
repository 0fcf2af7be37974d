//! A run's journal as a LeRobotDataset: a row group per episode, a new file when one is full.
//! Pictures lie among the data as PNG, or beside it as videos.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field as ArrowField, Schema, SchemaRef};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::{metadata::KeyValue, properties::WriterProperties},
    schema::types::ColumnPath,
};
use serde_json::{Map, Value};
use tasks::TaskConfig;
use wire::{EpisodeKind, Frame};

use super::{
    DataFile, columns, data_path, episodes_path,
    fields::{FIELDS, Field, Row, Values},
    image_key,
    info::{self, Counts, DATA_FILE_MB, FILES_PER_CHUNK, Storage, VIDEO_FILE_MB},
    info_path,
    kept::{self, Kept},
    stats::Summary,
    stats_path, tasks_path,
    video::{self, Film, Span, VideoCodec},
};
use crate::{
    episode::{self, Episode},
    error::{ExchangeError, io_error, write_error},
    place::NewPlace,
};

/// What is exported.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The learner's journal.
    pub journal: &'a Path,
    pub task: &'a TaskConfig,
    /// Name of the cell, as `robot_type`.
    pub robot: &'a str,
}

#[derive(Clone, Debug)]
pub struct ExportOptions<'a> {
    /// All kinds when there is none.
    pub only: Option<EpisodeKind>,
    /// Keep pictures as videos, which changes pixels. None: as PNG, exact.
    pub videos: Option<&'a dyn VideoCodec>,
    /// A data file that has reached this is followed by another.
    pub data_file_bytes: u64,
    /// The same for a video.
    pub video_file_bytes: u64,
    pub files_per_chunk: u32,
}

impl ExportOptions<'_> {
    fn storage(&self) -> Storage {
        if self.videos.is_some() { Storage::Video } else { Storage::Png }
    }
}

impl Default for ExportOptions<'_> {
    fn default() -> Self {
        Self {
            only: None,
            videos: None,
            data_file_bytes: DATA_FILE_MB << 20,
            video_file_bytes: VIDEO_FILE_MB << 20,
            files_per_chunk: FILES_PER_CHUNK,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub episodes: u64,
    pub steps: u64,
}

/// Writes the finished episodes of a journal as a data set at `target`, which must not be there.
pub fn export(
    source: &Source<'_>,
    options: &ExportOptions<'_>,
    target: &Path,
) -> Result<Exported, ExchangeError> {
    let place = NewPlace::begin(target)?;
    let mut writer = Writer::new(source, options, place.path().to_owned())?;
    for episode in episode::finished(source.journal)? {
        let episode = episode?;
        let wanted = options.only.is_none_or(|kind| kind == episode.start.kind);
        if wanted && !episode.steps.is_empty() {
            writer.add(&episode)?;
        }
    }
    let exported = writer.finish(options.only)?;
    place.finish()?;
    Ok(exported)
}

/// Parquet as LeRobot writes it. `without_dictionary`: columns whose values never repeat.
pub(super) fn properties(
    metadata: &HashMap<String, String>,
    without_dictionary: &[ColumnPath],
) -> WriterProperties {
    let pair = |(key, value): (&String, &String)| KeyValue::new(key.clone(), value.clone());
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(metadata.iter().map(pair).collect()));
    for column in without_dictionary {
        builder = builder.set_column_dictionary_enabled(column.clone(), false);
    }
    builder.build()
}

/// What an episode's row of metadata says.
struct Entry {
    length: u64,
    file: DataFile,
    from: u64,
    /// Of each feature, in their order.
    summaries: Vec<Summary>,
    /// Of each camera, where pictures are videos.
    spans: Vec<Span>,
}

struct Writer<'a> {
    source: Source<'a>,
    options: ExportOptions<'a>,
    root: PathBuf,
    file: DataFile,
    open: Option<ArrowWriter<File>>,
    /// Of the newest episode, to know whether the next one will fit.
    episode_bytes: u64,
    features: Vec<(String, Value)>,
    /// Of each camera, where pictures are videos.
    films: Vec<Film<'a>>,
    entries: Vec<Entry>,
    kept: Vec<Kept>,
    frames: u64,
}

impl<'a> Writer<'a> {
    fn new(
        source: &Source<'a>,
        options: &ExportOptions<'a>,
        root: PathBuf,
    ) -> Result<Self, ExchangeError> {
        for folder in ["data", "meta/episodes/chunk-000"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(io_error("making the folder", &folder))?;
        }
        let of_camera = |codec: &'a dyn VideoCodec| {
            let cameras = source.task.observation_spec().cameras;
            let film = |camera: &wire::CameraSpec| {
                Film::new(
                    codec,
                    (&root, image_key(&camera.name)),
                    ((camera.width, camera.height), source.task.step_rate_hz),
                    (options.video_file_bytes, options.files_per_chunk),
                )
            };
            cameras.iter().map(film).collect()
        };
        Ok(Self {
            source: *source,
            options: options.clone(),
            films: options.videos.map(of_camera).unwrap_or_default(),
            root,
            file: DataFile::default(),
            open: None,
            episode_bytes: 0,
            features: info::features(source.task, options.storage()),
            entries: Vec::new(),
            kept: Vec::new(),
            frames: 0,
        })
    }

    fn add(&mut self, episode: &Episode) -> Result<(), ExchangeError> {
        self.roll_when_full()?;
        let path = data_path(&self.root, self.file);
        let (arrays, summaries) = self.columns(episode);
        let schema = self.schema(&arrays);
        let batch = RecordBatch::try_new(schema, arrays).map_err(write_error(&path))?;
        let writer = match &mut self.open {
            Some(writer) => writer,
            none => none.insert(self.source.data_file(&path, &batch)?),
        };
        let before = writer.bytes_written();
        writer.write(&batch).map_err(write_error(&path))?;
        writer.flush().map_err(write_error(&path))?;
        self.episode_bytes = (writer.bytes_written() - before) as u64;
        let length = episode.steps.len() as u64;
        let spans = self.film(episode)?;
        self.entries.push(Entry { length, file: self.file, from: self.frames, summaries, spans });
        self.kept.push(Kept::of(episode));
        self.frames += length;
        Ok(())
    }

    fn film(&mut self, episode: &Episode) -> Result<Vec<Span>, ExchangeError> {
        let one = |(camera, film): (usize, &mut Film<'a>)| {
            let seen = (0..episode.steps.len()).map(|index| episode.seen_before(index));
            let frames: Vec<&Frame> = seen.map(|seen| &seen.frames[camera]).collect();
            film.add(&frames)
        };
        self.films.iter_mut().enumerate().map(one).collect()
    }

    fn roll_when_full(&mut self) -> Result<(), ExchangeError> {
        let Some(writer) = &self.open else { return Ok(()) };
        if writer.bytes_written() as u64 + self.episode_bytes >= self.options.data_file_bytes {
            self.close_file()?;
            self.file = self.file.next(self.options.files_per_chunk);
        }
        Ok(())
    }

    fn close_file(&mut self) -> Result<(), ExchangeError> {
        if let Some(writer) = self.open.take() {
            writer.close().map_err(write_error(data_path(&self.root, self.file)))?;
        }
        Ok(())
    }

    fn schema(&self, arrays: &[ArrayRef]) -> SchemaRef {
        let columns = self.features.iter().filter(|(_, about)| about["dtype"] != "video");
        let fields: Vec<_> = columns
            .zip(arrays)
            .map(|((name, _), array)| ArrowField::new(name, array.data_type().clone(), true))
            .collect();
        let about = info::for_datasets(self.source.task, self.options.storage());
        Arc::new(Schema::new_with_metadata(fields, [("huggingface".to_owned(), about)].into()))
    }

    /// Every column of an episode, and the figures of every feature. Videos are no columns.
    fn columns(&self, episode: &Episode) -> (Vec<ArrayRef>, Vec<Summary>) {
        let rows: Vec<Row<'_>> = episode
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| Row {
                before: episode.seen_before(index),
                step,
                is_last: index + 1 == episode.steps.len(),
                end: &episode.end,
            })
            .collect();
        let cameras = self.source.task.observation_spec().cameras;
        let column = |(array, summary)| (Some(array), summary);
        let (columns, summaries): (Vec<Option<ArrayRef>>, _) = self
            .features
            .iter()
            .map(|(name, _)| {
                if let Some(field) = FIELDS.iter().find(|field| field.name == *name) {
                    return column(field_column(field, &rows, self.source.task));
                }
                match cameras.iter().position(|camera| image_key(&camera.name) == *name) {
                    Some(camera) => image_column(&rows, camera, self.options.storage()),
                    None => column(self.counting_column(name, rows.len())),
                }
            })
            .unzip();
        (columns.into_iter().flatten().collect(), summaries)
    }

    /// Of the features that every data set has.
    fn counting_column(&self, name: &str, rows: usize) -> (ArrayRef, Summary) {
        let frame_indices = 0..rows as u64;
        if name == "timestamp" {
            let seconds = frame_indices.map(|i| (i as f64 / self.source.task.step_rate_hz) as f32);
            return floats_with_summary(seconds.collect(), 1);
        }
        let of_index = |index: u64| match name {
            "frame_index" => index,
            "episode_index" => self.entries.len() as u64,
            "index" => self.frames + index,
            _ => 0, // the one task
        };
        whole_with_summary(frame_indices.map(|index| of_index(index) as i64).collect())
    }

    fn finish(mut self, only: Option<EpisodeKind>) -> Result<Exported, ExchangeError> {
        self.close_file()?;
        for film in &mut self.films {
            film.finish()?;
        }
        let counts = Counts { episodes: self.entries.len() as u64, frames: self.frames };
        if counts.episodes == 0 {
            let of = match only {
                None => "to export",
                Some(EpisodeKind::Demonstration) => "that is a demonstration",
                Some(EpisodeKind::Training) => "of training",
                Some(EpisodeKind::Evaluation) => "of evaluation",
                Some(EpisodeKind::Labelling) => "of labelling",
            };
            return Err(ExchangeError::Empty { of });
        }
        self.write_episodes()?;
        self.write_tasks()?;
        kept::write(&self.root, &self.source.task.observation_spec(), &self.kept)?;
        write_json(&stats_path(&self.root), &self.stats())?;
        let info = info::info(self.source.task, self.source.robot, self.options.storage(), &counts);
        write_json(&info_path(&self.root), &info)?;
        Ok(Exported { episodes: counts.episodes, steps: counts.frames })
    }

    fn write_tasks(&self) -> Result<(), ExchangeError> {
        let path = tasks_path(&self.root);
        let name = columns::texts(vec![Some(self.source.task.name.as_str())]);
        let batch =
            RecordBatch::try_from_iter([("task_index", columns::whole(vec![0])), ("task", name)])
                .map_err(write_error(&path))?;
        kept::write_batch(&path, &kept::with_metadata(batch, "pandas", info::for_pandas()))
    }

    fn write_episodes(&self) -> Result<(), ExchangeError> {
        let path = episodes_path(&self.root);
        let column = |of: &dyn Fn(&Entry) -> u64| {
            columns::whole(self.entries.iter().map(|entry| of(entry) as i64).collect())
        };
        let numbers: Vec<i64> = (0..self.entries.len() as i64).collect();
        let tasks = vec![vec![self.source.task.name.as_str()]; self.entries.len()];
        let mut found = vec![
            ("episode_index".to_owned(), columns::whole(numbers)),
            ("tasks".to_owned(), columns::text_lists(&tasks)),
            ("length".to_owned(), column(&|entry| entry.length)),
            ("data/chunk_index".to_owned(), column(&|entry| entry.file.chunk.into())),
            ("data/file_index".to_owned(), column(&|entry| entry.file.file.into())),
            ("dataset_from_index".to_owned(), column(&|entry| entry.from)),
            ("dataset_to_index".to_owned(), column(&|entry| entry.from + entry.length)),
        ];
        for (camera, film) in self.films.iter().enumerate() {
            found.extend(self.span_columns(camera, &film.key));
        }
        for (feature, (name, about)) in self.features.iter().enumerate() {
            let of_pictures = is_of_pictures(about);
            let all: Vec<&Summary> =
                self.entries.iter().map(|entry| &entry.summaries[feature]).collect();
            let names: Vec<&str> = all[0].named().map(|(figure, _)| figure).collect();
            for (at, figure) in names.into_iter().enumerate() {
                let lists: Vec<&[f64]> = all
                    .iter()
                    .filter_map(|summary| summary.named().nth(at))
                    .map(|(_, list)| list)
                    .collect();
                let array = columns::number_lists(&lists, of_pictures);
                found.push((format!("stats/{name}/{figure}"), array));
            }
            let counts: Vec<_> = all.iter().map(|summary| vec![summary.count as i64]).collect();
            found.push((format!("stats/{name}/count"), columns::whole_lists(&counts)));
        }
        found.push(("meta/episodes/chunk_index".to_owned(), column(&|_| 0)));
        found.push(("meta/episodes/file_index".to_owned(), column(&|_| 0)));
        let batch = RecordBatch::try_from_iter(found).map_err(write_error(&path))?;
        kept::write_batch(&path, &batch)
    }

    /// Where the pictures of a camera are.
    fn span_columns(&self, camera: usize, key: &str) -> [(String, ArrayRef); 4] {
        let whole = |of: &dyn Fn(&Span) -> u32| {
            columns::whole(
                self.entries.iter().map(|entry| of(&entry.spans[camera]).into()).collect(),
            )
        };
        let from = self.entries.iter().map(|entry| entry.spans[camera].from_s);
        let to = self.entries.iter().map(|entry| {
            entry.spans[camera].from_s + entry.length as f64 / self.source.task.step_rate_hz
        });
        [
            (video::column(key, "chunk_index"), whole(&|span| span.file.chunk)),
            (video::column(key, "file_index"), whole(&|span| span.file.file)),
            (video::column(key, "from_timestamp"), columns::doubles(from.collect())),
            (video::column(key, "to_timestamp"), columns::doubles(to.collect())),
        ]
    }

    fn stats(&self) -> Value {
        let of_feature = |(at, (name, about)): (usize, &(String, Value))| {
            let parts: Vec<&Summary> =
                self.entries.iter().map(|entry| &entry.summaries[at]).collect();
            let all = Summary::of_all(&parts)?;
            Some((name.clone(), all.to_json(is_of_pictures(about))))
        };
        let stats: Map<_, _> = self.features.iter().enumerate().filter_map(of_feature).collect();
        Value::Object(stats)
    }
}

impl Source<'_> {
    fn data_file(
        &self,
        path: &Path,
        batch: &RecordBatch,
    ) -> Result<ArrowWriter<File>, ExchangeError> {
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder).map_err(io_error("making the folder", folder))?;
        let file = File::create_new(path).map_err(io_error("making", path))?;
        let cameras = self.task.observation_spec().cameras;
        let pictures: Vec<_> = cameras
            .iter()
            .map(|camera| ColumnPath::new(vec![image_key(&camera.name), "bytes".into()]))
            .collect();
        let properties = properties(batch.schema_ref().metadata(), &pictures);
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(write_error(path))
    }
}

fn field_column(field: &Field, rows: &[Row<'_>], task: &TaskConfig) -> (ArrayRef, Summary) {
    match field.values {
        Values::Float(of) => floats_with_summary(rows.iter().map(of).collect(), 1),
        Values::Whole(of) => whole_with_summary(rows.iter().map(of).collect()),
        Values::Flag(of) => {
            let flags: Vec<bool> = rows.iter().map(of).collect();
            let numbers: Vec<f64> = flags.iter().map(|flag| f64::from(u8::from(*flag))).collect();
            (columns::flags(flags), Summary::of_rows(&numbers, 1))
        }
        Values::Vector(width, of) => {
            let width = width.of(task);
            floats_with_summary(rows.iter().flat_map(|row| of(row, width)).collect(), width)
        }
    }
}

fn floats_with_summary(values: Vec<f32>, width: usize) -> (ArrayRef, Summary) {
    let numbers: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
    (columns::floats(values, width), Summary::of_rows(&numbers, width))
}

fn whole_with_summary(values: Vec<i64>) -> (ArrayRef, Summary) {
    let numbers: Vec<f64> = values.iter().map(|value| *value as f64).collect();
    (columns::whole(values), Summary::of_rows(&numbers, 1))
}

fn is_of_pictures(about: &Value) -> bool {
    about["dtype"] == "image" || about["dtype"] == "video"
}

fn image_column(rows: &[Row<'_>], camera: usize, storage: Storage) -> (Option<ArrayRef>, Summary) {
    let frames: Vec<&Frame> = rows.iter().map(|row| &row.before.frames[camera]).collect();
    let column = (storage == Storage::Png).then(|| {
        let files: Vec<_> = frames.iter().map(|frame| crate::picture::encode(frame)).collect();
        columns::images(&files)
    });
    (column, Summary::of_frames(&frames))
}

fn write_json(path: &Path, value: &Value) -> Result<(), ExchangeError> {
    let text = serde_json::to_string_pretty(value).map_err(write_error(path))?;
    fs::write(path, text).map_err(io_error("writing", path))
}
