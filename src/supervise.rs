//! Starts actor and learner as processes of their own and listens to what they say.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use crossbeam_channel::{Receiver, Sender};
use serde::de::DeserializeOwned;

use crate::cli::Page;

/// Status lines that may wait for the display; more are dropped, since only the newest counts.
const STATUS_QUEUE: usize = 256;
const POLL: Duration = Duration::from_millis(50);

/// What a child said.
#[derive(Debug)]
pub enum Heard {
    Actor(Box<actor::Status>),
    Learner(Box<learner::Status>),
}

struct Part {
    name: &'static str,
    child: Child,
}

impl Drop for Part {
    /// A part is never left behind, whatever ends the parent.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs both parts until both have ended, with the fault script if there is one. `hear` gets their
/// status lines.
pub fn run(
    run_dir: &Path,
    faults: Option<&Path>,
    page: Page,
    shutdown: &Arc<AtomicBool>,
    mut hear: impl FnMut(Heard),
) -> anyhow::Result<()> {
    let (sender, heard) = crossbeam_channel::bounded(STATUS_QUEUE);
    let both = shared_words(run_dir, faults)?;
    let mut actor_words = both.clone();
    actor_words.extend(page.console.map(|port| format!("--console={port}").into()));
    let mut learner = start("learner", &both, sender.clone(), |s| Heard::Learner(Box::new(s)))?;
    let mut actor = start("actor", &actor_words, sender, |s| Heard::Actor(Box::new(s)))?;
    loop {
        drain(&heard, &mut hear);
        let actor_ended = ended(&mut actor)?;
        let learner_ended = ended(&mut learner)?;
        if actor_ended && learner_ended {
            drain(&heard, &mut hear);
            return Ok(());
        }
        if shutdown.load(Ordering::SeqCst) {
            // A terminal sends Ctrl-C to the children as well; a plain kill of the parent does not.
            interrupt(&learner);
            interrupt(&actor);
            for part in [&mut actor, &mut learner] {
                part.child.wait().with_context(|| format!("waiting for the {}", part.name))?;
            }
            bail!("interrupted; the same command continues the run");
        }
        thread::sleep(POLL);
    }
}

fn drain(heard: &Receiver<Heard>, hear: &mut impl FnMut(Heard)) {
    heard.try_iter().for_each(hear);
}

/// What either part is told.
fn shared_words(run_dir: &Path, faults: Option<&Path>) -> anyhow::Result<Vec<OsString>> {
    let (runs, run) = split(run_dir)?;
    let mut words = vec!["--run".into(), run, "--runs".into(), runs, "--status-json".into()];
    words.extend(faults.iter().flat_map(|file| ["--faults".into(), file.as_os_str().to_owned()]));
    Ok(words)
}

fn start<S: DeserializeOwned + Send + 'static>(
    name: &'static str,
    words: &[OsString],
    sender: Sender<Heard>,
    wrap: fn(S) -> Heard,
) -> anyhow::Result<Part> {
    let program = std::env::current_exe().context("finding the reins program")?;
    let mut child = Command::new(program)
        .arg(name)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting the {name}"))?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let listen = move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            if let Ok(status) = serde_json::from_str(&line) {
                let _ = sender.try_send(wrap(status));
            }
        }
    };
    thread::Builder::new()
        .name(format!("{name}-status"))
        .spawn(listen)
        .with_context(|| format!("listening to the {name}"))?;
    Ok(Part { name, child })
}

fn split(run_dir: &Path) -> anyhow::Result<(OsString, OsString)> {
    match (run_dir.parent(), run_dir.file_name()) {
        (Some(runs), Some(run)) => Ok((runs.as_os_str().to_owned(), run.to_owned())),
        _ => bail!("{} is no run's folder", run_dir.display()),
    }
}

fn ended(part: &mut Part) -> anyhow::Result<bool> {
    let status =
        part.child.try_wait().with_context(|| format!("asking after the {}", part.name))?;
    match status {
        None => Ok(false),
        Some(status) if status.success() => Ok(true),
        Some(status) => bail!("the {} ended: {}", part.name, describe(status)),
    }
}

fn describe(status: ExitStatus) -> String {
    format!("{status}; its last words are above, and the same command continues the run")
}

fn interrupt(part: &Part) {
    // The shell tool exists everywhere we run and needs no unsafe code.
    let _ = Command::new("kill").args(["-TERM", &part.child.id().to_string()]).status();
}
