//! Video files of data sets, by way of a `reins-lens`.

use std::{io, path::Path};

use drivers::camera::{Lens, VideoWriter};
use exchange::lerobot::{Pictures, VideoCodec, VideoSink};
use wire::Frame;

/// Looks for the program when it is needed.
#[derive(Debug)]
pub struct LensCodec;

impl VideoCodec for LensCodec {
    fn read(&self, path: &Path) -> io::Result<Pictures> {
        Ok(Box::new(Lens::find()?.read_video(path)?))
    }

    fn write(&self, path: &Path, fps: f64, size: (u16, u16)) -> io::Result<Box<dyn VideoSink>> {
        Ok(Box::new(Sink(Lens::find()?.write_video(path, fps, size)?)))
    }
}

struct Sink(VideoWriter);

impl VideoSink for Sink {
    fn write(&mut self, frame: &Frame) -> io::Result<()> {
        self.0.write(frame)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.finish()
    }
}
