//! A run's folder: what it holds, and how it comes to be.
//!
//! Made in one rename, so that an actor and a learner that are started at the same moment agree.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use nets::reward_classifier::fingerprint;
use serde::{Deserialize, Serialize};
use tasks::{CellConfig, RunConfig, TaskConfig, doctor, reward::RewardKind, run::CouplingMode};
use wire::ActorId;

use crate::cli::{Files, RunChoice};

const CLASSIFIER: &str = "classifier.bin";

/// The three checked configurations of a run.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub cell: CellConfig,
    pub task: TaskConfig,
    pub run: RunConfig,
    /// Where the classifier that decides on the reward lies, if one does.
    pub classifier: Option<PathBuf>,
}

impl Configuration {
    pub fn load(files: &Files) -> anyhow::Result<Self> {
        let task = TaskConfig::load(&files.task)?;
        let cell = CellConfig::load(&files.cell)?;
        if let Some(finding) = doctor::arms(&cell, &task) {
            bail!(
                "{} and {}: {}. {}",
                files.cell.display(),
                files.task.display(),
                finding.what,
                finding.remedy
            );
        }
        Ok(Self {
            cell,
            run: RunConfig::load(&files.config)?,
            classifier: task.reward.classifier_file().map(Path::to_owned),
            task,
        })
    }

    /// A run that was begun in lockstep has both parts in one process.
    pub fn check_apart(&self) -> anyhow::Result<()> {
        if self.run.coupling.mode == CouplingMode::Lockstep {
            bail!(
                "this run is in lockstep, actor and learner in one process: `reins resume RUN` \
                 continues it"
            );
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

/// What a run was made of and where, for people who find it later.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub reins: String,
    pub run: String,
    pub seed: u64,
    pub created_unix_s: u64,
    pub cell_hash: String,
    pub task_hash: String,
    pub config_hash: String,
    pub machine: Machine,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    pub system: String,
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
}

impl RunDir {
    /// The folder of a run that exists, given as a path or as a name under `runs`.
    pub fn find(run: &Path) -> anyhow::Result<Self> {
        let candidates = [run.to_owned(), Path::new("runs").join(run)];
        match candidates.into_iter().find(|path| path.join("manifest.json").is_file()) {
            Some(path) => Ok(Self { path }),
            None => bail!(
                "there is no run {}: give the folder of a run, or a name under runs/ (`ls runs`)",
                run.display()
            ),
        }
    }

    /// Opens the run, or makes it from the files named.
    pub fn open(choice: &RunChoice) -> anyhow::Result<(Self, Configuration)> {
        Self::open_coupled(choice, None)
    }

    /// The same, with another coupling than the run file's. A run keeps the one it began with.
    pub fn open_coupled(
        choice: &RunChoice,
        coupling: Option<CouplingMode>,
    ) -> anyhow::Result<(Self, Configuration)> {
        let found = Self::open_with(choice, |configuration| {
            if let Some(mode) = coupling {
                configuration.run.coupling.mode = mode;
            }
        })?;
        let configuration = found.configuration()?;
        if coupling == Some(CouplingMode::Lockstep)
            && configuration.run.coupling.mode != CouplingMode::Lockstep
        {
            bail!(
                "run {} exists and was not begun in lockstep: leave --lockstep out to continue, or choose another --run",
                choice.run
            );
        }
        if let Some(seed) = choice.seed
            && seed != configuration.run.seed
        {
            bail!(
                "run {} exists and has seed {}: choose another --run for seed {seed}, or leave --seed out to continue",
                choice.run,
                configuration.run.seed
            );
        }
        Ok((found, configuration))
    }

    /// A folder for labelled frames: a run in which the cell's own sensor decides, for the classifier
    /// is yet to come.
    pub fn open_for_labels(choice: &RunChoice) -> anyhow::Result<(Self, Configuration)> {
        let found = Self::open_with(choice, |configuration| {
            configuration.task.reward.kind = RewardKind::Sensor;
            configuration.task.reward.classifier = None;
            configuration.classifier = None;
        })?;
        let configuration = found.configuration()?;
        if configuration.task.reward.kind != RewardKind::Sensor {
            bail!(
                "run {} is judged by a classifier, it is no folder of labels: choose another --run",
                choice.run
            );
        }
        Ok((found, configuration))
    }

    /// The run's folder; where there is none it is made, with `change` applied to its files.
    fn open_with(
        choice: &RunChoice,
        change: impl FnOnce(&mut Configuration),
    ) -> anyhow::Result<Self> {
        check_name("--run", &choice.run)?;
        let found = Self { path: choice.runs.join(&choice.run) };
        if !found.manifest_path().is_file() {
            found.create(choice, change)?;
        }
        Ok(found)
    }

    fn create(
        &self,
        choice: &RunChoice,
        change: impl FnOnce(&mut Configuration),
    ) -> anyhow::Result<()> {
        let mut configuration = Configuration::load(&choice.files)?;
        change(&mut configuration);
        if let Some(seed) = choice.seed {
            configuration.run.seed = seed;
        }
        let classifier = take_classifier(&mut configuration)?;
        let temporary = choice.runs.join(format!(".{}.{}", choice.run, std::process::id()));
        fs::create_dir_all(&temporary)
            .with_context(|| format!("creating {}", temporary.display()))?;
        if let Some(bytes) = classifier {
            let path = temporary.join(CLASSIFIER);
            fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        }
        let manifest = Manifest::of(&choice.run, &configuration);
        let files = [
            ("cell.toml", configuration.cell.to_toml()),
            ("task.toml", configuration.task.to_toml()),
            ("run.toml", configuration.run.to_toml()),
            ("manifest.json", serde_json::to_string_pretty(&manifest)?),
        ];
        for (name, text) in files {
            let path = temporary.join(name);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        match fs::rename(&temporary, &self.path) {
            Ok(()) => Ok(()),
            // The other process was faster; its folder holds the same.
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                ) =>
            {
                fs::remove_dir_all(&temporary).context("removing a temporary folder")
            }
            Err(e) => Err(e).with_context(|| format!("making {}", self.path.display())),
        }
    }

    pub fn configuration(&self) -> anyhow::Result<Configuration> {
        let configuration = Configuration::load(&Files {
            cell: self.path.join("cell.toml"),
            task: self.path.join("task.toml"),
            config: self.path.join("run.toml"),
        })
        .with_context(|| format!("reading the configuration of run {}", self.path.display()))?;
        let classifier = configuration.classifier.as_ref().map(|_| self.classifier());
        Ok(Configuration { classifier, ..configuration })
    }

    pub fn manifest(&self) -> anyhow::Result<Manifest> {
        let path = self.manifest_path();
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Under which the viewer shows all recordings of this run on one timeline.
    pub fn recording_id(&self) -> anyhow::Result<String> {
        let manifest = self.manifest()?;
        Ok(format!("{}-{}", manifest.run, manifest.created_unix_s))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn manifest_path(&self) -> PathBuf {
        self.path.join("manifest.json")
    }

    /// What the learner has accepted.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// What this actor has recorded and the learner has not acknowledged.
    pub fn outbox(&self, actor: ActorId) -> PathBuf {
        match actor {
            ActorId(0) => self.path.join("outbox"),
            ActorId(further) => self.path.join(format!("outbox-{further}")),
        }
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The newest published policy.
    pub fn policy(&self) -> PathBuf {
        self.path.join("policy.bin")
    }

    /// The behaviour-cloning policy to compare with.
    pub fn baseline(&self) -> PathBuf {
        self.path.join("baseline.bin")
    }

    /// The reward classifier that the run judges by, or that was trained on its labels.
    pub fn classifier(&self) -> PathBuf {
        self.path.join(CLASSIFIER)
    }

    /// How that came out.
    pub fn classifier_report(&self) -> PathBuf {
        self.path.join("classifier")
    }

    /// Labelled frames of later runs, a journal for each.
    pub fn amended(&self) -> PathBuf {
        self.path.join("amended")
    }

    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    pub fn report(&self) -> PathBuf {
        self.path.join("report")
    }

    /// Figures and recording of one evaluation.
    pub fn evaluation(&self, name: &str) -> PathBuf {
        self.path.join("eval").join(name)
    }
}

impl Manifest {
    fn of(run: &str, configuration: &Configuration) -> Self {
        let now = wire::Clock::wall_now(&wire::SystemClock::new());
        Self {
            reins: env!("CARGO_PKG_VERSION").into(),
            run: run.into(),
            seed: configuration.run.seed,
            created_unix_s: now.0 / 1_000_000_000,
            cell_hash: configuration.cell.hash(),
            task_hash: configuration.task.hash(),
            config_hash: configuration.run.hash(),
            machine: Machine::here(),
        }
    }
}

impl Machine {
    fn here() -> Self {
        let field = |file: &str, key: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
            line.split(':').nth(1).unwrap_or_default().trim().to_owned()
        };
        let memory_kib = field("/proc/meminfo", "MemTotal");
        let memory_kib: u64 =
            memory_kib.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
        Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib >> 20,
        }
    }
}

/// A run keeps the classifier that it judges by, whatever becomes of the file; the checksum in its task
/// file holds all its parts to the same one.
fn take_classifier(configuration: &mut Configuration) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(from) = &configuration.classifier else { return Ok(None) };
    let bytes = fs::read(from).with_context(|| {
        format!(
            "reading the reward classifier {} that the task names (`reins classifier train` writes \
             one)",
            from.display()
        )
    })?;
    if let Some(classifier) = &mut configuration.task.reward.classifier {
        classifier.sha256 = Some(fingerprint(&bytes));
    }
    Ok(Some(bytes))
}

/// A name becomes a folder, and a run's name a part of zenoh's keys. `of` says what has it.
pub fn check_name(of: &str, name: &str) -> anyhow::Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
        bail!("{of} {name:?}: use letters, digits, '-', '_' and '.', and do not begin with '.'");
    }
    Ok(())
}
