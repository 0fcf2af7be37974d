//! A folder with a small run's files, the executable, and what a run left behind.

pub mod browser;
pub mod held_arm;
pub mod page;
pub mod proxy;
pub mod real_time;
pub mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use replay::{DiskStorage, journal};
use tempfile::TempDir;
use wire::{ActorId, EpisodeKind, Outcome, Record, RecordBody, RecordPosition};

/// Of the small run that most tests make.
pub const DEMONSTRATIONS: u32 = 2;
pub const ENV_STEPS: u64 = 120;

pub const CELL: &str = include_str!("../configs/cells/sim-ram.toml");
pub const TASK: &str = include_str!("../configs/tasks/ram-insert.toml");

/// A folder to run in, with `cell.toml`, `task.toml` and `run.toml`.
pub struct Workplace {
    folder: TempDir,
}

impl Workplace {
    pub fn new() -> Self {
        Self::with_run(&small_run())
    }

    /// With this text as the run file.
    pub fn with_run(run: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workplace = Self { folder };
        workplace.write("cell.toml", CELL);
        workplace.write("task.toml", TASK);
        workplace.write("run.toml", run);
        workplace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// `reins` with these words, in this folder.
    pub fn reins(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reins"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("RUST_LOG", "info,zenoh=error");
        command
    }

    /// `words`, then the run named `run` and the three files.
    pub fn reins_on_run(&self, words: &[&str], run: &str) -> Command {
        let mut command = self.reins(words);
        command.args(["--run", run, "--cell", "cell.toml"]);
        command.args(["--task", "task.toml", "--config", "run.toml"]);
        command
    }

    /// Runs a command that must succeed; what it said on stdout.
    pub fn must(&self, mut command: Command) -> String {
        let output = command.output().unwrap();
        assert_success(&command, &output);
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn run(&self, name: &str) -> RunFolder {
        RunFolder { path: self.path("runs").join(name) }
    }
}

pub fn small_run() -> String {
    run_file(ENV_STEPS, &free_endpoint())
}

/// The small run with this file as the backbone's weights.
pub fn small_run_with_weights(file: &str) -> String {
    small_run().replace("weights = \"random\"", &format!("weights = \"{file}\""))
}

pub fn run_file(env_steps: u64, endpoint: &str) -> String {
    format!(
        "seed = 3\n[budget]\nenv_steps = {env_steps}\ndemo_episodes = {DEMONSTRATIONS}\n\
         [learner]\nbatch = 16\nutd_ratio = 1.0\ncritic_to_actor_ratio = 2\n\
         training_starts = 10\npublish_every = 10\ncheckpoint_every = 40\n\
         [network]\nhidden = [32]\n[head]\npca_components = 16\n\
         [backbone]\nweights = \"random\"\n[link]\nendpoint = \"{endpoint}\"\n[eval]\nepisodes = 2\n"
    )
}

/// A loopback port that was free a moment ago.
pub fn free_endpoint() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("tcp/127.0.0.1:{port}")
}

pub fn assert_success(command: &Command, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}\n{said}", output.status);
}

/// A process that is killed, if it still runs, when the test lets go of it.
pub struct Process(pub Option<Child>);

impl Process {
    pub fn start(mut command: Command) -> Self {
        Self(Some(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// Waits for a good end.
    pub fn finish(mut self) {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ended with {}\n{said}", output.status);
    }

    pub fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// As `kill -<signal>` does, to a process that then goes on being watched.
    pub fn signal(&self, signal: &str) {
        let id = self.0.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        assert!(status.success(), "kill -{signal} {id}");
    }

    /// The same to all processes of its group. It may have ended.
    pub fn signal_group(&self, signal: &str) {
        let group = format!("-{}", self.0.as_ref().unwrap().id());
        Command::new("kill").args([&format!("-{signal}"), "--", &group]).status().unwrap();
    }

    /// As `kill -9` does.
    pub fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub struct RunFolder {
    pub path: PathBuf,
}

impl RunFolder {
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Records of one actor in the learner's journal.
    pub fn records_of(&self, actor: ActorId) -> Vec<Record> {
        let mut records = self.records();
        records.retain(|record| record.actor == actor);
        records
    }

    /// Everything in the learner's journal.
    pub fn records(&self) -> Vec<Record> {
        self.try_records().unwrap()
    }

    /// The same of a run that may be under way.
    pub fn try_records(&self) -> Result<Vec<Record>, journal::JournalError> {
        journal::read_only(Arc::new(DiskStorage), &self.file("journal"))?
            .map(|record| record.map(|(_, record)| record))
            .collect()
    }

    /// Training steps that the learner has taken so far; 0 before there is a journal.
    pub fn env_steps_so_far(&self) -> u64 {
        self.try_records().map_or(0, |records| Ledger::of(&records).training_steps)
    }

    /// The files of a folder of this run with their bytes, by name.
    pub fn bytes(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(self.file(folder)).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        });
        files.collect()
    }

    pub fn summary(&self) -> serde_json::Value {
        let text = fs::read_to_string(self.file("report/summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// What a list of records amounts to, after a check that no record of any actor is missing, doubled
/// or out of order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub demonstrations: u32,
    pub training_episodes: u32,
    pub training_steps: u64,
}

impl Ledger {
    pub fn of(records: &[Record]) -> Self {
        let actors: BTreeSet<ActorId> = records.iter().map(|record| record.actor).collect();
        actors.into_iter().map(|actor| Self::of_actor(records, actor)).fold(
            Self::default(),
            |sum, one| Self {
                demonstrations: sum.demonstrations + one.demonstrations,
                training_episodes: sum.training_episodes + one.training_episodes,
                training_steps: sum.training_steps + one.training_steps,
            },
        )
    }

    /// Of the records of one actor.
    pub fn of_actor(records: &[Record], actor: ActorId) -> Self {
        let mut ledger = Self::default();
        let mut kind = EpisodeKind::Demonstration;
        let mut last: Option<(RecordPosition, bool)> = None;
        let mut kept = false;
        for record in records.iter().filter(|record| record.actor == actor) {
            let at = record.position;
            match last {
                None => assert_eq!(at.index, 0, "the journal begins inside an episode"),
                Some((before, ended)) => {
                    let revises = matches!(record.body, RecordBody::Revision(_));
                    let follows = if ended && !revises {
                        at.episode == before.episode.next() && at.index == 0
                    } else {
                        at.episode == before.episode && at.index == before.index + 1
                    };
                    assert!(follows, "{at} does not follow {before}");
                }
            }
            match &record.body {
                RecordBody::EpisodeStart(start) => kind = start.kind,
                RecordBody::Step(_) => {
                    ledger.training_steps += u64::from(kind == EpisodeKind::Training);
                }
                RecordBody::EpisodeEnd(end) => {
                    assert_eq!(end.steps + 1, at.index, "{at} miscounts its steps");
                    let good = end.outcome == Outcome::Success;
                    match kind {
                        EpisodeKind::Demonstration => ledger.demonstrations += u32::from(good),
                        _ => ledger.training_episodes += 1,
                    }
                    kept = good;
                }
                RecordBody::Revision(revision) => {
                    assert!(last.is_some_and(|(_, ended)| ended), "{at} is revised before its end");
                    let good = revision.outcome == Outcome::Success;
                    ledger.demonstrations -= u32::from(kept);
                    ledger.demonstrations += u32::from(good);
                    kept = good;
                }
            }
            let ends = matches!(record.body, RecordBody::EpisodeEnd(_) | RecordBody::Revision(_));
            last = Some((at, ends));
        }
        ledger
    }
}

/// The text of a file, empty when it is not there.
pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
