//! Where pictures come from.

use drivers::camera::{DeviceFormat, DeviceSettings, Source};
use opencv::core::Mat;

use crate::{capture::Capture, http::Stream, realsense::RealSense};

pub enum Next {
    Picture {
        image: Mat,
        grabbed_ns: u64,
    },
    /// A recording is over.
    End,
}

pub trait Pictures {
    /// Waits for it. An error means that the device has to be opened again.
    fn next(&mut self) -> anyhow::Result<Next>;

    /// `image` is its first picture.
    fn format(&self, image: &Mat) -> anyhow::Result<DeviceFormat>;
}

pub fn open(settings: &DeviceSettings) -> anyhow::Result<Box<dyn Pictures>> {
    Ok(match &settings.source {
        Source::Http(address) => Box::new(Stream::open(address)?),
        Source::RealSense { name, repeat } => Box::new(RealSense::open(name, *repeat, settings)?),
        _ => Box::new(Capture::open(settings)?),
    })
}
