//! What the control loop tells the viewer. It never waits for the viewer: a full channel drops the
//! event and counts it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::{
    Action, ActionSource, EpisodeEnd, EpisodeId, EpisodeKind, Frame, GateEvents, Judgement,
    PolicyVersion, Timestamp, UnixNanos, geometry::Pose,
};

#[derive(Clone, Debug)]
pub enum ViewEvent {
    EpisodeStart {
        episode: EpisodeId,
        kind: EpisodeKind,
        /// Training steps of the run when the episode began.
        env_step: u64,
        /// What the policy sees before its first action, one per camera in the order of the task.
        frames: Vec<Frame>,
        at: MomentView,
    },
    /// One policy decision and what came of it.
    Step(Box<StepView>),
    EpisodeEnd {
        episode: EpisodeId,
        kind: EpisodeKind,
        env_step: u64,
        /// Steps, outcome, truncation, human steps, interventions.
        end: EpisodeEnd,
        /// Sum of the rewards.
        episode_return: f32,
        /// From the first observation to the last.
        duration: Duration,
        /// Over the last episodes, this one included.
        recent: RecentView,
        at: MomentView,
    },
    /// Other parameters drive from here on.
    Policy { version: PolicyVersion, lag: PolicyLag, env_step: u64, at: MomentView },
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MomentView {
    /// The cell's clock: simulated time in a simulated cell.
    pub cell: Timestamp,
    pub wall: UnixNanos,
}

/// Learner steps that the parameters in use are behind the learner's newest word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyLag(pub u64);

/// Rates over the last (up to 20) training episodes. `None` until there is an episode to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentView {
    /// Share of the last training episodes that succeeded without a person's hand.
    pub success_autonomous: Option<f32>,
    /// Share of the last training episodes that succeeded with a person's help.
    pub success_assisted: Option<f32>,
    /// Share of their steps that a person drove.
    pub intervention_rate: Option<f32>,
}

#[derive(Clone, Debug)]
pub struct StepView {
    pub episode: EpisodeId,
    pub kind: EpisodeKind,
    /// Place of the step in its episode: 1 for the first, as in the record.
    pub index: u32,
    /// Training steps of the run, this one included; other kinds do not count.
    pub env_step: u64,
    /// When the step ended and its frames were taken.
    pub at: MomentView,
    /// What the policy sees next, one per camera in the order of the task.
    pub frames: Vec<Frame>,
    /// Scaled, in the order of the task's observation keys.
    pub proprio: Vec<f32>,

    pub source: ActionSource,
    /// True in the step in which a person took over.
    pub takeover: bool,
    pub policy_version: PolicyVersion,
    pub policy_lag: PolicyLag,
    pub policy_action: Option<Action>,
    pub human_action: Option<Action>,
    /// What the arbiter passed to the gate.
    pub commanded_action: Action,
    /// What the gate let through: what is learned from.
    pub executed_action: Action,
    pub gate_events: GateEvents,

    pub reward: f32,
    /// Where the reward came from, and the classifier's probability.
    pub judgement: Judgement,
    pub terminated: bool,
    pub truncated: bool,

    /// One for each arm of the cell.
    pub arms: Vec<ArmView>,

    pub timing: StepTiming,
    /// How far the step's beginning was behind its deadline.
    pub jitter: Duration,
    /// Deadlines missed since the run began.
    pub missed_deadlines: u64,
    /// Records on the actor's disk that the learner has not acknowledged.
    pub outbox_depth: u64,
    /// Events that the viewer did not get because its channel was full.
    pub views_dropped: u64,
}

/// Where an arm is, in its own base frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmView {
    /// Measured when the frames were taken.
    pub tcp_pose: Pose,
    /// What the gate sent in this step.
    pub target_pose: Pose,
    /// Origins of base, joints and TCP (m); empty when the arm does not know.
    pub skeleton: Vec<[f64; 3]>,
}

/// Where the time of a step goes, on the host's clock: real time in a simulated cell too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTiming {
    /// Reading the arm and the cameras.
    pub observe: Duration,
    /// The frozen backbone.
    pub encode: Duration,
    /// The policy's proposal.
    pub policy: Duration,
    /// The reward classifier.
    #[serde(default)]
    pub judge: Duration,
    /// Everything but waiting for the deadline.
    pub total: Duration,
}
