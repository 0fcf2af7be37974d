//! What can be typed.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::workspace::{self, or_example};

/// Teaches a robot arm a skill in an hour or two, with a person in the loop.
#[derive(Debug, Parser)]
#[command(name = "reins", version, about, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a workspace: a folder with one cell, one task and one run file.
    New(New),
    /// Train on the simulated cell with the scripted operator, evaluate, and write the report.
    Demo(Demo),
    /// Record demonstrations into a run, without training. Goes on where it stopped.
    Record(Record),
    /// Train: an actor and a learner process, joined by zenoh. Continues a run that exists.
    Train(Train),
    /// Go on with a run where it was: after a kill, a power cut, or an end.
    Resume(Resume),
    /// The learner alone, for a terminal or a machine of its own.
    Learner(Process),
    /// The actor alone, beside the robot. Several may act for one run, each with its own --actor.
    Actor(Actor),
    /// Measure the policy of a run on episodes it has never seen, without a person.
    Eval(Eval),
    /// Train behaviour cloning on the demonstrations of a run, to compare with.
    Baseline(Baseline),
    /// Teach a network to see success: collect labelled frames, train on them, measure, add what it got
    /// wrong.
    Classifier(Classifier),
    /// Write the report of a run again.
    Report(Report),
    /// Put runs side by side: a table and curves. Runs that differ only in their seed count as one.
    Compare(Compare),
    /// Write a run as a LeRobotDataset, for TensorBoard, or as an MCAP file, see docs/data.md.
    Export(Export),
    /// Bring demonstrations or buffers of LeRobot or HIL-SERL into a run, see docs/data.md.
    Import(Import),
    /// Show the curves of a run in the browser; `train --console` shows and drives the arm too.
    Console(Console),
    /// Open the recording of a run in the rerun viewer.
    View(View),
    /// A cell in a process of its own, commanded over a local socket: its arm stops by itself when
    /// nobody commands it any more.
    Device(Device),
    /// Serve a cell's arm as HIL-SERL's robot server does, so that HIL-SERL's own environment can drive
    /// it, and the rest of the cell over a local socket; see docs/hardware.md.
    ServeCell(ServeCell),
    /// Let HIL-SERL's robot server bring the joints to where they were at its start, or a Franka to
    /// `franka.reset_joints_rad`. The arm moves at the robot's own pace, outside of the gate: only with nothing
    /// and nobody near it.
    JointReset(JointReset),
    /// Make certificates for actors and learner on different machines, see docs/security.md.
    Certs(Certs),
    /// Check a configuration and this machine, and say how to mend what is wrong.
    Doctor(Doctor),
    /// List the devices that are plugged into this machine; with --cell, watch those of a cell.
    Probe(Probe),
}

const RUNS: &str = "runs";

/// Which run, and what it is made of when it does not exist yet.
#[derive(Clone, Debug, Args)]
pub struct RunChoice {
    /// Name of the run: its folder under --runs.
    #[arg(long, value_name = "NAME")]
    pub run: String,
    /// Folder that holds the runs.
    #[arg(long, value_name = "DIR", default_value = RUNS)]
    pub runs: PathBuf,
    #[command(flatten)]
    pub files: Files,
    /// Seed of everything random; overrides the run file.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// The three files that say what a run is. Taken from the run's folder when it exists; otherwise from
/// the workspace that the command is started in.
#[derive(Clone, Debug, Args)]
pub struct Files {
    /// The cell: arm, cameras, limits.
    #[arg(long, value_name = "FILE", default_value_os_t = default_cell())]
    pub cell: PathBuf,
    /// The task: observation, action, reset, reward.
    #[arg(long, value_name = "FILE", default_value_os_t = default_task())]
    pub task: PathBuf,
    /// How to learn: preset, budget, learner.
    #[arg(long, value_name = "FILE", default_value_os_t = default_run())]
    pub config: PathBuf,
}

impl RunChoice {
    /// How another command is told of the same run.
    pub fn in_words(&self) -> String {
        let folder = match self.runs == Path::new(RUNS) {
            true => String::new(),
            false => format!(" --runs {}", self.runs.display()),
        };
        format!("--run {}{folder}", self.run)
    }
}

fn default_cell() -> PathBuf {
    or_example(workspace::CELL, "configs/cells/sim-ram.toml")
}

fn default_task() -> PathBuf {
    or_example(workspace::TASK, "configs/tasks/ram-insert.toml")
}

fn default_run() -> PathBuf {
    or_example(workspace::RUN, "configs/runs/demo.toml")
}

#[derive(Debug, Args)]
pub struct New {
    /// Name of a cell that comes with reins, or a cell file.
    pub cell: String,
    /// Name of a task that comes with reins, or a task file.
    pub task: String,
    /// Where; the task's name when left out.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Demo {
    #[arg(long, default_value = "demo", value_name = "NAME")]
    pub run: String,
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs: PathBuf,
    #[command(flatten)]
    pub files: Files,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Also train and evaluate behaviour cloning on the same demonstrations (about two minutes).
    #[arg(long)]
    pub baseline: bool,
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What is to go wrong on purpose.
#[derive(Clone, Debug, Default, Args)]
pub struct Rehearsal {
    /// Let things go wrong in training as this script says (docs/faults.md).
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// Whether the actor serves the operator's page.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Page {
    /// Serve the operator's page on this port of 127.0.0.1 (0: any that is free) and print its
    /// address: watch the run and drive the arm from a browser. A simulated cell then runs in real
    /// time.
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = CONSOLE_PORT)]
    pub console: Option<u16>,
}

const CONSOLE_PORT: &str = "7373";

#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    pub choice: RunChoice,
    /// Demonstrations that there shall be in all; as many as the run file asks for when left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: Option<u32>,
    /// Wait after each demonstration for a word on stdin: keep, discard, undo or start. So it is
    /// always where a person drives; the scripted operator is not asked otherwise.
    #[arg(long)]
    pub review: bool,
    #[command(flatten)]
    pub page: Page,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Train {
    #[command(flatten)]
    pub choice: RunChoice,
    /// Both parts in this process, in step, deterministic. A run stays as it was begun.
    #[arg(long)]
    pub lockstep: bool,
    #[command(flatten)]
    pub page: Page,
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Resume {
    /// The run's folder, or its name under `runs`.
    pub run: PathBuf,
    #[command(flatten)]
    pub page: Page,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Process {
    #[command(flatten)]
    pub choice: RunChoice,
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// Say the state as JSON lines on stdout (for a parent process).
    #[arg(long)]
    pub status_json: bool,
}

#[derive(Debug, Args)]
pub struct Actor {
    #[command(flatten)]
    pub process: Process,
    /// Which actor of the run this is. Each has an outbox and recordings of its own; they share the
    /// demonstrations and the steps that the run asks for.
    #[arg(
        long, value_name = "N", default_value_t = 0,
        value_parser = clap::value_parser!(u16).range(..i64::from(u16::MAX))
    )]
    pub actor: u16,
    /// Act in the cell that `reins device` serves on this socket.
    #[arg(long, value_name = "FILE", conflicts_with = "faults")]
    pub device: Option<PathBuf>,
    #[command(flatten)]
    pub page: Page,
}

#[derive(Debug, Args)]
pub struct Eval {
    /// The run's folder, or its name under `runs`.
    pub run: PathBuf,
    #[arg(long, default_value_t = 100)]
    pub episodes: u32,
    /// Seed of the episodes; training never uses the same ones.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Act by the mean of the policy instead of sampling, as training does.
    #[arg(long)]
    pub mean: bool,
    /// Evaluate the behaviour-cloning baseline instead.
    #[arg(long)]
    pub baseline: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Baseline {
    pub run: PathBuf,
    /// Gradient steps on the demonstrations.
    #[arg(long, default_value_t = 3000)]
    pub updates: u32,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Report {
    pub run: PathBuf,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Compare {
    /// The runs' folders, or their names under `runs`.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Folder for figures, page and table; what is there of an earlier comparison is replaced.
    #[arg(long, value_name = "DIR", default_value = "comparison")]
    pub out: PathBuf,
    /// Print the table as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(subcommand)]
    pub format: ExportFormat,
}

#[derive(Debug, Subcommand)]
pub enum ExportFormat {
    /// The finished episodes as a LeRobotDataset v3.0, pictures as PNG.
    Lerobot(ExportLerobot),
    /// Metrics and episodes as an event file.
    Tensorboard(ExportPlain),
    /// Cameras, steps and episodes as an MCAP file.
    Mcap(ExportPlain),
}

#[derive(Debug, Args)]
pub struct ExportLerobot {
    /// The run's folder, or its name under `runs`.
    pub run: PathBuf,
    /// Folder to make. It must not be there.
    pub out: PathBuf,
    /// Episodes of one kind alone.
    #[arg(long, value_name = "KIND")]
    pub only: Option<Kind>,
    /// Keep pictures as H.264 videos: smaller, and not what the policy saw, since that changes pixels.
    /// They are PNG otherwise.
    #[arg(long)]
    pub videos: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    Demonstrations,
    Training,
    Evaluation,
}

#[derive(Debug, Args)]
pub struct ExportPlain {
    /// The run's folder, or its name under `runs`.
    pub run: PathBuf,
    /// What to make. It must not be there.
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    pub format: ImportFormat,
}

#[derive(Debug, Subcommand)]
pub enum ImportFormat {
    /// A LeRobotDataset v3.0 with pictures (no videos).
    Lerobot(ImportLerobot),
    /// Pickles of transitions, as HIL-SERL's demo_data, buffer and demo_buffer hold them. Nothing in
    /// them is executed.
    HilSerl(ImportHilSerl),
}

#[derive(Debug, Args)]
pub struct ImportInto {
    #[command(flatten)]
    pub choice: RunChoice,
    /// What the episodes are to the run: demonstrations; stretches that a person drove in training
    /// (demo_buffer); or steps of training (buffer). Data sets of reins keep what they were,
    /// everything else counts as demonstrations.
    #[arg(long = "as", value_name = "ROLE")]
    pub role: Option<ImportRole>,
    /// Which pictures are the task's camera, where the names differ; repeat it for several.
    #[arg(long, value_name = "KEY=CAMERA", value_parser = key_and_camera)]
    pub camera: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ImportRole {
    Demonstrations,
    Interventions,
    Online,
}

#[derive(Debug, Args)]
pub struct ImportLerobot {
    /// Folder of the data set.
    pub folder: PathBuf,
    #[command(flatten)]
    pub into: ImportInto,
    /// Every episode ended in success, whatever the data set says of rewards.
    #[arg(long)]
    pub assume_success: bool,
    /// Bring pictures of another size to the task's as the cell's cameras do: their crop, if the cell
    /// file has one, then bilinear.
    #[arg(long)]
    pub resize: bool,
}

#[derive(Debug, Args)]
pub struct ImportHilSerl {
    /// The pickles, or folders of them.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub into: ImportInto,
}

fn key_and_camera(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, camera)) if !key.is_empty() && !camera.is_empty() => {
            Ok((key.to_owned(), camera.to_owned()))
        }
        _ => Err("write it as KEY=CAMERA, wrist_1=wrist for example".into()),
    }
}

#[derive(Debug, Args)]
pub struct Console {
    /// The run's folder, or its name under `runs`.
    pub run: PathBuf,
    /// Port of 127.0.0.1; 0 takes any that is free.
    #[arg(long, value_name = "PORT", default_value = CONSOLE_PORT)]
    pub port: u16,
}

#[derive(Debug, Args)]
pub struct Classifier {
    #[command(subcommand)]
    pub command: ClassifierCommand,
}

#[derive(Debug, Subcommand)]
pub enum ClassifierCommand {
    /// Drive episodes and hold the button while the scene shows success. Goes on where it stopped.
    Collect(Collect),
    /// Train on what was collected: writes `classifier.bin` and a report.
    Train(TrainClassifier),
    /// Measure a classifier on what runs have recorded.
    Eval(EvalClassifier),
    /// Add the episodes of a later run that the classifier got wrong to its labels.
    Amend(Amend),
}

#[derive(Debug, Args)]
pub struct Collect {
    #[command(flatten)]
    pub choice: RunChoice,
    /// Labelled episodes that there shall be in all.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: u32,
    #[command(flatten)]
    pub page: Page,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TrainClassifier {
    /// The folder of labels, or its name under `runs`.
    pub labels: PathBuf,
    /// Classes 0 to N - 1 instead of yes or no.
    #[arg(long, value_name = "N", conflicts_with = "stages",
          value_parser = clap::value_parser!(u8).range(2..=16))]
    pub classes: Option<u8>,
    /// Of --classes, the one that is success; the last one when left out.
    #[arg(long, value_name = "CLASS", requires = "classes")]
    pub success: Option<u8>,
    /// N stages that are reached one after the other; a mark says how many have been.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub stages: Option<u8>,
    /// A camera that it looks through; repeat it for several. All of the task's when left out.
    #[arg(long, value_name = "NAME")]
    pub camera: Vec<String>,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pub updates: u32,
    /// Share of the episodes that are not trained on; figures and threshold come from them.
    #[arg(long, default_value_t = 0.25, value_name = "SHARE")]
    pub held_out: f64,
    /// How many of the held-out frames without success may be taken for it: sets the threshold.
    #[arg(long, default_value_t = 0.001, value_name = "SHARE")]
    pub false_positive_rate: f64,
    /// Frames so near to a change of the mark are left out: a finger is not exact to the frame.
    #[arg(long, default_value_t = 1, value_name = "STEPS")]
    pub margin: u32,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EvalClassifier {
    /// Folders of runs, or their names under `runs`.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The classifier's file; that of each run itself when left out.
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Amend {
    /// The later run: its folder, or its name under `runs`.
    pub run: PathBuf,
    /// The folder of labels that its episodes are added to.
    #[arg(long, value_name = "LABELS")]
    pub into: PathBuf,
    /// Episodes that the classifier ended by mistake, where no sensor knows better.
    #[arg(long, value_name = "EPISODE", value_delimiter = ',')]
    pub wrong: Vec<u32>,
    /// Add all episodes, not only those in which a frame is misjudged.
    #[arg(long)]
    pub all: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct View {
    pub run: PathBuf,
}

#[derive(Debug, Args)]
pub struct Device {
    /// The cell: arm, cameras, limits.
    #[arg(long, value_name = "FILE", default_value_os_t = default_cell())]
    pub cell: PathBuf,
    /// The task: it says which cameras are looked through.
    #[arg(long, value_name = "FILE", default_value_os_t = default_task())]
    pub task: PathBuf,
    /// Seed of the simulated cell.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where clients connect. Who may is decided by the rights of this file's folder.
    #[arg(long, value_name = "FILE", default_value = "reins-device.sock")]
    pub socket: PathBuf,
}

#[derive(Debug, Args)]
pub struct ServeCell {
    /// The cell: arm, cameras, limits.
    #[arg(long, value_name = "FILE", default_value_os_t = default_cell())]
    pub cell: PathBuf,
    /// The task: it says which cameras are looked through.
    #[arg(long, value_name = "FILE", default_value_os_t = default_task())]
    pub task: PathBuf,
    /// Seed of the simulated cell.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where the arm is served by HTTP; port 0 takes one that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub listen: SocketAddr,
    /// Listen at an address that other machines reach. Whoever reaches it moves the arm: the contract
    /// has no passwords.
    #[arg(long)]
    pub insecure: bool,
    /// Where cameras, fixture, success and the person's hand are served.
    #[arg(long, value_name = "FILE", default_value = "reins-device.sock")]
    pub socket: PathBuf,
    /// The simulated cell's time passes only as the client on the socket lets it.
    #[arg(long)]
    pub paced: bool,
}

#[derive(Debug, Args)]
pub struct JointReset {
    /// The cell; its arm is reached by HIL-SERL's robot server, or is a Franka.
    #[arg(long, value_name = "FILE", default_value_os_t = default_cell())]
    pub cell: PathBuf,
}

#[derive(Debug, Args)]
pub struct Certs {
    /// Folder that holds the authority; made when it is not there. Nothing in it is overwritten.
    pub folder: PathBuf,
    /// Make a certificate for this actor; 0 when neither --actor nor --learner is given.
    #[arg(long, value_name = "NUMBER")]
    pub actor: Vec<u16>,
    /// Make the learner's certificate, for this host name or address; repeat it for several. A
    /// new folder gets one for this machine alone.
    #[arg(long, value_name = "HOST")]
    pub learner: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Probe {
    /// Open the devices of this cell and say how often they speak, how old that is, and what moves.
    #[arg(long, value_name = "FILE")]
    pub cell: Option<PathBuf>,
    /// How long they are watched.
    #[arg(
        long, value_name = "S", default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=600)
    )]
    pub seconds: u64,
    /// Watch every SpaceMouse that can be read instead, and say which one is touched.
    #[arg(long, conflicts_with = "cell")]
    pub touch: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub files: Files,
    #[arg(long)]
    pub json: bool,
}

impl Arguments {
    /// Started by another `reins` that shows the progress.
    pub fn is_child(&self) -> bool {
        matches!(
            &self.command,
            Command::Learner(process) | Command::Actor(Actor { process, .. })
                if process.status_json
        )
    }
}
