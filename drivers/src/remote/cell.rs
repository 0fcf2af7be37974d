//! What else a cell has, in the device's process: cameras, the person's hand, fixture and success.
//! Each has a connection of its own, so that none waits for another.

use std::{path::Path, sync::Arc, time::Duration};

use wire::{Clock, Frame, Mark};

use super::{
    line::{Line, unexpected},
    message::{Aged, DeviceReply, DeviceRequest},
};
use crate::{
    ArmError, Camera, CameraError, CameraInfo, EpisodeBrief, Fixture, FixtureError, Stamped,
    SuccessSensor, Teleop, TeleopError, TeleopSample,
};

/// How long a fixture may take: it may be a person.
const FIXTURE_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub struct RemoteFixture(Line);

#[derive(Debug)]
pub struct RemoteSuccess(Line);

pub struct RemoteTeleop {
    line: Line,
    clock: Arc<dyn Clock>,
}

pub struct RemoteCamera {
    line: Line,
    clock: Arc<dyn Clock>,
    info: CameraInfo,
}

impl RemoteFixture {
    pub fn at(path: &Path) -> Self {
        Self(Line::to(path).patient(FIXTURE_TIMEOUT))
    }
}

impl Fixture for RemoteFixture {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError> {
        match self.0.ask(&DeviceRequest::Prepare(*brief)) {
            Ok(DeviceReply::Prepared(outcome)) => outcome,
            other => Err(FixtureError::Failed(reason(other))),
        }
    }
}

impl RemoteSuccess {
    pub fn at(path: &Path) -> Self {
        Self(Line::to(path))
    }
}

impl SuccessSensor for RemoteSuccess {
    /// A device that does not answer has not seen a success.
    fn succeeded(&mut self) -> bool {
        self.sees() == Some(true)
    }

    fn sees(&mut self) -> Option<bool> {
        match self.0.ask(&DeviceRequest::Succeeded) {
            Ok(DeviceReply::Succeeded(seen)) => seen,
            _ => Some(false),
        }
    }

    fn lost(&mut self) -> bool {
        matches!(self.0.ask(&DeviceRequest::Lost), Ok(DeviceReply::Lost(true)))
    }
}

impl RemoteTeleop {
    pub fn at(path: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { line: Line::to(path), clock }
    }
}

impl Teleop for RemoteTeleop {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        match self.line.ask(&DeviceRequest::Sample) {
            Ok(DeviceReply::Sample(sample)) => sample.map(|sample| sample.stamped(&*self.clock)),
            other => Err(TeleopError::Gone(reason(other))),
        }
    }

    /// A device that does not answer has not been pressed.
    fn mark(&mut self) -> Option<Mark> {
        match self.line.ask(&DeviceRequest::Mark) {
            Ok(DeviceReply::Marked(mark)) => mark,
            _ => None,
        }
    }

    fn announce(&mut self, brief: &EpisodeBrief) {
        if let Err(error) = self.line.tell(&DeviceRequest::Announce(*brief)) {
            tracing::warn!("the person was not told what comes next: {error}");
        }
    }
}

impl RemoteCamera {
    /// One that gives pictures of this size.
    pub fn at(path: &Path, info: CameraInfo, clock: Arc<dyn Clock>) -> Self {
        Self { line: Line::to(path), clock, info }
    }

    /// The same, and the device says whether they have noise.
    pub fn connect(
        path: &Path,
        info: CameraInfo,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CameraError> {
        let mut camera = Self::at(path, info, clock);
        match camera.line.ask(&DeviceRequest::Camera(camera.info.name.clone())) {
            Ok(DeviceReply::Camera(Some(there))) => camera.info.noiseless = there.noiseless,
            Ok(DeviceReply::Camera(None)) => {
                let reason = "the device serves no such camera; start it with the task of the run";
                return Err(camera.failed(reason.into()));
            }
            other => return Err(camera.failed(reason(other))),
        }
        Ok(camera)
    }

    fn failed(&self, reason: String) -> CameraError {
        CameraError::Device { camera: self.info.name.clone(), reason }
    }
}

impl Camera for RemoteCamera {
    fn info(&self) -> &CameraInfo {
        &self.info
    }

    fn latest(&mut self, age_max: Duration) -> Result<Stamped<Frame>, CameraError> {
        let request = DeviceRequest::Picture { camera: self.info.name.clone(), age_max };
        let picture = match self.line.ask(&request) {
            Ok(DeviceReply::Picture(picture)) => picture?.stamped(&*self.clock),
            other => return Err(self.failed(reason(other))),
        };
        let size = (picture.value.width, picture.value.height);
        if size != (self.info.width, self.info.height) {
            return Err(self.failed(format!(
                "the device gives pictures of {}x{}, and the cell file says {}x{}; start both with \
                 the same cell and task",
                size.0, size.1, self.info.width, self.info.height
            )));
        }
        Ok(picture)
    }
}

impl<T> Aged<T> {
    pub fn of(stamped: Stamped<T>, clock: &dyn Clock) -> Self {
        Self { age: clock.now().since(stamped.at), value: stamped.value }
    }

    fn stamped(self, clock: &dyn Clock) -> Stamped<T> {
        Stamped { at: clock.now().before(self.age), value: self.value }
    }
}

fn reason(outcome: Result<DeviceReply, ArmError>) -> String {
    match outcome {
        Ok(reply) => unexpected(&reply).to_string(),
        Err(error) => error.to_string(),
    }
}
