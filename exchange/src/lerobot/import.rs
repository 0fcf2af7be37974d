//! A LeRobotDataset as episodes.
//!
//! The format has no observation after an episode's last action. Where we exported the data set, it
//! is kept beside it. Elsewhere a last step that terminates gets the one before it, since no value
//! bootstraps from it; a last step that does not is left out, and the episode is truncated where its
//! last observation was seen.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use arrow_array::{ArrayRef, RecordBatch, cast::AsArray, types::Int64Type};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::Value;
use tasks::TaskConfig;
use wire::{
    Action, ActionSource, ActorId, CameraSpec, EpisodeEnd, EpisodeId, EpisodeKind, EpisodeStart,
    Frame, GateEvents, Judgement, MAX_ACTION_DIM, Observation, ObservationSpec, Outcome,
    PolicyVersion, Step, Timestamp, TruncationCause, UnixNanos,
};

use super::{
    ACTION, IMAGES, STATE, columns,
    fields::name,
    info_path,
    kept::{self, Kept},
    video::{VideoCodec, Videos},
};
use crate::{
    episode::Episode,
    error::{ExchangeError, arrow_error, content, io_error},
    import::CameraNames,
    picture::{self, Fit},
};

/// Larger files, row groups and episodes are refused before memory is taken for them.
const INFO_MAX: u64 = 16 << 20;
const FILE_MAX: u64 = 8 << 30;
const ROW_GROUP_MAX: i64 = 4 << 30;
const EPISODE_STEPS_MAX: usize = 1 << 20;
/// Rows that are in memory as Arrow columns at a time.
const BATCH_ROWS: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct ImportOptions<'a> {
    pub cameras: CameraNames,
    /// Reads data sets whose pictures are videos; without it they are refused.
    pub videos: Option<&'a dyn VideoCodec>,
    /// Brings pictures of another size to the task's; without it they are refused.
    pub fit: Option<&'a dyn Fit>,
    /// Take every episode for one that ends in success, whatever it says of rewards.
    pub assume_success: bool,
}

/// Hands over the episodes of the data set at `root`, in order.
pub fn import(
    root: &Path,
    task: &TaskConfig,
    options: &ImportOptions<'_>,
    take: &mut dyn FnMut(Episode) -> Result<(), ExchangeError>,
) -> Result<(), ExchangeError> {
    let spec = task.observation_spec();
    let info = read_info(root)?;
    let sources = Sources::of(&info.features, &spec, options, root)?;
    let mut videos = Videos::new(options.videos, root, info.fps, sources.videos());
    let lengths = read_lengths(root, &mut videos)?;
    // What we kept is under our own camera names, and only of use for the data as it was exported.
    let kept = match sources.are_ours {
        true => kept::read(root, &spec, options.fit)?,
        false => BTreeMap::new(),
    };
    let assembler = Assembler { task, options, kept, lengths };
    let mut hand_over = |samples: Vec<Sample>, path: &Path| {
        let episode = assembler.episode(samples).map_err(|what| content(path, what))?;
        if episode.steps.is_empty() { Ok(()) } else { take(episode) }
    };
    let mut open: Vec<Sample> = Vec::new();
    for path in data_files(root)? {
        for batch in read_batches(&path)? {
            let samples =
                sources.samples(&batch?, task, &mut videos).map_err(|what| content(&path, what))?;
            for sample in samples {
                if open.last().is_some_and(|last| last.episode != sample.episode) {
                    hand_over(std::mem::take(&mut open), &path)?;
                }
                if open.len() >= EPISODE_STEPS_MAX {
                    return Err(content(&path, format!("episode {} is too long", sample.episode)));
                }
                open.push(sample);
            }
        }
    }
    if open.is_empty() { Ok(()) } else { hand_over(open, root) }
}

/// Of `meta/info.json`.
struct Info {
    features: serde_json::Map<String, Value>,
    fps: f64,
}

fn read_info(root: &Path) -> Result<Info, ExchangeError> {
    let path = info_path(root);
    check_len(&path, INFO_MAX)?;
    let text = fs::read_to_string(&path).map_err(io_error("reading", &path))?;
    let info: Value = serde_json::from_str(&text)
        .map_err(|e| content(&path, format!("it is no info.json of a data set ({e})")))?;
    let version = info["codebase_version"].as_str().unwrap_or("none");
    if !version.starts_with("v3.") {
        return Err(content(
            &path,
            format!(
                "the data set has version {version}, v3.0 is read: convert it with LeRobot's own \
                 script"
            ),
        ));
    }
    let fps = info["fps"].as_f64().filter(|fps| fps.is_finite() && *fps > 0.0);
    match &info["features"] {
        Value::Object(features) => Ok(Info {
            features: features.clone(),
            fps: fps.ok_or_else(|| content(&path, "it does not say its `fps`"))?,
        }),
        _ => Err(content(&path, "it describes no features")),
    }
}

fn check_len(path: &Path, limit: u64) -> Result<(), ExchangeError> {
    let len = path.metadata().map_err(io_error("reading", path))?.len();
    match len <= limit {
        true => Ok(()),
        false => Err(ExchangeError::TooLong { path: path.into(), len, limit }),
    }
}

/// `data/chunk-*/file-*.parquet`, sorted.
fn data_files(root: &Path) -> Result<Vec<PathBuf>, ExchangeError> {
    let mut found = Vec::new();
    let data = root.join("data");
    for chunk in sorted_entries(&data)? {
        if chunk.is_dir() {
            let files = sorted_entries(&chunk)?;
            found.extend(
                files.into_iter().filter(|file| file.extension() == Some("parquet".as_ref())),
            );
        }
    }
    match found.is_empty() {
        true => Err(content(data, "there are no Parquet files in it")),
        false => Ok(found),
    }
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, ExchangeError> {
    let reading = || io_error("reading the folder", folder);
    let entries = fs::read_dir(folder).map_err(reading())?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>().map_err(reading())?;
    paths.sort();
    Ok(paths)
}

/// The batches of a Parquet file, once its sizes are known to be bearable.
pub(super) fn read_batches(
    path: &Path,
) -> Result<impl Iterator<Item = Result<RecordBatch, ExchangeError>>, ExchangeError> {
    let reader = reader(path)?;
    let path = path.to_owned();
    Ok(reader.map(move |batch| batch.map_err(arrow_error(&path))))
}

fn reader(path: &Path) -> Result<ParquetRecordBatchReader, ExchangeError> {
    check_len(path, FILE_MAX)?;
    let unreadable = |source| ExchangeError::Parquet { path: path.to_owned(), source };
    let file = File::open(path).map_err(io_error("opening", path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?;
    let groups = builder.metadata().row_groups();
    if groups.iter().any(|group| !(0..=ROW_GROUP_MAX).contains(&group.total_byte_size())) {
        return Err(content(path, format!("it has a row group of over {ROW_GROUP_MAX} bytes")));
    }
    builder.with_batch_size(BATCH_ROWS).build().map_err(unreadable)
}

/// How long the metadata says each episode is; empty where there is none. Tells `videos` where their
/// pictures are.
fn read_lengths(root: &Path, videos: &mut Videos<'_>) -> Result<BTreeMap<i64, i64>, ExchangeError> {
    let folder = root.join("meta/episodes");
    let mut lengths = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(lengths);
    }
    for chunk in sorted_entries(&folder)?.into_iter().filter(|path| path.is_dir()) {
        for path in sorted_entries(&chunk)? {
            for batch in read_batches(&path)? {
                let batch = batch?;
                let column = |name| {
                    let column = batch.column_by_name(name);
                    column.and_then(|c| c.as_primitive_opt::<Int64Type>()).ok_or_else(|| {
                        content(&path, format!("it has no column {name} of whole numbers"))
                    })
                };
                let (episodes, found) = (column("episode_index")?, column("length")?);
                let located = videos.locate(&batch, episodes.values());
                located.map_err(|what| content(&path, what))?;
                lengths
                    .extend(episodes.values().iter().copied().zip(found.values().iter().copied()));
            }
        }
    }
    Ok(lengths)
}

/// Which columns are what.
struct Sources<'a> {
    images: Vec<Images>,
    fit: Option<&'a dyn Fit>,
    has_state: bool,
    are_ours: bool,
}

/// A camera's pictures.
struct Images {
    key: String,
    as_video: bool,
    camera: CameraSpec,
}

impl<'a> Sources<'a> {
    /// Keys of those that are videos.
    fn videos(&self) -> impl Iterator<Item = String> {
        self.images.iter().filter(|images| images.as_video).map(|images| images.key.clone())
    }

    fn of(
        features: &serde_json::Map<String, Value>,
        spec: &ObservationSpec,
        options: &ImportOptions<'a>,
        root: &Path,
    ) -> Result<Self, ExchangeError> {
        let path = info_path(root);
        let there: Vec<&str> = features.keys().filter_map(|key| key.strip_prefix(IMAGES)).collect();
        let mut images = Vec::new();
        for camera in &spec.cameras {
            let wanted = options.cameras.key(&camera.name);
            let key = match wanted.starts_with(IMAGES) {
                true => wanted.to_owned(),
                false => format!("{IMAGES}{wanted}"),
            };
            let Some(feature) = features.get(&key) else {
                let name = &camera.name;
                return Err(content(
                    &path,
                    format!(
                        "it has no pictures {key} for the task's camera {name}; it has {there:?}: \
                         name one with --camera KEY={name}"
                    ),
                ));
            };
            let as_video = match feature["dtype"].as_str() {
                Some("image") => false,
                Some("video") => true,
                other => {
                    let dtype = other.unwrap_or("of no type");
                    return Err(content(&path, format!("{key} is {dtype}, no image")));
                }
            };
            images.push(Images { key, as_video, camera: camera.clone() });
        }
        let has = |key: &str| features.contains_key(key);
        if !has(ACTION) {
            return Err(content(&path, "it has no feature `action`"));
        }
        if spec.proprio_dim > 0 && !has(STATE) {
            return Err(content(&path, format!("it has no feature `{STATE}`")));
        }
        if !has(name::REWARD) && !options.assume_success {
            return Err(content(
                &path,
                format!(
                    "it has no feature `{}`: say --assume-success if every episode ends in success",
                    name::REWARD
                ),
            ));
        }
        let fit = options.fit;
        Ok(Self { images, fit, has_state: spec.proprio_dim > 0, are_ours: has(name::CAPTURED_AT) })
    }

    fn samples(
        &self,
        batch: &RecordBatch,
        task: &TaskConfig,
        videos: &mut Videos<'_>,
    ) -> Result<Vec<Sample>, String> {
        let columns = Columns { batch };
        let dim = task.action_spec().dim;
        let rows = batch.num_rows();
        let frame_indices = columns.whole("frame_index")?.ok_or("it has no column frame_index")?;
        let episodes = columns.whole("episode_index")?.ok_or("it has no column episode_index")?;
        let actions = columns.vectors(ACTION, dim)?.ok_or("it has no column action")?;
        let states = match self.has_state {
            true => columns.vectors(STATE, task.proprio_dim())?.ok_or("it has no column state")?,
            false => vec![Vec::new(); rows],
        };
        let mut frames: Vec<Vec<Frame>> = vec![Vec::new(); rows];
        for Images { key, as_video, camera } in &self.images {
            let files = match as_video {
                true => None,
                false => {
                    let column =
                        columns.find(key).ok_or_else(|| format!("it has no column {key}"))?;
                    Some(columns::to_images(column).map_err(|what| format!("{key}: {what}"))?)
                }
            };
            for (row, of_row) in frames.iter_mut().enumerate() {
                let frame = match &files {
                    Some(files) => picture::decode(files.value(row)),
                    None => videos.frame(key, (episodes[row], frame_indices[row])),
                };
                let frame = frame.and_then(|frame| picture::fitted(self.fit, camera, frame));
                of_row.push(frame.map_err(|what| format!("{key}, row {row}: {what}"))?);
            }
        }
        let rewards = columns.floats(name::REWARD)?;
        let flags = |name| columns.flags(name);
        let (done, success) = (flags(name::DONE)?, flags(name::SUCCESS)?);
        let (terminated, truncated) = (flags(name::TERMINATED)?, flags(name::TRUNCATED)?);
        let human = flags(name::INTERVENTION)?;
        let (has_policy, has_human) =
            (flags(name::HAS_POLICY_ACTION)?, flags(name::HAS_HUMAN_ACTION)?);
        let commanded = columns.vectors(name::COMMANDED, dim)?;
        let policy = columns.vectors(name::POLICY_ACTION, dim)?;
        let hand = columns.vectors(name::HUMAN_ACTION, dim)?;
        let versions = columns.whole(name::POLICY_VERSION)?;
        let events = columns.whole(name::GATE_EVENTS)?;
        let captured = columns.whole(name::CAPTURED_AT)?;
        let started = columns.whole(name::STARTED_AT)?;

        let at = |flags: &Option<Vec<bool>>, row: usize| flags.as_ref().map(|flags| flags[row]);
        let optional = |there: &Option<Vec<bool>>, values: &Option<Vec<Vec<f32>>>, row: usize| {
            let there = at(there, row).unwrap_or(false);
            values.as_ref().filter(|_| there).map(|values| action(&values[row]))
        };
        let period = task.period().as_nanos() as i64;
        let mut samples = Vec::with_capacity(rows);
        for (row, (proprio, frames)) in states.into_iter().zip(frames).enumerate() {
            let nanos = |column: &Option<Vec<i64>>| {
                let given = column.as_ref().map(|values| values[row]);
                Timestamp(given.unwrap_or(frame_indices[row].saturating_mul(period)) as u64)
            };
            let executed = action(&actions[row]);
            // Where nothing else is said, an end without a reward is a time limit.
            let terminated = at(&terminated, row).unwrap_or_else(|| {
                let rewarded = rewards.as_ref().is_some_and(|rewards| rewards[row] > 0.0);
                at(&done, row) == Some(true)
                    && at(&truncated, row) != Some(true)
                    && (rewarded || at(&success, row) == Some(true))
            });
            samples.push(Sample {
                episode: episodes[row],
                frame_index: frame_indices[row],
                done: at(&done, row) == Some(true),
                success: at(&success, row),
                observation: Observation {
                    captured_at: nanos(&captured),
                    proprio,
                    frames,
                    features: Vec::new(),
                },
                step: StepDraft {
                    started_at: nanos(&started),
                    source: match at(&human, row) {
                        Some(false) => ActionSource::Policy,
                        _ => ActionSource::Human,
                    },
                    policy_version: PolicyVersion(versions.as_ref().map_or(0, |v| v[row] as u64)),
                    policy_action: optional(&has_policy, &policy, row),
                    human_action: optional(&has_human, &hand, row),
                    commanded_action: match &commanded {
                        Some(commanded) => action(&commanded[row]),
                        None => executed.clone(),
                    },
                    executed_action: executed,
                    gate_events: GateEvents(events.as_ref().map_or(0, |v| v[row] as u32)),
                    reward: rewards.as_ref().map(|rewards| rewards[row]),
                    terminated,
                    truncated: at(&truncated, row).unwrap_or(false),
                },
            });
        }
        Ok(samples)
    }
}

fn action(values: &[f32]) -> Action {
    Action(values.iter().copied().take(MAX_ACTION_DIM).collect())
}

/// Columns by name; `None` where there is none of it.
struct Columns<'a> {
    batch: &'a RecordBatch,
}

impl Columns<'_> {
    fn find(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.column_by_name(name)
    }

    fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&ArrayRef) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.find(name).map(read).transpose().map_err(|what| format!("{name}: {what}"))
    }

    fn vectors(&self, name: &str, width: usize) -> Result<Option<Vec<Vec<f32>>>, String> {
        self.read(name, |column| columns::to_vectors(column, width))
    }

    fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, String> {
        self.read(name, columns::to_floats)
    }

    fn whole(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        self.read(name, columns::to_whole)
    }

    fn flags(&self, name: &str) -> Result<Option<Vec<bool>>, String> {
        self.read(name, columns::to_flags)
    }
}

/// A row as read.
struct Sample {
    episode: i64,
    frame_index: i64,
    done: bool,
    success: Option<bool>,
    /// Before the step.
    observation: Observation,
    step: StepDraft,
}

/// A step that does not know yet what was seen after it.
struct StepDraft {
    started_at: Timestamp,
    source: ActionSource,
    policy_version: PolicyVersion,
    policy_action: Option<Action>,
    human_action: Option<Action>,
    commanded_action: Action,
    executed_action: Action,
    gate_events: GateEvents,
    reward: Option<f32>,
    terminated: bool,
    truncated: bool,
}

impl StepDraft {
    fn followed_by(self, next_observation: Observation, otherwise: f32) -> Step {
        Step {
            started_at: self.started_at,
            source: self.source,
            policy_version: self.policy_version,
            policy_action: self.policy_action,
            human_action: self.human_action,
            commanded_action: self.commanded_action,
            executed_action: self.executed_action,
            gate_events: self.gate_events,
            reward: self.reward.unwrap_or(otherwise),
            judgement: Judgement::default(),
            terminated: self.terminated,
            truncated: self.truncated,
            next_observation,
        }
    }
}

struct Assembler<'a> {
    task: &'a TaskConfig,
    options: &'a ImportOptions<'a>,
    kept: BTreeMap<u64, Kept>,
    lengths: BTreeMap<i64, i64>,
}

impl Assembler<'_> {
    /// What is wrong in words.
    fn episode(&self, samples: Vec<Sample>) -> Result<Episode, String> {
        let number = samples[0].episode;
        let told = self.lengths.get(&number).copied();
        if told.is_some_and(|told| told != samples.len() as i64) {
            return Err(format!(
                "episode {number} has {} rows, its metadata says {}: the data set is damaged",
                samples.len(),
                told.unwrap_or(0)
            ));
        }
        let in_order = samples.iter().zip(0..).all(|(sample, index)| sample.frame_index == index);
        if !in_order {
            return Err(format!("the rows of episode {number} are not 0, 1, 2 and so on"));
        }
        let kept = u64::try_from(number).ok().and_then(|number| self.kept.get(&number));
        match kept {
            Some(kept) if !self.options.assume_success => Ok(self.as_recorded(samples, kept)),
            _ => Ok(self.as_demonstration(samples)),
        }
    }

    /// Of a data set of ours.
    fn as_recorded(&self, samples: Vec<Sample>, kept: &Kept) -> Episode {
        let (first, steps) = self.steps(samples, kept.last_seen.clone());
        Episode {
            actor: ActorId::IMPORTED,
            id: EpisodeId(0),
            start: EpisodeStart {
                kind: kept.kind,
                seed: kept.seed,
                started_at: kept.started_at,
                observation: first,
            },
            steps,
            end: kept.end,
        }
    }

    /// Of a data set of others, which do not say why an episode was driven: to show the task.
    fn as_demonstration(&self, mut samples: Vec<Sample>) -> Episode {
        let last = samples.len() - 1;
        let rewarded = samples[last].step.reward.is_some_and(|reward| reward > 0.0);
        let told = samples.iter().any(|sample| sample.success == Some(true));
        let success = self.options.assume_success
            || told
            || (samples[last].done && samples[last].success.is_none() && rewarded);
        if self.options.assume_success {
            let step = &mut samples[last].step;
            step.reward = Some(self.task.reward.of(1.0));
            (step.terminated, step.truncated) = (true, false);
        }
        let terminated = samples[last].step.terminated;
        let end_seen = samples[last].observation.clone();
        if !terminated {
            // Its true successor is not in the data set, and values would bootstrap from it.
            samples.pop();
            if let Some(new_last) = samples.last_mut() {
                new_last.step.truncated = true;
            }
        }
        for sample in &mut samples {
            if sample.step.source == ActionSource::Human && sample.step.human_action.is_none() {
                sample.step.human_action = Some(sample.step.commanded_action.clone());
            }
        }
        let (first, steps) = match samples.is_empty() {
            true => (end_seen, Vec::new()),
            false => self.steps(samples, end_seen),
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let human = steps.iter().filter(|step| step.source == ActionSource::Human).count();
        let outcome = match (success, terminated) {
            (true, _) => Outcome::Success,
            (false, true) => Outcome::Failure,
            (false, false) => Outcome::Unknown,
        };
        Episode {
            actor: ActorId::IMPORTED,
            id: EpisodeId(0),
            end: EpisodeEnd {
                steps: count(steps.len()),
                outcome,
                truncation: (!terminated).then_some(TruncationCause::TimeLimit),
                human_steps: count(human),
                interventions: 0,
            },
            start: EpisodeStart {
                kind: EpisodeKind::Demonstration,
                seed: 0,
                started_at: UnixNanos(0),
                observation: first,
            },
            steps,
        }
    }

    /// The first observation, and the steps with their successors.
    fn steps(&self, samples: Vec<Sample>, last_seen: Observation) -> (Observation, Vec<Step>) {
        let (observations, drafts): (Vec<_>, Vec<_>) =
            samples.into_iter().map(|sample| (sample.observation, sample.step)).unzip();
        let mut seen = observations.into_iter().chain([last_seen]);
        let first = seen.next().expect("an episode has a row");
        let idle = self.task.reward.of(0.0);
        let steps = drafts.into_iter().zip(seen).map(|(draft, next)| draft.followed_by(next, idle));
        (first, steps.collect())
    }
}
