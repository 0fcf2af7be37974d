//! Colour of an Intel RealSense by the maker's SDK: chosen by serial number, with a fixed exposure; or a
//! recording that the SDK made.

use std::time::Duration;

use anyhow::{Context, ensure};
use drivers::camera::{
    DeviceFormat, DeviceSettings, Fixed, is_realsense_recording, message::monotonic_ns,
};
use opencv::{
    core::{Mat, Vec3b},
    prelude::*,
};

use crate::source::{Next, Pictures};

mod sdk;

use sdk::{Colour, From, Pipeline, Sdk, Sensor, Setting, Wanted};

/// How long one look for a picture waits. Whoever started this process watches for one that does not come.
const LOOK: Duration = Duration::from_millis(200);
/// An exposure that goes no further than this is counted in 100 us, as UVC does; others in us.
const EXPOSURE_UVC_MAX: f64 = 10_000.0;
const EXPOSURE_UVC_US: f64 = 100.0;

pub struct RealSense {
    pipeline: Pipeline,
    format: DeviceFormat,
}

impl RealSense {
    /// `name`: a serial number, `any`, or the path of a recording.
    pub fn open(name: &str, repeat: bool, settings: &DeviceSettings) -> anyhow::Result<Self> {
        let from = if is_realsense_recording(name) {
            ensure!(std::path::Path::new(name).is_file(), "there is no such file");
            From::Recording { path: name, repeat }
        } else {
            From::Serial((name != "any").then_some(name))
        };
        let wanted = Wanted { from, size: settings.size, fps: settings.fps };
        let pipeline = Sdk::load()?.start(&wanted)?;
        let mut format = DeviceFormat::default();
        if settings.fixed != Fixed::default() {
            fix(&pipeline.colour_sensor()?, &settings.fixed, &mut format)?;
        }
        Ok(Self { pipeline, format })
    }
}

impl Pictures for RealSense {
    fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            let picture = self.pipeline.next(LOOK, |colour| {
                // Its own time is that of another clock.
                Ok((image(&colour)?, monotonic_ns(), colour.fps))
            })?;
            if let Some((image, grabbed_ns, fps)) = picture {
                self.format.fps = Some(fps);
                return Ok(Next::Picture { image, grabbed_ns });
            }
            if self.pipeline.is_over() {
                return Ok(Next::End);
            }
        }
    }

    fn format(&self, image: &Mat) -> anyhow::Result<DeviceFormat> {
        Ok(DeviceFormat {
            width: u32::try_from(image.cols())?,
            height: u32::try_from(image.rows())?,
            pixel_format: Some("BGR8".into()),
            ..self.format.clone()
        })
    }
}

fn image(colour: &Colour<'_>) -> anyhow::Result<Mat> {
    let (rows, columns) = (i32::try_from(colour.height)?, i32::try_from(colour.width)?);
    let row = |row: &'_ [u8]| row[..3 * colour.width].to_vec();
    let bytes: Vec<u8> = colour.bytes.chunks(colour.stride).flat_map(row).collect();
    Mat::new_rows_cols_with_bytes::<Vec3b>(rows, columns, &bytes)
        .and_then(|image| image.try_clone())
        .context("a picture of the RealSense SDK")
}

fn fix(sensor: &Sensor, fixed: &Fixed, format: &mut DeviceFormat) -> anyhow::Result<()> {
    let fix = |name: &str,
               automatic: Setting,
               setting: Setting,
               value: Option<f64>,
               unit: f64|
     -> anyhow::Result<Option<f64>> {
        let Some(value) = value else { return Ok(None) };
        ensure!(
            sensor.has(setting),
            "its {name} cannot be set: leave that setting out for this camera"
        );
        if sensor.has(automatic) {
            sensor.set(automatic, 0.0)?;
        }
        let asked = (value / unit).round();
        let got = sensor.set(setting, asked).with_context(|| format!("setting its {name}"))?;
        if (got - asked).abs() > 0.5 {
            eprintln!("reins-lens: asked for {name} {value}, the camera has {}", got * unit);
        }
        Ok(Some(got * unit))
    };
    let exposure_unit = match fixed.exposure_us {
        Some(_) if sensor.largest(Setting::Exposure).is_ok_and(|most| most <= EXPOSURE_UVC_MAX) => {
            EXPOSURE_UVC_US
        }
        _ => 1.0,
    };
    let (exposure, balance) = (Setting::AutoExposure, Setting::AutoWhiteBalance);
    format.exposure_us =
        fix("exposure", exposure, Setting::Exposure, fixed.exposure_us, exposure_unit)?;
    format.gain = fix("gain", exposure, Setting::Gain, fixed.gain, 1.0)?;
    format.white_balance_k =
        fix("white balance", balance, Setting::WhiteBalance, fixed.white_balance_k, 1.0)?;
    Ok(())
}
