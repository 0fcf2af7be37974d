//! The episodes of a journal, one after the other, and what their steps really showed.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::Context;
use nets::reward_classifier::Classes;
use replay::{DiskStorage, journal};
use wire::{EpisodeKind, Mark, Record, RecordBody, RewardSource, Step};

/// Hands over the records of each episode together, the last one as far as it came.
pub fn for_each(
    folder: &Path,
    mut see: impl FnMut(Vec<Record>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut open: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    let records = journal::read_only(Arc::new(DiskStorage), folder)
        .with_context(|| format!("opening the journal {}", folder.display()))?;
    for record in records {
        let (_, record) = record.context("reading the journal")?;
        let actor = record.actor;
        // An ended one may still be revised, as far as its outcome goes.
        if let RecordBody::Revision(revision) = record.body {
            let last = open.get_mut(&actor).and_then(|episode| episode.last_mut());
            if let Some(Record { body: RecordBody::EpisodeEnd(end), .. }) = last {
                end.outcome = revision.outcome;
            }
            continue;
        }
        if matches!(record.body, RecordBody::EpisodeStart(_))
            && let Some(before) = open.remove(&actor)
        {
            see(before)?;
        }
        open.entry(actor).or_default().push(record);
    }
    open.into_values().try_for_each(see)
}

pub fn kind(episode: &[Record]) -> Option<EpisodeKind> {
    match &episode.first()?.body {
        RecordBody::EpisodeStart(start) => Some(start.kind),
        RecordBody::Step(_) | RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => None,
    }
}

pub fn steps(episode: &[Record]) -> impl Iterator<Item = (&Record, &Step)> {
    episode.iter().filter_map(|record| match &record.body {
        RecordBody::Step(step) => Some((record, step)),
        RecordBody::EpisodeStart(_) | RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => None,
    })
}

/// The label of what each step led to, as far as anybody knows: a person's mark, else the cell's own
/// sensor, else what follows from how the episode went on. `wrong`: a person says that the classifier
/// ended the episode by mistake.
pub fn truths(episode: &[Record], classes: Classes, wrong: bool) -> Vec<Option<u8>> {
    let steps: Vec<&Step> = steps(episode).map(|(_, step)| step).collect();
    let labelled = kind(episode) == Some(EpisodeKind::Labelling);
    let truth = |step: &Step| {
        let judgement = &step.judgement;
        match (judgement.mark, judgement.sensed) {
            (Some(Mark::Success), _) => Some(classes.success_label()),
            (Some(Mark::Failure), _) => Some(0),
            (Some(Mark::Class(class)), _) => Some(class),
            (None, _) if labelled => Some(0),
            (None, Some(true)) => Some(classes.success_label()),
            // Success would have ended the episode; which other class it is, nobody knows.
            _ if classes != Classes::Binary => None,
            (None, Some(false)) => Some(0),
            (None, None) if !step.terminated || wrong => Some(0),
            (None, None) => match judgement.source {
                RewardSource::Classifier => None,
                RewardSource::Task | RewardSource::Person => {
                    Some(u8::from(judgement.source == RewardSource::Task))
                }
            },
        }
    };
    steps.into_iter().map(truth).collect()
}

#[cfg(test)]
mod tests {
    use replay::{Journal, JournalConfig};
    use wire::{
        Action, ActionSource, ActorId, EpisodeEnd, EpisodeId, EpisodeStart, GateEvents, Judgement,
        Observation, Outcome, PolicyVersion, RecordPosition, Revision, Timestamp, UnixNanos,
    };

    use super::*;

    fn seen() -> Observation {
        Observation { captured_at: Timestamp(0), proprio: vec![], frames: vec![], features: vec![] }
    }

    /// One letter per step: `.` nobody knows, `0` `1` the cell saw it, `S` `F` a person's mark, `c` the
    /// classifier ends the episode, `t` the task does.
    fn episode(kind: EpisodeKind, letters: &str) -> Vec<Record> {
        let at = |index| RecordPosition { episode: EpisodeId(0), index };
        let record = |index, body| Record { actor: ActorId(0), position: at(index), body };
        let start = EpisodeStart { kind, seed: 0, started_at: UnixNanos(0), observation: seen() };
        let mut records = vec![record(0, RecordBody::EpisodeStart(start))];
        for (index, letter) in (1..).zip(letters.chars()) {
            let judgement = Judgement {
                source: if letter == 't' { RewardSource::Task } else { RewardSource::Classifier },
                probability: None,
                mark: match letter {
                    'S' => Some(Mark::Success),
                    'F' => Some(Mark::Failure),
                    _ => None,
                },
                sensed: match letter {
                    '0' => Some(false),
                    '1' => Some(true),
                    _ => None,
                },
            };
            let step = Step {
                started_at: Timestamp(0),
                source: ActionSource::Policy,
                policy_version: PolicyVersion(0),
                policy_action: None,
                human_action: None,
                commanded_action: Action::zeros(1),
                executed_action: Action::zeros(1),
                gate_events: GateEvents::default(),
                reward: 0.0,
                judgement,
                terminated: matches!(letter, 'c' | 't'),
                truncated: false,
                next_observation: seen(),
            };
            records.push(record(index, RecordBody::Step(step)));
        }
        records
    }

    /// The truth of each step: a label, or `?`.
    #[track_caller]
    fn check(kind: EpisodeKind, letters: &str, wrong: bool, expected: &str) {
        let labels = truths(&episode(kind, letters), Classes::Binary, wrong);
        let got: String =
            labels.iter().map(|label| label.map_or('?', |l| char::from(b'0' + l))).collect();
        assert_eq!(got, expected);
    }

    use EpisodeKind::{Labelling, Training};

    #[test]
    fn an_episode_comes_once_with_its_last_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = episode(EpisodeKind::Demonstration, "..");
        let record = |index, body| Record {
            position: RecordPosition { episode: EpisodeId(0), index },
            body,
            ..records[0].clone()
        };
        let end = EpisodeEnd {
            steps: 2,
            outcome: Outcome::Success,
            truncation: None,
            human_steps: 2,
            interventions: 0,
        };
        let revision = Revision { outcome: Outcome::Unknown };
        let behind =
            [record(3, RecordBody::EpisodeEnd(end)), record(4, RecordBody::Revision(revision))];
        let next = Record {
            position: RecordPosition { episode: EpisodeId(1), index: 0 },
            ..records[0].clone()
        };
        records.extend(behind);
        records.push(next);
        let (mut journal, _) = Journal::open(folder.path(), JournalConfig::keep_forever()).unwrap();
        journal.append_all(&records).unwrap();
        let mut seen = Vec::new();
        for_each(folder.path(), |episode| {
            let outcome = match &episode.last().unwrap().body {
                RecordBody::EpisodeEnd(end) => Some(end.outcome),
                _ => None,
            };
            seen.push((episode.len(), outcome));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(4, Some(Outcome::Unknown)), (1, None)]);
    }

    #[test]
    fn what_the_cell_saw_is_true() {
        check(Training, "001", false, "001");
    }

    #[test]
    fn a_persons_mark_is_true_whatever_the_cell_saw() {
        check(Training, "0SF", false, "010");
    }

    #[test]
    fn before_the_end_nothing_had_succeeded_and_the_end_is_not_known() {
        check(Training, "...c", false, "000?");
        check(Training, "...c", true, "0000");
        check(Training, "...", false, "000");
        check(Training, "..t", false, "001");
    }

    #[test]
    fn what_was_not_marked_where_labels_were_driven_for_is_none() {
        check(Labelling, ".S1", false, "010");
    }

    #[test]
    fn of_several_classes_only_success_is_known_without_a_mark() {
        let classes = Classes::NWay { classes: 3, success: 2 };
        let labels = truths(&episode(Training, "0.1F"), classes, false);
        assert_eq!(labels, [None, None, Some(2), Some(0)]);
    }
}
