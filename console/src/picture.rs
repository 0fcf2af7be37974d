//! Pictures as the page gets them: one byte that numbers the camera, then a JPEG file.

use jpeg_encoder::{ColorType, Encoder, EncodingError};
use wire::Frame;

const QUALITY: u8 = 90;

pub fn message(camera: u8, frame: &Frame) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = vec![camera];
    let encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.encode(&frame.pixels, frame.width, frame.height, ColorType::Rgb)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_a_number_and_a_jpeg_file() {
        let frame = Frame::new(8, 8, vec![200; 8 * 8 * 3]).unwrap();
        let bytes = message(3, &frame).unwrap();
        assert_eq!(bytes[..4], [3, 0xff, 0xd8, 0xff]);
        assert_eq!(bytes[bytes.len() - 2..], [0xff, 0xd9]);
    }
}
