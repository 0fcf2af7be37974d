//! What the actor is given: numbers in [`ActorConfig`], devices and connections in [`ActorParts`].

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender};
use drivers::{Camera, Fixture, GuardedArm, SuccessSensor, Teleop};
use replay::{JournalConfig, storage::Storage};
use tasks::TaskConfig;
use wire::{ActorId, Clock, Mark, transport::LearnerLink};

use crate::{
    arbiter::ArbiterConfig,
    policy::{Encoder, Judge, PolicyLoader},
    schedule::Program,
    status::StatusSlot,
    uplink::UplinkConfig,
    view_event::ViewEvent,
};

/// How records get to the learner and parameters back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coupling {
    /// By threads of their own: a learner in another process, a real clock.
    Threads,
    /// Within the step, on the caller's thread: with a simulated clock the same bytes each time.
    Lockstep,
}

#[derive(Clone, Debug)]
pub struct ActorConfig {
    pub actor: ActorId,
    /// Name of the run; actor and learner must have the same.
    pub run: String,
    pub seed: u64,
    pub program: Program,
    pub coupling: Coupling,
    /// Where records lie until the learner has them.
    pub outbox_dir: PathBuf,
    pub outbox: JournalConfig,
    pub arbiter: ArbiterConfig,
    pub uplink: UplinkConfig,
    /// A picture older than this is stale. One per camera, in the order of the task.
    pub camera_age_max: Vec<Duration>,
    /// A picture that is older by more than another camera's in the same step counts as stale.
    pub camera_skew_max: Duration,
    /// Steps in a row for which an old picture may stand in.
    pub stale_frames_max: u32,
    /// A device that says exactly the same for longer than this while it is pushed is stuck.
    pub teleop_same_max: Duration,
    /// Whether actions in training are drawn from the policy, or its mean.
    pub train_with_noise: bool,
    /// Whether a measured policy's actions are drawn, or its mean.
    pub evaluate_with_noise: bool,
    /// Resets of one episode, and recoveries of the arm in a row, before the operator is called.
    pub attempts_max: u32,
    /// Records that may wait for the disk.
    pub record_queue: usize,
    /// How long to wait at the end for the learner to take what is left.
    pub drain_timeout: Duration,
    /// Whether each demonstration waits at its end for the operator's word on it.
    pub review: bool,
}

impl ActorConfig {
    /// The defaults for a cell with `cameras` cameras.
    pub fn new(run: impl Into<String>, outbox_dir: impl Into<PathBuf>, cameras: usize) -> Self {
        Self {
            actor: ActorId::default(),
            run: run.into(),
            seed: 0,
            program: Program::default(),
            coupling: Coupling::Threads,
            outbox_dir: outbox_dir.into(),
            outbox: JournalConfig::outbox(2 << 30),
            arbiter: ArbiterConfig::default(),
            uplink: UplinkConfig::default(),
            camera_age_max: vec![Duration::from_millis(200); cameras],
            camera_skew_max: Duration::from_millis(200),
            stale_frames_max: 5,
            teleop_same_max: Duration::from_secs(2),
            train_with_noise: true,
            evaluate_with_noise: false,
            attempts_max: 3,
            record_queue: 64,
            drain_timeout: Duration::from_secs(10),
            review: false,
        }
    }
}

/// What an operator can say from the keyboard or a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorCommand {
    /// Ends the episode: truncated, neither success nor failure.
    EndEpisode,
    /// Holds the arm between two steps, until `Resume`.
    Pause,
    /// Ends a pause, and the wait for a word on a demonstration.
    Resume,
    /// The demonstration that has ended counts, whatever it came to.
    Keep,
    /// The demonstration does not count. One that is under way ends, as neither success nor failure.
    Discard,
    /// The demonstration that has ended does not count, and the wait for a word on it goes on.
    Undo,
    /// What the operator says of what is seen: success and failure end the episode.
    Mark(Mark),
    /// The policy drives again at once, also after the teleop device was lost.
    Release,
    /// Stops the arm; only `Recover` ends that.
    EmergencyStop,
    /// The operator has looked at the cell: the arm may move again, also after an emergency stop.
    Recover,
}

/// An arm, and the person's hand for it.
pub struct ArmParts {
    /// Those of a pair of arms are tied: a stop of one stops both.
    pub gate: Box<dyn GuardedArm>,
    pub teleop: Option<Box<dyn Teleop>>,
    /// A sample of the teleop device older than this counts as lost.
    pub teleop_age_max: Duration,
}

impl ArmParts {
    /// With the default age of a sample.
    pub fn new(gate: Box<dyn GuardedArm>, teleop: Option<Box<dyn Teleop>>) -> Self {
        Self { gate, teleop, teleop_age_max: Duration::from_millis(200) }
    }
}

impl fmt::Debug for ArmParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmParts").field("teleop", &self.teleop.is_some()).finish_non_exhaustive()
    }
}

pub struct ActorParts {
    /// The cell's clock. Sleeping on it lets simulated time pass.
    pub clock: Arc<dyn Clock>,
    /// Real time, for measuring and for waiting between attempts.
    pub host_clock: Arc<dyn Clock>,
    /// One or two, as many as the task moves.
    pub arms: Vec<ArmParts>,
    /// In the order of the task.
    pub cameras: Vec<Box<dyn Camera>>,
    pub fixture: Box<dyn Fixture>,
    pub success: Box<dyn SuccessSensor>,
    pub link: Arc<dyn LearnerLink>,
    /// Where the outbox lies.
    pub storage: Arc<dyn Storage>,
    /// The frozen backbone; none for a task without cameras.
    pub encoder: Option<Box<dyn Encoder>>,
    pub load_policy: PolicyLoader,
    /// The reward classifier, where the task's reward asks for it.
    pub judge: Option<Box<dyn Judge>>,
    pub task: TaskConfig,
    /// Where the viewer listens. Full: the event is dropped and counted.
    pub views: Option<Sender<ViewEvent>>,
    pub operator: Option<Receiver<OperatorCommand>>,
    pub status: StatusSlot,
}

impl fmt::Debug for ActorParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorParts")
            .field("task", &self.task.name)
            .field("arms", &self.arms)
            .field("cameras", &self.cameras.len())
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
