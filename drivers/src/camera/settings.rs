//! What to open, how to set it, and what to cut out of its pictures.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::Crop;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSettings {
    pub source: Source,
    /// Width and height that the pictures must have; a V4L2 device is asked for them.
    pub size: Option<[u32; 2]>,
    /// Pictures per second: asked of a V4L2 device, the pace of a recording.
    pub fps: Option<f64>,
    /// Four letters such as `MJPG`, asked of a V4L2 device.
    pub pixel_format: Option<String>,
    pub fixed: Fixed,
    /// A device that gives no picture for so long is closed and opened again.
    pub silent_max: Duration,
}

/// Settings of a V4L2 device that would change with the light. None leaves one to the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fixed {
    pub exposure_us: Option<f64>,
    /// In the device's own unit.
    pub gain: Option<f64>,
    pub white_balance_k: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A device node, or the name that it has under `/dev/v4l/by-id` or `/dev/v4l/by-path`.
    V4l2(PathBuf),
    VideoFile {
        path: PathBuf,
        repeat: bool,
    },
    /// A pattern such as `frames/%04d.png`, counted from 0 or 1 on.
    Images {
        pattern: String,
        repeat: bool,
    },
    /// Address of a stream of JPEG pictures (`multipart/x-mixed-replace`).
    Http(String),
    /// A pipeline that ends in `appsink`.
    GStreamer(String),
    /// Colour of an Intel RealSense by its SDK: a serial number, `any` where there is one, or the path of a
    /// recording that the SDK made.
    RealSense {
        name: String,
        repeat: bool,
    },
}

impl Source {
    /// A recording may show the same picture twice, and no camera is stuck.
    pub fn is_recording(&self) -> bool {
        match self {
            Self::VideoFile { .. } | Self::Images { .. } => true,
            Self::RealSense { name, .. } => is_realsense_recording(name),
            Self::V4l2(_) | Self::Http(_) | Self::GStreamer(_) => false,
        }
    }
}

/// Those of the SDK end so, the older ones in `.bag`.
pub fn is_realsense_recording(name: &str) -> bool {
    name.ends_with(".db3") || name.ends_with(".bag")
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4l2(path) | Self::VideoFile { path, .. } => write!(f, "{}", path.display()),
            Self::Images { pattern, .. } => f.write_str(pattern),
            Self::Http(address) => f.write_str(address),
            Self::GStreamer(pipeline) => f.write_str(pipeline),
            Self::RealSense { name, .. } => write!(f, "RealSense {name}"),
        }
    }
}

/// A part of the device's picture and the size to which it is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// None is the whole picture.
    pub crop: Option<Crop>,
    pub width: u16,
    pub height: u16,
}
