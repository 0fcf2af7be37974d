//! Compares what the learner has with what the simulated cell saw and wrote down by itself.
//!
//! A moment of an episode *happened* when the arm was told anything after it: from then on its
//! record must exist, whatever was killed.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use sim::Happening;
use tasks::{ActionMap, Measured, Observer, TaskConfig};
use wire::{
    Action, EpisodeId, GripperCommand, Observation, Record, RecordBody, Timestamp, geometry::Pose,
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

/// The pictures of one moment, and what came since the one before.
#[derive(Clone, Debug)]
struct Moment {
    at: Timestamp,
    pictures: Vec<(String, u32)>,
    /// What the arm measured, oldest first. The last is the moment's own where times are exact.
    readings: Vec<Measured>,
    /// What the arm was told, oldest first.
    targets: Vec<Pose>,
    /// Whether it was told to stop, or to hold.
    stopped: bool,
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
    let (mut readings, mut targets, mut stopped) = (Vec::new(), Vec::new(), false);
    for happening in happenings {
        let attempt = attempts.last_mut().filter(|_| open);
        match happening {
            Happening::Started => open = false,
            // What the cell saw itself; no record is made of it.
            Happening::Seated { .. } => {}
            Happening::Prepared { episode } => {
                open = true;
                (readings, targets, stopped) = (Vec::new(), Vec::new(), false);
                attempts.push(Attempt { episode: *episode, moments: vec![], happened: 0 });
            }
            Happening::Measured { tcp_pose, twist, wrench, .. } => {
                let (tcp_pose, twist, wrench) = (*tcp_pose, *twist, Some(*wrench));
                readings.push(Measured { tcp_pose, twist, wrench, gripper: None });
            }
            Happening::Commanded { target, .. } => {
                let Some(attempt) = attempt else { continue };
                attempt.happened = attempt.moments.len();
                targets.push(*target);
            }
            Happening::Gripped { .. } => {}
            Happening::Stopped { .. } => {
                if let Some(attempt) = attempt {
                    attempt.happened = attempt.moments.len();
                    stopped = true;
                }
            }
            Happening::Pictured { at, camera, crc32 } => {
                let Some(attempt) = attempt else { continue };
                // On a real clock the pictures of one moment are taken one after the other.
                let again = |moment: &Moment| {
                    moment.at != *at && moment.pictures.iter().any(|(name, _)| name == camera)
                };
                if attempt.moments.last().is_none_or(again) {
                    let (at, pictures) = (*at, Vec::new());
                    let readings = std::mem::take(&mut readings);
                    let targets = std::mem::take(&mut targets);
                    let stopped = std::mem::take(&mut stopped);
                    attempt.moments.push(Moment { at, pictures, readings, targets, stopped });
                }
                let moment = attempt.moments.last_mut().expect("pushed above");
                moment.pictures.push((camera.clone(), *crc32));
            }
        }
    }
    attempts
}

/// Whether times in records are the simulated cell's to the nanosecond, or a real clock's. On a real
/// clock several threads read the arm between two pictures, and which reading was whose nobody
/// knows: a record may be made of any of them.
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
    for (number, attempt) in attempts.iter().enumerate() {
        let again = attempts[number + 1..].iter().any(|later| later.episode == attempt.episode);
        // Killed before anything had to be kept, and begun once more, to the same bytes maybe.
        if attempt.happened == 0 && again {
            continue;
        }
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
        let observer = self.observer(recorded.first().and_then(|record| record.observation()));
        for (index, record) in recorded.iter().enumerate() {
            let difference = if record.position.index as usize != index {
                Some("stands at another place".to_owned())
            } else {
                self.difference(index, record, &observer)
            };
            if let Some(difference) = difference {
                verdict.altered += 1;
                verdict.complain(format!("{}: {difference}", record.position));
            }
        }
    }

    fn difference(&self, index: usize, record: &Record, observer: &Observer) -> Option<String> {
        let Some(moment) = self.attempt.moments.get(index) else {
            return Some("never happened".into());
        };
        let observation = record.observation().expect("only these are compared");
        if self.times == Times::Exact && observation.captured_at != moment.at {
            return Some(format!("taken at {:?}, not {:?}", observation.captured_at, moment.at));
        }
        if let Some(camera) = self.other_picture(moment, observation) {
            return Some(format!("the picture of {camera} is another one"));
        }
        let measured: Vec<_> =
            self.readings(moment).iter().map(|reading| observer.proprio(reading, None)).collect();
        if measured.iter().all(|proprio| distance(proprio, &observation.proprio) > TOLERANCE) {
            let nearest = measured.last();
            return Some(format!("the arm measured {nearest:?}, not {:?}", observation.proprio));
        }
        let RecordBody::Step(step) = &record.body else { return None };
        let executed = self.executed(index);
        let done = step.executed_action.as_slice();
        executed
            .iter()
            .all(|action| distance(action.as_slice(), done) > TOLERANCE)
            .then(|| format!("the arm did {:?}, not {done:?}", executed.last()))
    }

    /// What a record of `moment` may have been made of.
    fn readings<'a>(&self, moment: &'a Moment) -> &'a [Measured] {
        match self.times {
            Times::Exact => &moment.readings[moment.readings.len().saturating_sub(1)..],
            Times::Real => &moment.readings,
        }
    }

    /// The episode's observer. It begins at a pose that was measured before the first picture.
    fn observer(&self, first: Option<&Observation>) -> Observer {
        let at = |pose| {
            let mut observer = Observer::new(self.task);
            observer.reset(pose);
            observer
        };
        let readings = self.attempt.moments.first().map_or(&[][..], |m| self.readings(m));
        let error = |observer: &Observer| {
            let proprio = readings.iter().map(|reading| observer.proprio(reading, None));
            let seen = first.map_or(&[][..], |observation| &observation.proprio);
            proprio.map(|proprio| distance(&proprio, seen)).fold(f32::INFINITY, f32::min)
        };
        let observers = readings.iter().map(|reading| at(reading.tcp_pose));
        let best = observers.min_by(|a, b| error(a).total_cmp(&error(b)));
        best.unwrap_or_else(|| Observer::new(self.task))
    }

    /// What the arm can have done between the moment before and this one.
    fn executed(&self, index: usize) -> Vec<Action> {
        let moment = &self.attempt.moments[index];
        let before = index.checked_sub(1).map(|before| &self.attempt.moments[before]);
        let mut from: Vec<&Measured> =
            before.and_then(|before| before.readings.last()).into_iter().collect();
        let targets = match self.times {
            Times::Exact => &moment.targets[moment.targets.len().saturating_sub(1)..],
            Times::Real => {
                from.extend(&moment.readings);
                &moment.targets
            }
        };
        // An arm that stopped has done what brings it to where it then was.
        let rested = moment.readings.iter().filter(|_| self.times == Times::Real && moment.stopped);
        let map = ActionMap::new(self.task);
        let action = |target, from: &Measured| {
            map.action(target, GripperCommand::Stay, &from.tcp_pose, None).clipped()
        };
        let targets = targets.iter().chain(rested.map(|reading| &reading.tcp_pose));
        let pairs = targets.flat_map(|target| from.iter().map(move |from| (target, *from)));
        pairs.map(|(target, from)| action(target, from)).collect()
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
}

/// The largest difference; infinite where the lengths differ.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return f32::INFINITY;
    }
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
