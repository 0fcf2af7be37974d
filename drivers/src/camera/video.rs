//! Video files, read and written by a `reins-lens`, in order and without a camera's pace.

use std::{io, path::Path};

use wire::Frame;

use super::{
    Lens,
    lens::Running,
    message::{self, Material, Order, Report},
};

/// The pictures of a file, from the first to the last. Ends after an error.
#[derive(Debug)]
pub struct VideoReader {
    running: Option<Running>,
}

/// A file in the making. Dropped before [`VideoWriter::finish`], it is not whole.
#[derive(Debug)]
pub struct VideoWriter {
    running: Running,
}

impl Lens {
    pub fn read_video(&self, path: &Path) -> io::Result<VideoReader> {
        let running = self.start(&Order::ReadVideo(path.to_owned()))?;
        Ok(VideoReader { running: Some(running) })
    }

    /// Makes an MP4 file of H.264, `fps` pictures a second, each of `width` x `height` pixels.
    pub fn write_video(
        &self,
        path: &Path,
        fps: f64,
        (width, height): (u16, u16),
    ) -> io::Result<VideoWriter> {
        let order = Order::WriteVideo { path: path.to_owned(), fps, width, height };
        let mut running = self.start(&order)?;
        match message::receive(&mut running.socket)? {
            Report::Opened(_) => Ok(VideoWriter { running }),
            other => Err(refusal(other)),
        }
    }
}

impl Iterator for VideoReader {
    type Item = io::Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        let last = match message::receive(&mut self.running.as_mut()?.socket) {
            Ok(Report::Picture(mut picture)) if !picture.views.is_empty() => {
                return Some(Ok(picture.views.swap_remove(0)));
            }
            Ok(Report::Ended) => None,
            Ok(other) => Some(Err(refusal(other))),
            Err(error) => Some(Err(error)),
        };
        self.running = None;
        last
    }
}

impl VideoWriter {
    pub fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let sent = message::send(&mut self.running.socket, &Material::Picture(frame.clone()));
        sent.map_err(|error| self.why(error))
    }

    /// Returns when the file is whole, with every picture in it.
    pub fn finish(mut self) -> io::Result<()> {
        message::send(&mut self.running.socket, &Material::End).map_err(|error| self.why(error))?;
        match message::receive(&mut self.running.socket)? {
            Report::Ended => Ok(()),
            other => Err(refusal(other)),
        }
    }

    /// What the lens said before it went, where it did.
    fn why(&mut self, error: io::Error) -> io::Error {
        match message::receive(&mut self.running.socket) {
            Ok(report) => refusal(report),
            Err(_) => error,
        }
    }
}

fn refusal(report: Report) -> io::Error {
    match report {
        Report::Failed(reason) => io::Error::other(reason),
        other => io::Error::other(format!("reins-lens gave another answer: {other:?}")),
    }
}
