//! Writes `learner.rrd`: losses, values, temperature, speed, as a rerun recording.
//!
//! The one module of the learner that knows rerun. It has the recording id of the actor, so the
//! viewer shows both files as one recording; the actor's file holds the layout of the whole, and
//! the one here is used when the learner's is opened alone.

use std::{fmt, path::PathBuf, time::Duration};

use rerun::{
    ApplicationId, Color, RecordingStream, RecordingStreamBuilder, RecordingStreamError,
    RecordingStreamResult, Rgba32, Scalars, SeriesLines,
    blueprint::{
        Blueprint, BlueprintPanel, ContainerLike, Grid, SelectionPanel, Tabs, TimePanel,
        TimeSeriesView, components::PanelState,
    },
    log::ChunkBatcherConfig,
    sink::SinkFlushError,
};
use thiserror::Error;

use crate::metrics::{Metrics, UpdateTimings};

/// Rows are few and wanted in few chunks: a chunk costs about as much with one row as with many.
/// A crash loses this much of the recording; `metrics.jsonl` has it all.
const HELD_BACK: Duration = Duration::from_secs(5);

/// Critic updates.
const LEARNER_STEP: &str = "learner_step";
/// Training steps that had arrived, as in the actor's recording.
const ENV_STEP: &str = "env_step";

// The actor's layout knows these names.
const VALUES: &str = "learner/values";
const CRITIC_LOSS: &str = "learner/critic_loss";
const ACTOR_LOSS: &str = "learner/actor_loss";
const GRASP_CRITIC_LOSS: &str = "learner/grasp_critic_loss";
const ENTROPY: &str = "learner/entropy";
const TEMPERATURE: &str = "learner/temperature";
const TEMPERATURE_LOSS: &str = "learner/temperature_loss";
const BATCH_REWARD: &str = "learner/batch_reward";
const SPEED: &str = "learner/updates_per_s";
const UTD: &str = "learner/utd_ratio";
const TIMING: &str = "learner/timing";

// M. Okabe, K. Ito, Color Universal Design (2008).
const BLUE: Color = rgb(0, 114, 178);
const ORANGE: Color = rgb(230, 159, 0);
const GREEN: Color = rgb(0, 158, 115);
const SKY: Color = rgb(86, 180, 233);
const VERMILION: Color = rgb(213, 94, 0);
const GREY: Color = rgb(140, 146, 153);

const fn rgb(r: u8, g: u8, b: u8) -> Color {
    Color(Rgba32::from_rgb(r, g, b))
}

/// What to write and where. The two ids must be the actor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VizSettings {
    /// A new file; what was there is written over.
    pub path: PathBuf,
    pub application_id: String,
    pub recording_id: String,
}

#[derive(Debug, Error)]
pub enum VizError {
    #[error("cannot write the recording {}: {source}", path.display())]
    Write { path: PathBuf, source: Box<RecordingStreamError> },
    #[error("the recording {} is not complete: {source}", path.display())]
    Finish { path: PathBuf, source: SinkFlushError },
}

/// The recording while the learner runs. Dropping it ends the file.
pub struct LearnerViz {
    path: PathBuf,
    stream: RecordingStream,
}

impl fmt::Debug for LearnerViz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LearnerViz({})", self.path.display())
    }
}

impl LearnerViz {
    pub fn create(settings: VizSettings) -> Result<Self, VizError> {
        let VizSettings { path, application_id, recording_id } = settings;
        let stream = RecordingStreamBuilder::new(ApplicationId::new_or_unknown(application_id))
            .recording_id(recording_id)
            .with_default_blueprint(blueprint())
            .batcher_config(ChunkBatcherConfig {
                flush_tick: HELD_BACK,
                ..ChunkBatcherConfig::DEFAULT
            })
            .save(&path)
            .and_then(|stream| {
                stream.set_log_tick_enabled(false);
                write_what_never_changes(&stream)?;
                Ok(stream)
            });
        match stream {
            Ok(stream) => Ok(Self { path, stream }),
            Err(source) => Err(VizError::Write { path, source: source.into() }),
        }
    }

    pub fn log_update(&mut self, learner_step: u64, metrics: &Metrics) -> Result<(), VizError> {
        self.write(learner_step, metrics)
            .map_err(|source| VizError::Write { path: self.path.clone(), source: source.into() })
    }

    /// Waits until everything is in the file.
    pub fn finish(self) -> Result<(), VizError> {
        self.stream.flush_blocking().map_err(|source| VizError::Finish { path: self.path, source })
    }

    fn write(&self, learner_step: u64, metrics: &Metrics) -> RecordingStreamResult<()> {
        let stream = &self.stream;
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        stream.set_time_sequence(LEARNER_STEP, signed(learner_step));
        stream.set_time_sequence(ENV_STEP, signed(metrics.env_steps));
        let one = |path: &str, value: Option<f32>| match value {
            Some(value) => stream.log(path, &Scalars::single(f64::from(value))),
            None => Ok(()),
        };
        let values = [metrics.mean_q, metrics.target_q].map(f64::from);
        stream.log(VALUES, &Scalars::new(values))?;
        one(CRITIC_LOSS, Some(metrics.critic_loss))?;
        if metrics.actor_loss.is_some() || metrics.bc_loss.is_some() {
            let losses = [metrics.actor_loss, metrics.bc_loss];
            let losses = losses.map(|loss| loss.map_or(f64::NAN, f64::from));
            stream.log(ACTOR_LOSS, &Scalars::new(losses))?;
        }
        one(GRASP_CRITIC_LOSS, metrics.grasp_critic_loss)?;
        one(ENTROPY, metrics.entropy)?;
        one(TEMPERATURE, metrics.temperature)?;
        one(TEMPERATURE_LOSS, metrics.temperature_loss)?;
        one(BATCH_REWARD, Some(metrics.batch_reward))?;
        stream.log(SPEED, &Scalars::single(metrics.updates_per_s))?;
        stream.log(UTD, &Scalars::single(metrics.utd_reached))?;
        stream.log(TIMING, &Scalars::new(metrics.timings.named().map(|(_, ms)| ms)))
    }
}

/// Names and colours.
fn write_what_never_changes(stream: &RecordingStream) -> RecordingStreamResult<()> {
    let timing_names = UpdateTimings::default().named().map(|(name, _)| name);
    let series: [(&str, &[&str], &[Color]); 11] = [
        (VALUES, &["Q of the batch", "target"], &[BLUE, ORANGE]),
        (CRITIC_LOSS, &["critic loss"], &[BLUE]),
        (ACTOR_LOSS, &["actor loss", "behaviour cloning"], &[GREEN, VERMILION]),
        (GRASP_CRITIC_LOSS, &["grasp critic loss"], &[SKY]),
        (ENTROPY, &["entropy (nats)"], &[BLUE]),
        (TEMPERATURE, &["temperature"], &[ORANGE]),
        (TEMPERATURE_LOSS, &["temperature loss"], &[GREY]),
        (BATCH_REWARD, &["reward of the batch"], &[GREEN]),
        (SPEED, &["updates per second"], &[BLUE]),
        (UTD, &["critic updates per env step"], &[VERMILION]),
        (TIMING, &timing_names, &[SKY, GREEN, BLUE, ORANGE, VERMILION, GREY]),
    ];
    for (path, names, colors) in series {
        let lines = SeriesLines::new()
            .with_names(names.iter().copied())
            .with_colors(colors.iter().copied())
            .with_widths(std::iter::repeat_n(1.5_f32, names.len()));
        stream.log_static(path, &lines)?;
    }
    Ok(())
}

/// The learner alone.
fn blueprint() -> Blueprint {
    let plots = Grid::new([
        plot("Q and its target", &[VALUES]),
        plot("critic loss", &[CRITIC_LOSS]),
        plot("actor loss", &[ACTOR_LOSS]),
        plot("entropy", &[ENTROPY]),
        plot("temperature", &[TEMPERATURE]),
        plot("updates per env step", &[UTD]),
        plot("updates per second", &[SPEED]),
        plot("milliseconds per update", &[TIMING]),
    ])
    .with_grid_columns(2)
    .with_name("learning");
    Blueprint::new(Tabs::new([plots.into()]))
        .with_auto_views(false)
        .with_blueprint_panel(BlueprintPanel::from_state(PanelState::Collapsed))
        .with_selection_panel(SelectionPanel::from_state(PanelState::Collapsed))
        .with_time_panel(
            TimePanel::new().with_state(PanelState::Collapsed).with_timeline(LEARNER_STEP),
        )
}

fn plot(name: &str, paths: &[&str]) -> ContainerLike {
    let contents = paths.iter().map(|path| format!("/{path}"));
    TimeSeriesView::new(name).with_contents(contents).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rerun::{
        dataframe::{ChunkStoreConfig, EntityPath, QueryEngine, QueryExpression, TimelineName},
        external::re_log_types::StoreKind,
    };

    use super::*;

    fn record(path: &Path, lines: u64) {
        let mut viz = LearnerViz::create(VizSettings {
            path: path.into(),
            application_id: "reins test".into(),
            recording_id: "made up".into(),
        })
        .unwrap();
        for i in 0..lines {
            let age = i as f32 / lines as f32;
            let metrics = Metrics {
                env_steps: 4 * i,
                critic_loss: 0.3 * (-3.0 * age).exp(),
                mean_q: age,
                target_q: 0.97 * age,
                actor_loss: Some(-age),
                temperature: Some(0.01 * (1.0 - age)),
                entropy: Some(-3.0 * age),
                updates_per_s: 20.0,
                utd_reached: 4.0,
                timings: UpdateTimings { sample_ms: 3.0, critic_ms: 30.0, ..Default::default() },
                ..Metrics::default()
            };
            viz.log_update(100 * i, &metrics).unwrap();
        }
        viz.finish().unwrap();
    }

    fn rows(path: &Path, entity: &str, timeline: &'static str) -> u64 {
        let stores = QueryEngine::from_rrd_filepath(&ChunkStoreConfig::DEFAULT, path).unwrap();
        let recording = stores.into_iter().find(|(id, _)| id.kind() == StoreKind::Recording);
        let (id, engine) = recording.expect("the file holds a recording");
        assert_eq!(id.recording_id().as_str(), "made up");
        let query = QueryExpression {
            view_contents: Some([(EntityPath::from(entity), None)].into_iter().collect()),
            filtered_index: Some(TimelineName::from(timeline)),
            ..QueryExpression::default()
        };
        engine.query(query).num_rows()
    }

    /// `REINS_KEEP_RECORDING=folder` keeps the file.
    #[test]
    fn every_line_of_metrics_is_in_the_recording() {
        let folder = tempfile::tempdir().unwrap();
        let kept = std::env::var_os("REINS_KEEP_RECORDING").map(PathBuf::from);
        let path = kept.as_deref().unwrap_or(folder.path()).join("learner.rrd");
        record(&path, 200);
        for entity in [VALUES, CRITIC_LOSS, ACTOR_LOSS, TEMPERATURE, TIMING] {
            assert_eq!(rows(&path, entity, LEARNER_STEP), 200, "{entity}");
            assert_eq!(rows(&path, entity, ENV_STEP), 200, "{entity}");
        }
        assert_eq!(rows(&path, GRASP_CRITIC_LOSS, LEARNER_STEP), 0);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let settings = VizSettings {
            path: folder.path().join("nowhere/learner.rrd"),
            application_id: "reins test".into(),
            recording_id: "made up".into(),
        };
        let message = LearnerViz::create(settings).unwrap_err().to_string();
        assert!(message.contains("nowhere/learner.rrd"), "{message}");
    }
}
