//! A source of pictures. Only the newest one counts.
//!
//! What opens a device is a process of its own, `reins-lens`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::Frame;

use crate::Stamped;

mod crop;
mod device;
mod lens;
pub mod message;
mod settings;
mod survey;
mod video;

pub use crop::{Crop, Cropped};
pub use device::{Device, DeviceCamera};
pub use lens::{Lens, Listed, ListedFormat};
pub use message::DeviceFormat;
pub use settings::{DeviceSettings, Fixed, Source, View, is_realsense_recording};
pub use survey::{Survey, survey};
pub use video::{VideoReader, VideoWriter};

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
