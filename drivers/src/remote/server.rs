//! The device's side: takes requests from its clients to the gate.

use std::{
    fs, io,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use thiserror::Error;
use wire::Clock;

use super::{
    frame, lock,
    message::{Aged, ArmRequest, DeviceReply, DeviceRequest, DeviceState, DeviceTime},
};
use crate::{
    ArmError, Camera, CameraError, Fixture, GuardedArm, SuccessSensor, Teleop, TeleopError,
    TeleopSample,
};

/// Connections at the same time; another one is turned away. An actor has one per device.
const CLIENTS_MAX: usize = 16;
/// A client that does not take its reply for so long is dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// Commands where no client may.
const NO_CLIENT: usize = usize::MAX;

#[derive(Debug, Error)]
pub enum ServerError {
    #[error("listening on the socket {path}")]
    Listen { path: PathBuf, source: io::Error },
    #[error(
        "another device answers on the socket {path}: stop it first, or give this one another path"
    )]
    InUse { path: PathBuf },
    #[error("a thread for a client could not be started")]
    Thread(#[source] io::Error),
}

/// What clients find: the devices of a cell.
pub struct Served {
    /// The clock that the gate's device loop runs on.
    pub clock: Arc<dyn Clock>,
    /// Its time passes only as clients let it.
    pub paced: bool,
    /// Whoever serves commands the arm itself: clients may watch and stop it.
    pub commanded: bool,
    pub gate: Box<dyn GuardedArm>,
    pub cameras: Vec<Box<dyn Camera>>,
    pub teleop: Option<Box<dyn Teleop>>,
    pub fixture: Box<dyn Fixture>,
    pub success: Box<dyn SuccessSensor>,
}

/// A socket on which devices are open to clients until it is dropped.
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

    /// Serves clients as they come. Does not return unless something fails.
    pub fn serve(&self, served: Served) -> Result<(), ServerError> {
        let desk = Arc::new(Desk::new(served));
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

/// Each device behind a lock of its own: a fixture that takes its time holds up no command.
struct Desk {
    clock: Arc<dyn Clock>,
    paced: bool,
    gate: Mutex<Box<dyn GuardedArm>>,
    /// The client that commands.
    commander: Mutex<Option<usize>>,
    cameras: Vec<Mutex<Box<dyn Camera>>>,
    teleop: Mutex<Option<Box<dyn Teleop>>>,
    fixture: Mutex<Box<dyn Fixture>>,
    success: Mutex<Box<dyn SuccessSensor>>,
}

impl Desk {
    fn new(served: Served) -> Self {
        Self {
            clock: served.clock,
            paced: served.paced,
            gate: Mutex::new(served.gate),
            commander: Mutex::new(served.commanded.then_some(NO_CLIENT)),
            cameras: served.cameras.into_iter().map(Mutex::new).collect(),
            teleop: Mutex::new(served.teleop),
            fixture: Mutex::new(served.fixture),
            success: Mutex::new(served.success),
        }
    }

    fn attend(&self, client: usize, mut stream: UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        loop {
            let request = frame::receive(&mut stream)?;
            let reply = self.answer(client, request);
            frame::send(&mut stream, &reply)?;
        }
    }

    fn answer(&self, client: usize, request: DeviceRequest) -> DeviceReply {
        match request {
            DeviceRequest::Arm(request) => {
                self.ask_gate(client, request).unwrap_or_else(DeviceReply::Failed)
            }
            DeviceRequest::Picture { camera, age_max } => {
                DeviceReply::Picture(self.picture(camera, age_max))
            }
            DeviceRequest::Sample => DeviceReply::Sample(self.sample()),
            DeviceRequest::Announce(brief) => {
                if let Some(teleop) = &mut *lock(&self.teleop) {
                    teleop.announce(&brief);
                }
                DeviceReply::Done
            }
            DeviceRequest::Prepare(brief) => {
                DeviceReply::Prepared(lock(&self.fixture).prepare(&brief))
            }
            DeviceRequest::Succeeded => DeviceReply::Succeeded(lock(&self.success).sees()),
            DeviceRequest::Mark => {
                DeviceReply::Marked(lock(&self.teleop).as_mut().and_then(|teleop| teleop.mark()))
            }
            DeviceRequest::Lost => DeviceReply::Lost(lock(&self.success).lost()),
            DeviceRequest::Camera(name) => {
                let mut infos = self.cameras.iter().map(|camera| lock(camera).info().clone());
                DeviceReply::Camera(infos.find(|info| info.name == name))
            }
            DeviceRequest::Time => DeviceReply::Time(self.time()),
            DeviceRequest::Advance(until) if self.paced => {
                self.clock.sleep_until(until);
                DeviceReply::Time(self.time())
            }
            DeviceRequest::Advance(_) => DeviceReply::Time(self.time()),
        }
    }

    fn time(&self) -> DeviceTime {
        let (now, wall_now) = (self.clock.now(), self.clock.wall_now());
        DeviceTime { now, wall_now, paced: self.paced }
    }

    fn picture(&self, name: String, age_max: Duration) -> Result<Aged<wire::Frame>, CameraError> {
        for camera in &self.cameras {
            let mut camera = lock(camera);
            if camera.info().name == name {
                return camera.latest(age_max).map(|picture| Aged::of(picture, &*self.clock));
            }
        }
        let reason = "the device serves no such camera; start it with the task of the run";
        Err(CameraError::Device { camera: name, reason: reason.into() })
    }

    fn sample(&self) -> Result<Aged<TeleopSample>, TeleopError> {
        match &mut *lock(&self.teleop) {
            Some(teleop) => teleop.sample().map(|sample| Aged::of(sample, &*self.clock)),
            None => Err(TeleopError::Gone("the device serves none".into())),
        }
    }

    fn ask_gate(&self, client: usize, request: ArmRequest) -> Result<DeviceReply, ArmError> {
        let mut commander = lock(&self.commander);
        if request.needs_command() && *commander != Some(client) {
            return Err(ArmError::NotInCommand);
        }
        let mut gate = lock(&self.gate);
        let now = self.clock.now();
        match request {
            ArmRequest::TakeCommand => {
                if commander.is_some_and(|other| other != client) {
                    return Err(ArmError::NotInCommand);
                }
                *commander = Some(client);
                gate.hand_over();
            }
            ArmRequest::State => {
                let state = gate.state()?;
                return Ok(DeviceReply::State(Box::new(DeviceState {
                    age: now.since(state.at),
                    state: state.value,
                    target: gate.target(now),
                    refusal: gate.refusal(),
                    counts: gate.counts(),
                })));
            }
            ArmRequest::Skeleton => return Ok(DeviceReply::Skeleton(gate.skeleton())),
            ArmRequest::Command(command) => {
                return gate.command(now, &command).map(DeviceReply::Report);
            }
            ArmRequest::Settle => return gate.settle().map(DeviceReply::Executed),
            ArmRequest::HandOver => gate.hand_over(),
            ArmRequest::ExpectPause => gate.expect_pause(),
            ArmRequest::Stop(how) => gate.stop(how)?,
            ArmRequest::EmergencyStop(why) => gate.emergency_stop(&why)?,
            ArmRequest::Recover => gate.recover()?,
            ArmRequest::ClearEmergency => gate.clear_emergency()?,
        }
        Ok(DeviceReply::Done)
    }

    /// The lease that a client leaves behind runs out by itself.
    fn leave(&self, client: usize) {
        let mut commander = lock(&self.commander);
        if *commander == Some(client) {
            *commander = None;
        }
    }
}
