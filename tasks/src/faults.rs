//! The fault script: what is to go wrong, when, and for how long, to rehearse failures before a
//! robot shows them. Only the simulated cell and tests are given one.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{
    error::ConfigError,
    load::{self, ConfigFile, Fault},
    schema::Key,
};

mod keys;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultScript {
    /// Of everything that is drawn: moments, jitter, which pictures are dropped.
    pub seed: u64,
    #[serde(rename = "fault", default)]
    pub faults: Vec<FaultEntry>,
}

/// One fault. Which of the optional keys it has, its kind says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultEntry {
    pub kind: FaultKind,
    /// Exactly one of these four says when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_step: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<f64>,
    /// How long; for kinds that last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<TeleopFailure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_s: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    Latency,
    FramesDropped,
    FramesFrozen,
    TeleopStuck,
    ArmReflex,
    ArmLost,
    LinkLost,
    DiskSlow,
    DiskFull,
    ClockJump,
}

/// What is late, or whose disk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Camera,
    Teleop,
    Arm,
    Link,
    Actor,
    Learner,
}

/// How a teleop device fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeleopFailure {
    /// It repeats its last sample and says that it is new.
    #[default]
    Fresh,
    /// It repeats its last sample with the time at which that was taken.
    Silent,
    /// It reports that it is gone.
    Gone,
}

impl FaultScript {
    pub fn load(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::load(file.as_ref())
    }

    /// `file` only names the text in errors.
    pub fn from_toml(text: &str, file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::parse(text, file.as_ref())
    }
}

impl ConfigFile for FaultScript {
    const KIND: &'static str = "faults";
    const KEYS: &'static [Key] = keys::KEYS;

    fn defaults(_given: &Table) -> Table {
        load::built_in("seed = 0")
    }

    fn faults(&self) -> Vec<Fault> {
        if self.faults.is_empty() {
            return vec![Fault::new(
                "fault",
                "is not there",
                "Add a [[fault]], or leave --faults out",
            )];
        }
        let each = self.faults.iter().enumerate();
        each.flat_map(|(i, entry)| entry.problems(&format!("fault[{i}]"))).collect()
    }
}

impl FaultKind {
    /// The kind as it is written, and the keys that belong to it besides those that say when.
    fn form(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Latency => ("latency", &["for_s", "of", "camera", "ms", "jitter_ms"]),
            Self::FramesDropped => ("frames_dropped", &["for_s", "camera", "share"]),
            Self::FramesFrozen => ("frames_frozen", &["for_s", "camera"]),
            Self::TeleopStuck => ("teleop_stuck", &["for_s", "how"]),
            Self::ArmReflex => ("arm_reflex", &[]),
            Self::ArmLost => ("arm_lost", &["for_s"]),
            Self::LinkLost => ("link_lost", &["for_s"]),
            Self::DiskSlow => ("disk_slow", &["for_s", "of", "ms"]),
            Self::DiskFull => ("disk_full", &["for_s", "of"]),
            Self::ClockJump => ("clock_jump", &["by_s"]),
        }
    }

    /// Keys without which the kind says nothing.
    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Latency => &["for_s", "of", "ms"],
            Self::DiskSlow => &["for_s", "ms"],
            Self::ClockJump => &["by_s"],
            Self::ArmReflex => &[],
            _ => &["for_s"],
        }
    }

    /// What `of` may say.
    fn parts(self) -> &'static [Part] {
        match self {
            Self::Latency => &[Part::Camera, Part::Teleop, Part::Arm, Part::Link],
            _ => &[Part::Actor, Part::Learner],
        }
    }
}

impl FaultEntry {
    fn problems(&self, at: &str) -> Vec<Fault> {
        let mut problems = Vec::new();
        let (kind, allowed) = self.kind.form();
        let given = self.given();
        for key in given.iter().filter(|key| !allowed.contains(key)) {
            let remedy = match allowed {
                [] => "Leave it out".into(),
                _ => format!("Leave it out; a {kind} may have {}", allowed.join(", ")),
            };
            let wrong = format!("is nothing that a {kind} has");
            problems.push(Fault::new(format!("{at}.{key}"), wrong, remedy));
        }
        for key in self.kind.needs().iter().filter(|key| !given.contains(key)) {
            let wrong = format!("is missing, and a {kind} needs it");
            problems.push(Fault::new(format!("{at}.{key}"), wrong, "Add it"));
        }
        problems.extend(self.problem_of_when(at));
        if let Some(of) = self.of
            && given.contains(&"of")
            && allowed.contains(&"of")
            && !self.kind.parts().contains(&of)
        {
            let parts = match self.kind {
                FaultKind::Latency => "\"camera\", \"teleop\", \"arm\" or \"link\"",
                _ => "\"actor\" or \"learner\", or leave it out for both",
            };
            let wrong = format!("is not what a {kind} can be of");
            problems.push(Fault::new(format!("{at}.of"), wrong, format!("Write {parts}")));
        }
        if self.camera.is_some() && self.of.is_some_and(|of| of != Part::Camera) {
            let wrong = "names a camera, and the latency is not of a camera";
            problems.push(Fault::new(format!("{at}.camera"), wrong, "Leave one of the two out"));
        }
        problems
    }

    /// The optional keys that are there, besides those that say when.
    fn given(&self) -> Vec<&'static str> {
        let keys = [
            ("for_s", self.for_s.is_some()),
            ("of", self.of.is_some()),
            ("camera", self.camera.is_some()),
            ("share", self.share.is_some()),
            ("ms", self.ms.is_some()),
            ("jitter_ms", self.jitter_ms.is_some()),
            ("how", self.how.is_some()),
            ("by_s", self.by_s.is_some()),
        ];
        keys.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect()
    }

    fn problem_of_when(&self, at: &str) -> Option<Fault> {
        let given = [
            self.at_s.is_some(),
            self.at_step.is_some(),
            self.every_s.is_some(),
            self.per_minute.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            let wrong = "must say when in exactly one way";
            let remedy = "Give one of at_s, at_step, every_s, per_minute";
            return Some(Fault::new(at, wrong, remedy));
        }
        match (self.every_s, self.for_s) {
            (Some(every), Some(lasts)) if lasts >= every => {
                let wrong = format!("is as long as every_s = {every}: the fault would never end");
                let remedy = format!("Set it below {every}, or use at_s");
                Some(Fault::new(format!("{at}.for_s"), wrong, remedy))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
