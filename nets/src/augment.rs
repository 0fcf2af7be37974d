//! Random shifts of frames (DrQ: Kostrikov et al. 2020): pad by replicating the edge, then crop
//! back to the old size.
//!
//! Offsets come in by argument; nothing here draws a random number.

use tch::{Device, Kind, Tensor};
use thiserror::Error;

/// Pixels added on each side.
pub const SHIFT_PAD: i64 = 4;
/// Offsets run over 0..=`SHIFT_MAX`.
pub const SHIFT_MAX: u8 = 2 * SHIFT_PAD as u8;

/// Where the crop begins in the padded frame, per axis in 0..=[`SHIFT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    pub row: u8,
    pub col: u8,
}

impl Shift {
    /// Leaves a frame as it is.
    pub const NONE: Self = Self { row: SHIFT_PAD as u8, col: SHIFT_PAD as u8 };
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AugmentError {
    #[error("frames to shift must be bytes of shape [batch, height, width, 3], not {0}")]
    Frames(String),
    #[error("{shifts} shifts were given for {frames} frames: give one per frame")]
    Count { shifts: usize, frames: i64 },
    #[error("the shift {0:?} is outside 0..={SHIFT_MAX}")]
    Range(Shift),
}

/// Shifts each frame by its own offset. `frames` and result: u8 [batch, height, width, 3].
pub fn shifted(frames: &Tensor, shifts: &[Shift]) -> Result<Tensor, AugmentError> {
    let (batch, height, width) = match (frames.size().as_slice(), frames.kind()) {
        (&[batch, height, width, 3], Kind::Uint8) if height > 0 && width > 0 => {
            (batch, height, width)
        }
        (size, kind) => return Err(AugmentError::Frames(format!("{kind:?} {size:?}"))),
    };
    if usize::try_from(batch) != Ok(shifts.len()) {
        return Err(AugmentError::Count { shifts: shifts.len(), frames: batch });
    }
    if let Some(&shift) = shifts.iter().find(|shift| shift.row.max(shift.col) > SHIFT_MAX) {
        return Err(AugmentError::Range(shift));
    }
    let device = frames.device();
    let sample = Tensor::arange(batch, (Kind::Int64, device)).view([-1, 1, 1]);
    let rows = sources(shifts.iter().map(|shift| shift.row), height, device).unsqueeze(2);
    let cols = sources(shifts.iter().map(|shift| shift.col), width, device).unsqueeze(1);
    Ok(frames.index(&[Some(sample), Some(rows), Some(cols)])) // [batch, height, width, 3]
}

/// From which row (or column) each row of the result comes: clamping replicates the edge.
/// i64 [batch, len].
fn sources(offsets: impl Iterator<Item = u8>, len: i64, device: Device) -> Tensor {
    let starts: Vec<i64> = offsets.map(|offset| i64::from(offset) - SHIFT_PAD).collect();
    let places = Tensor::arange(len, (Kind::Int64, Device::Cpu));
    (Tensor::from_slice(&starts).unsqueeze(1) + places).clamp(0, len - 1).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;

    /// Frames of the reference, [4, 2, ...] with two stacked frames per sample.
    fn check_golden(key: &str) {
        let golden = Golden::load("g4_random_crop");
        let frames = golden.tensor(&format!("in/{key}")).flatten(0, 1);
        let offsets: Vec<i64> = golden
            .tensor(&format!("offsets/{key}"))
            .to_kind(Kind::Int64)
            .flatten(0, 2)
            .try_into()
            .unwrap();
        let (pairs, _) = offsets.as_chunks::<2>();
        let shifts: Vec<_> =
            pairs.iter().map(|&[row, col]| Shift { row: row as u8, col: col as u8 }).collect();
        let expected = golden.tensor(&format!("out/{key}")).flatten(0, 1);
        assert_eq!(shifted(&frames, &shifts).unwrap(), expected);
    }

    #[test]
    fn shifts_equal_the_reference() {
        check_golden("observations/wrist_1");
        check_golden("observations/wrist_2");
        check_golden("next_observations/wrist_1");
        check_golden("next_observations/wrist_2");
    }

    #[test]
    fn the_middle_offset_leaves_frames_alone() {
        let frames = Tensor::arange(2 * 5 * 6 * 3, (Kind::Uint8, Device::Cpu)).view([2, 5, 6, 3]);
        assert_eq!(shifted(&frames, &[Shift::NONE; 2]).unwrap(), frames);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let frames = Tensor::zeros([2, 5, 6, 3], (Kind::Uint8, Device::Cpu));
        let far = Shift { row: 9, col: 0 };
        assert_eq!(shifted(&frames, &[far, Shift::NONE]), Err(AugmentError::Range(far)));
        assert_eq!(shifted(&frames, &[far]), Err(AugmentError::Count { shifts: 1, frames: 2 }));
        let floats = frames.to_kind(Kind::Float);
        assert!(matches!(shifted(&floats, &[Shift::NONE; 2]), Err(AugmentError::Frames(_))));
    }
}
