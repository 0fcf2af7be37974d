//! Episodes written as text, turned into records whose every observation is unlike any other.
//!
//! `"T pphh|"`: the kind (`D`emonstration, `T`raining, `E`valuation, `L`abelling), who drove each step
//! (`p`olicy, `h`uman), and how it ended: `+` success, `-` failure, `|` time limit,
//! `~` interrupted after the last step was recorded, nothing: it goes on. Behind that, a person's second
//! thoughts: `x` takes the demonstration back, `k` keeps it after all.

use half::f16;
use wire::{
    Action, ActionSource, ActionSpec, ActorId, CameraSpec, EpisodeEnd, EpisodeId, EpisodeKind,
    EpisodeStart, Features, Frame, GateEvents, Judgement, Mark, Observation, ObservationSpec,
    Outcome, PolicyVersion, Record, RecordBody, RecordPosition, Revision, RewardSource, Step,
    Timestamp, TruncationCause, UnixNanos, WeightsHash,
};

use crate::store::StoreConfig;

pub const CAMERAS: usize = 2;
pub const BACKBONE: WeightsHash = WeightsHash([7; 32]);
pub const FEATURE_DIM: usize = 3;

pub fn spec() -> ObservationSpec {
    let camera = |name: &str| CameraSpec { name: name.into(), width: 3, height: 2 };
    ObservationSpec { proprio_dim: 1, cameras: vec![camera("wrist"), camera("side")] }
}

pub fn config() -> StoreConfig {
    StoreConfig {
        observation: spec(),
        action: ActionSpec { dim: 2 },
        grippers: 0,
        features: None,
        max_observations: 10_000,
    }
}

/// What tells this observation from all others: actor, episode, index.
pub fn tag(actor: u16, position: RecordPosition) -> u32 {
    u32::from(actor) << 24 | position.episode.0 << 12 | position.index
}

pub fn frame(tag: u32, camera: usize) -> Frame {
    let mut pixels = vec![camera as u8; 18];
    pixels[..4].copy_from_slice(&tag.to_le_bytes());
    Frame::new(3, 2, pixels).expect("3 x 2 x 3 bytes")
}

pub fn feature(tag: u32, camera: usize) -> Vec<f16> {
    let bytes = tag.to_le_bytes();
    vec![
        f16::from_f32(f32::from(bytes[0])),
        f16::from_f32(f32::from(bytes[1])),
        f16::from_f32(camera as f32),
    ]
}

fn observation(tag: u32, backbone: Option<WeightsHash>) -> Observation {
    let features = backbone.map(|backbone| {
        let row = |camera| Features {
            backbone,
            values: feature(tag, camera).into_iter().map(f16::to_bits).collect(),
        };
        (0..CAMERAS).map(row).collect()
    });
    Observation {
        captured_at: Timestamp(tag.into()),
        proprio: vec![tag as f32],
        frames: (0..CAMERAS).map(|camera| frame(tag, camera)).collect(),
        features: features.unwrap_or_default(),
    }
}

/// The action and reward of the step at `tag`.
pub fn action(tag: u32) -> [f32; 2] {
    [(tag & 0xfff) as f32 / 4096.0, (tag >> 12 & 0xfff) as f32 / 4096.0]
}

/// What the gate is asked for in every step: something else.
pub const COMMANDED: [f32; 2] = [0.0; 2];

/// All that was said of the step at `tag`.
pub fn judgement(tag: u32) -> Judgement {
    Judgement {
        source: [RewardSource::Task, RewardSource::Classifier, RewardSource::Person]
            [tag as usize % 3],
        probability: tag.is_multiple_of(2).then_some(tag as f32 / 1024.0),
        mark: tag.is_multiple_of(5).then_some(Mark::Success),
        sensed: (!tag.is_multiple_of(3)).then_some(!tag.is_multiple_of(2)),
    }
}

pub fn reward(tag: u32) -> f32 {
    (tag % 17) as f32
}

#[derive(Clone, Debug, Default)]
pub struct Script {
    pub actor: u16,
    pub backbone: Option<WeightsHash>,
}

impl Script {
    pub fn records(&self, episodes: &[&str]) -> Vec<Record> {
        (0..).zip(episodes).flat_map(|(id, text)| self.episode(EpisodeId(id), text)).collect()
    }

    pub fn episode(&self, episode: EpisodeId, text: &str) -> Vec<Record> {
        let (kind, rest) = text.split_once(' ').expect("kind, then steps");
        let steps: Vec<char> = rest.chars().filter(|c| matches!(c, 'p' | 'h')).collect();
        let ending = rest.trim_start_matches(['p', 'h']).chars().next();
        let record = |index: u32, body: &dyn Fn(u32) -> RecordBody| {
            let position = RecordPosition { episode, index };
            Record { actor: ActorId(self.actor), position, body: body(tag(self.actor, position)) }
        };
        let kind = match kind {
            "D" => EpisodeKind::Demonstration,
            "T" => EpisodeKind::Training,
            "L" => EpisodeKind::Labelling,
            _ => EpisodeKind::Evaluation,
        };
        let mut records = vec![record(0, &|tag| {
            RecordBody::EpisodeStart(EpisodeStart {
                kind,
                seed: tag.into(),
                started_at: UnixNanos(0),
                observation: observation(tag, self.backbone),
            })
        })];
        let n = steps.len() as u32;
        for (index, who) in (1..).zip(&steps) {
            let last = index == n;
            records.push(record(index, &|tag| {
                RecordBody::Step(self.step(
                    tag,
                    *who,
                    last && matches!(ending, Some('+' | '-')),
                    last && ending == Some('|'),
                ))
            }));
        }
        if let Some(ending) = ending {
            records.push(record(n + 1, &|_| RecordBody::EpisodeEnd(end(ending, &steps))));
        }
        for (index, mind) in (n + 2..).zip(rest.chars().filter(|c| matches!(c, 'x' | 'k'))) {
            let outcome = if mind == 'k' { Outcome::Success } else { Outcome::Unknown };
            records.push(record(index, &|_| RecordBody::Revision(Revision { outcome })));
        }
        records
    }

    fn step(&self, tag: u32, who: char, terminated: bool, truncated: bool) -> Step {
        let action = Action::from_slice(&action(tag));
        let human = who == 'h';
        Step {
            started_at: Timestamp(tag.into()),
            source: if human { ActionSource::Human } else { ActionSource::Policy },
            policy_version: PolicyVersion(1),
            policy_action: Some(Action::zeros(2)),
            human_action: human.then(|| action.clone()),
            commanded_action: Action::from_slice(&COMMANDED),
            executed_action: action,
            gate_events: GateEvents::default(),
            reward: reward(tag),
            judgement: judgement(tag),
            terminated,
            truncated,
            next_observation: observation(tag, self.backbone),
        }
    }
}

fn end(ending: char, steps: &[char]) -> EpisodeEnd {
    let (outcome, truncation) = match ending {
        '+' => (Outcome::Success, None),
        '-' => (Outcome::Failure, None),
        '|' => (Outcome::Failure, Some(TruncationCause::TimeLimit)),
        _ => (Outcome::Unknown, Some(TruncationCause::Interrupted)),
    };
    EpisodeEnd {
        steps: steps.len() as u32,
        outcome,
        truncation,
        human_steps: steps.iter().filter(|c| **c == 'h').count() as u32,
        interventions: 0,
    }
}
