//! The client's side: an arm in another process.

use std::{io, os::unix::net::UnixStream, path::Path, time::Duration};

use super::{
    frame,
    message::{DeviceReply, DeviceRequest, DeviceState},
};
use crate::{
    arm::{ArmError, StopKind},
    gate::{Command, Executed, GateReport},
};

/// A device that does not answer for so long is gone.
const REPLY_TIMEOUT: Duration = Duration::from_millis(500);

/// Looks at an arm in another process, and may stop it.
#[derive(Debug)]
pub struct Watcher {
    stream: UnixStream,
}

/// Commands an arm in another process, through the gate there. One client at a time may.
#[derive(Debug)]
pub struct GateClient(Watcher);

impl Watcher {
    pub fn connect(path: &Path) -> Result<Self, ArmError> {
        let open = || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
            stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
            Ok(stream)
        };
        match open() {
            Ok(stream) => Ok(Self { stream }),
            Err(error) => {
                let error: io::Error = error;
                Err(ArmError::Gone(format!("no device answers on {}: {error}", path.display())))
            }
        }
    }

    pub fn state(&mut self) -> Result<DeviceState, ArmError> {
        match self.ask(&DeviceRequest::State)? {
            DeviceReply::State(state) => Ok(*state),
            other => Err(unexpected(&other)),
        }
    }

    pub fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.tell(&DeviceRequest::Stop(how))
    }

    /// Stops the arm until an operator has recovered it and cleared the latch.
    pub fn emergency_stop(&mut self, why: &str) -> Result<(), ArmError> {
        self.tell(&DeviceRequest::EmergencyStop(why.into()))
    }

    fn tell(&mut self, request: &DeviceRequest) -> Result<(), ArmError> {
        match self.ask(request)? {
            DeviceReply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, request: &DeviceRequest) -> Result<DeviceReply, ArmError> {
        let asked = frame::send(&mut self.stream, request);
        match asked.and_then(|()| frame::receive(&mut self.stream)) {
            Ok(DeviceReply::Refused(why)) => Err(ArmError::NeedsOperator(why)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(ArmError::Gone(format!("its process does not answer: {error}"))),
        }
    }
}

impl GateClient {
    /// Asks for the command of the arm; refused while another client has it.
    pub fn connect(path: &Path) -> Result<Self, ArmError> {
        let mut client = Self(Watcher::connect(path)?);
        client.0.tell(&DeviceRequest::TakeCommand)?;
        Ok(client)
    }

    pub fn state(&mut self) -> Result<DeviceState, ArmError> {
        self.0.state()
    }

    /// As `Gate::command`; the lease begins when the device has it.
    pub fn command(&mut self, command: &Command) -> Result<GateReport, ArmError> {
        match self.0.ask(&DeviceRequest::Command(*command))? {
            DeviceReply::Report(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    pub fn settle(&mut self) -> Result<Executed, ArmError> {
        match self.0.ask(&DeviceRequest::Settle)? {
            DeviceReply::Executed(executed) => Ok(executed),
            other => Err(unexpected(&other)),
        }
    }

    pub fn hand_over(&mut self) -> Result<(), ArmError> {
        self.0.tell(&DeviceRequest::HandOver)
    }

    pub fn expect_pause(&mut self) -> Result<(), ArmError> {
        self.0.tell(&DeviceRequest::ExpectPause)
    }

    pub fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.0.stop(how)
    }

    pub fn emergency_stop(&mut self, why: &str) -> Result<(), ArmError> {
        self.0.emergency_stop(why)
    }

    pub fn recover(&mut self) -> Result<(), ArmError> {
        self.0.tell(&DeviceRequest::Recover)
    }

    /// Only an operator's word may lead here.
    pub fn clear_emergency(&mut self) -> Result<(), ArmError> {
        self.0.tell(&DeviceRequest::ClearEmergency)
    }
}

fn unexpected(reply: &DeviceReply) -> ArmError {
    ArmError::Gone(format!("it gave another answer than was asked for: {reply:?}"))
}
