//! The figures of learning, and the file that keeps them: `metrics.jsonl`, one JSON object a line.
//!
//! The file is for people and the report; nothing is ever resumed from it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// What one logged update says. Figures that the update did not compute are `None`; one that is
/// not a number is `null` in the file and NaN when read back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Training steps that had arrived by then.
    pub env_steps: u64,
    /// Training time so far, by the learner's clock, without pauses between processes.
    pub minutes: f64,
    /// Mean over the ensemble of the squared TD error.
    #[serde(deserialize_with = "null_is_nan")]
    pub critic_loss: f32,
    /// Mean over batch and ensemble of Q at the stored actions.
    #[serde(deserialize_with = "null_is_nan")]
    pub mean_q: f32,
    /// Mean of the TD targets.
    #[serde(deserialize_with = "null_is_nan")]
    pub target_q: f32,
    pub actor_loss: Option<f32>,
    pub bc_loss: Option<f32>,
    pub grasp_critic_loss: Option<f32>,
    /// Weight of the entropy in the actor's loss.
    pub temperature: Option<f32>,
    pub temperature_loss: Option<f32>,
    /// Of the policy, nats.
    pub entropy: Option<f32>,
    /// Mean reward of the batch.
    #[serde(deserialize_with = "null_is_nan")]
    pub batch_reward: f32,
    /// Critic updates per second since the line before.
    pub updates_per_s: f64,
    /// Critic updates per env step so far.
    pub utd_reached: f64,
    /// Mean milliseconds per update since the line before.
    pub timings: UpdateTimings,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateTimings {
    pub ingest_ms: f64,
    pub sample_ms: f64,
    pub critic_ms: f64,
    pub actor_ms: f64,
    pub publish_ms: f64,
    /// Waiting for env steps, where the rate limiter holds the learner back.
    pub wait_ms: f64,
}

impl UpdateTimings {
    /// Names and values, in the order of an update.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("ingest", self.ingest_ms),
            ("sample", self.sample_ms),
            ("critic", self.critic_ms),
            ("actor", self.actor_ms),
            ("publish", self.publish_ms),
            ("wait", self.wait_ms),
        ]
    }
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f32::NAN))
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsLine {
    pub learner_step: u64,
    #[serde(flatten)]
    pub metrics: Metrics,
}

#[derive(Debug, Error)]
pub enum MetricsError {
    #[error("cannot {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} line {line} is no line of metrics ({source}); remove that line to read the others",
        path.display()
    )]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
}

/// Appends to `metrics.jsonl`. Every line is handed to the operating system at once.
#[derive(Debug)]
pub struct MetricsWriter {
    path: PathBuf,
    file: File,
    /// Whole lines, bytes.
    len: u64,
}

impl MetricsWriter {
    /// Opens or makes the file; a line torn by a crash is cut off.
    pub fn open(path: &Path) -> Result<Self, MetricsError> {
        let io = |what| move |source| MetricsError::Io { what, path: path.into(), source };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(io("open"))?;
        let text = std::fs::read(path).map_err(io("read"))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(io("cut"))?;
        }
        Ok(Self { path: path.into(), file, len: whole as u64 })
    }

    pub fn append(&mut self, learner_step: u64, metrics: &Metrics) -> Result<(), MetricsError> {
        let line = MetricsLine { learner_step, metrics: metrics.clone() };
        let mut text = serde_json::to_string(&line).expect("plain numbers are always JSON");
        text.push('\n');
        let written = self.file.write_all(text.as_bytes());
        if written.is_err() {
            // Half a line would spoil the next one. What cannot be cut now is cut when the file is
            // opened again.
            let _ = self.file.set_len(self.len);
        } else {
            self.len += text.len() as u64;
        }
        written.map_err(|source| MetricsError::Io {
            what: "write",
            path: self.path.clone(),
            source,
        })
    }
}

/// Reads `metrics.jsonl`. A torn last line is left out. After a resume the learner repeats the
/// steps since its checkpoint; what it wrote of them before is left out too, so steps rise.
pub fn read(path: &Path) -> Result<Vec<MetricsLine>, MetricsError> {
    let text = std::fs::read_to_string(path).map_err(|source| MetricsError::Io {
        what: "read",
        path: path.into(),
        source,
    })?;
    parse(&text).map_err(|(line, source)| MetricsError::Line { path: path.into(), line, source })
}

/// The lines of a metrics file; an error says in which line it is, counted from 1.
pub fn parse(text: &str) -> Result<Vec<MetricsLine>, (usize, serde_json::Error)> {
    let mut lines: Vec<MetricsLine> = Vec::new();
    for (index, text) in text.split_inclusive('\n').enumerate() {
        let Some(text) = text.strip_suffix('\n') else { break };
        let line: MetricsLine = serde_json::from_str(text).map_err(|error| (index + 1, error))?;
        lines.truncate(lines.partition_point(|old| old.learner_step < line.learner_step));
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_steps(written: &[u64], tail: &str, expected: &[u64]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut writer = MetricsWriter::open(&path).unwrap();
        for step in written {
            writer.append(*step, &Metrics::default()).unwrap();
        }
        writer.file.write_all(tail.as_bytes()).unwrap();
        let steps = read(&path).unwrap().iter().map(|line| line.learner_step).collect::<Vec<_>>();
        assert_eq!(steps, expected);

        let mut reopened = MetricsWriter::open(&path).unwrap();
        reopened.append(1000, &Metrics::default()).unwrap();
        assert_eq!(read(&path).unwrap().len(), expected.len() + 1);
    }

    #[test]
    fn lines_come_back_in_order() {
        check_steps(&[1, 2, 3], "", &[1, 2, 3]);
    }

    #[test]
    fn a_torn_last_line_is_left_out() {
        check_steps(&[1, 2], "{\"learner_step\":3,\"env_", &[1, 2]);
    }

    #[test]
    fn steps_repeated_after_a_resume_count_once() {
        check_steps(&[10, 20, 30, 40, 20, 30], "", &[10, 20, 30]);
    }

    #[test]
    fn a_line_that_is_not_metrics_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("metrics.jsonl line 1 "), "{message}");
    }

    #[test]
    fn every_figure_survives_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let metrics = Metrics {
            env_steps: 7,
            minutes: 0.25,
            critic_loss: f32::NAN,
            mean_q: 0.5,
            actor_loss: Some(-1.5),
            temperature: Some(0.01),
            timings: UpdateTimings { critic_ms: 3.5, ..UpdateTimings::default() },
            ..Metrics::default()
        };
        MetricsWriter::open(&path).unwrap().append(9, &metrics).unwrap();
        let line = read(&path).unwrap().remove(0);
        assert!(line.metrics.critic_loss.is_nan());
        let expected = Metrics { critic_loss: 0.0, ..metrics };
        assert_eq!(Metrics { critic_loss: 0.0, ..line.metrics }, expected);
        assert_eq!(line.learner_step, 9);
    }
}
