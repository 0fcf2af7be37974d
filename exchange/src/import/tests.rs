use std::path::Path;

use replay::{Journal, JournalConfig};
use wire::{ActionSource, ActorId, EpisodeKind, Outcome, Record, RecordBody};

use super::*;
use crate::{
    finished,
    testing::{self, task},
};

fn open(folder: &Path) -> Importer {
    Importer::open(folder, JournalConfig::keep_forever(), &task(&["wrist"])).unwrap()
}

/// Episodes as they come from a reader.
fn given() -> Vec<Episode> {
    let task = task(&["wrist"]);
    let home = tempfile::tempdir().unwrap();
    let mut records = testing::episode(&task, 0, 0, EpisodeKind::Demonstration, 4);
    records.extend(testing::episode(&task, 0, 1, EpisodeKind::Demonstration, 3));
    testing::journal(home.path(), &records);
    finished(home.path()).unwrap().collect::<Result<_, _>>().unwrap()
}

fn import_all(folder: &Path, episodes: &[Episode], role: Role) -> Imported {
    let mut importer = open(folder);
    for episode in episodes {
        importer.add(episode.clone(), role).unwrap();
    }
    importer.finish().unwrap()
}

fn records(folder: &Path) -> Vec<Record> {
    let (journal, _) = Journal::open(folder, JournalConfig::keep_forever()).unwrap();
    let records = journal.records_from(Sequence(0));
    records.map(|read| read.map(|(_, record)| record)).collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_is_imported_twice_is_there_once() {
    let home = tempfile::tempdir().unwrap();
    let first = import_all(home.path(), &given(), Role::Recorded);
    assert_eq!(first, Imported { episodes: 2, steps: 7, successes: 1, known: 0 });
    let again = import_all(home.path(), &given(), Role::Recorded);
    assert_eq!(again, Imported { known: 2, ..Imported::default() });
    assert_eq!(records(home.path()).len(), 6 + 5);
}

/// After a kill at any record, the same import makes the same journal.
#[test]
fn an_import_that_was_killed_goes_on_where_it_stopped() {
    let whole = tempfile::tempdir().unwrap();
    import_all(whole.path(), &given(), Role::Demonstrations);
    let wanted = records(whole.path());
    for kept in 0..wanted.len() {
        let home = tempfile::tempdir().unwrap();
        testing::journal(home.path(), &wanted[..kept]);
        import_all(home.path(), &given(), Role::Demonstrations);
        assert_eq!(records(home.path()), wanted, "killed after {kept} records");
    }
}

#[test]
fn another_import_ends_what_a_killed_one_began() {
    let whole = tempfile::tempdir().unwrap();
    import_all(whole.path(), &given(), Role::Recorded);
    let home = tempfile::tempdir().unwrap();
    testing::journal(home.path(), &records(whole.path())[..3]);
    import_all(home.path(), &given()[1..], Role::Recorded);
    let found: Vec<Episode> = finished(home.path()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].steps.len(), found[0].end.outcome), (2, Outcome::Unknown));
    assert_eq!(found[1].steps, given()[1].steps);
}

#[test]
fn imported_episodes_stand_beside_those_of_actors() {
    let home = tempfile::tempdir().unwrap();
    let task = task(&["wrist"]);
    let acted = testing::episode(&task, 0, 0, EpisodeKind::Training, 2);
    testing::journal(home.path(), &acted);
    import_all(home.path(), &given(), Role::Recorded);
    let records = records(home.path());
    assert_eq!(records[..4], acted);
    assert!(records[4..].iter().all(|record| record.actor == ActorId::IMPORTED));
    let mut continuity = replay::Continuity::default();
    for record in &records {
        assert_eq!(continuity.accept(record), Ok(replay::Arrival::New), "{}", record.position);
    }
}

fn check_role(role: Role, kind: EpisodeKind, source: ActionSource, interventions: u32) {
    let home = tempfile::tempdir().unwrap();
    import_all(home.path(), &given(), role);
    for record in records(home.path()) {
        match record.body {
            RecordBody::EpisodeStart(start) => assert_eq!(start.kind, kind),
            RecordBody::Step(step) => {
                assert_eq!(step.source, source);
                assert_eq!(step.human_action.is_some(), source == ActionSource::Human);
            }
            RecordBody::Revision(_) => panic!("nobody revises what is imported"),
            RecordBody::EpisodeEnd(end) => {
                let human = if source == ActionSource::Human { end.steps } else { 0 };
                assert_eq!((end.human_steps, end.interventions), (human, interventions));
            }
        }
    }
}

#[test]
fn a_role_says_who_drove_and_why() {
    check_role(Role::Demonstrations, EpisodeKind::Demonstration, ActionSource::Human, 0);
    check_role(Role::Interventions, EpisodeKind::Training, ActionSource::Human, 1);
    check_role(Role::Online, EpisodeKind::Training, ActionSource::Policy, 0);
}

#[test]
fn what_does_not_fit_the_task_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let mut importer = open(home.path());
    let mut wrong = given().remove(0);
    wrong.steps[1].executed_action = wire::Action::zeros(2);
    let error = importer.add(wrong, Role::Recorded).unwrap_err().to_string();
    assert!(error.contains("2 dimensions, not 3"), "{error}");
    let mut wrong = given().remove(0);
    wrong.steps[1].reward = f32::NAN;
    assert!(importer.add(wrong, Role::Recorded).is_err());
    importer.finish().unwrap();
    assert_eq!(records(home.path()), []);
}

#[test]
fn a_journal_that_a_learner_has_open_is_not_touched() {
    let home = tempfile::tempdir().unwrap();
    let (_held, _) = Journal::open(home.path(), JournalConfig::keep_forever()).unwrap();
    let opened =
        Importer::open(home.path(), JournalConfig::keep_forever(), &task(&["wrist"])).unwrap_err();
    assert!(opened.to_string().contains("in use"), "{opened}");
}
