//! Records as version 1 had them: a step did not say where its reward came from, and nothing was revised.

use serde::Deserialize;
use wire::{
    Action, ActionSource, ActorId, EpisodeEnd, EpisodeStart, GateEvents, Judgement, Observation,
    PolicyVersion, RecordPosition, Timestamp,
};

#[derive(Deserialize)]
pub struct Record {
    actor: ActorId,
    position: RecordPosition,
    body: Body,
}

#[derive(Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly every record is a step")]
enum Body {
    EpisodeStart(EpisodeStart),
    Step(Step),
    EpisodeEnd(EpisodeEnd),
}

#[derive(Deserialize)]
struct Step {
    started_at: Timestamp,
    source: ActionSource,
    policy_version: PolicyVersion,
    policy_action: Option<Action>,
    human_action: Option<Action>,
    commanded_action: Action,
    executed_action: Action,
    gate_events: GateEvents,
    reward: f32,
    terminated: bool,
    truncated: bool,
    next_observation: Observation,
}

impl From<Record> for wire::Record {
    fn from(old: Record) -> Self {
        let body = match old.body {
            Body::EpisodeStart(start) => wire::RecordBody::EpisodeStart(start),
            Body::Step(step) => wire::RecordBody::Step(step.into()),
            Body::EpisodeEnd(end) => wire::RecordBody::EpisodeEnd(end),
        };
        Self { actor: old.actor, position: old.position, body }
    }
}

impl From<Step> for wire::Step {
    /// The reward was the cell's own; what its sensor saw was not written down.
    fn from(old: Step) -> Self {
        Self {
            started_at: old.started_at,
            source: old.source,
            policy_version: old.policy_version,
            policy_action: old.policy_action,
            human_action: old.human_action,
            commanded_action: old.commanded_action,
            executed_action: old.executed_action,
            gate_events: old.gate_events,
            reward: old.reward,
            judgement: Judgement::default(),
            terminated: old.terminated,
            truncated: old.truncated,
            next_observation: old.next_observation,
        }
    }
}
