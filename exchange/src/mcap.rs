//! A run's journal as an MCAP file: the cameras as `foxglove.CompressedImage`, steps and episodes as
//! JSON, each with its schema, on the wall clock.

use std::{collections::BTreeMap, fs::File, io::BufWriter, path::Path};

use ::mcap::{Compression, WriteOptions, Writer, records::MessageHeader};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tasks::TaskConfig;
use wire::{Action, ActionSource, Observation, Timestamp};

use crate::{
    episode::{self, Episode},
    error::{ExchangeError, io_error, write_error},
    picture,
    place::NewPlace,
};

#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub journal: &'a Path,
    pub task: &'a TaskConfig,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub episodes: u64,
    pub steps: u64,
}

/// Writes the finished episodes as a file at `target`, which must not be there.
pub fn export(source: &Source<'_>, target: &Path) -> Result<Exported, ExchangeError> {
    let place = NewPlace::begin(target)?;
    let path = place.path();
    let file = File::create_new(path).map_err(io_error("making", path))?;
    let mut log = Log::begin(file, source.task).map_err(write_error(path))?;
    let mut exported = Exported::default();
    for episode in episode::finished(source.journal)? {
        let episode = episode?;
        log.episode(&episode).map_err(write_error(path))?;
        exported.episodes += 1;
        exported.steps += episode.steps.len() as u64;
    }
    if exported.episodes == 0 {
        return Err(ExchangeError::Empty { of: "to export" });
    }
    log.writer.finish().map_err(write_error(path))?;
    drop(log);
    place.finish()?;
    Ok(exported)
}

struct Log {
    writer: Writer<BufWriter<File>>,
    cameras: Vec<(String, u16)>,
    steps: u16,
    episodes: u16,
    /// Messages so far, by channel.
    sequence: BTreeMap<u16, u32>,
}

impl Log {
    fn begin(file: File, task: &TaskConfig) -> ::mcap::McapResult<Self> {
        let options = WriteOptions::new()
            .compression(Some(Compression::Zstd))
            .library(concat!("reins ", env!("CARGO_PKG_VERSION")));
        let mut writer = options.create(BufWriter::new(file))?;
        let nothing = BTreeMap::new();
        let image = schema(&mut writer, "foxglove.CompressedImage", image_schema())?;
        let mut cameras = Vec::new();
        for name in &task.cameras {
            let topic = format!("/camera/{name}");
            cameras.push((name.clone(), writer.add_channel(image, &topic, "json", &nothing)?));
        }
        let step = schema(&mut writer, "reins.Step", step_schema())?;
        let steps = writer.add_channel(step, "/step", "json", &nothing)?;
        let episode = schema(&mut writer, "reins.Episode", episode_schema())?;
        let episodes = writer.add_channel(episode, "/episode", "json", &nothing)?;
        Ok(Self { writer, cameras, steps, episodes, sequence: BTreeMap::new() })
    }

    fn episode(&mut self, episode: &Episode) -> ::mcap::McapResult<()> {
        let Episode { actor, id, start, steps, end } = episode;
        // Steps are told on the actor's clock, the episode's start on both.
        let began = start.observation.captured_at;
        let wall = |at: Timestamp| start.started_at.0 + at.0.saturating_sub(began.0);
        self.observation(&start.observation, wall(began))?;
        for (index, step) in steps.iter().enumerate() {
            let source = match step.source {
                ActionSource::Policy => "policy",
                ActionSource::Human => "human",
            };
            let message = json!({
                "actor": actor.0,
                "episode": id.0,
                "step": index,
                "source": source,
                "policy_version": step.policy_version.0,
                "policy_action": optional(&step.policy_action),
                "human_action": optional(&step.human_action),
                "commanded_action": step.commanded_action.as_slice(),
                "executed_action": step.executed_action.as_slice(),
                "gate_events": step.gate_events.names().collect::<Vec<_>>(),
                "reward": step.reward,
                "terminated": step.terminated,
                "truncated": step.truncated,
                "state": episode.seen_before(index).proprio,
                "next_state": step.next_observation.proprio,
            });
            self.write(self.steps, wall(step.started_at), &message)?;
            let seen = &step.next_observation;
            self.observation(seen, wall(seen.captured_at))?;
        }
        let message = json!({
            "actor": actor.0,
            "episode": id.0,
            "kind": start.kind,
            "seed": start.seed.to_string(),
            "steps": end.steps,
            "outcome": end.outcome,
            "truncation": end.truncation,
            "human_steps": end.human_steps,
            "interventions": end.interventions,
        });
        self.write(self.episodes, wall(episode.last_seen().captured_at), &message)
    }

    fn observation(&mut self, seen: &Observation, at: u64) -> ::mcap::McapResult<()> {
        let messages: Vec<_> = self
            .cameras
            .iter()
            .zip(&seen.frames)
            .map(|((name, channel), frame)| {
                let message = json!({
                    "timestamp": { "sec": at / 1_000_000_000, "nsec": at % 1_000_000_000 },
                    "frame_id": name,
                    "data": STANDARD.encode(picture::encode(frame)),
                    "format": "png",
                });
                (*channel, message)
            })
            .collect();
        messages.iter().try_for_each(|(channel, message)| self.write(*channel, at, message))
    }

    fn write(&mut self, channel_id: u16, at: u64, message: &Value) -> ::mcap::McapResult<()> {
        let sequence = self.sequence.entry(channel_id).or_default();
        let header =
            MessageHeader { channel_id, sequence: *sequence, log_time: at, publish_time: at };
        *sequence = sequence.wrapping_add(1);
        self.writer.write_to_known_channel(&header, message.to_string().as_bytes())
    }
}

fn optional(action: &Option<Action>) -> Value {
    action.as_ref().map_or(Value::Null, |action| json!(action.as_slice()))
}

fn schema(
    writer: &mut Writer<BufWriter<File>>,
    name: &str,
    schema: Value,
) -> ::mcap::McapResult<u16> {
    writer.add_schema(name, "jsonschema", schema.to_string().as_bytes())
}

fn image_schema() -> Value {
    json!({
        "title": "foxglove.CompressedImage",
        "type": "object",
        "properties": {
            "timestamp": {
                "type": "object",
                "title": "time",
                "properties": {
                    "sec": { "type": "integer", "minimum": 0 },
                    "nsec": { "type": "integer", "minimum": 0, "maximum": 999_999_999 },
                },
            },
            "frame_id": { "type": "string" },
            "data": { "type": "string", "contentEncoding": "base64" },
            "format": { "type": "string" },
        },
    })
}

fn step_schema() -> Value {
    let numbers = json!({ "type": "array", "items": { "type": "number" } });
    json!({
        "title": "reins.Step",
        "type": "object",
        "properties": {
            "actor": { "type": "integer" },
            "episode": { "type": "integer" },
            "step": { "type": "integer" },
            "source": { "type": "string" },
            "policy_version": { "type": "integer" },
            "policy_action": numbers,
            "human_action": numbers,
            "commanded_action": numbers,
            "executed_action": numbers,
            "gate_events": { "type": "array", "items": { "type": "string" } },
            "reward": { "type": "number" },
            "terminated": { "type": "boolean" },
            "truncated": { "type": "boolean" },
            "state": numbers,
            "next_state": numbers,
        },
    })
}

fn episode_schema() -> Value {
    json!({
        "title": "reins.Episode",
        "type": "object",
        "properties": {
            "actor": { "type": "integer" },
            "episode": { "type": "integer" },
            "kind": { "type": "string" },
            "seed": { "type": "string" },
            "steps": { "type": "integer" },
            "outcome": { "type": "string" },
            "truncation": { "type": ["string", "null"] },
            "human_steps": { "type": "integer" },
            "interventions": { "type": "integer" },
        },
    })
}

#[cfg(test)]
mod tests;
