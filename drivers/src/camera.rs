//! A source of pictures. Only the newest one counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::Frame;

use crate::Stamped;

mod crop;

pub use crop::{Crop, Cropped};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraInfo {
    pub name: String,
    pub width: u16,
    pub height: u16,
    /// Two pictures of the same scene are the same to the byte, as in a simulation. With any other
    /// camera one that comes again shows that it is stuck.
    pub noiseless: bool,
}

#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum CameraError {
    #[error("camera {camera}: the newest picture is {age:?} old")]
    Stale { camera: String, age: Duration },
    #[error("camera {camera}: {reason}")]
    Device { camera: String, reason: String },
}

pub trait Camera: Send {
    fn info(&self) -> &CameraInfo;

    /// The newest picture, if it is not older than `max_age`.
    fn latest(&mut self, max_age: Duration) -> Result<Stamped<Frame>, CameraError>;
}
