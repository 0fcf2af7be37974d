//! Labelled frames, as records tell them: what was seen, and what a person said of it.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use thiserror::Error;
use wire::{
    ActorId, EpisodeKind, Features, Frame, Mark, Observation, Record, RecordBody, RecordPosition,
    WeightsHash,
};

use nets::reward_classifier::Classes;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum FrameSetError {
    #[error(
        "{at} is marked as class {got}, and this classifier has classes 0 to {most}: train with as \
         many classes as were marked"
    )]
    Label { at: RecordPosition, got: u8, most: u8 },
    #[error("the features of a frame could not be computed: {0}")]
    Features(String),
    #[error(
        "there are {episodes} labelled episodes; at least two are needed, one to train and one to \
         hold out: collect more"
    )]
    Episodes { episodes: usize },
}

/// One look at the scene and what a person said of it.
#[derive(Clone, Debug)]
pub struct LabelledFrame {
    /// Index of the journal that it came from.
    pub source: usize,
    pub actor: ActorId,
    pub position: RecordPosition,
    pub label: u8,
    /// One per camera of the task.
    pub features: Vec<Features>,
}

/// Computes the features of frames whose own are of another backbone.
pub type Recompute<'a> = dyn FnMut(&[Frame]) -> Result<Vec<Features>, String> + 'a;

#[derive(Clone, Debug, Default)]
pub struct FrameSet {
    pub frames: Vec<LabelledFrame>,
    /// Frames that were left out because the mark changed beside them.
    pub left_out: usize,
    sources: usize,
}

/// Which frames train, and which are only looked at when it is done: indices into the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub training: Vec<usize>,
    pub held_out: Vec<usize>,
}

/// The frames of one episode, while it is read.
#[derive(Default)]
struct Reel {
    kind: Option<EpisodeKind>,
    frames: Vec<LabelledFrame>,
}

impl FrameSet {
    /// Adds what a journal holds. In an episode that was driven for its labels, a frame without a
    /// mark shows label 0; elsewhere only marked frames count. A person's finger is not exact to the
    /// frame: those within `margin` steps of a change of the mark are left out.
    pub fn add(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        classes: Classes,
        backbone: WeightsHash,
        margin: usize,
        recompute: &mut Recompute<'_>,
    ) -> Result<(), FrameSetError> {
        let source = self.sources;
        self.sources += 1;
        let mut open: BTreeMap<ActorId, Reel> = BTreeMap::new();
        for record in records {
            let Record { actor, position, body } = record;
            match body {
                RecordBody::EpisodeStart(start) => {
                    let reel = Reel { kind: Some(start.kind), frames: Vec::new() };
                    if let Some(before) = open.insert(actor, reel) {
                        self.keep(before, margin);
                    }
                }
                RecordBody::Step(step) => {
                    let Some(reel) = open.get_mut(&actor) else { continue };
                    let mark = step.judgement.mark;
                    let Some(label) = label(reel.kind, mark, classes) else { continue };
                    if label >= classes.labels() {
                        let most = classes.labels() - 1;
                        return Err(FrameSetError::Label { at: position, got: label, most });
                    }
                    let features = features_of(&step.next_observation, backbone, recompute)?;
                    reel.frames.push(LabelledFrame { source, actor, position, label, features });
                }
                RecordBody::Revision(_) => {}
                RecordBody::EpisodeEnd(_) => {
                    if let Some(reel) = open.remove(&actor) {
                        self.keep(reel, margin);
                    }
                }
            }
        }
        // What goes on, or was cut short by a kill, counts as far as it came.
        open.into_values().for_each(|reel| self.keep(reel, margin));
        Ok(())
    }

    fn keep(&mut self, reel: Reel, margin: usize) {
        let labels: Vec<u8> = reel.frames.iter().map(|frame| frame.label).collect();
        for (at, frame) in reel.frames.into_iter().enumerate() {
            let near = at.saturating_sub(margin)..(at + margin + 1).min(labels.len());
            if labels[near].iter().all(|label| *label == frame.label) {
                self.frames.push(frame);
            } else {
                self.left_out += 1;
            }
        }
    }

    pub fn count(&self, label: u8) -> usize {
        self.frames.iter().filter(|frame| frame.label == label).count()
    }

    pub fn episodes(&self) -> usize {
        self.by_episode().len()
    }

    fn by_episode(&self) -> BTreeMap<(usize, ActorId, u32), Vec<usize>> {
        let mut episodes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, frame) in self.frames.iter().enumerate() {
            let key = (frame.source, frame.actor, frame.position.episode.0);
            episodes.entry(key).or_default().push(index);
        }
        episodes
    }

    /// Splits by episode, `share` of them held out: frames of one episode resemble each other, so
    /// one of them in training tells the answer for the next.
    pub fn split(&self, share: f64, seed: u64) -> Result<Split, FrameSetError> {
        let mut episodes: Vec<Vec<usize>> = self.by_episode().into_values().collect();
        if episodes.len() < 2 {
            return Err(FrameSetError::Episodes { episodes: episodes.len() });
        }
        episodes.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let wanted = (share * episodes.len() as f64).round() as usize;
        let training = episodes.split_off(wanted.clamp(1, episodes.len() - 1));
        let sorted = |episodes: Vec<Vec<usize>>| {
            let mut frames = episodes.concat();
            frames.sort_unstable();
            frames
        };
        Ok(Split { training: sorted(training), held_out: sorted(episodes) })
    }
}

/// What a mark says of a frame; `None` where nobody said anything that counts.
fn label(kind: Option<EpisodeKind>, mark: Option<Mark>, classes: Classes) -> Option<u8> {
    match mark {
        Some(Mark::Success) => Some(classes.success_label()),
        Some(Mark::Failure) => Some(0),
        Some(Mark::Class(class)) => Some(class),
        None => (kind == Some(EpisodeKind::Labelling)).then_some(0),
    }
}

fn features_of(
    observation: &Observation,
    backbone: WeightsHash,
    recompute: &mut Recompute<'_>,
) -> Result<Vec<Features>, FrameSetError> {
    let ours = observation.features.iter().all(|features| features.backbone == backbone);
    if ours && observation.features.len() == observation.frames.len() {
        return Ok(observation.features.clone());
    }
    recompute(&observation.frames).map_err(FrameSetError::Features)
}

#[cfg(test)]
mod tests {
    use wire::{
        Action, ActionSource, EpisodeEnd, EpisodeId, EpisodeStart, GateEvents, Judgement, Outcome,
        PolicyVersion, Step, Timestamp, UnixNanos,
    };

    use super::*;

    const OURS: WeightsHash = WeightsHash([1; 32]);
    const OTHER: WeightsHash = WeightsHash([2; 32]);

    fn seen(tag: u16, backbone: WeightsHash) -> Observation {
        Observation {
            captured_at: Timestamp(tag.into()),
            proprio: vec![],
            frames: vec![Frame::new(1, 1, vec![tag as u8; 3]).unwrap()],
            features: vec![Features { backbone, values: vec![tag].into() }],
        }
    }

    /// An episode, one letter per step: `.` without a mark, `S` success, `F` failure, a digit a class.
    fn episode(number: u32, kind: EpisodeKind, marks: &str, backbone: WeightsHash) -> Vec<Record> {
        let at = |index| RecordPosition { episode: EpisodeId(number), index };
        let record = |index, body| Record { actor: ActorId(0), position: at(index), body };
        let start = EpisodeStart {
            kind,
            seed: 0,
            started_at: UnixNanos(0),
            observation: seen(0, backbone),
        };
        let mut records = vec![record(0, RecordBody::EpisodeStart(start))];
        for (index, letter) in (1..).zip(marks.chars()) {
            let mark = match letter {
                'S' => Some(Mark::Success),
                'F' => Some(Mark::Failure),
                '.' => None,
                digit => digit.to_digit(10).map(|class| Mark::Class(class as u8)),
            };
            let step = Step {
                started_at: Timestamp(0),
                source: ActionSource::Human,
                policy_version: PolicyVersion(0),
                policy_action: None,
                human_action: None,
                commanded_action: Action::zeros(1),
                executed_action: Action::zeros(1),
                gate_events: GateEvents::default(),
                reward: 0.0,
                judgement: Judgement { mark, ..Judgement::default() },
                terminated: false,
                truncated: false,
                next_observation: seen((100 * number + index) as u16, backbone),
            };
            records.push(record(index, RecordBody::Step(step)));
        }
        let steps = marks.len() as u32;
        let (outcome, truncation) = (Outcome::Unknown, None);
        let end = EpisodeEnd { steps, outcome, truncation, human_steps: steps, interventions: 0 };
        records.push(record(steps + 1, RecordBody::EpisodeEnd(end)));
        records
    }

    fn no_backbone(_: &[Frame]) -> Result<Vec<Features>, String> {
        Err("there is none".into())
    }

    /// The labels of what is kept, `_` where a step is left out.
    #[track_caller]
    fn check(kind: EpisodeKind, classes: Classes, marks: &str, margin: usize, labels: &str) {
        let mut set = FrameSet::default();
        let records = episode(0, kind, marks, OURS);
        set.add(records, classes, OURS, margin, &mut no_backbone).unwrap();
        let mut got = vec!['_'; marks.len()];
        for frame in &set.frames {
            let index = frame.position.index as usize;
            got[index - 1] = char::from(b'0' + frame.label);
            assert_eq!(&*frame.features[0].values, [index as u16], "what followed the step");
        }
        assert_eq!(got.iter().collect::<String>(), labels);
    }

    use EpisodeKind::{Labelling, Training};

    #[test]
    fn what_is_not_marked_shows_no_success_where_labels_were_driven_for() {
        check(Labelling, Classes::Binary, "..SS.F", 0, "001100");
    }

    #[test]
    fn elsewhere_only_marked_frames_count() {
        check(Training, Classes::Binary, "..F.S", 0, "__0_1");
    }

    #[test]
    fn frames_beside_a_change_of_the_mark_are_left_out() {
        check(Labelling, Classes::Binary, "....SSSS...", 1, "000__11__00");
        check(Labelling, Classes::Binary, "....SSSS...", 2, "00________0");
    }

    #[test]
    fn success_is_the_class_or_the_last_stage_that_it_is_defined_to_be() {
        check(Labelling, Classes::NWay { classes: 3, success: 1 }, ".2S", 0, "021");
        check(Labelling, Classes::Stages { stages: 3 }, ".12S", 0, "0123");
    }

    #[test]
    fn a_class_that_does_not_exist_is_named() {
        let mut set = FrameSet::default();
        let records = episode(4, Labelling, ".3", OURS);
        let error = set.add(records, Classes::Binary, OURS, 0, &mut no_backbone).unwrap_err();
        let at = RecordPosition { episode: EpisodeId(4), index: 2 };
        assert_eq!(error, FrameSetError::Label { at, got: 3, most: 1 });
    }

    #[test]
    fn features_of_another_backbone_are_computed_again() {
        let mut set = FrameSet::default();
        let mut asked = 0;
        let mut compute = |frames: &[Frame]| {
            asked += 1;
            let values = vec![u16::from(frames[0].pixels[0]) + 1000];
            Ok(vec![Features { backbone: OURS, values: values.into() }])
        };
        let records = episode(0, Labelling, "..S", OTHER);
        set.add(records, Classes::Binary, OURS, 0, &mut compute).unwrap();
        assert_eq!(asked, 3);
        assert_eq!(&*set.frames[2].features[0].values, [1003]);
    }

    #[test]
    fn an_episode_that_was_cut_short_counts_as_far_as_it_came() {
        let mut set = FrameSet::default();
        let mut records = episode(0, Labelling, "..SS", OURS);
        records.pop();
        set.add(records, Classes::Binary, OURS, 0, &mut no_backbone).unwrap();
        assert_eq!((set.count(0), set.count(1)), (2, 2));
    }

    fn twenty_episodes() -> FrameSet {
        let mut set = FrameSet::default();
        let records = (0..20).flat_map(|number| episode(number, Labelling, "...SS", OURS));
        set.add(records, Classes::Binary, OURS, 0, &mut no_backbone).unwrap();
        set
    }

    #[test]
    fn an_episode_is_held_out_whole() {
        let set = twenty_episodes();
        let split = set.split(0.25, 3).unwrap();
        assert_eq!((split.training.len(), split.held_out.len()), (75, 25));
        let episodes = |side: &[usize]| -> std::collections::BTreeSet<u32> {
            side.iter().map(|i| set.frames[*i].position.episode.0).collect()
        };
        assert!(episodes(&split.training).is_disjoint(&episodes(&split.held_out)));
        assert_eq!(split, set.split(0.25, 3).unwrap());
        assert_ne!(split, set.split(0.25, 4).unwrap());
    }

    #[test]
    fn both_sides_get_an_episode_or_it_is_said_that_there_are_too_few() {
        let set = twenty_episodes();
        assert_eq!(set.split(0.0, 0).unwrap().held_out.len(), 5);
        assert_eq!(set.split(1.0, 0).unwrap().training.len(), 5);
        let mut one = FrameSet::default();
        let records = episode(0, Labelling, "..S", OURS);
        one.add(records, Classes::Binary, OURS, 0, &mut no_backbone).unwrap();
        assert_eq!(one.split(0.25, 0), Err(FrameSetError::Episodes { episodes: 1 }));
    }
}
