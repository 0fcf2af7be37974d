//! What an actor writes down: one record per episode start, step and episode end, and per change of
//! a person's mind about an episode that has ended.
//!
//! A step holds the observation that *followed* its action; the one before is the previous
//! record's. So a frame is written once, and the successor is always the true one.

use serde::{Deserialize, Serialize};

use crate::{
    action::{Action, ActionSource},
    clock::Timestamp,
    episode::{EpisodeEnd, EpisodeStart, Revision},
    ids::{ActorId, PolicyVersion, RecordPosition},
    judgement::Judgement,
    observation::Observation,
};

/// What the gate did to a command, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateEvents(pub u32);

impl GateEvents {
    pub const NOT_FINITE: Self = Self(1);
    pub const WORKSPACE: Self = Self(1 << 1);
    pub const STEP: Self = Self(1 << 2);
    pub const SPEED: Self = Self(1 << 3);
    pub const LEAD: Self = Self(1 << 4);
    pub const LEASE_EXPIRED: Self = Self(1 << 5);
    pub const STALE_STATE: Self = Self(1 << 6);
    /// The arm got less than it was sent for: speed, acceleration or jerk did not allow it.
    pub const PROFILE: Self = Self(1 << 7);
    /// The environment pushed back too hard.
    pub const FORCE: Self = Self(1 << 8);
    pub const EMERGENCY_STOP: Self = Self(1 << 9);
    pub const JOINT_MARGIN: Self = Self(1 << 10);
    pub const SINGULARITY: Self = Self(1 << 11);
    /// Another hand took over; the speed grows from nothing.
    pub const TAKEOVER: Self = Self(1 << 12);
    /// Nobody renewed the lease, or the state was lost: the arm was stopped.
    pub const STOPPED: Self = Self(1 << 13);
    /// A command of the gripper was held back.
    pub const GRIPPER: Self = Self(1 << 14);

    pub const NAMES: [(Self, &'static str); 15] = [
        (Self::NOT_FINITE, "not finite"),
        (Self::WORKSPACE, "workspace"),
        (Self::STEP, "step"),
        (Self::SPEED, "speed"),
        (Self::LEAD, "lead"),
        (Self::LEASE_EXPIRED, "lease expired"),
        (Self::STALE_STATE, "stale state"),
        (Self::PROFILE, "profile"),
        (Self::FORCE, "force"),
        (Self::EMERGENCY_STOP, "emergency stop"),
        (Self::JOINT_MARGIN, "joint margin"),
        (Self::SINGULARITY, "singularity"),
        (Self::TAKEOVER, "takeover"),
        (Self::STOPPED, "stopped"),
        (Self::GRIPPER, "gripper"),
    ];

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| name)
    }
}

/// One policy decision and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub started_at: Timestamp,
    pub source: ActionSource,
    /// Parameters that proposed `policy_action`.
    pub policy_version: PolicyVersion,
    /// What the policy proposed; none while no policy was there.
    pub policy_action: Option<Action>,
    /// What the person commanded; none while the hand was at rest.
    pub human_action: Option<Action>,
    /// What the arbiter passed to the gate.
    pub commanded_action: Action,
    /// What the gate let through, in policy coordinates: the action to learn from.
    pub executed_action: Action,
    pub gate_events: GateEvents,
    pub reward: f32,
    /// Where the reward came from.
    pub judgement: Judgement,
    /// The task ended here: no bootstrap.
    pub terminated: bool,
    /// Something else ended the episode here: values bootstrap from `next_observation`.
    pub truncated: bool,
    /// The true successor, at takeovers and time limits too.
    pub next_observation: Observation,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly every record is a step")]
pub enum RecordBody {
    EpisodeStart(EpisodeStart),
    Step(Step),
    EpisodeEnd(EpisodeEnd),
    /// Of the episode that its position names; comes behind that episode's end.
    Revision(Revision),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub actor: ActorId,
    pub position: RecordPosition,
    pub body: RecordBody,
}

impl Record {
    /// The observation that this record adds, if any.
    pub fn observation(&self) -> Option<&Observation> {
        match &self.body {
            RecordBody::EpisodeStart(start) => Some(&start.observation),
            RecordBody::Step(step) => Some(&step.next_observation),
            RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => None,
        }
    }
}
