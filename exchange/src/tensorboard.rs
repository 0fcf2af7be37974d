//! A run's figures as a TensorBoard event file: every number of `metrics.jsonl` over learner steps,
//! and of the journal's episodes over env steps.
//!
//! `metrics.jsonl` is read as JSON of any shape, so that new figures need no word here.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use prost::Message;
use serde_json::Value;
use wire::{EpisodeKind, Outcome};

use crate::{
    episode::{self, Episode},
    error::{ExchangeError, content, io_error},
    place::NewPlace,
};

/// What is exported. Both files may be missing.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub metrics: &'a Path,
    pub journal: &'a Path,
    /// When the run began (Unix time).
    pub created_unix_s: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub events: u64,
}

// The messages of TensorFlow's event.proto and summary.proto, as far as scalars need them.

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    /// A zero has to be written too, so it is not left to the default.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// Writes a log folder at `target`, which must not be there.
pub fn export(source: &Source<'_>, target: &Path) -> Result<Exported, ExchangeError> {
    let place = NewPlace::begin(target)?;
    let folder = place.path();
    fs::create_dir_all(folder).map_err(io_error("making the folder", folder))?;
    // TensorBoard looks for `tfevents` in the name and sorts by it.
    let path = folder.join(format!("events.out.tfevents.{:010}.reins", source.created_unix_s));
    let file = File::create_new(&path).map_err(io_error("making", &path))?;
    let mut events = Events { file: BufWriter::new(file), written: 0 };
    let began = source.created_unix_s as f64;
    let version = What::FileVersion("brain.Event:2".into());
    let write =
        |events: &mut Events, event| events.write(event).map_err(io_error("writing", &path));
    write(&mut events, Event { wall_time: began, step: 0, what: Some(version) })?;
    for event in learning(source.metrics, began)? {
        write(&mut events, event)?;
    }
    if source.journal.is_dir() {
        let mut env_steps = 0;
        for episode in episode::finished(source.journal)? {
            write(&mut events, of_episode(&episode?, &mut env_steps, began))?;
        }
    }
    events.file.flush().map_err(io_error("writing", &path))?;
    let exported = Exported { events: events.written - 1 };
    if exported.events == 0 {
        return Err(ExchangeError::Empty { of: "and no line of metrics" });
    }
    drop(events);
    place.finish()?;
    Ok(exported)
}

struct Events {
    file: BufWriter<File>,
    written: u64,
}

impl Events {
    /// A record: its length, the checksum of that, the bytes, their checksum.
    fn write(&mut self, event: Event) -> std::io::Result<()> {
        let bytes = event.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        for part in [
            &length[..],
            &masked_checksum(&length).to_le_bytes(),
            &bytes,
            &masked_checksum(&bytes).to_le_bytes(),
        ] {
            self.file.write_all(part)?;
        }
        self.written += 1;
        Ok(())
    }
}

/// CRC-32C, turned and shifted as TFRecord has it, so that checksums of checksums do not cancel.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// An event per line. A torn last line is left out, and so is what a resumed learner did again.
fn learning(path: &Path, began: f64) -> Result<Vec<Event>, ExchangeError> {
    let mut events: Vec<Event> = Vec::new();
    if !path.exists() {
        return Ok(events);
    }
    let text = fs::read_to_string(path).map_err(io_error("reading", path))?;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let Some(line) = line.strip_suffix('\n') else { break };
        let bad =
            |what: String| content(path, format!("line {} is no metrics: {what}", number + 1));
        let line: Value = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        let step = line["learner_step"].as_i64();
        let step = step.ok_or_else(|| bad("it has no learner_step".into()))?;
        let minutes = line["minutes"].as_f64().unwrap_or(0.0);
        let mut scalars = Vec::new();
        flatten("learner", &line, &mut scalars);
        scalars.retain(|scalar| scalar.tag != "learner/learner_step");
        events.truncate(events.partition_point(|event| event.step < step));
        events.push(summary(began + 60.0 * minutes, step, scalars));
    }
    Ok(events)
}

/// Every number below `value`, by its path.
fn flatten(path: &str, value: &Value, into: &mut Vec<Scalar>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                flatten(&format!("{path}/{name}"), value, into);
            }
        }
        Value::Number(number) => {
            let simple_value = number.as_f64().map(|number| number as f32);
            into.push(Scalar { tag: path.to_owned(), simple_value });
        }
        Value::Bool(flag) => {
            let simple_value = Some(f32::from(u8::from(*flag)));
            into.push(Scalar { tag: path.to_owned(), simple_value });
        }
        _ => {}
    }
}

fn of_episode(episode: &Episode, env_steps: &mut i64, began: f64) -> Event {
    let Episode { start, steps, end, .. } = episode;
    let kind = match start.kind {
        EpisodeKind::Demonstration => "demonstration",
        EpisodeKind::Training => "training",
        EpisodeKind::Evaluation => "evaluation",
        EpisodeKind::Labelling => "labelling",
    };
    if start.kind == EpisodeKind::Training {
        *env_steps += steps.len() as i64;
    }
    let share = f64::from(end.human_steps) / f64::from(end.steps.max(1));
    let figures = [
        ("success", f64::from(u8::from(end.outcome == Outcome::Success))),
        ("return", steps.iter().map(|step| f64::from(step.reward)).sum()),
        ("steps", f64::from(end.steps)),
        ("intervention_rate", share),
        ("interventions", f64::from(end.interventions)),
    ];
    let scalar = |(name, value): (&str, f64)| Scalar {
        tag: format!("{kind}/{name}"),
        simple_value: Some(value as f32),
    };
    let started = start.started_at.0 as f64 * 1e-9;
    let wall_time = if started > 0.0 { started } else { began };
    summary(wall_time, *env_steps, figures.into_iter().map(scalar).collect())
}

fn summary(wall_time: f64, step: i64, value: Vec<Scalar>) -> Event {
    Event { wall_time, step, what: Some(What::Summary(Summary { value })) }
}

#[cfg(test)]
mod tests;
