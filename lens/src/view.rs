//! From the device's picture to what a camera shows: crop, size, RGB.
//!
//! Crop first and then bilinear between the centres of pixels, as HIL-SERL does.

use anyhow::{Context, bail, ensure};
use drivers::camera::View;
use opencv::{
    core::{CV_8U, CV_16U, Mat, Rect, Size},
    imgproc::{COLOR_BGR2RGB, COLOR_BGRA2RGB, COLOR_GRAY2RGB, INTER_LINEAR, cvt_color_def, resize},
    prelude::*,
};
use wire::Frame;

/// Whether the picture has the size that was asked for and the crops lie inside it.
pub fn check(image: &Mat, asked: Option<[u32; 2]>, views: &[View]) -> anyhow::Result<()> {
    let (width, height) = (image.cols(), image.rows());
    if let Some([w, h]) = asked {
        ensure!(
            (i64::from(width), i64::from(height)) == (w.into(), h.into()),
            "pictures of {w}x{h} were asked for and it gives {width}x{height}: ask for a size that \
             it has (`reins probe` lists them for a V4L2 camera), and for a pixel format that has it"
        );
    }
    for view in views {
        let Some(crop) = view.crop else { continue };
        let right = i32::from(crop.left) + i32::from(crop.width);
        let bottom = i32::from(crop.top) + i32::from(crop.height);
        ensure!(
            crop.width > 0 && crop.height > 0 && right <= width && bottom <= height,
            "the crop {}x{} at ({}, {}) is not inside its picture of {width}x{height}: make left + \
             width and top + height fit",
            crop.width,
            crop.height,
            crop.left,
            crop.top
        );
    }
    Ok(())
}

pub fn cut(image: &Mat, view: &View) -> anyhow::Result<Frame> {
    let part = match view.crop {
        None => Mat::roi(image, Rect::new(0, 0, image.cols(), image.rows()))?,
        Some(crop) => {
            let (left, top) = (crop.left.into(), crop.top.into());
            let part = Rect::new(left, top, crop.width.into(), crop.height.into());
            Mat::roi(image, part).context("the picture became smaller than the crop")?
        }
    };
    let size = Size::new(view.width.into(), view.height.into());
    let mut scaled = Mat::default();
    resize(&part, &mut scaled, size, 0.0, 0.0, INTER_LINEAR)?;
    let scaled = to_bytes(scaled)?;
    let mut rgb = Mat::default();
    let code = match scaled.channels() {
        1 => COLOR_GRAY2RGB,
        3 => COLOR_BGR2RGB,
        4 => COLOR_BGRA2RGB,
        other => bail!("its pictures have {other} channels; 1, 3 or 4 are known"),
    };
    cvt_color_def(&scaled, &mut rgb, code)?;
    Frame::new(view.width, view.height, rgb.data_bytes()?)
        .context("a picture came out in another size than it was brought to")
}

fn to_bytes(image: Mat) -> anyhow::Result<Mat> {
    match image.depth() {
        CV_8U => Ok(image),
        CV_16U => {
            let mut bytes = Mat::default();
            image.convert_to(&mut bytes, CV_8U, 1.0 / 256.0, 0.0)?;
            Ok(bytes)
        }
        _ => bail!("its pictures have neither 8 nor 16 bits per channel"),
    }
}
