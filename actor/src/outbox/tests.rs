use replay::DiskStorage;

use super::{
    testing::{ACTOR, records},
    *,
};

struct Bench {
    outbox: Outbox,
    opened: Opened,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(words: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (outbox, opened) = open(folder.path(), ACTOR).unwrap();
        for record in records(words) {
            outbox.append(&record).unwrap();
        }
        Self { outbox, opened, folder }
    }

    /// The process ends and comes again.
    fn restart(self) -> Self {
        let Self { outbox, folder, .. } = self;
        drop(outbox);
        let (outbox, opened) = open(folder.path(), ACTOR).unwrap();
        Self { outbox, opened, folder }
    }
}

fn open(folder: &Path, actor: ActorId) -> Result<(Outbox, Opened), OutboxError> {
    Outbox::open(
        Arc::new(DiskStorage),
        &folder.join("outbox"),
        JournalConfig::outbox(64 << 20),
        actor,
    )
}

fn at(episode: u32, index: u32) -> RecordPosition {
    RecordPosition { episode: EpisodeId(episode), index }
}

/// What is sent after `position`, as (episode, index).
fn batch(outbox: &Outbox, position: Option<RecordPosition>, n: usize) -> Vec<(u32, u32)> {
    let batch = outbox.batch_after(position, n, usize::MAX).unwrap();
    batch.iter().map(|record| (record.position.episode.0, record.position.index)).collect()
}

#[test]
fn a_batch_follows_on_what_is_acknowledged() {
    let bench = Bench::new("Tpp+ Tp");
    assert_eq!(batch(&bench.outbox, None, 2), [(0, 0), (0, 1)]);
    assert_eq!(batch(&bench.outbox, Some(at(0, 2)), 9), [(0, 3), (1, 0), (1, 1)]);
    assert_eq!(batch(&bench.outbox, Some(at(1, 1)), 9), []);
}

#[test]
fn a_batch_holds_about_so_many_bytes_but_one_record_at_least() {
    let bench = Bench::new("Tpppp");
    let sizes = [1, 500, 700].map(|bytes| bench.outbox.batch_after(None, 9, bytes).unwrap().len());
    assert_eq!(sizes, [1, 2, 3]);
}

#[test]
fn a_long_absence_is_caught_up_from_the_disk() {
    let bench = Bench::new(&"Tpppppppp+".repeat(20));
    let mut sent = vec![];
    let mut through = None;
    loop {
        let batch = bench.outbox.batch_after(through, 7, usize::MAX).unwrap();
        let Some(last) = batch.last() else { break };
        through = Some(last.position);
        sent.extend(batch);
        bench.outbox.acknowledge(through.unwrap()).unwrap();
    }
    assert_eq!(sent, records(&"Tpppppppp+".repeat(20)));
    assert_eq!(bench.outbox.gauge().depth(), 0);
}

#[test]
fn an_acknowledged_half_episode_counts_no_more_but_its_counts_survive() {
    let bench = Bench::new("TpHp");
    bench.outbox.acknowledge(at(0, 2)).unwrap();
    assert_eq!(bench.outbox.gauge().depth(), 1);
    assert_eq!(bench.outbox.training_steps_after(Some(at(0, 2))), 1);
    let bench = bench.restart();
    assert_eq!(bench.opened.interrupted, Some(EpisodeId(0)));
    let end = bench.outbox.batch_after(Some(at(0, 3)), 9, usize::MAX).unwrap();
    let expected = EpisodeEnd {
        steps: 3,
        outcome: Outcome::Unknown,
        truncation: Some(TruncationCause::Interrupted),
        human_steps: 1,
        interventions: 1,
    };
    assert_eq!(end[0].body, RecordBody::EpisodeEnd(expected));
}

#[test]
fn progress_survives_even_when_all_is_acknowledged() {
    let bench = Bench::new("DH+ DH+ Tp+");
    bench.outbox.acknowledge(at(2, 2)).unwrap();
    let bench = bench.restart();
    let progress = bench.opened.progress;
    assert_eq!((progress.next_episode, progress.demonstrations), (EpisodeId(3), 2));
    assert_eq!(bench.opened.interrupted, None);
}

#[test]
fn progress_that_was_not_written_is_counted_again() {
    let bench = Bench::new("DH+ DH+");
    std::fs::remove_file(bench.folder.path().join("outbox/progress.json")).unwrap();
    let progress = bench.restart().opened.progress;
    assert_eq!((progress.next_episode, progress.demonstrations), (EpisodeId(2), 2));
}

#[test]
fn what_was_taken_back_is_not_counted_however_the_process_ends() {
    let demonstrations = |bench: &Bench| bench.outbox.progress().demonstrations;
    let bench = Bench::new("DH+ DH+x");
    assert_eq!((demonstrations(&bench), bench.outbox.gauge().depth()), (1, 7));
    // Neither with the progress file nor without it.
    let bench = bench.restart();
    assert_eq!(demonstrations(&bench), 1);
    std::fs::remove_file(bench.folder.path().join("outbox/progress.json")).unwrap();
    let bench = bench.restart();
    assert_eq!(demonstrations(&bench), 1);
    assert_eq!(demonstrations(&Bench::new("DH+ DH+xk").restart()), 2);
}

#[test]
fn an_episode_that_the_learner_has_already_is_revised() {
    let bench = Bench::new("DH+");
    bench.outbox.acknowledge(at(0, 2)).unwrap();
    let revision = &records("DH+x")[3];
    bench.outbox.append(revision).unwrap();
    assert_eq!((bench.outbox.progress().demonstrations, bench.outbox.gauge().depth()), (0, 1));
    assert_eq!(batch(&bench.outbox, Some(at(0, 2)), 9), [(0, 3)]);
    let bench = bench.restart();
    assert_eq!(bench.opened.interrupted, None);
    assert_eq!(bench.outbox.progress().demonstrations, 0);
    bench.outbox.acknowledge(at(0, 3)).unwrap();
    assert_eq!(bench.outbox.gauge().depth(), 0);
}

#[test]
fn progress_of_an_earlier_version_is_read() {
    let version_2 = br#"{"version":2,"next_episode":4,"labelled":1,"demonstrations":2,"evaluations":0,"evaluation_successes":0}"#;
    let progress = parse_progress(version_2).unwrap();
    assert_eq!((progress.demonstrations, progress.last_demonstration), (2, None));
}

#[test]
fn only_training_steps_are_counted_for_the_run() {
    let bench = Bench::new("DH+ Tpp+ TpHp");
    assert_eq!(bench.outbox.training_steps_after(None), 5);
    assert_eq!(bench.outbox.training_steps_after(Some(at(1, 1))), 4);
    assert_eq!(bench.outbox.training_steps_after(Some(at(2, 3))), 0);
}

#[test]
fn a_learner_that_knows_more_than_a_lost_outbox_is_followed() {
    let bench = Bench::new("");
    bench.outbox.acknowledge(at(4, 7)).unwrap();
    assert_eq!(bench.outbox.progress().next_episode, EpisodeId(5));
    assert_eq!(bench.restart().opened.progress.next_episode, EpisodeId(5));
}

#[test]
fn the_outbox_of_another_actor_is_refused() {
    let bench = Bench::new("Tp");
    let Bench { outbox, folder, .. } = bench;
    drop(outbox);
    let error = open(folder.path(), ActorId(4)).unwrap_err();
    assert!(matches!(error, OutboxError::Foreign { .. }), "{error}");
}

#[test]
fn a_damaged_progress_file_is_named() {
    let Bench { outbox, folder, .. } = Bench::new("Tp");
    drop(outbox);
    std::fs::write(folder.path().join("outbox/progress.json"), "{}").unwrap();
    let error = open(folder.path(), ACTOR).unwrap_err().to_string();
    assert!(error.contains("progress.json"), "{error}");
}

#[test]
fn what_waits_for_the_disk_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let sync = replay::SyncPolicy::EveryMillis(100);
    let config = JournalConfig { sync, ..JournalConfig::outbox(64 << 20) };
    let (outbox, _) =
        Outbox::open(Arc::new(DiskStorage), &folder.path().join("outbox"), config, ACTOR).unwrap();
    let all = records("Tpp");
    let ms = |ms: u64| Timestamp(ms * 1_000_000);
    outbox.append(&all[0]).unwrap();
    outbox.sync_if_due(ms(0)).unwrap();
    outbox.append(&all[1]).unwrap();
    outbox.append(&all[2]).unwrap();
    outbox.sync_if_due(ms(99)).unwrap();
    assert_eq!((outbox.durable(), outbox.gauge().written()), (Some(at(0, 0)), Some(at(0, 2))));
    assert_eq!(outbox.batch_after(None, 9, usize::MAX).unwrap(), all[..1]);
    outbox.sync_if_due(ms(100)).unwrap();
    assert_eq!(outbox.batch_after(None, 9, usize::MAX).unwrap(), all);
}
