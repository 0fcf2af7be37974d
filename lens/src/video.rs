//! Video files as OpenCV's FFmpeg reads and writes them.

use std::{os::unix::net::UnixStream, path::Path};

use anyhow::{Context, bail, ensure};
use drivers::camera::{
    DeviceFormat, View,
    message::{self, Material, Picture, Report, monotonic_ns},
};
use opencv::{
    core::{Mat, Size, Vec3b},
    imgproc::{COLOR_RGB2BGR, cvt_color_def},
    prelude::*,
    videoio::{CAP_FFMPEG, CAP_PROP_FRAME_COUNT, VideoCapture, VideoWriter},
};
use wire::Frame;

use crate::view;

/// H.264 as MP4 names it.
const CODEC: [char; 4] = ['a', 'v', 'c', '1'];

/// Every picture in its own size.
pub fn read(socket: &mut UnixStream, path: &Path) -> anyhow::Result<Report> {
    let mut capture = opened(path)?;
    let mut image = Mat::default();
    while capture.read(&mut image)? {
        let short = |pixels: i32| u16::try_from(pixels).context("its pictures are too large");
        let view = View { crop: None, width: short(image.cols())?, height: short(image.rows())? };
        let views = vec![view::cut(&image, &view)?];
        let grabbed_ns = monotonic_ns();
        message::send(socket, &Report::Picture(Picture { grabbed_ns, views }))?;
    }
    Ok(Report::Ended)
}

/// The pictures that come, until `Material::End`.
pub fn write(
    socket: &mut UnixStream,
    path: &Path,
    fps: f64,
    (width, height): (u16, u16),
) -> anyhow::Result<Report> {
    ensure!(
        width.is_multiple_of(2) && height.is_multiple_of(2),
        "H.264 keeps colours of two by two pixels: {width}x{height} cannot be written"
    );
    let size = Size::new(width.into(), height.into());
    let [a, b, c, d] = CODEC;
    let code = VideoWriter::fourcc(a, b, c, d)?;
    let mut writer = VideoWriter::new_with_backend(path, CAP_FFMPEG, code, fps, size, true)?;
    ensure!(
        writer.is_opened()?,
        "OpenCV cannot write H.264 into {}: is the folder there, and does this system's FFmpeg have \
         an encoder for it (libx264)?",
        path.display()
    );
    message::send(socket, &Report::Opened(DeviceFormat::default()))?;
    let mut written = 0u64;
    loop {
        match message::receive(socket).context("the pictures stopped")? {
            Material::Picture(frame) if (frame.width, frame.height) == (width, height) => {
                writer.write(&bgr(&frame)?)?;
                written += 1;
            }
            Material::Picture(frame) => {
                bail!("a picture of {}x{} came for {width}x{height}", frame.width, frame.height)
            }
            Material::End => break,
        }
    }
    writer.release()?;
    // The writer does not say that a disk is full.
    let there = opened(path)?.get(CAP_PROP_FRAME_COUNT)?;
    ensure!(
        written == 0 || there == written as f64,
        "{} has {there} of {written} pictures: is the disk full?",
        path.display()
    );
    Ok(Report::Ended)
}

fn opened(path: &Path) -> anyhow::Result<VideoCapture> {
    ensure!(path.is_file(), "there is no file {}", path.display());
    let capture = VideoCapture::from_file(path, CAP_FFMPEG)?;
    ensure!(capture.is_opened()?, "OpenCV cannot read {} as a video", path.display());
    Ok(capture)
}

fn bgr(frame: &Frame) -> anyhow::Result<Mat> {
    let pixels = frame.pixels.as_chunks::<3>().0;
    let pixels: Vec<Vec3b> = pixels.iter().map(|&[r, g, b]| Vec3b::from([r, g, b])).collect();
    let rgb = Mat::new_rows_cols_with_data(frame.height.into(), frame.width.into(), &pixels)?;
    let mut bgr = Mat::default();
    cvt_color_def(&rgb, &mut bgr, COLOR_RGB2BGR)?;
    Ok(bgr)
}
