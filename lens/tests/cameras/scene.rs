//! Pictures that say their number, which way is up and which colour is which.

use opencv::{
    core::{Mat, Vec3b},
    imgproc::{COLOR_RGB2BGR, cvt_color_def},
};
use wire::Frame;

pub const WIDTH: u16 = 64;
pub const HEIGHT: u16 = 48;
/// Side of the black and white squares along the upper edge, one for each bit, the lowest first.
const SQUARE: usize = 8;

/// Below the number: red at the left, blue at the right.
pub fn rgb(number: u8) -> Frame {
    let pixel = |at: usize| {
        let (row, column) = (at / usize::from(WIDTH), at % usize::from(WIDTH));
        match (row < SQUARE, number >> (column / SQUARE) & 1, column < usize::from(WIDTH) / 2) {
            (true, 1, _) => [255, 255, 255],
            (true, _, _) => [0, 0, 0],
            (false, _, true) => [250, 10, 20],
            (false, _, false) => [20, 10, 250],
        }
    };
    let count = usize::from(WIDTH) * usize::from(HEIGHT);
    let pixels: Vec<u8> = (0..count).flat_map(pixel).collect();
    Frame::new(WIDTH, HEIGHT, pixels).unwrap()
}

/// The same for OpenCV's writers.
pub fn bgr(number: u8) -> Mat {
    let frame = rgb(number);
    let rows = frame.pixels.chunks(3 * usize::from(WIDTH));
    let pixels: Vec<Vec<Vec3b>> =
        rows.map(|row| row.chunks(3).map(|p| Vec3b::from([p[0], p[1], p[2]])).collect()).collect();
    let rgb = Mat::from_slice_2d(&pixels).unwrap();
    let mut bgr = Mat::default();
    cvt_color_def(&rgb, &mut bgr, COLOR_RGB2BGR).unwrap();
    bgr
}

pub fn number(frame: &Frame) -> u8 {
    (0..8).map(|bit| u8::from(at(frame, bit * SQUARE + 4, 4)[1] > 127) << bit).sum()
}

/// Whether red is red and left is left, `off` apart at most.
#[track_caller]
pub fn check_colours(frame: &Frame, off: u8) {
    for (column, expected) in [(12, [250, 10, 20]), (52, [20, 10, 250])] {
        for row in [16, 40] {
            let seen = at(frame, column, row);
            let near = seen.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= off);
            assert!(near, "{seen:?} and not {expected:?} at ({column}, {row})");
        }
    }
}

fn at(frame: &Frame, column: usize, row: usize) -> [u8; 3] {
    let start = 3 * (row * usize::from(frame.width) + column);
    [0, 1, 2].map(|channel| frame.pixels[start + channel])
}
