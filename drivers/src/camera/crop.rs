//! A part of a camera's picture as a camera of its own, brought to the size that the policy sees.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::Frame;

use super::{Camera, CameraError, CameraInfo};
use crate::Stamped;

/// What is kept of the device's picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crop {
    pub left: u16,
    pub top: u16,
    pub width: u16,
    pub height: u16,
}

impl Crop {
    pub fn whole(frame: &Frame) -> Self {
        Self { left: 0, top: 0, width: frame.width, height: frame.height }
    }

    /// Whether it has pixels, all of them inside a picture of `[width, height]`.
    pub fn fits(self, [width, height]: [u16; 2]) -> bool {
        let ends = [(self.left, self.width, width), (self.top, self.height, height)];
        ends.iter().all(|&(start, len, size)| {
            len > 0 && u32::from(start) + u32::from(len) <= u32::from(size)
        })
    }

    /// This part of the frame, in which it must fit, at another size `[width, height]`: bilinear
    /// between the centres of pixels.
    pub fn cut(self, frame: &Frame, [width, height]: [u16; 2]) -> Frame {
        let columns = sources(self.left, self.width, width);
        let rows = sources(self.top, self.height, height);
        let pixel = |row: usize, column: usize, channel: usize| {
            f32::from(frame.pixels[(row * usize::from(frame.width) + column) * 3 + channel])
        };
        let mut pixels = Vec::with_capacity(rows.len() * columns.len() * 3);
        for &(row, below, down) in &rows {
            for &(column, beside, right) in &columns {
                for channel in 0..3 {
                    let across = |row| {
                        let (near, far) =
                            (pixel(row, column, channel), pixel(row, beside, channel));
                        near + (far - near) * right
                    };
                    let (upper, lower) = (across(row), across(below));
                    pixels.push((upper + (lower - upper) * down).round() as u8);
                }
            }
        }
        Frame::new(width, height, pixels).expect("one value was pushed per pixel and channel")
    }
}

/// A camera behind a crop.
#[derive(Debug)]
pub struct Cropped<C> {
    camera: C,
    crop: Crop,
    info: CameraInfo,
}

impl<C: Camera> Cropped<C> {
    /// Pictures of `[width, height]`. A crop that reaches beyond the device's picture is refused.
    pub fn new(camera: C, crop: Crop, [width, height]: [u16; 2]) -> Result<Self, CameraError> {
        let whole = camera.info();
        if !crop.fits([whole.width, whole.height]) || width == 0 || height == 0 {
            let reason = format!(
                "{crop:?} is not inside its picture of {}x{}: make left + width and top + height fit",
                whole.width, whole.height
            );
            return Err(CameraError::Device { camera: whole.name.clone(), reason });
        }
        let info = CameraInfo { width, height, ..whole.clone() };
        Ok(Self { camera, crop, info })
    }
}

impl<C: Camera> Camera for Cropped<C> {
    fn info(&self) -> &CameraInfo {
        &self.info
    }

    fn latest(&mut self, max_age: Duration) -> Result<Stamped<Frame>, CameraError> {
        let Stamped { at, value } = self.camera.latest(max_age)?;
        Ok(Stamped { at, value: self.crop.cut(&value, [self.info.width, self.info.height]) })
    }
}

/// For each pixel of the result: the two pixels it lies between, and how far from the first.
fn sources(start: u16, len: u16, wanted: u16) -> Vec<(usize, usize, f32)> {
    let last = f32::from(len) - 1.0;
    (0..wanted)
        .map(|at| {
            let place = (f32::from(at) + 0.5) * f32::from(len) / f32::from(wanted) - 0.5;
            let place = place.clamp(0.0, last);
            let first = place.floor();
            let second = (first + 1.0).min(last);
            let offset = usize::from(start);
            (offset + first as usize, offset + second as usize, place - first)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Timestamp;

    /// Each pixel says where it is: red its column, green its row.
    struct Grid(CameraInfo);

    impl Camera for Grid {
        fn info(&self) -> &CameraInfo {
            &self.0
        }

        fn latest(&mut self, _: Duration) -> Result<Stamped<Frame>, CameraError> {
            let places =
                (0..self.0.height).flat_map(|row| (0..self.0.width).map(move |c| (row, c)));
            let pixels: Vec<u8> =
                places.flat_map(|(row, column)| [column as u8 * 10, row as u8 * 10, 7]).collect();
            let value = Frame::new(self.0.width, self.0.height, pixels).unwrap();
            Ok(Stamped { at: Timestamp(5), value })
        }
    }

    fn grid() -> Grid {
        Grid(CameraInfo { name: "grid".into(), width: 8, height: 6, noiseless: true })
    }

    /// Red and green of every pixel of the crop at that size, row by row.
    fn check(crop: Crop, size: [u16; 2], expected: &[[u8; 2]]) {
        let mut camera = Cropped::new(grid(), crop, size).unwrap();
        let frame = camera.latest(Duration::ZERO).unwrap();
        assert_eq!(frame.at, Timestamp(5), "the time is the device's");
        assert_eq!([camera.info().width, camera.info().height], size);
        let seen: Vec<[u8; 2]> = frame.value.pixels.chunks(3).map(|p| [p[0], p[1]]).collect();
        assert_eq!(seen, expected);
        assert!(frame.value.pixels.chunks(3).all(|p| p[2] == 7));
    }

    fn crop(left: u16, top: u16, width: u16, height: u16) -> Crop {
        Crop { left, top, width, height }
    }

    #[test]
    fn at_its_own_size_a_crop_is_a_part_of_the_picture() {
        check(crop(3, 2, 2, 2), [2, 2], &[[30, 20], [40, 20], [30, 30], [40, 30]]);
    }

    #[test]
    fn at_half_the_size_four_pixels_become_one() {
        check(crop(2, 0, 4, 2), [2, 1], &[[25, 5], [45, 5]]);
    }

    #[test]
    fn at_twice_the_size_pixels_lie_between_and_edges_stay() {
        check(crop(0, 0, 2, 1), [4, 1], &[[0, 0], [3, 0], [8, 0], [10, 0]]);
    }

    #[test]
    fn a_crop_beyond_the_picture_is_refused_by_name() {
        for bad in [crop(7, 0, 2, 2), crop(0, 5, 2, 2), crop(0, 0, 0, 2), crop(65_535, 0, 2, 2)] {
            let error = Cropped::new(grid(), bad, [2, 2]).err().unwrap().to_string();
            assert!(error.contains("grid") && error.contains("8x6"), "{error}");
        }
    }
}
