//! The vocabulary that actor and learner share: observations, actions, steps, episodes, messages,
//! the codec that carries them, the clock, and the transport (zenoh; in-memory for tests).
//!
//! Nothing here knows a device, a network architecture or a file on disk.

pub mod action;
pub mod clock;
pub mod codec;
pub mod episode;
pub mod geometry;
pub mod identity;
pub mod ids;
pub mod judgement;
pub mod message;
pub mod observation;
pub mod record;
pub mod spec;
pub mod transport;

pub use action::{Action, ActionSource, GripperCommand, MAX_ACTION_DIM, gripper_entries};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp, UnixNanos};
pub use episode::{EpisodeEnd, EpisodeKind, EpisodeStart, Outcome, Revision, TruncationCause};
pub use ids::{ActorId, EpisodeId, LearnerStep, PolicyVersion, RecordPosition};
pub use judgement::{Judgement, Mark, RewardSource};
pub use message::{
    ActorRequest, Append, Hello, LearnerReply, Pace, PolicySnapshot, Refusal, Welcome,
};
pub use observation::{Features, Frame, Observation, WeightsHash};
pub use record::{GateEvents, Record, RecordBody, Step};
pub use spec::{ActionSpec, CameraSpec, ObservationSpec};
