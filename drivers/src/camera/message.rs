//! What `reins` and `reins-lens` say to each other, over the socket that is the lens's input.
//!
//! Both run on one machine, so a time is one of its monotonic clock.

use std::{
    fmt,
    io::{Read, Result, Write},
    path::PathBuf,
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use wire::{Frame, codec::Message};

use super::{DeviceSettings, Listed, View};
use crate::remote::frame;

/// The pictures of a device are cut down to a few views; four of the largest fit.
const BODY_MAX: usize = 64 << 20;

/// The first thing that is said to a lens, and but for [`Material`] the only one. When the socket
/// closes, it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    Open {
        settings: DeviceSettings,
        views: Vec<View>,
    },
    List,
    /// Give every picture of a file, as it is and as fast as it is taken.
    ReadVideo(PathBuf),
    /// Answered by `Opened`, and by `Ended` when the file is whole.
    WriteVideo {
        path: PathBuf,
        fps: f64,
        width: u16,
        height: u16,
    },
}

/// What follows [`Order::WriteVideo`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Material {
    Picture(Frame),
    End,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// Comes before the first picture.
    Opened(DeviceFormat),
    Picture(Picture),
    /// The device cannot be opened, or is lost. The last message.
    Failed(String),
    /// A recording came to its end, or a file that was written is whole. The last message.
    Ended,
    Listed(Vec<Listed>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// When the device handed it over; see [`monotonic_ns`].
    pub grabbed_ns: u64,
    /// In the order of the views.
    pub views: Vec<Frame>,
}

/// What the device says that it does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceFormat {
    pub width: u32,
    pub height: u32,
    pub fps: Option<f64>,
    pub pixel_format: Option<String>,
    pub exposure_us: Option<f64>,
    pub gain: Option<f64>,
    pub white_balance_k: Option<f64>,
}

impl fmt::Display for DeviceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)?;
        if let Some(format) = &self.pixel_format {
            write!(f, " {format}")?;
        }
        let numbers = [
            (", ", self.fps, " pictures/s"),
            (", exposure ", self.exposure_us, " us"),
            (", gain ", self.gain, ""),
            (", white balance ", self.white_balance_k, " K"),
        ];
        for (before, number, after) in numbers {
            if let Some(number) = number {
                write!(f, "{before}{number}{after}")?;
            }
        }
        Ok(())
    }
}

impl Message for Order {
    const KIND: u8 = 18;
}

impl Message for Report {
    const KIND: u8 = 19;
}

impl Message for Material {
    const KIND: u8 = 20;
}

pub fn send<M: Message>(stream: &mut impl Write, message: &M) -> Result<()> {
    frame::send(stream, message)
}

pub fn receive<M: Message>(stream: &mut impl Read) -> Result<M> {
    frame::receive_within(stream, BODY_MAX)
}

/// The machine's monotonic clock, the same in every process.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
