//! Frames as PNG, exactly: what is read back is what was written, byte by byte.

use std::io::Cursor;

use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Limits};
use wire::Frame;

/// What the decoder may allocate beside the picture itself.
const WORKING_BYTES: usize = 16 << 20;

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

/// Reads a PNG that must be of this size; what is wrong in words. The size is looked at before
/// memory is taken.
pub fn decode(bytes: &[u8], width: u16, height: u16) -> Result<Frame, String> {
    let unreadable = |error: png::DecodingError| format!("the picture is no sound PNG: {error}");
    let limits = Limits { bytes: WORKING_BYTES };
    let mut reader =
        Decoder::new_with_limits(Cursor::new(bytes), limits).read_info().map_err(unreadable)?;
    let info = reader.info();
    if info.size() != (width.into(), height.into()) {
        let (got_width, got_height) = info.size();
        return Err(format!(
            "the picture has {got_width}x{got_height} pixels, the task wants {width}x{height}"
        ));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let pixels: Vec<u8> = (0..5 * 7 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let frame = Frame::new(7, 5, pixels).unwrap();
        assert_eq!(decode(&encode(&frame), 7, 5), Ok(frame));
    }

    #[test]
    fn another_size_and_broken_bytes_are_refused() {
        let bytes = encode(&Frame::new(2, 2, vec![1; 12]).unwrap());
        assert!(decode(&bytes, 2, 3).unwrap_err().contains("2x2 pixels, the task wants 2x3"));
        assert!(decode(b"GIF89a", 2, 2).unwrap_err().contains("no sound PNG"));
        for len in 0..bytes.len() - 16 {
            assert!(decode(&bytes[..len], 2, 2).is_err(), "cut to {len}");
        }
    }
}
