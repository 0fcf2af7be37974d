//! The learner: takes in what actors send, learns from it, publishes policies.
//!
//! Never names an actor's devices; what it knows of the cell is in the records.

pub mod adam;
pub mod archive;
pub mod batch;
pub mod checkpoint;
pub mod classifier;
pub mod cloning;
pub mod feature_cache;
#[cfg(test)]
mod golden;
pub mod imitation;
pub mod ingest;
pub mod losses;
pub mod metrics;
pub mod noise;
pub mod process;
pub mod status;
mod tally;
pub mod train_state;
pub mod trainer;
pub mod update;
pub mod viz;

pub use process::{LearnerError, LearnerParts, LearnerPaths, Lockstep, run};
pub use status::Status;
