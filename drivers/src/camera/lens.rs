//! The program `reins-lens`: where it is, how it is started, what it lists.
//!
//! OpenCV and the 240 libraries that it brings are loaded there, so only what opens a camera pays
//! for them, a camera that hangs in a call can be ended, and a picture that breaks a decoder breaks
//! no control loop.

use std::{
    env,
    io::{self, BufRead, BufReader},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::message::{self, Order, Report};

const PROGRAM: &str = "reins-lens";
/// Names another program.
const VARIABLE: &str = "REINS_LENS";
/// Enough for drivers that are asked for all that they can do.
const LIST_TIMEOUT: Duration = Duration::from_secs(20);

/// The program that opens cameras.
#[derive(Clone, Debug)]
pub struct Lens {
    program: PathBuf,
}

/// A camera that is plugged in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub path: PathBuf,
    /// Names that stay the same when it is plugged in again.
    pub links: Vec<PathBuf>,
    pub name: String,
    pub bus: String,
    pub formats: Vec<ListedFormat>,
    /// Why it could not be asked.
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListedFormat {
    pub pixel_format: String,
    pub width: u32,
    pub height: u32,
    pub fps: Vec<f64>,
}

impl Lens {
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// The one that `REINS_LENS` names, or the one beside this program.
    pub fn find() -> io::Result<Self> {
        if let Some(program) = env::var_os(VARIABLE) {
            return Ok(Self::at(program));
        }
        let here = env::current_exe()?;
        let folders = here.ancestors().skip(1).take(2);
        let beside = folders.map(|folder| folder.join(PROGRAM)).find(|program| program.is_file());
        beside.map(Self::at).ok_or_else(|| {
            let folder = here.parent().unwrap_or(Path::new("/")).display();
            let what = format!(
                "{PROGRAM}, which opens cameras, is not in {folder}: build it with `cargo build -p \
                 lens` after `cargo xtask setup`, or name it in {VARIABLE}"
            );
            io::Error::new(io::ErrorKind::NotFound, what)
        })
    }

    /// Cameras of this machine with what they can do.
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        let mut running = self.start(&Order::List)?;
        running.socket.set_read_timeout(Some(LIST_TIMEOUT))?;
        match message::receive(&mut running.socket)? {
            Report::Listed(cameras) => Ok(cameras),
            Report::Failed(reason) => Err(io::Error::other(reason)),
            other => Err(io::Error::other(format!("{PROGRAM} gave another answer: {other:?}"))),
        }
    }

    pub(super) fn start(&self, order: &Order) -> io::Result<Running> {
        let (socket, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&self.program);
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C at the terminal is for whoever holds the camera.
        command.process_group(0);
        let mut process = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("starting {}: {error}", self.program.display()))
        })?;
        // The command still holds their end of the socket.
        drop(command);
        let words = process.stderr.take();
        let reader = thread::Builder::new().name("camera-words".into()).spawn(move || {
            let mut last = None;
            for line in BufReader::new(words?).lines().map_while(Result::ok) {
                tracing::debug!(line, "{PROGRAM}");
                last = Some(line);
            }
            last
        })?;
        let mut running = Running { socket, process, words: Some(reader) };
        message::send(&mut running.socket, order)?;
        Ok(running)
    }
}

/// A lens at work; dropping it ends it.
#[derive(Debug)]
pub(super) struct Running {
    pub socket: UnixStream,
    process: Child,
    words: Option<JoinHandle<Option<String>>>,
}

impl Running {
    /// Ends it; what it said last to people.
    pub fn end(&mut self) -> Option<String> {
        self.process.kill().ok();
        self.process.wait().ok();
        self.words.take()?.join().ok()?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
