//! What was recorded, on disk and in memory: the record journal with its recovery, the store of
//! frames and transitions with its demo and online views, the samplers, and the rate limiter.
//!
//! Never reaches a device, a network, libtorch or a clock.

pub mod batch;
pub mod continuity;
pub mod feature_store;
pub mod format;
pub mod frame_store;
pub mod journal;
pub mod rate_limiter;
mod record;
pub mod sampler;
pub mod storage;
pub mod store;
pub mod view;

pub use batch::Batch;
pub use continuity::{Arrival, Continuity, Malformed};
pub use feature_store::{FeatureError, FeatureRef, FeatureSpec};
pub use journal::{
    Cut, Journal, JournalConfig, JournalError, LastRecord, Records, Recovered, Retention, Sequence,
    SyncPolicy,
};
pub use rate_limiter::{Budget, Coupling, RateLimiter, RateLimiterError};
pub use sampler::{sample, symmetric_sample};
pub use storage::{DiskStorage, Storage};
pub use store::{
    Episode, InsertError, Inserted, ObservationId, ReplayStore, StoreConfig, Transition,
    TransitionId,
};
pub use view::View;

#[cfg(test)]
mod test_support;
