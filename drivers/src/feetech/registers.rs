//! Where a servo of the STS series keeps what, and how it writes numbers: the lower byte first, a sign as
//! a bit of its own.

/// Ticks of a turn.
pub(crate) const TURN: f64 = 4096.0;

// In permanent memory, which is written only while `LOCK` is 0.
pub(crate) const RETURN_DELAY: u8 = 7;
/// Two words: the lowest and the highest position.
pub(crate) const POSITION_LIMITS: u8 = 9;
pub(crate) const TORQUE_MAX: u8 = 16;
pub(crate) const GAIN_P: u8 = 21;
pub(crate) const GAIN_D: u8 = 22;
pub(crate) const GAIN_I: u8 = 23;
pub(crate) const PROTECTION_CURRENT: u8 = 28;
pub(crate) const HOMING_OFFSET: u8 = 31;
pub(crate) const MODE: u8 = 33;
pub(crate) const OVERLOAD_TORQUE: u8 = 36;
/// Bytes of permanent memory that are looked at.
pub(crate) const PERMANENT: usize = 40;

// Lost when the power goes.
pub(crate) const TORQUE_ENABLE: u8 = 40;
pub(crate) const ACCELERATION: u8 = 41;
pub(crate) const GOAL_POSITION: u8 = 42;
/// Two words: how long to take (0: as long as the velocity needs), and ticks per second.
pub(crate) const GOAL_TIME: u8 = 44;
/// In thousandths of what the servo has.
pub(crate) const TORQUE_LIMIT: u8 = 48;
pub(crate) const LOCK: u8 = 55;
pub(crate) const PRESENT_POSITION: u8 = 56;
/// Bytes from the present position to the alarms.
pub(crate) const PRESENT: usize = 10;
/// Of the alarms in those.
pub(crate) const PRESENT_ALARMS: usize = 9;

/// The bit that is the sign of positions, and of the homing offset.
pub(crate) const POSITION_SIGN: u32 = 15;
pub(crate) const OFFSET_SIGN: u32 = 11;

pub(crate) fn word(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}

pub(crate) fn signed(bytes: &[u8], sign: u32) -> i32 {
    let word = i32::from(word(bytes));
    let size = word & ((1 << sign) - 1);
    if word >> sign & 1 == 1 { -size } else { size }
}

pub(crate) fn with_sign(number: i32, sign: u32) -> [u8; 2] {
    let size = number.unsigned_abs().min((1 << sign) - 1) as u16;
    (size | u16::from(number < 0) << sign).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_bits_of_their_own() {
        for (number, sign, bytes) in
            [(-5, 15, [5, 0x80]), (5, 15, [5, 0]), (-1000, 11, [0xE8, 0x0B]), (2047, 11, [0xFF, 7])]
        {
            assert_eq!(with_sign(number, sign), bytes);
            assert_eq!(signed(&bytes, sign), number);
        }
        assert_eq!(with_sign(4000, 11), [0xFF, 7], "no sign out of a number too large");
    }
}
