//! What the learner says about itself, for the status line and for parent processes.

use std::fmt;

use serde::{Deserialize, Serialize};
use wire::ActorId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Too few demonstrations have arrived to begin.
    #[default]
    WaitingForDemonstrations,
    /// Fitting the projection, building the networks.
    Preparing,
    Training,
    /// The budget is used; the last policy is published and the checkpoint written.
    Finished,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub phase: Phase,
    /// Where the networks run, and why there.
    pub device: String,
    pub demonstrations: u32,
    pub demonstrations_wanted: u32,
    pub env_steps: u64,
    pub env_steps_wanted: u64,
    pub learner_step: u64,
    pub policy_version: u64,
    pub demo_transitions: usize,
    pub online_transitions: usize,
    pub critic_loss: Option<f32>,
    pub mean_q: Option<f32>,
    pub temperature: Option<f32>,
    pub updates_per_s: f64,
    pub utd_reached: f64,
    /// Actors that are connected now.
    #[serde(default)]
    pub actors: Vec<ActorId>,
    /// Since training began, pauses of resumed runs left out.
    pub training_minutes: f64,
    /// Why records or checkpoints cannot be written at present. Actors keep their records.
    pub storage_trouble: Option<String>,
}

/// One line for people.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(trouble) = &self.storage_trouble {
            write!(f, "CANNOT STORE ({trouble}) · ")?;
        }
        self.write_progress(f)?;
        match self.actors.as_slice() {
            [] => f.write_str(" · no actor connected"),
            [actor] => write!(f, " · actor {actor} connected"),
            actors => {
                let names: Vec<String> = actors.iter().map(ToString::to_string).collect();
                write!(f, " · actors {} connected", names.join(", "))
            }
        }
    }
}

impl Status {
    fn write_progress(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase {
            Phase::WaitingForDemonstrations => {
                let Self { demonstrations, demonstrations_wanted, .. } = self;
                return write!(
                    f,
                    "learner: waiting for demonstrations, {demonstrations} of {demonstrations_wanted} are here"
                );
            }
            Phase::Preparing => return f.write_str("learner: fitting the projection"),
            Phase::Training => f.write_str("learner: ")?,
            Phase::Finished => f.write_str("learner: done, ")?,
        }
        write!(f, "{} of {} env steps", self.env_steps, self.env_steps_wanted)?;
        write!(f, " · {} updates, {:.0}/s", self.learner_step, self.updates_per_s)?;
        write!(f, " · UTD {:.2} · policy v{}", self.utd_reached, self.policy_version)?;
        let mut figure = |name: &str, value: Option<f32>| match value {
            Some(value) => write!(f, " · {name} {value:.3}"),
            None => Ok(()),
        };
        figure("Q", self.mean_q)?;
        figure("critic loss", self.critic_loss)?;
        figure("temperature", self.temperature)
    }
}
