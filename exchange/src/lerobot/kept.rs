//! `reins/episodes.parquet`: of each episode what the format has no place for, so that what was
//! exported can be imported as it was. The observation after the last step is the important part.

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, UInt64Array, cast::AsArray, types::UInt64Type};
use arrow_schema::{DataType, Schema};
use parquet::arrow::ArrowWriter;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wire::{
    EpisodeEnd, EpisodeKind, Frame, Observation, ObservationSpec, Timestamp, TruncationCause,
    UnixNanos,
};

use super::{columns, import::read_batches, kept_path};
use crate::{
    episode::Episode,
    error::{ExchangeError, content, io_error, write_error},
    picture::{self, Fit},
};

/// Of one episode of the data set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub kind: EpisodeKind,
    pub seed: u64,
    pub started_at: UnixNanos,
    pub end: EpisodeEnd,
    pub last_seen: Observation,
}

impl Kept {
    pub fn of(episode: &Episode) -> Self {
        let last_seen = Observation { features: Vec::new(), ..episode.last_seen().clone() };
        Self {
            kind: episode.start.kind,
            seed: episode.start.seed,
            started_at: episode.start.started_at,
            end: episode.end,
            last_seen,
        }
    }
}

fn image_column(camera: &str) -> String {
    format!("last_seen.images.{camera}")
}

/// Written into the file, so that a later reins knows what it reads.
const VERSION: u64 = 1;

pub(super) fn write(
    root: &Path,
    spec: &ObservationSpec,
    episodes: &[Kept],
) -> Result<(), ExchangeError> {
    let path = kept_path(root);
    let folder = path.parent().unwrap_or(root);
    std::fs::create_dir_all(folder).map_err(io_error("making the folder", folder))?;
    let batch =
        RecordBatch::try_from_iter(columns_of(spec, episodes)).map_err(write_error(&path))?;
    write_batch(&path, &batch)
}

/// One batch as one file.
pub(super) fn write_batch(path: &Path, batch: &RecordBatch) -> Result<(), ExchangeError> {
    let file = File::create_new(path).map_err(io_error("making", path))?;
    let properties = super::export::properties(batch.schema_ref().metadata(), &[]);
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(write_error(path))?;
    writer.write(batch).map_err(write_error(path))?;
    writer.close().map_err(write_error(path))?;
    Ok(())
}

/// The batch with this entry in its schema.
pub(super) fn with_metadata(batch: RecordBatch, key: &str, value: String) -> RecordBatch {
    let metadata = [(key.to_owned(), value)].into();
    let schema = Schema::new_with_metadata(batch.schema().fields().clone(), metadata);
    batch.with_schema(Arc::new(schema)).expect("only the metadata differs")
}

fn columns_of(spec: &ObservationSpec, episodes: &[Kept]) -> Vec<(String, ArrayRef)> {
    let unsigned = |of: &dyn Fn(&Kept) -> u64| columns::unsigned(episodes.iter().map(of).collect());
    let kinds: Vec<String> = episodes.iter().map(|kept| word(&kept.kind)).collect();
    let outcomes: Vec<String> = episodes.iter().map(|kept| word(&kept.end.outcome)).collect();
    let truncations: Vec<Option<String>> =
        episodes.iter().map(|kept| kept.end.truncation.as_ref().map(word)).collect();
    let some = |words: &[String]| columns::texts(words.iter().map(|w| Some(w.as_str())).collect());
    let state = episodes.iter().flat_map(|kept| kept.last_seen.proprio.iter().copied());
    let mut found = vec![
        ("version".to_owned(), unsigned(&|_| VERSION)),
        ("kind".to_owned(), some(&kinds)),
        ("seed".to_owned(), unsigned(&|kept| kept.seed)),
        ("started_at_unix_ns".to_owned(), unsigned(&|kept| kept.started_at.0)),
        ("steps".to_owned(), unsigned(&|kept| kept.end.steps.into())),
        ("outcome".to_owned(), some(&outcomes)),
        (
            "truncation".to_owned(),
            columns::texts(truncations.iter().map(Option::as_deref).collect()),
        ),
        ("human_steps".to_owned(), unsigned(&|kept| kept.end.human_steps.into())),
        ("interventions".to_owned(), unsigned(&|kept| kept.end.interventions.into())),
        ("last_seen.captured_at_ns".to_owned(), unsigned(&|kept| kept.last_seen.captured_at.0)),
    ];
    if spec.proprio_dim > 0 {
        let state = columns::floats(state.collect(), spec.proprio_dim);
        found.push(("last_seen.state".to_owned(), state));
    }
    for (index, camera) in spec.cameras.iter().enumerate() {
        let files: Vec<_> =
            episodes.iter().map(|kept| picture::encode(&kept.last_seen.frames[index])).collect();
        found.push((image_column(&camera.name), columns::binaries(&files)));
    }
    found
}

/// By the number of the episode in the data set; empty where there is no such file.
pub(super) fn read(
    root: &Path,
    spec: &ObservationSpec,
    fit: Option<&dyn Fit>,
) -> Result<BTreeMap<u64, Kept>, ExchangeError> {
    let path = kept_path(root);
    let mut found = BTreeMap::new();
    if !path.exists() {
        return Ok(found);
    }
    for batch in read_batches(&path)? {
        let batch = batch?;
        for kept in of_batch(&batch, spec, fit).map_err(|what| content(&path, what))? {
            found.insert(found.len() as u64, kept);
        }
    }
    Ok(found)
}

fn of_batch(
    batch: &RecordBatch,
    spec: &ObservationSpec,
    fit: Option<&dyn Fit>,
) -> Result<Vec<Kept>, String> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
    let unsigned = |name: &str| -> Result<UInt64Array, String> {
        let numbers = arrow_cast::cast(column(name)?, &DataType::UInt64);
        Ok(numbers.map_err(|e| format!("{name}: {e}"))?.as_primitive::<UInt64Type>().clone())
    };
    let versions = unsigned("version")?;
    if let Some(other) = versions.iter().flatten().find(|version| *version != VERSION) {
        return Err(format!("it has version {other}, this reins reads version {VERSION}"));
    }
    let texts = |name: &str| columns::to_texts(column(name)?);
    let (kinds, outcomes) = (texts("kind")?, texts("outcome")?);
    let truncations = texts("truncation")?;
    let (seeds, started) = (unsigned("seed")?, unsigned("started_at_unix_ns")?);
    let (steps, human_steps) = (unsigned("steps")?, unsigned("human_steps")?);
    let interventions = unsigned("interventions")?;
    let captured = unsigned("last_seen.captured_at_ns")?;
    let states = match spec.proprio_dim {
        0 => vec![Vec::new(); batch.num_rows()],
        dim => columns::to_vectors(column("last_seen.state")?, dim)?,
    };
    let mut frames = vec![Vec::new(); batch.num_rows()];
    for camera in &spec.cameras {
        let files = columns::to_binaries(column(&image_column(&camera.name))?)?;
        for (row, of_row) in frames.iter_mut().enumerate() {
            let frame = picture::decode(files.value(row))?;
            of_row.push(picture::fitted(fit, camera, frame)?);
        }
    }
    let short = |number: u64| u32::try_from(number).map_err(|_| format!("{number} is too many"));
    let one = |(row, (proprio, frames)): (usize, (Vec<f32>, Vec<Frame>))| {
        Ok(Kept {
            kind: from_word(kinds[row].as_deref())?,
            seed: seeds.value(row),
            started_at: UnixNanos(started.value(row)),
            end: EpisodeEnd {
                steps: short(steps.value(row))?,
                outcome: from_word(outcomes[row].as_deref())?,
                truncation: match truncations[row].as_deref() {
                    None => None,
                    cause => Some(from_word::<TruncationCause>(cause)?),
                },
                human_steps: short(human_steps.value(row))?,
                interventions: short(interventions.value(row))?,
            },
            last_seen: Observation {
                captured_at: Timestamp(captured.value(row)),
                proprio,
                frames,
                features: Vec::new(),
            },
        })
    };
    states.into_iter().zip(frames).enumerate().map(one).collect()
}

/// The name of a plain enumeration's variant.
fn word(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(Value::String(word)) => word,
        _ => unreachable!("only plain enumerations are written as words"),
    }
}

fn from_word<T: DeserializeOwned>(word: Option<&str>) -> Result<T, String> {
    let word = word.ok_or("a word is missing")?;
    serde_json::from_value(Value::String(word.to_owned())).map_err(|e| e.to_string())
}
