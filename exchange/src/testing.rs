//! A small task and journals of made-up episodes for it. Also used by the tests outside this crate.

use std::path::Path;

use replay::{Journal, JournalConfig};
use tasks::TaskConfig;
use wire::{
    Action, ActionSource, ActorId, EpisodeEnd, EpisodeId, EpisodeKind, EpisodeStart, Frame,
    GateEvents, Judgement, Observation, Outcome, PolicyVersion, Record, RecordBody, RecordPosition,
    Step, Timestamp, TruncationCause, UnixNanos,
};

/// Three numbers of state, three of action, pictures of 16 x 16.
pub fn task(cameras: &[&str]) -> TaskConfig {
    let text = format!(
        "name = \"peg\"\ncameras = {cameras:?}\n\
         [observation]\nimage_width = 16\nimage_height = 16\nproprio = [\"position\"]\n\
         [action]\ndims = \"xyz\"\n\
         [reset]\nposition_m = [0.5, 0.0, 0.07]\ntravel_z_m = 0.2\n"
    );
    TaskConfig::from_toml(&text, "task.toml").unwrap()
}

/// Numbers that differ from place to place, the same each time.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

fn observation(task: &TaskConfig, seed: u64, at: u64) -> Observation {
    let mut next = noise(seed);
    let spec = task.observation_spec();
    let proprio = (0..spec.proprio_dim).map(|_| (next() % 4001) as f32 / 1000.0 - 2.0).collect();
    let frame = |next: &mut dyn FnMut() -> u64, width: u16, height: u16| {
        let len = usize::from(width) * usize::from(height) * 3;
        Frame::new(width, height, (0..len).map(|_| next() as u8).collect::<Vec<_>>()).unwrap()
    };
    let frames = spec.cameras.iter().map(|c| frame(&mut next, c.width, c.height)).collect();
    Observation { captured_at: Timestamp(at), proprio, frames, features: Vec::new() }
}

/// An episode with everything in it that a record may hold: takeovers, gate events, absent actions.
pub fn episode(
    task: &TaskConfig,
    actor: u16,
    number: u32,
    kind: EpisodeKind,
    steps: u32,
) -> Vec<Record> {
    let seed = u64::from(actor) << 40 | u64::from(number) << 20 | 7;
    let mut next = noise(seed);
    let dim = task.action_spec().dim;
    let mut action = || Action::from_slice(&vec![(next() % 2001) as f32 / 1000.0 - 1.0; dim]);
    let success = number.is_multiple_of(2);
    let start = EpisodeStart {
        kind,
        seed: seed | 1 << 63,
        started_at: UnixNanos(1_700_000_000_123_456_789 + seed),
        observation: observation(task, seed, 1_000),
    };
    let human_steps = steps / 2;
    let mut bodies = vec![RecordBody::EpisodeStart(start)];
    for index in 0..steps {
        let last = index + 1 == steps;
        let human = index < human_steps;
        let at = 1_000 + u64::from(index) * 100_000_000;
        bodies.push(RecordBody::Step(Step {
            started_at: Timestamp(at + 17),
            source: if human { ActionSource::Human } else { ActionSource::Policy },
            policy_version: PolicyVersion(u64::from(index / 2)),
            policy_action: (index % 3 != 0).then(&mut action),
            human_action: human.then(&mut action),
            commanded_action: action(),
            executed_action: action(),
            gate_events: GateEvents(index % 5),
            reward: if last && success { 1.0 } else { -0.01 },
            judgement: Judgement::default(),
            terminated: last && success,
            truncated: last && !success,
            next_observation: observation(task, seed + 1 + u64::from(index), at + 100_000_003),
        }));
    }
    bodies.push(RecordBody::EpisodeEnd(EpisodeEnd {
        steps,
        outcome: if success { Outcome::Success } else { Outcome::Failure },
        truncation: (!success).then_some(TruncationCause::Operator),
        human_steps,
        interventions: u32::from(human_steps > 0),
    }));
    let record = |(index, body)| Record {
        actor: ActorId(actor),
        position: RecordPosition { episode: EpisodeId(number), index },
        body,
    };
    (0..).zip(bodies).map(record).collect()
}

/// Three episodes of two actors, one of them not at its end.
pub fn run(task: &TaskConfig) -> Vec<Record> {
    let mut records = episode(task, 0, 0, EpisodeKind::Demonstration, 5);
    records.extend(episode(task, 0, 1, EpisodeKind::Training, 4));
    // Two actors at the same time.
    let mut other = episode(task, 1, 0, EpisodeKind::Training, 6).into_iter();
    let mine = episode(task, 0, 2, EpisodeKind::Evaluation, 3);
    for record in mine {
        records.push(record);
        records.extend(other.next());
    }
    records.extend(other);
    let mut begun = episode(task, 0, 3, EpisodeKind::Training, 4);
    begun.truncate(3);
    records.extend(begun);
    records
}

pub fn journal(folder: &Path, records: &[Record]) {
    let (mut journal, _) = Journal::open(folder, JournalConfig::keep_forever()).unwrap();
    journal.append_all(records).unwrap();
}
