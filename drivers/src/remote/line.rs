//! A connection to a device that comes back by itself.

use std::{
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    frame,
    message::{ArmRequest, DeviceReply, DeviceRequest},
};
use crate::arm::ArmError;

/// A device that does not answer for so long is gone.
const REPLY_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Line {
    path: PathBuf,
    /// Whether this client is the one that commands.
    commands: bool,
    reply_timeout: Duration,
    stream: Option<UnixStream>,
}

impl Line {
    /// Connects with the first request.
    pub fn to(path: &Path) -> Self {
        Self { path: path.into(), commands: false, reply_timeout: REPLY_TIMEOUT, stream: None }
    }

    /// For answers that may take a person's time.
    pub fn patient(self, reply_timeout: Duration) -> Self {
        Self { reply_timeout, ..self }
    }

    /// Every connection asks for the command of the arm first.
    pub fn commanding(self) -> Self {
        Self { commands: true, ..self }
    }

    /// Connects when that has not been done.
    pub fn open(&mut self) -> Result<(), ArmError> {
        if self.stream.is_some() {
            return Ok(());
        }
        self.stream = Some(self.connect().map_err(|error| {
            ArmError::Gone(format!("no device answers on {}: {error}", self.path.display()))
        })?);
        if !self.commands {
            return Ok(());
        }
        let taken = self.exchange(&DeviceRequest::Arm(ArmRequest::TakeCommand));
        if taken.is_err() {
            self.stream = None;
        }
        taken.map(drop)
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.path)?;
        stream.set_read_timeout(Some(self.reply_timeout))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(stream)
    }

    /// The device's answer. After a failure the connection is let go, so that a reply that comes
    /// late is not taken for the next request's.
    pub fn ask(&mut self, request: &DeviceRequest) -> Result<DeviceReply, ArmError> {
        self.open()?;
        self.exchange(request)
    }

    /// For what is only done or not.
    pub fn tell(&mut self, request: &DeviceRequest) -> Result<(), ArmError> {
        match self.ask(request)? {
            DeviceReply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    pub fn ask_arm(&mut self, request: ArmRequest) -> Result<DeviceReply, ArmError> {
        self.ask(&DeviceRequest::Arm(request))
    }

    pub fn tell_arm(&mut self, request: ArmRequest) -> Result<(), ArmError> {
        self.tell(&DeviceRequest::Arm(request))
    }

    fn exchange(&mut self, request: &DeviceRequest) -> Result<DeviceReply, ArmError> {
        let Some(stream) = &mut self.stream else {
            return Err(ArmError::Gone("its process is not connected".into()));
        };
        let asked = frame::send(stream, request);
        match asked.and_then(|()| frame::receive(stream)) {
            Ok(DeviceReply::Failed(error)) => Err(error),
            Ok(reply) => Ok(reply),
            Err(error) => {
                self.stream = None;
                Err(ArmError::Gone(format!("its process does not answer: {error}")))
            }
        }
    }
}

pub(super) fn unexpected(reply: &DeviceReply) -> ArmError {
    ArmError::Gone(format!("it gave another answer than was asked for: {reply:?}"))
}
