//! What OpenCV opens itself: V4L2 devices, video files, sequences of images, GStreamer pipelines.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context, bail, ensure};
use drivers::camera::{DeviceFormat, DeviceSettings, Fixed, Source, message::monotonic_ns};
use opencv::{
    core::Mat,
    prelude::*,
    videoio::{
        CAP_ANY, CAP_GSTREAMER, CAP_IMAGES, CAP_PROP_AUTO_EXPOSURE, CAP_PROP_AUTO_WB,
        CAP_PROP_BUFFERSIZE, CAP_PROP_EXPOSURE, CAP_PROP_FOURCC, CAP_PROP_FPS,
        CAP_PROP_FRAME_HEIGHT, CAP_PROP_FRAME_WIDTH, CAP_PROP_GAIN, CAP_PROP_WB_TEMPERATURE,
        CAP_V4L2, VideoCapture, VideoWriter,
    },
};

use crate::{
    node,
    source::{Next, Pictures},
};

/// Of a recording that does not say how fast it is.
const FPS: f64 = 15.0;
/// V4L2 counts exposure in 100 us.
const EXPOSURE_UNIT_US: f64 = 100.0;
/// V4L2's number for manual exposure.
const EXPOSURE_MANUAL: f64 = 1.0;

pub struct Capture {
    settings: DeviceSettings,
    capture: VideoCapture,
    /// None for what gives pictures at its own pace.
    pace: Option<Pace>,
    /// Since it was opened or began again.
    taken: u64,
}

impl Capture {
    pub fn open(settings: &DeviceSettings) -> anyhow::Result<Self> {
        let capture = opened(settings)?;
        let pace = settings.source.is_recording().then(|| {
            let own = capture.get(CAP_PROP_FPS).ok().filter(|fps| fps.is_finite() && *fps > 0.0);
            Pace::new(settings.fps.or(own).unwrap_or(FPS))
        });
        Ok(Self { settings: settings.clone(), capture, pace, taken: 0 })
    }
}

impl Pictures for Capture {
    fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            let mut image = Mat::default();
            let grabbed = self.capture.grab()?;
            let mut grabbed_ns = monotonic_ns();
            if grabbed && self.capture.retrieve_def(&mut image)? && !image.empty() {
                self.taken += 1;
                if let Some(pace) = &mut self.pace {
                    grabbed_ns = pace.wait();
                }
                return Ok(Next::Picture { image, grabbed_ns });
            }
            match &self.settings.source {
                Source::VideoFile { repeat, .. } | Source::Images { repeat, .. } => {
                    ensure!(self.taken > 0, "there is no picture in it");
                    if !repeat {
                        return Ok(Next::End);
                    }
                    self.capture = opened(&self.settings)?;
                    self.taken = 0;
                }
                Source::V4l2(_)
                | Source::GStreamer(_)
                | Source::Http(_)
                | Source::RealSense { .. } => {
                    bail!("it gives no more pictures")
                }
            }
        }
    }

    fn format(&self, image: &Mat) -> anyhow::Result<DeviceFormat> {
        let says = |property| self.capture.get(property).ok().filter(|&value| value > 0.0);
        let fps = match &self.pace {
            Some(pace) => Some(pace.fps),
            None => says(CAP_PROP_FPS),
        };
        let mut format = DeviceFormat {
            width: u32::try_from(image.cols())?,
            height: u32::try_from(image.rows())?,
            fps,
            pixel_format: says(CAP_PROP_FOURCC).and_then(four_letters),
            ..DeviceFormat::default()
        };
        if let Source::V4l2(_) = self.settings.source {
            format.exposure_us = says(CAP_PROP_EXPOSURE).map(|units| units * EXPOSURE_UNIT_US);
            format.gain = says(CAP_PROP_GAIN);
            format.white_balance_k = says(CAP_PROP_WB_TEMPERATURE);
        }
        Ok(format)
    }
}

fn opened(settings: &DeviceSettings) -> anyhow::Result<VideoCapture> {
    match &settings.source {
        Source::V4l2(given) => {
            let node = node::find(given, Path::new(node::NAMES))?;
            node::check(&node)?;
            let mut capture = from(&node.to_string_lossy(), CAP_V4L2)
                .with_context(|| format!("opening {} as a camera", node.display()))?;
            set_up(&mut capture, settings)?;
            Ok(capture)
        }
        Source::VideoFile { path, .. } => {
            ensure!(path.is_file(), "there is no such file");
            from(&path.to_string_lossy(), CAP_ANY).context("reading it as a video")
        }
        Source::Images { pattern, .. } => from(pattern, CAP_IMAGES).context(
            "reading it as a sequence of images: it must be a pattern such as `frames/%04d.png` \
             whose first number is there",
        ),
        Source::GStreamer(pipeline) => from(pipeline, CAP_GSTREAMER).context(
            "starting it as a GStreamer pipeline: it must end in `appsink`, and the plug-ins of its \
             elements must be installed; try it with `gst-launch-1.0` and `fakesink`",
        ),
        Source::Http(_) | Source::RealSense { .. } => bail!("it is not read by OpenCV"),
    }
}

fn from(text: &str, backend: i32) -> anyhow::Result<VideoCapture> {
    let capture = VideoCapture::from_file(text, backend)?;
    ensure!(capture.is_opened()?, "OpenCV cannot open it");
    Ok(capture)
}

/// Pixel format, size and rate in this order, because each is chosen among what the ones before
/// allow. What a driver does not take shows in the first picture.
fn set_up(capture: &mut VideoCapture, settings: &DeviceSettings) -> anyhow::Result<()> {
    if let Some(name) = &settings.pixel_format {
        let letters: Vec<char> = name.chars().collect();
        let &[a, b, c, d] = letters.as_slice() else {
            bail!("a pixel format has four letters, as MJPG and YUYV do; {name:?} has not");
        };
        capture.set(CAP_PROP_FOURCC, VideoWriter::fourcc(a, b, c, d)?.into())?;
        let got = four_letters(capture.get(CAP_PROP_FOURCC)?);
        ensure!(
            got.as_ref() == Some(name),
            "the pixel format {name} was asked for and it gives {}: `reins probe` lists those that \
             it has",
            got.as_deref().unwrap_or("another")
        );
    }
    if let Some([width, height]) = settings.size {
        capture.set(CAP_PROP_FRAME_WIDTH, width.into())?;
        capture.set(CAP_PROP_FRAME_HEIGHT, height.into())?;
    }
    if let Some(fps) = settings.fps {
        capture.set(CAP_PROP_FPS, fps)?;
    }
    // The newest picture counts.
    capture.set(CAP_PROP_BUFFERSIZE, 1.0)?;
    fix(capture, &settings.fixed)
}

fn fix(capture: &mut VideoCapture, fixed: &Fixed) -> anyhow::Result<()> {
    let exposure = fixed.exposure_us.map(|us| (us / EXPOSURE_UNIT_US).max(1.0).round());
    for (name, automatic, property, value) in [
        ("exposure", Some((CAP_PROP_AUTO_EXPOSURE, EXPOSURE_MANUAL)), CAP_PROP_EXPOSURE, exposure),
        ("gain", None, CAP_PROP_GAIN, fixed.gain),
        (
            "white balance",
            Some((CAP_PROP_AUTO_WB, 0.0)),
            CAP_PROP_WB_TEMPERATURE,
            fixed.white_balance_k,
        ),
    ] {
        let Some(value) = value else { continue };
        if let Some((property, off)) = automatic {
            // A camera without automatic has nothing to switch off.
            capture.set(property, off)?;
        }
        ensure!(
            capture.set(property, value)?,
            "its {name} cannot be set: leave that setting out for this camera"
        );
        let got = capture.get(property)?;
        if (got - value).abs() > 0.5 {
            eprintln!("reins-lens: asked for {name} {value}, the camera has {got}");
        }
    }
    Ok(())
}

fn four_letters(code: f64) -> Option<String> {
    let bytes = (code as u32).to_le_bytes();
    let printable = bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    printable.then(|| String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Lets the pictures of a recording come as a camera's would.
struct Pace {
    fps: f64,
    next_ns: Option<u64>,
}

impl Pace {
    fn new(fps: f64) -> Self {
        Self { fps, next_ns: None }
    }

    /// Waits for the next picture's time; returns it. What is late is not caught up.
    fn wait(&mut self) -> u64 {
        let now = monotonic_ns();
        let due = self.next_ns.map_or(now, |next| next.max(now));
        thread::sleep(Duration::from_nanos(due - now));
        self.next_ns = Some(due + (1e9 / self.fps) as u64);
        due
    }
}
