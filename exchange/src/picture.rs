//! Frames as PNG, exactly: what is read back is what was written, byte by byte.

use std::{fmt, io::Cursor};

use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Limits};
use wire::{CameraSpec, Frame};

/// What the decoder may allocate beside the picture itself.
const WORKING_BYTES: usize = 16 << 20;
/// A larger picture is none of a camera.
const PIXELS_MAX: u64 = 1 << 25;

pub fn encode(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, frame.width.into(), frame.height.into());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().expect("a frame has pixels, and memory takes them");
    writer.write_image_data(&frame.pixels).expect("a frame's bytes fit its size");
    writer.finish().expect("memory takes what is written");
    bytes
}

/// Reads a PNG; what is wrong in words. Its size is looked at before memory is taken.
pub fn decode(bytes: &[u8]) -> Result<Frame, String> {
    let unreadable = |error: png::DecodingError| format!("the picture is no sound PNG: {error}");
    let limits = Limits { bytes: WORKING_BYTES };
    let mut reader =
        Decoder::new_with_limits(Cursor::new(bytes), limits).read_info().map_err(unreadable)?;
    let info = reader.info();
    let (width, height) = info.size();
    let sides = u16::try_from(width).ok().zip(u16::try_from(height).ok());
    let pixels = u64::from(width) * u64::from(height);
    let Some((width, height)) = sides.filter(|_| pixels <= PIXELS_MAX) else {
        return Err(format!(
            "the picture has {width}x{height} pixels, {PIXELS_MAX} are read at most"
        ));
    };
    if (info.color_type, info.bit_depth) != (ColorType::Rgb, BitDepth::Eight) {
        return Err(format!(
            "the picture is {:?} with {:?} bits, not RGB with 8",
            info.color_type, info.bit_depth
        ));
    }
    let mut pixels = vec![0; usize::from(width) * usize::from(height) * 3];
    reader.next_frame(&mut pixels).map_err(unreadable)?;
    Frame::new(width, height, pixels).ok_or_else(|| "the picture has another size".into())
}

/// Brings a camera's picture to another size, (width, height); why it cannot in words.
pub trait Fit: fmt::Debug {
    fn fit(&self, camera: &str, frame: &Frame, size: (u16, u16)) -> Result<Frame, String>;
}

/// The picture in the size that the task wants of that camera.
pub fn fitted(fit: Option<&dyn Fit>, camera: &CameraSpec, frame: Frame) -> Result<Frame, String> {
    let (got, wanted) = ((frame.width, frame.height), (camera.width, camera.height));
    match fit {
        _ if got == wanted => Ok(frame),
        Some(fit) => fit.fit(&camera.name, &frame, wanted),
        None => Err(format!(
            "the picture has {}x{} pixels, the task wants {}x{}: say --resize to bring pictures to that \
             size",
            got.0, got.1, wanted.0, wanted.1
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let pixels: Vec<u8> = (0..5 * 7 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let frame = Frame::new(7, 5, pixels).unwrap();
        assert_eq!(decode(&encode(&frame)), Ok(frame));
    }

    #[test]
    fn broken_bytes_are_refused() {
        let bytes = encode(&Frame::new(2, 2, vec![1; 12]).unwrap());
        assert!(decode(b"GIF89a").unwrap_err().contains("no sound PNG"));
        for len in 0..bytes.len() - 16 {
            assert!(decode(&bytes[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn pictures_of_no_camera_are_refused_before_memory_is_taken() {
        for (width, height) in [(1 << 16, 1), (1 << 13, (1 << 12) + 1)] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, width, height);
            encoder.set_color(ColorType::Rgb);
            encoder.write_header().unwrap().write_chunk(png::chunk::IDAT, &[0]).unwrap();
            let error = decode(&bytes).unwrap_err();
            assert!(error.contains(&format!("{width}x{height} pixels")), "{error}");
        }
    }

    /// Paints everything in one colour.
    #[derive(Debug)]
    struct Painter;

    impl Fit for Painter {
        fn fit(
            &self,
            camera: &str,
            frame: &Frame,
            (width, height): (u16, u16),
        ) -> Result<Frame, String> {
            assert_eq!(camera, "eye");
            let len = usize::from(width) * usize::from(height) * 3;
            Ok(Frame::new(width, height, vec![frame.pixels[0]; len]).unwrap())
        }
    }

    #[test]
    fn only_a_picture_of_another_size_is_changed_and_only_by_wish() {
        let frame = |width, height, grey| {
            Frame::new(width, height, vec![grey; usize::from(width * height * 3)]).unwrap()
        };
        let eye = CameraSpec { name: "eye".into(), width: 2, height: 3 };
        assert_eq!(fitted(None, &eye, frame(2, 3, 9)), Ok(frame(2, 3, 9)));
        assert_eq!(fitted(Some(&Painter), &eye, frame(4, 4, 7)), Ok(frame(2, 3, 7)));
        let error = fitted(None, &eye, frame(4, 4, 7)).unwrap_err();
        assert!(error.contains("4x4 pixels, the task wants 2x3: say --resize"), "{error}");
    }
}
