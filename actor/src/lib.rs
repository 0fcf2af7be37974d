//! The actor: drives the arm step by step, lets a person take over, writes down what happened and
//! hands it to the learner.
//!
//! It knows the cell only through the traits of `drivers` and the learner only through the link of
//! `wire`. The step path touches no file, no network and no log line.

pub mod arbiter;
mod arms;
pub mod config;
mod control_loop;
mod courier;
mod episode;
mod error;
mod fault;
mod hub;
mod outbox;
mod pacer;
pub mod policy;
mod policy_feed;
mod recorder;
pub mod reenact;
mod run;
pub mod schedule;
mod senses;
mod staging;
pub mod status;
mod teleop_watch;
pub mod trouble;
mod uplink;
pub mod view_event;
pub mod viz;
mod workers;

pub use config::{ActorConfig, ActorParts, ArmParts, Coupling, OperatorCommand};
pub use error::{ActorError, ResetFailure};
pub use outbox::{OutboxError, parse_progress};
pub use pacer::Punctuality;
pub use policy::{Encoder, Judge, Policy, PolicyLoader};
pub use run::{Summary, run};
pub use schedule::{LastDemonstration, Program, Progress, TrainingBudget};
pub use status::{Activity, Status, StatusSlot};
pub use trouble::Trouble;
pub use uplink::{Backoff, UplinkConfig, UplinkError};
pub use view_event::ViewEvent;
