//! The small run that is tortured, and its two processes.

use std::{
    fs::{self, File, OpenOptions},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use replay::{DiskStorage, journal};
use rustix::process::{Pid, Signal, kill_process};
use tasks::TaskConfig;
use wire::Record;

use crate::{
    aim::Victim,
    ground_truth::{self, Times, Verdict},
    plan::Size,
};

const CELL: &str = include_str!("../../configs/cells/sim-ram.toml");
const TASK: &str = include_str!("../../configs/tasks/ram-insert.toml");
const RUN: &str = "tortured";

/// A folder with a run's files.
pub struct Place {
    folder: PathBuf,
    /// Of the pictures (px).
    side: u32,
}

impl Place {
    pub fn new(folder: PathBuf, seed: u64, size: Size) -> Self {
        let side = if size == Size::Common { 64 } else { 128 };
        let place = Self { folder, side };
        let truth = place.truth_log();
        let cell = CELL.replace(
            "name = \"wrist\"",
            &format!("name = \"wrist\"\nwidth = {side}\nheight = {side}"),
        );
        place.write("cell.toml", &format!("{cell}truth_log = {truth:?}\n"));
        place.write("task.toml", &task(side));
        place.write("run.toml", &run(seed, size, side));
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn truth_log(&self) -> PathBuf {
        self.folder.join("truth.jsonl")
    }

    pub fn run(&self) -> PathBuf {
        self.folder.join("runs").join(RUN)
    }

    pub fn start(&self, name: &'static str) -> Process {
        let log = |suffix: &str| -> File {
            let path = self.folder.join(format!("{name}.{suffix}"));
            OpenOptions::new().create(true).append(true).open(path).unwrap()
        };
        let child = Command::new(env!("CARGO_BIN_EXE_reins"))
            .args([name, "--run", RUN, "--cell", "cell.toml", "--task", "task.toml"])
            .args(["--config", "run.toml", "--status-json"])
            .current_dir(&self.folder)
            .env("RUST_LOG", "info,zenoh=error")
            .stdin(Stdio::null())
            .stdout(log("status"))
            .stderr(log("log"))
            .spawn()
            .unwrap();
        Process(child)
    }

    /// The last thing that the actor said of itself.
    pub fn actor_says(&self, word: &str) -> bool {
        let text = fs::read_to_string(self.folder.join("actor.status")).unwrap_or_default();
        text.lines().next_back().is_some_and(|line| line.contains(word))
    }

    pub fn verdict(&self) -> Verdict {
        let happenings = ground_truth::read(&self.truth_log());
        let records: Vec<Record> =
            journal::read_only(Arc::new(DiskStorage), &self.run().join("journal"))
                .unwrap()
                .map(|read| read.unwrap().1)
                .collect();
        let task = TaskConfig::from_toml(&task(self.side), "task.toml").unwrap();
        ground_truth::compare(&happenings, &records, &task, Times::Exact)
    }
}

/// What the arm did and measured must follow from what the cell wrote: no lag of the target, and
/// actions from the measured pose.
fn task(side: u32) -> String {
    let proprio =
        "[\"position\", \"rotation\", \"linear-velocity\", \"angular-velocity\", \"force\"]";
    let observation = format!(
        "[observation]\nimage_width = {side}\nimage_height = {side}\nproprio = {proprio}\n\n"
    );
    TASK.replace("[action]\n", &format!("{observation}[action]\ndelta_from = \"measured\"\n"))
}

fn run(seed: u64, size: Size, side: u32) -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (demonstrations, outbox_mib) = if size == Size::SmallOutbox { (12, 1) } else { (3, 64) };
    format!(
        "seed = {seed}\n[budget]\nenv_steps = 60\ndemo_episodes = {demonstrations}\n\
         [learner]\nbatch = 16\nutd_ratio = 1.0\ncritic_to_actor_ratio = 2\n\
         training_starts = 10\npublish_every = 10\ncheckpoint_every = 10\n\
         [network]\nhidden = [32]\n[head]\npca_components = 16\n\
         [backbone]\nweights = \"random\"\nimage_size = {side}\n\
         [storage]\nsegment_mib = 1\noutbox_mib = {outbox_mib}\n\
         [link]\nendpoint = \"tcp/127.0.0.1:{port}\"\n"
    )
}

/// One process of the run.
pub struct Process(Child);

impl Process {
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Whether it has ended by itself, as it should.
    pub fn is_done(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some_and(|status| status.success())
    }

    pub fn kill(&mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.0);
        // It may have ended.
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}

/// Actor and learner of a run.
pub struct Pair {
    pub actor: Process,
    pub learner: Process,
}

impl Pair {
    pub fn start(place: &Place) -> Self {
        Self { actor: place.start("actor"), learner: place.start("learner") }
    }

    pub fn is_running(&mut self, victim: Victim) -> bool {
        (!victim.takes_actor() || self.actor.is_running())
            && (!victim.takes_learner() || self.learner.is_running())
    }

    /// Both at once, as near as it goes.
    pub fn kill(&mut self, victim: Victim) {
        let victims = [
            victim.takes_learner().then_some(&mut self.learner),
            victim.takes_actor().then_some(&mut self.actor),
        ];
        for process in victims.iter().flatten() {
            process.signal(Signal::KILL);
        }
        for process in victims.into_iter().flatten() {
            process.kill();
        }
    }

    /// Starts whoever does not run; a process that failed by itself is an error.
    pub fn restart(&mut self, place: &Place, victim: Victim) {
        if victim.takes_learner() || !self.learner.is_running() {
            self.learner = place.start("learner");
        }
        if victim.takes_actor() || !self.actor.is_running() {
            self.actor = place.start("actor");
        }
    }
}
