use std::{fs, path::PathBuf};

use replay::JournalConfig;
use tempfile::TempDir;
use wire::{ActorId, EpisodeKind, Observation, Outcome, TruncationCause};

mod videos;

use super::*;
use crate::{
    Episode, ExchangeError, Importer, Role, finished,
    testing::{self, task},
};

/// A journal in a folder, and room for what is made of it.
struct Place {
    home: TempDir,
    task: tasks::TaskConfig,
}

impl Place {
    fn new(cameras: &[&str]) -> Self {
        let place = Self { home: tempfile::tempdir().unwrap(), task: task(cameras) };
        testing::journal(&place.at("journal"), &testing::run(&place.task));
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(self.at(name)).unwrap()).unwrap()
    }

    fn export(&self, options: &ExportOptions<'_>, out: &str) -> Result<Exported, ExchangeError> {
        let journal = self.at("journal");
        let source = Source { journal: &journal, task: &self.task, robot: "sim" };
        export(&source, options, &self.at(out))
    }

    /// Imports `data` into the journal `to` and reads that.
    fn import(&self, data: &str, to: &str, role: Role) -> Result<Vec<Episode>, ExchangeError> {
        self.import_with(&ImportOptions::default(), data, to, role)
    }

    fn import_with(
        &self,
        options: &ImportOptions<'_>,
        data: &str,
        to: &str,
        role: Role,
    ) -> Result<Vec<Episode>, ExchangeError> {
        let keep = JournalConfig::keep_forever();
        let mut importer = Importer::open(&self.at(to), keep, &self.task)?;
        import(&self.at(data), &self.task, options, &mut |episode| importer.add(episode, role))?;
        importer.finish()?;
        episodes(&self.at(to))
    }
}

fn episodes(journal: &Path) -> Result<Vec<Episode>, ExchangeError> {
    finished(journal)?.collect()
}

/// The same but for who acted, and which of his episodes it was.
fn anonymous(episodes: Vec<Episode>) -> Vec<Episode> {
    let one = |(id, episode): (u32, Episode)| Episode {
        actor: ActorId::IMPORTED,
        id: wire::EpisodeId(id),
        ..episode
    };
    (0..).zip(episodes).map(one).collect()
}

fn check_round_trip(cameras: &[&str], options: &ExportOptions<'_>) {
    let place = Place::new(cameras);
    let exported = place.export(options, "data").unwrap();
    assert_eq!(exported, Exported { episodes: 4, steps: 18 });
    let reading = ImportOptions { videos: options.videos, ..ImportOptions::default() };
    let back = place.import_with(&reading, "data", "again", Role::Recorded).unwrap();
    assert_eq!(back, anonymous(episodes(&place.at("journal")).unwrap()));
}

#[test]
fn what_is_exported_and_imported_is_as_it_was() {
    check_round_trip(&["wrist"], &ExportOptions::default());
    check_round_trip(&["wrist", "side"], &ExportOptions::default());
    check_round_trip(&[], &ExportOptions::default());
}

#[test]
fn full_files_are_followed_by_others_and_full_folders_too() {
    let options =
        ExportOptions { data_file_bytes: 1, files_per_chunk: 3, ..ExportOptions::default() };
    check_round_trip(&["wrist"], &options);
    let place = Place::new(&["wrist"]);
    place.export(&options, "data").unwrap();
    for file in ["chunk-000/file-000", "chunk-000/file-002", "chunk-001/file-000"] {
        assert!(place.at(&format!("data/data/{file}.parquet")).is_file(), "{file}");
    }
}

#[test]
fn one_kind_can_be_exported_alone() {
    let place = Place::new(&["wrist"]);
    let only = |kind| ExportOptions { only: Some(kind), ..ExportOptions::default() };
    let exported = place.export(&only(EpisodeKind::Demonstration), "demos").unwrap();
    assert_eq!(exported, Exported { episodes: 1, steps: 5 });
    let back = place.import("demos", "again", Role::Recorded).unwrap();
    assert_eq!(back[0].start.kind, EpisodeKind::Demonstration);
}

#[test]
fn a_folder_that_is_there_is_refused_and_left_alone() {
    let place = Place::new(&["wrist"]);
    fs::create_dir(place.at("data")).unwrap();
    let error = place.export(&ExportOptions::default(), "data").unwrap_err();
    assert!(matches!(error, ExchangeError::Exists(_)), "{error}");
    assert_eq!(fs::read_dir(place.at("data")).unwrap().count(), 0);
}

#[test]
fn a_run_without_episodes_leaves_nothing() {
    let place = Place::new(&["wrist"]);
    testing::journal(&place.at("empty"), &[]);
    let journal = place.at("empty");
    let source = Source { journal: &journal, task: &place.task, robot: "sim" };
    let error = export(&source, &ExportOptions::default(), &place.at("out")).unwrap_err();
    assert!(matches!(error, ExchangeError::Empty { .. }), "{error}");
    let left: Vec<_> = fs::read_dir(place.home.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "the two journals: {left:?}");
}

/// Written by LeRobot 0.4.4 itself: `tests/fixtures/make_lerobot.py`.
const FOREIGN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lerobot-0.4.4");

fn foreign(options: &ImportOptions<'_>) -> Result<Vec<Episode>, ExchangeError> {
    let mut found = Vec::new();
    import(Path::new(FOREIGN), &task(&["wrist"]), options, &mut |episode| {
        found.push(episode);
        Ok(())
    })?;
    Ok(found)
}

#[test]
fn a_data_set_of_lerobot_is_read_as_demonstrations() {
    let found = foreign(&ImportOptions::default()).unwrap();
    assert_eq!(found.len(), 2);
    let [good, cut] = &found[..] else { unreachable!() };
    assert_eq!(good.start.kind, EpisodeKind::Demonstration);
    assert_eq!((good.end.outcome, good.end.truncation), (Outcome::Success, None));
    let rewards: Vec<f32> = good.steps.iter().map(|step| step.reward).collect();
    assert_eq!(rewards, [0.0, 0.0, 1.0]);
    assert_eq!(good.steps[1].executed_action.as_slice(), [1.0, -0.5, 0.25]);
    assert_eq!(good.start.observation.proprio, [0.0, 0.0, 2.0]);
    assert_eq!(good.steps[0].next_observation.proprio, [0.0, 1.0, 2.0]);
    assert_eq!(good.steps[0].next_observation.frames[0].pixels[..], [10; 16 * 16 * 3]);
    assert!(good.steps[2].terminated);

    // Its last step leads to nobody knows where, and values would bootstrap from there.
    assert_eq!((cut.steps.len(), cut.end.steps), (2, 2));
    assert_eq!(cut.end.outcome, Outcome::Unknown);
    assert_eq!(cut.end.truncation, Some(TruncationCause::TimeLimit));
    assert!(cut.steps[1].truncated && !cut.steps[1].terminated);
    assert_eq!(cut.steps[1].next_observation.proprio, [1.0, 2.0, 2.0]);
}

#[test]
fn a_person_may_know_that_all_episodes_succeeded() {
    let options = ImportOptions { assume_success: true, ..ImportOptions::default() };
    for episode in foreign(&options).unwrap() {
        assert_eq!(episode.end.outcome, Outcome::Success);
        assert_eq!(episode.steps.len(), 3);
        let last: &wire::Step = &episode.steps[2];
        assert!(last.terminated && last.reward > 0.5, "{}", last.reward);
    }
}

fn refused(task: &tasks::TaskConfig, data: &Path) -> String {
    let error = import(data, task, &ImportOptions::default(), &mut |_| Ok(())).unwrap_err();
    error.to_string()
}

#[test]
fn what_does_not_fit_the_task_is_refused_with_both_shapes() {
    let data = Path::new(FOREIGN);
    let error = refused(&task(&["side"]), data);
    assert!(error.contains("observation.images.side") && error.contains("--camera"), "{error}");
    let mut other = task(&["wrist"]);
    other.observation.image_width = 32;
    let error = refused(&other, data);
    assert!(error.contains("16x16 pixels, the task wants 32x16"), "{error}");
    let mut other = task(&["wrist"]);
    other.action.dims = tasks::task::ActionDims::XyzRotation;
    let error = refused(&other, data);
    assert!(error.contains("action") && error.contains("3 values, the task wants 6"), "{error}");
}

#[test]
fn renamed_cameras_are_found() {
    let options = ImportOptions {
        cameras: crate::CameraNames::new([("wrist".to_owned(), "side".to_owned())]),
        ..ImportOptions::default()
    };
    let mut frames = 0;
    import(Path::new(FOREIGN), &task(&["side"]), &options, &mut |episode: Episode| {
        frames += episode.start.observation.frames.len();
        Ok(())
    })
    .unwrap();
    assert_eq!(frames, 2);
}

/// Copies what was exported and lets a test spoil it.
fn spoilt(spoil: impl FnOnce(&Place)) -> String {
    let place = Place::new(&["wrist"]);
    place.export(&ExportOptions::default(), "data").unwrap();
    spoil(&place);
    refused(&place.task, &place.at("data"))
}

fn replace(place: &Place, file: &str, old: &str, new: &str) {
    let path = place.at("data").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{file} has no {old}");
    fs::write(&path, text.replace(old, new)).unwrap();
}

#[test]
fn data_sets_of_other_kinds_are_refused_by_name() {
    let error = spoilt(|place| replace(place, "meta/info.json", "\"v3.0\"", "\"v2.1\""));
    assert!(error.contains("v2.1") && error.contains("convert"), "{error}");
    let error = spoilt(|place| replace(place, "meta/info.json", "\"image\"", "\"depth\""));
    assert!(error.contains("depth"), "{error}");
    let error = spoilt(|place| fs::remove_dir_all(place.at("data/data")).unwrap());
    assert!(error.contains("data"), "{error}");
}

#[test]
fn damaged_files_are_refused_and_named() {
    let file = "data/data/chunk-000/file-000.parquet";
    let error = spoilt(|place| {
        let bytes = fs::read(place.at(file)).unwrap();
        fs::write(place.at(file), &bytes[..bytes.len() - 20]).unwrap();
    });
    assert!(error.contains("file-000.parquet"), "{error}");
    // Metadata of another data set: lengths do not agree.
    let error = spoilt(|place| {
        let options = ExportOptions { only: Some(EpisodeKind::Training), ..Default::default() };
        place.export(&options, "other").unwrap();
        let episodes = "meta/episodes/chunk-000/file-000.parquet";
        fs::copy(place.at("other").join(episodes), place.at("data").join(episodes)).unwrap();
    });
    assert!(error.contains("episode 0 has 5 rows, its metadata says 4"), "{error}");
}

#[test]
fn figures_and_counts_are_those_of_the_data() {
    let place = Place::new(&["wrist"]);
    place.export(&ExportOptions::default(), "data").unwrap();
    let info = place.json("data/meta/info.json");
    assert_eq!((&info["total_episodes"], &info["total_frames"]), (&4.into(), &18.into()));
    assert_eq!(info["fps"], 10);
    assert_eq!(info["splits"]["train"], "0:4");
    assert_eq!(
        info["features"]["observation.images.wrist"]["shape"],
        serde_json::json!([16, 16, 3])
    );
    let stats = place.json("data/meta/stats.json");
    assert_eq!(stats["next.reward"]["max"], serde_json::json!([1.0]));
    assert_eq!(stats["next.reward"]["count"], serde_json::json!([18]));
    assert_eq!(stats["index"]["max"], serde_json::json!([17.0]));
    let pixels: Vec<Observation> = episodes(&place.at("journal"))
        .unwrap()
        .iter()
        .flat_map(|episode| (0..episode.steps.len()).map(|at| episode.seen_before(at).clone()))
        .collect();
    let red = pixels.iter().flat_map(|seen| seen.frames[0].pixels.iter().step_by(3));
    let mean = red.clone().map(|x| f64::from(*x)).sum::<f64>() / red.count() as f64 / 255.0;
    let told = stats["observation.images.wrist"]["mean"][0][0][0].as_f64().unwrap();
    assert!((told - mean).abs() < 1e-9, "{told} is not {mean}");
}
