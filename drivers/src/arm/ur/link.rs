//! The RTDE connection: handshake, then the controller's state as it comes. Comes back by itself when
//! it was lost; the arm then waits for recovery.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    Shared, UrError,
    rtde::{self, Recipe, Reply, Request, Value},
    snapshot::{OUTPUTS, RecipeError, Snapshot, check_outputs},
};
use crate::Stamped;

/// A controller that says nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_millis(250);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two attempts to connect again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Held by the client that drives the arm, so that a second one finds it in use.
const CLAIM: &str = "input_int_register_24";
const CLAIMED: i32 = 1;

/// Of the controller's software.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub major: u32,
    pub minor: u32,
}

pub(super) struct Link {
    host: String,
    address: SocketAddr,
    hz: f64,
}

impl Link {
    pub fn new(host: String, robot: IpAddr, port: u16, hz: f64) -> Self {
        Self { host, address: (robot, port).into(), hz }
    }

    /// Connects and has the controller start to send. Gives its software's version, too.
    pub fn open(&self) -> Result<(TcpStream, Version), UrError> {
        let reach = |source| UrError::Reach { what: "RTDE", address: self.address, source };
        let mut stream =
            TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT).map_err(reach)?;
        stream.set_nodelay(true).map_err(reach)?;
        stream.set_read_timeout(Some(SILENCE_MAX * 4)).map_err(reach)?;
        stream.set_write_timeout(Some(SILENCE_MAX)).map_err(reach)?;
        let version = self.handshake(&mut stream)?;
        stream.set_read_timeout(Some(SILENCE_MAX)).map_err(reach)?;
        Ok((stream, version))
    }

    fn handshake(&self, stream: &mut TcpStream) -> Result<Version, UrError> {
        match self.ask(stream, &Request::ProtocolVersion(rtde::VERSION))? {
            Reply::ProtocolVersion { accepted: true } => {}
            _ => return Err(self.misunderstood("it does not speak RTDE version 2")),
        }
        let version = match self.ask(stream, &Request::ControllerVersion)? {
            Reply::ControllerVersion([major, minor, bugfix, _]) => {
                tracing::info!("UR controller software {major}.{minor}.{bugfix} at {}", self.host);
                Version { major, minor }
            }
            other => return Err(self.misunderstood(format!("{other:?} for its version"))),
        };
        match self.ask(stream, &Request::SetUpInputs(vec![CLAIM.into()]))? {
            Reply::Inputs(recipe) => {
                self.check_claim(&recipe)?;
                let values = vec![Value::Int32(CLAIMED)];
                self.tell(stream, &Request::Data { recipe: recipe.id, values })?;
            }
            other => return Err(self.misunderstood(format!("{other:?} for the inputs"))),
        }
        let names = OUTPUTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        match self.ask(stream, &Request::SetUpOutputs { hz: self.hz, names })? {
            Reply::Outputs(recipe) => {
                check_outputs(&recipe).map_err(|error: RecipeError| self.misunderstood(error))?;
            }
            other => return Err(self.misunderstood(format!("{other:?} for the outputs"))),
        }
        match self.ask(stream, &Request::Start)? {
            Reply::Start { accepted: true } => Ok(version),
            other => Err(self.misunderstood(format!("{other:?} for the start"))),
        }
    }

    fn check_claim(&self, recipe: &Recipe) -> Result<(), UrError> {
        match recipe.types.first().map(String::as_str) {
            Some("INT32") => Ok(()),
            Some("IN_USE") => Err(UrError::InUse { host: self.host.clone(), name: CLAIM }),
            other => Err(self.misunderstood(format!("{other:?} for {CLAIM}"))),
        }
    }

    /// The reply to a request; messages for people that come in between are passed on to the log.
    fn ask(&self, stream: &mut TcpStream, request: &Request) -> Result<Reply, UrError> {
        self.tell(stream, request)?;
        let reach = |source| UrError::Reach { what: "RTDE", address: self.address, source };
        loop {
            match receive(stream).map_err(reach)? {
                Reply::Text { message, .. } => tracing::warn!("the UR controller says: {message}"),
                Reply::Data { .. } => {}
                reply => return Ok(reply),
            }
        }
    }

    fn tell(&self, stream: &mut TcpStream, request: &Request) -> Result<(), UrError> {
        let bytes = request.encode().ok_or_else(|| self.misunderstood("too many names"))?;
        let reach = |source| UrError::Reach { what: "RTDE", address: self.address, source };
        stream.write_all(&bytes).map_err(reach)
    }

    fn misunderstood(&self, reason: impl ToString) -> UrError {
        UrError::Protocol { host: self.host.clone(), reason: reason.to_string() }
    }

    /// Reads until the driver is dropped.
    pub fn run(&self, shared: &Shared, stream: TcpStream) {
        let mut stream = Some(stream);
        while !shared.lock().quits {
            if let Some(mut open) = stream.take() {
                shared.lock().linked = true;
                match read_states(shared, &mut open) {
                    // Dropped. A controller that does not hear it sees that the link is gone.
                    Ok(()) => _ = self.tell(&mut open, &Request::Pause),
                    Err(error) => {
                        let host = &self.host;
                        tracing::warn!("the link to the UR controller at {host} is lost: {error}");
                        shared.lock().lost_link();
                        shared.wake.notify_all();
                    }
                }
                continue;
            }
            match self.open() {
                Ok((open, _)) => stream = Some(open),
                Err(error) => {
                    tracing::debug!("no link to the UR controller: {error}");
                    pause(shared);
                }
            }
        }
    }
}

/// Waits before the next attempt, or until the driver is dropped.
fn pause(shared: &Shared) {
    let status = shared.lock();
    // A poisoned lock is met again, and healed, at the next look.
    _ = shared.news.wait_timeout_while(status, RETRY_AFTER, |status| !status.quits);
}

fn read_states(shared: &Shared, stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let reply = receive(stream)?;
        let at = shared.clock.now();
        let mut status = shared.lock();
        if status.quits {
            return Ok(());
        }
        match reply {
            Reply::Data { fields, .. } => {
                let value = Snapshot::decode(&fields)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                let had_fault = status.fault.is_some();
                status.see(Stamped { at, value });
                if status.fault.is_some() != had_fault {
                    shared.wake.notify_all();
                }
                shared.news.notify_all();
            }
            Reply::Text { message, .. } => tracing::warn!("the UR controller says: {message}"),
            _ => {}
        }
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Reply> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut head = [0; rtde::HEADER];
    stream.read_exact(&mut head)?;
    let (size, kind) = rtde::header(head).map_err(invalid)?;
    let mut payload = vec![0; size - rtde::HEADER];
    stream.read_exact(&mut payload)?;
    Reply::decode(kind, &payload).map_err(invalid)
}
