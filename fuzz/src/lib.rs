//! What the fuzzer throws bytes at: every decoder of bytes that come from a disk or from a peer.
//!
//! An entry may refuse its bytes in any way it likes. It panics only when a decoder is wrong: what
//! was read does not come back the same, or something was lost. The fuzz targets call these
//! functions, and so does the test `corpora` with every file of the corpora.

mod journal;
mod resealed;

use std::{path::Path, sync::LazyLock};

use learner::{checkpoint, metrics, train_state::TrainState};
use nets::{reward_classifier::Classifier, runtime::PolicyRuntime};
use tasks::{CellConfig, RunConfig, TaskConfig};
use wire::{
    ActorRequest, LearnerReply, LearnerStep, Pace, PolicySnapshot, PolicyVersion, WeightsHash,
    codec::{self, Message},
};

pub use journal::journal;

/// An entry by the name of its target and of its corpus.
pub type Entry = (&'static str, fn(&[u8]));

pub const ENTRIES: [Entry; 9] = [
    ("messages", messages),
    ("journal", journal),
    ("checkpoint", checkpoint),
    ("policy", policy),
    ("classifier", classifier),
    ("weights", weights),
    ("settings", settings),
    ("json_files", json_files),
    ("hil_serl", hil_serl),
];

/// A message as it lies on the wire: damaged, or with its length and checksum put right.
pub fn messages(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), resealed::message(bytes)] {
        comes_back_the_same::<ActorRequest>(&bytes);
        comes_back_the_same::<LearnerReply>(&bytes);
        comes_back_the_same::<PolicySnapshot>(&bytes);
        comes_back_the_same::<Pace>(&bytes);
    }
}

/// Compared as bytes, since a NaN is not equal to itself.
fn comes_back_the_same<M: Message>(bytes: &[u8]) {
    let Ok(message) = codec::decode::<M>(bytes) else { return };
    let written = codec::encode(&message).expect("what was read is within the limits");
    let again: M = codec::decode(&written).expect("what was written can be read");
    assert_eq!(codec::encode(&again), Ok(written));
}

/// A checkpoint file, damaged or resealed, and the training state in it.
pub fn checkpoint(bytes: &[u8]) {
    drop(checkpoint::decode(bytes));
    let Ok(found) = checkpoint::decode(&resealed::checkpoint(bytes)) else { return };
    let again = checkpoint::decode(&checkpoint::encode(&found)).expect("what was written");
    assert_eq!(again, found);
    drop(TrainState::from_bytes(&found.train_state, tch::Device::Cpu));
}

/// The parameters inside a published policy: a safetensors file with a described architecture.
pub fn policy(bytes: &[u8]) {
    let snapshot = PolicySnapshot {
        version: PolicyVersion(1),
        learner_step: LearnerStep(1),
        backbone: WeightsHash([0; 32]),
        parameters: bytes.into(),
    };
    drop(PolicyRuntime::from_snapshot(&snapshot, tch::Device::Cpu));
}

/// A reward classifier's file, damaged or resealed. What is accepted comes back the same.
pub fn classifier(bytes: &[u8]) {
    drop(Classifier::from_bytes(bytes, tch::Device::Cpu));
    let Ok(found) = Classifier::from_bytes(&resealed::checkpoint(bytes), tch::Device::Cpu) else {
        return;
    };
    let written = found.to_bytes().expect("what was read");
    let again = Classifier::from_bytes(&written, tch::Device::Cpu).expect("what was written");
    assert_eq!(again.to_bytes().ok(), Some(written));
}

/// A weight file of PyTorch, flax or safetensors.
pub fn weights(bytes: &[u8]) {
    drop(nets::weights::parse(bytes));
}

/// A text as each of the three configuration files. What is accepted, written out and read again
/// is the same configuration.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = Path::new("settings.toml");
    if let Ok(cell) = CellConfig::from_toml(text, file) {
        let again = CellConfig::from_toml(&cell.to_toml(), file).expect("its own text");
        assert_eq!(again.hash(), cell.hash());
    }
    if let Ok(task) = TaskConfig::from_toml(text, file) {
        let again = TaskConfig::from_toml(&task.to_toml(), file).expect("its own text");
        assert_eq!(again.hash(), task.hash());
    }
    if let Ok(run) = RunConfig::from_toml(text, file) {
        let again = RunConfig::from_toml(&run.to_toml(), file).expect("its own text");
        assert_eq!(again.hash(), run.hash());
    }
}

/// The task of `exchange/tests/fixtures`, with the camera by the name that it has there.
static PEG: LazyLock<TaskConfig> = LazyLock::new(|| {
    let text = "name = \"peg\"\ncameras = [\"wrist_1\"]\n\
                [observation]\nimage_width = 16\nimage_height = 16\nproprio = [\"position\"]\n\
                [action]\ndims = \"xyz\"\n\
                [reset]\nposition_m = [0.5, 0.0, 0.07]\ntravel_z_m = 0.2\n";
    TaskConfig::from_toml(text, Path::new("task.toml")).expect("a sound task")
});

/// HIL-SERL's transitions. What is accepted has the shapes of the task.
pub fn hil_serl(bytes: &[u8]) {
    let Ok(episodes) = exchange::hil_serl::parse(bytes, &PEG) else { return };
    let (seen, acted) = (PEG.observation_spec(), PEG.action_spec());
    for episode in episodes {
        assert_eq!(episode.end.steps as usize, episode.steps.len());
        assert_eq!(seen.mismatch(&episode.start.observation), None);
        for step in &episode.steps {
            assert_eq!(seen.mismatch(&step.next_observation), None);
            assert_eq!(acted.mismatch(&step.executed_action), None);
        }
    }
}

/// The actor's progress file and the learner's metrics.
pub fn json_files(bytes: &[u8]) {
    drop(actor::parse_progress(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(lines) = metrics::parse(text) else { return };
    assert!(lines.is_sorted_by(|a, b| a.learner_step < b.learner_step), "steps do not rise");
}
