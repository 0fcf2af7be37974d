//! Requests and replies of the control box's private protocol on port 502, to and from bytes.
//!
//! The header is big-endian: transaction, protocol 2, length of what follows, register. Numbers in
//! the parameters are little-endian floats. A reply has a state byte before its data.

use thiserror::Error;

/// Bytes up to and with the length field.
pub(super) const HEADER: usize = 6;
const PROTOCOL: u16 = 2;

/// Keeps the connection open; no reply comes.
pub(super) const HEARTBEAT: [u8; 8] = [0, 0, 0, 1, 0, PROTOCOL as u8, 0, 0];

pub(super) mod register {
    pub const VERSION: u8 = 1;
    pub const ENABLE: u8 = 11;
    pub const SET_STATE: u8 = 12;
    pub const ERRORS: u8 = 15;
    pub const CLEAR_ERROR: u8 = 16;
    pub const CLEAR_WARNING: u8 = 17;
    pub const SET_MODE: u8 = 19;
    pub const SERVO_AXIS_ANGLE: u8 = 93;
}

/// The state byte of a reply.
const FAILED: u8 = 0x40;
const INVALID: u8 = 0x08;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    #[error("a reply of {0} bytes is cut short")]
    Short(usize),
    #[error("a reply speaks protocol {0}")]
    Protocol(u16),
    #[error("a reply is for register {got}, not {wanted}")]
    Register { got: u8, wanted: u8 },
    #[error("the control box does not know register {0} or its parameters")]
    Invalid(u8),
}

pub(super) fn request(transaction: u16, register: u8, parameters: &[u8]) -> Vec<u8> {
    // No request of this driver is longer than a hundred bytes.
    let length = (parameters.len() + 1) as u16;
    let mut bytes = Vec::with_capacity(HEADER + usize::from(length));
    bytes.extend(transaction.to_be_bytes());
    bytes.extend(PROTOCOL.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.push(register);
    bytes.extend(parameters);
    bytes
}

/// The servo request: metres and radians go out as millimetres and an axis times its angle, in the
/// base frame, absolute.
pub(super) fn servo_parameters(at_m: [f64; 3], turn: [f64; 3]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(37);
    for x in at_m {
        bytes.extend(((x * 1e3) as f32).to_le_bytes());
    }
    for x in turn {
        bytes.extend((x as f32).to_le_bytes());
    }
    // Speed and acceleration, which the servo mode does not look at.
    bytes.extend([0; 8]);
    // Base frame (a 32-bit word), and not relative.
    bytes.extend([0; 5]);
    bytes
}

/// Transaction and length of the reply that these bytes begin.
pub(super) fn header(bytes: [u8; HEADER]) -> Result<(u16, usize), FrameError> {
    let word = |i: usize| u16::from_be_bytes([bytes[i], bytes[i + 1]]);
    if word(2) != PROTOCOL {
        return Err(FrameError::Protocol(word(2)));
    }
    Ok((word(0), word(4).into()))
}

/// What the control box answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// It has an error, whose number is to be asked for.
    pub failed: bool,
    pub data: Vec<u8>,
}

pub(super) fn reply(wanted: u8, body: &[u8]) -> Result<Reply, FrameError> {
    let [got, state, data @ ..] = body else { return Err(FrameError::Short(body.len())) };
    if *got != wanted {
        return Err(FrameError::Register { got: *got, wanted });
    }
    if state & INVALID != 0 {
        return Err(FrameError::Invalid(wanted));
    }
    Ok(Reply { failed: state & FAILED != 0, data: data.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_bytes_of_the_protocol() {
        let bytes = request(0x0102, register::SET_MODE, &[1]);
        assert_eq!(bytes, [1, 2, 0, 2, 0, 2, 19, 1]);
        assert_eq!(request(7, register::ERRORS, &[]), [0, 7, 0, 2, 0, 1, 15]);
        assert_eq!(HEARTBEAT, [0, 0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_servo_request_is_millimetres_and_an_axis_times_its_angle_in_floats() {
        let bytes = servo_parameters([0.3, -0.1, 0.2], [3.0, 0.0, 0.5]);
        assert_eq!(bytes.len(), 8 * 4 + 4 + 1);
        let floats: Vec<f32> = bytes[..32]
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(floats, [300.0, -100.0, 200.0, 3.0, 0.0, 0.5, 0.0, 0.0]);
        assert_eq!(bytes[32..], [0; 5]);
    }

    #[test]
    fn replies_are_read_and_others_are_refused() {
        assert_eq!(header([0, 9, 0, 2, 0, 4]), Ok((9, 4)));
        assert_eq!(header([0, 9, 0, 0, 0, 4]), Err(FrameError::Protocol(0)));
        let fine = reply(15, &[15, 0x10, 31, 0]).unwrap();
        assert_eq!((fine.failed, fine.data), (false, vec![31, 0]));
        assert!(reply(93, &[93, 0x40]).unwrap().failed);
        assert_eq!(reply(93, &[93, 0x08]), Err(FrameError::Invalid(93)));
        assert_eq!(reply(93, &[15, 0]), Err(FrameError::Register { got: 15, wanted: 93 }));
        assert_eq!(reply(93, &[93]), Err(FrameError::Short(1)));
    }
}
