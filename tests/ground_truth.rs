//! Compares what the learner has with what the simulated cell saw and wrote down by itself.
//!
//! A moment of an episode *happened* when the arm was told anything after it: from then on its
//! record must exist, whatever was killed.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use sim::Happening;
use tasks::{ActionMap, Measured, Observer, TaskConfig};
use wire::{
    Action, EpisodeId, Observation, Record, RecordBody, Timestamp,
    geometry::{Pose, Twist, Wrench},
};

/// Real numbers that are computed again from what the cell wrote may differ by this.
const TOLERANCE: f32 = 1e-3;

/// What became of the records of one or more runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Moments of the arm that had to be recorded.
    pub happened: usize,
    pub lost: usize,
    pub duplicated: usize,
    pub altered: usize,
    pub complaints: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.altered == 0
    }

    pub fn add(&mut self, other: Self) {
        self.happened += other.happened;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.altered += other.altered;
        self.complaints.extend(other.complaints);
    }

    fn complain(&mut self, what: String) {
        self.complaints.push(what);
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, duplicated, altered, .. } = self;
        write!(f, "lost {lost}, duplicated {duplicated}, altered {altered}")
    }
}

/// The arm and the pictures at one moment, and the target that led there.
#[derive(Clone, Debug)]
struct Moment {
    at: Timestamp,
    tcp_pose: Pose,
    twist: Twist,
    wrench: Wrench,
    pictures: Vec<(String, u32)>,
    motion: Option<Motion>,
}

#[derive(Clone, Copy, Debug)]
struct Motion {
    from: Pose,
    target: Pose,
}

/// An episode as the cell saw it: by one process, from its first picture on.
#[derive(Clone, Debug)]
struct Attempt {
    episode: EpisodeId,
    moments: Vec<Moment>,
    /// Of `moments`, how many happened.
    happened: usize,
}

/// What the cell wrote into `path`.
pub fn read(path: &Path) -> Vec<Happening> {
    let text = fs::read_to_string(path).unwrap();
    // The last line may have been under way when the process was killed.
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

fn attempts(happenings: &[Happening]) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut open = false;
    let mut measured = None;
    let mut motion: Option<Motion> = None;
    for happening in happenings {
        let attempt = attempts.last_mut().filter(|_| open);
        match happening {
            Happening::Started => open = false,
            Happening::Prepared { episode } => {
                open = true;
                motion = None;
                attempts.push(Attempt { episode: *episode, moments: vec![], happened: 0 });
            }
            Happening::Measured { at, tcp_pose, twist, wrench } => {
                measured = Some((*at, *tcp_pose, *twist, *wrench));
            }
            Happening::Commanded { target, .. } => {
                let Some(attempt) = attempt else { continue };
                attempt.happened = attempt.moments.len();
                let from = attempt.moments.last().map(|moment| moment.tcp_pose);
                motion = from.map(|from| Motion { from, target: *target });
            }
            Happening::Stopped { .. } => {
                if let Some(attempt) = attempt {
                    attempt.happened = attempt.moments.len();
                }
            }
            Happening::Pictured { at, camera, crc32 } => {
                let Some(attempt) = attempt else { continue };
                if attempt.moments.last().is_none_or(|moment| moment.at != *at) {
                    let (_, tcp_pose, twist, wrench) =
                        measured.expect("the arm is read before the cameras");
                    let (at, pictures, motion) = (*at, Vec::new(), motion.take());
                    attempt.moments.push(Moment { at, tcp_pose, twist, wrench, pictures, motion });
                }
                let moment = attempt.moments.last_mut().expect("pushed above");
                moment.pictures.push((camera.clone(), *crc32));
            }
        }
    }
    attempts
}

/// Whether times in records are the simulated cell's to the nanosecond, or a real clock's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Exact,
    Real,
}

/// What became of what `happenings` tell, in the records of one actor. The task's actions must be
/// relative to the measured pose and its proprioception free of the target's lag: what is compared
/// is then a function of what the cell wrote.
pub fn compare(
    happenings: &[Happening],
    records: &[Record],
    task: &TaskConfig,
    times: Times,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut episodes: BTreeMap<EpisodeId, Vec<&Record>> = BTreeMap::new();
    let mut last = None;
    for record in records {
        if last >= Some(record.position) {
            verdict.duplicated += 1;
            verdict.complain(format!("{} is there again", record.position));
            continue;
        }
        last = Some(record.position);
        episodes.entry(record.position.episode).or_default().push(record);
    }
    let attempts = attempts(happenings);
    let mut matched = Vec::new();
    for attempt in &attempts {
        verdict.happened += attempt.happened;
        let found = episodes.get(&attempt.episode).filter(|records| {
            !matched.contains(&attempt.episode) && begins_like(attempt, records, times)
        });
        if let Some(records) = found {
            matched.push(attempt.episode);
            Comparison { attempt, task, times }.run(records, &mut verdict);
        } else if attempt.happened > 0 {
            verdict.lost += attempt.happened;
            verdict.complain(format!("{} is not there", attempt.episode));
        }
    }
    for (episode, records) in &episodes {
        if !matched.contains(episode) {
            verdict.altered += records.len();
            verdict.complain(format!("{episode} is something that nobody saw"));
        }
    }
    verdict
}

fn begins_like(attempt: &Attempt, records: &[&Record], times: Times) -> bool {
    let first = records.first().and_then(|record| record.observation());
    match (first, attempt.moments.first()) {
        (Some(observation), Some(moment)) => {
            times == Times::Real || observation.captured_at == moment.at
        }
        _ => false,
    }
}

struct Comparison<'a> {
    attempt: &'a Attempt,
    task: &'a TaskConfig,
    times: Times,
}

impl Comparison<'_> {
    fn run(&self, records: &[&Record], verdict: &mut Verdict) {
        let episode = self.attempt.episode;
        let recorded: Vec<_> =
            records.iter().filter(|record| record.observation().is_some()).collect();
        let missing = self.attempt.happened.saturating_sub(recorded.len());
        if missing > 0 {
            verdict.lost += missing;
            verdict.complain(format!("{episode} lacks its last {missing}"));
        }
        let mut observer = Observer::new(self.task);
        if let Some(first) = self.attempt.moments.first() {
            observer.reset(first.tcp_pose);
        }
        for (index, record) in recorded.iter().enumerate() {
            let difference = if record.position.index as usize != index {
                Some("stands at another place".to_owned())
            } else {
                match self.attempt.moments.get(index) {
                    None => Some("never happened".into()),
                    Some(moment) => self.difference(moment, record, &observer),
                }
            };
            if let Some(difference) = difference {
                verdict.altered += 1;
                verdict.complain(format!("{}: {difference}", record.position));
            }
        }
    }

    fn difference(&self, moment: &Moment, record: &Record, observer: &Observer) -> Option<String> {
        let observation = record.observation().expect("only these are compared");
        if self.times == Times::Exact && observation.captured_at != moment.at {
            return Some(format!("taken at {:?}, not {:?}", observation.captured_at, moment.at));
        }
        if let Some(camera) = self.other_picture(moment, observation) {
            return Some(format!("the picture of {camera} is another one"));
        }
        let Moment { tcp_pose, twist, wrench, .. } = *moment;
        let measured = Measured { tcp_pose, twist, wrench: Some(wrench) };
        let proprio = observer.proprio(&measured, None);
        if differ(&proprio, &observation.proprio) {
            return Some(format!("the arm measured {proprio:?}, not {:?}", observation.proprio));
        }
        let RecordBody::Step(step) = &record.body else { return None };
        let Some(motion) = &moment.motion else { return Some("nothing moved the arm".into()) };
        let executed = self.action(motion);
        differ(executed.as_slice(), step.executed_action.as_slice())
            .then(|| format!("the arm did {executed:?}, not {:?}", step.executed_action))
    }

    fn other_picture<'a>(&'a self, moment: &Moment, seen: &Observation) -> Option<&'a str> {
        let cameras = self.task.cameras.iter();
        let mut pairs = cameras.zip(&seen.frames);
        pairs.find_map(|(camera, frame)| {
            let crc32 = crc32fast::hash(&frame.pixels);
            let same = moment.pictures.iter().any(|given| given == &(camera.clone(), crc32));
            (!same).then_some(camera.as_str())
        })
    }

    fn action(&self, motion: &Motion) -> Action {
        ActionMap::new(self.task).action(&motion.target, &motion.from, None).clipped()
    }
}

fn differ(a: &[f32], b: &[f32]) -> bool {
    a.len() != b.len() || a.iter().zip(b).any(|(a, b)| (a - b).abs() > TOLERANCE)
}
