//! The device's side: takes requests from its clients to the gate.

use std::{
    fs, io,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use thiserror::Error;
use wire::Clock;

use super::{
    frame,
    message::{DeviceReply, DeviceRequest, DeviceState},
};
use crate::{
    arm::{Arm, ArmError},
    gate::{Gate, TickerError},
};

/// Clients at the same time; another one is turned away.
const CLIENTS_MAX: usize = 8;
/// A client that does not take its reply for so long is dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug, Error)]
pub enum ServerError {
    #[error("listening on the socket {path}")]
    Listen { path: PathBuf, source: io::Error },
    #[error(
        "another device answers on the socket {path}: stop it first, or give this one another path"
    )]
    InUse { path: PathBuf },
    #[error(transparent)]
    Ticker(#[from] TickerError),
    #[error("a thread for a client could not be started")]
    Thread(#[source] io::Error),
}

/// An arm behind its gate, open to clients until it is dropped.
#[derive(Debug)]
pub struct DeviceServer {
    path: PathBuf,
    listener: UnixListener,
}

impl DeviceServer {
    /// Listens on a socket at `path`. One that a device left behind when it was killed is replaced.
    pub fn bind(path: &Path) -> Result<Self, ServerError> {
        if path.exists() {
            if UnixStream::connect(path).is_ok() {
                return Err(ServerError::InUse { path: path.into() });
            }
            fs::remove_file(path)
                .map_err(|source| ServerError::Listen { path: path.into(), source })?;
        }
        let listener = UnixListener::bind(path)
            .map_err(|source| ServerError::Listen { path: path.into(), source })?;
        Ok(Self { path: path.into(), listener })
    }

    /// Runs the gate's device loop on `clock`, and serves clients as they come. Does not return
    /// unless something fails.
    pub fn serve<A: Arm + 'static>(
        &self,
        gate: Gate<A>,
        clock: Arc<dyn Clock>,
    ) -> Result<(), ServerError> {
        gate.run_in_real_time(clock.clone())?;
        let desk = Arc::new(Desk { gate: Mutex::new(gate), clock, commander: Mutex::new(None) });
        let clients = Arc::new(AtomicUsize::new(0));
        for (number, stream) in self.listener.incoming().enumerate() {
            let Ok(stream) = stream else { continue };
            if clients.fetch_add(1, Ordering::SeqCst) >= CLIENTS_MAX {
                clients.fetch_sub(1, Ordering::SeqCst);
                tracing::warn!("a client was turned away: {CLIENTS_MAX} are connected");
                continue;
            }
            let (desk, clients) = (desk.clone(), clients.clone());
            let attend = move || {
                if let Err(error) = desk.attend(number, stream)
                    && error.kind() != io::ErrorKind::UnexpectedEof
                {
                    tracing::warn!("a client of the device was dropped: {error}");
                }
                desk.leave(number);
                clients.fetch_sub(1, Ordering::SeqCst);
            };
            thread::Builder::new()
                .name("device-client".into())
                .spawn(attend)
                .map_err(ServerError::Thread)?;
        }
        Ok(())
    }
}

impl Drop for DeviceServer {
    fn drop(&mut self) {
        // It is only a name; one that stays is replaced by the next device.
        _ = fs::remove_file(&self.path);
    }
}

struct Desk<A: Arm> {
    gate: Mutex<Gate<A>>,
    clock: Arc<dyn Clock>,
    /// The client that commands.
    commander: Mutex<Option<usize>>,
}

impl<A: Arm> Desk<A> {
    fn attend(&self, client: usize, mut stream: UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        loop {
            let request = frame::receive(&mut stream)?;
            let reply = self.answer(client, request);
            frame::send(&mut stream, &reply)?;
        }
    }

    fn answer(&self, client: usize, request: DeviceRequest) -> DeviceReply {
        let mut commander = lock(&self.commander);
        if request.needs_command() && *commander != Some(client) {
            return DeviceReply::Refused("another client commands, or none has asked to".into());
        }
        let mut gate = lock(&self.gate);
        let now = self.clock.now();
        let done = |outcome: Result<(), ArmError>| outcome.map(|()| DeviceReply::Done);
        let outcome = match request {
            DeviceRequest::TakeCommand => match *commander {
                Some(other) if other != client => {
                    return DeviceReply::Refused("another client commands the arm".into());
                }
                _ => {
                    *commander = Some(client);
                    gate.hand_over();
                    Ok(DeviceReply::Done)
                }
            },
            DeviceRequest::State => gate.state().map(|state| {
                DeviceReply::State(Box::new(DeviceState {
                    age: now.since(state.at),
                    state: state.value,
                    target: gate.target(now),
                    refusal: gate.refusal().map(|trip| trip.to_string()),
                    counts: gate.counts(),
                }))
            }),
            DeviceRequest::Command(command) => gate.command(now, &command).map(DeviceReply::Report),
            DeviceRequest::Settle => gate.settle().map(DeviceReply::Executed),
            DeviceRequest::HandOver => {
                gate.hand_over();
                Ok(DeviceReply::Done)
            }
            DeviceRequest::ExpectPause => {
                gate.expect_pause();
                Ok(DeviceReply::Done)
            }
            DeviceRequest::Stop(how) => done(gate.stop(how)),
            DeviceRequest::EmergencyStop(why) => done(gate.emergency_stop(&why)),
            DeviceRequest::Recover => done(gate.recover()),
            DeviceRequest::ClearEmergency => done(gate.clear_emergency()),
        };
        outcome.unwrap_or_else(|error| DeviceReply::Refused(error.to_string()))
    }

    /// The lease that a client leaves behind runs out by itself.
    fn leave(&self, client: usize) {
        let mut commander = lock(&self.commander);
        if *commander == Some(client) {
            *commander = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
