//! Records for tests.

use wire::{
    Action, ActionSource, ActorId, EpisodeEnd, EpisodeKind, EpisodeStart, Frame, GateEvents,
    Observation, Outcome, PolicyVersion, Record, RecordBody, RecordPosition, Revision, Step,
    Timestamp, UnixNanos,
};

pub const ACTOR: ActorId = ActorId(3);

fn observation() -> Observation {
    let frame = Frame::new(8, 8, vec![0; 192]).unwrap();
    Observation {
        captured_at: Timestamp(0),
        proprio: vec![0.0; 2],
        frames: vec![frame],
        features: vec![],
    }
}

fn step(source: ActionSource) -> Step {
    Step {
        started_at: Timestamp(0),
        source,
        policy_version: PolicyVersion(0),
        policy_action: None,
        human_action: None,
        commanded_action: Action::zeros(1),
        executed_action: Action::zeros(1),
        gate_events: GateEvents::default(),
        reward: 0.0,
        judgement: wire::Judgement::default(),
        terminated: false,
        truncated: false,
        next_observation: observation(),
    }
}

/// Episodes as words: `T` or `D` for the start, `p` and `H` for steps, `+` for a successful end; behind
/// that `x` takes the demonstration back and `k` keeps it after all.
pub fn records(words: &str) -> Vec<Record> {
    let mut position = RecordPosition::default();
    let mut records = vec![];
    let mut counts = [0, 0];
    for letter in words.chars().filter(|letter| *letter != ' ') {
        if "TD".contains(letter) && !records.is_empty() {
            position = RecordPosition::start_of(position.episode.next());
            counts = [0, 0];
        }
        let start = |kind| {
            let started_at = UnixNanos(0);
            RecordBody::EpisodeStart(EpisodeStart {
                kind,
                seed: 0,
                started_at,
                observation: observation(),
            })
        };
        let body = match letter {
            'T' => start(EpisodeKind::Training),
            'D' => start(EpisodeKind::Demonstration),
            'p' => RecordBody::Step(step(ActionSource::Policy)),
            'H' => RecordBody::Step(step(ActionSource::Human)),
            'x' => RecordBody::Revision(Revision { outcome: Outcome::Unknown }),
            'k' => RecordBody::Revision(Revision { outcome: Outcome::Success }),
            _ => RecordBody::EpisodeEnd(EpisodeEnd {
                steps: counts[0],
                outcome: Outcome::Success,
                truncation: None,
                human_steps: counts[1],
                interventions: 0,
            }),
        };
        counts[0] += u32::from("pH".contains(letter));
        counts[1] += u32::from(letter == 'H');
        records.push(Record { actor: ACTOR, position, body });
        position = position.next_in_episode();
    }
    records
}
