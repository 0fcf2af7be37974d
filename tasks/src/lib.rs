//! Cell, task and run files and fault scripts, and what follows from them without touching a device:
//! the observation vector, the action space, the reset plan, the reward and the end of an episode.
//!
//! Everything here is pure: no clock, no device, no network, no libtorch, no simulator. The only
//! side effect is reading the named configuration file.

pub mod act;
pub mod cell;
pub mod doctor;
pub mod document;
pub mod episode;
mod error;
pub mod faults;
pub mod frame;
mod load;
pub mod observe;
pub mod reset;
pub mod reward;
pub mod run;
mod schema;
pub mod task;

pub use act::ActionMap;
pub use cell::CellConfig;
pub use doctor::{Finding, Severity};
pub use episode::{EpisodeRules, Verdict};
pub use error::{ConfigError, Problem};
pub use faults::FaultScript;
pub use observe::{Measured, Observer};
pub use reset::{ResetError, ResetPlan, ResetStep};
pub use run::RunConfig;
pub use task::TaskConfig;
