//! An actor process whose status lines are heard.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use actor::{Activity, Status};

use super::Process;

const POLL: Duration = Duration::from_millis(20);

pub struct WatchedActor {
    pub process: Process,
    heard: Arc<Mutex<Vec<Status>>>,
    listening: JoinHandle<()>,
}

impl WatchedActor {
    /// `command` is `reins actor` with all that it needs.
    pub fn start(mut command: Command) -> Self {
        command.arg("--status-json").stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.env("RUST_LOG", "error,zenoh=off");
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = Arc::<Mutex<Vec<Status>>>::default();
        let hearing = heard.clone();
        let listen = move || {
            for line in lines.map_while(Result::ok) {
                hearing.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        };
        let listening = thread::Builder::new().name("listen".into()).spawn(listen).unwrap();
        Self { process: Process(Some(child)), heard, listening }
    }

    /// Everything that was heard so far.
    pub fn heard(&self) -> Vec<Status> {
        self.heard.lock().unwrap().clone()
    }

    /// What was heard last.
    pub fn status(&self) -> Status {
        self.heard.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// Waits for a status of which `wanted` holds.
    #[expect(clippy::disallowed_methods, reason = "a limit on how long a test waits")]
    pub fn wait_for(&mut self, what: &str, patience: Duration, wanted: impl Fn(&Status) -> bool) {
        let began = Instant::now();
        while !wanted(&self.status()) {
            assert!(self.process.is_running(), "the actor ended before {what}");
            let status = self.status();
            assert!(began.elapsed() < patience, "no {what} within {patience:?}: {status:?}");
            thread::sleep(POLL);
        }
    }

    /// Tells it to end, waits for a good end, and returns its last words.
    pub fn end(self) -> Status {
        self.process.signal("TERM");
        self.finish()
    }

    /// Waits for a good end; its last words.
    pub fn finish(self) -> Status {
        self.process.finish();
        self.listening.join().unwrap();
        let last = self.heard.lock().unwrap().last().cloned().unwrap();
        assert_eq!(last.activity, Activity::Ended);
        last
    }

    /// Memory that the process has in use (MiB).
    pub fn memory_mib(&self) -> u64 {
        memory_mib(&self.process)
    }
}

/// Memory that a process has in use (MiB), as the kernel counts it.
pub fn memory_mib(process: &Process) -> u64 {
    let id = process.0.as_ref().unwrap().id();
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib >> 10
}
