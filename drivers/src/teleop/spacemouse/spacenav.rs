//! The socket of spacenavd, for those who have the daemon anyway, or a device at a serial port. Its
//! sensitivity and its dead zone have been applied to what it says.
//!
//! A packet is eight integers of the machine's own byte order. The daemon says nothing of a device
//! that is unplugged at rest, and repeats a push only when it changes.

use std::{io, os::fd::AsFd, os::unix::net::UnixStream, path::Path, time::Duration};

use super::{
    report::Event,
    source::{ReportSource, is_readable, read},
};

const PACKET: usize = 32;

#[derive(Debug)]
pub struct Spacenav {
    stream: UnixStream,
    /// The beginning of a packet whose end has not come.
    begun: [u8; PACKET],
    length: usize,
}

impl Spacenav {
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, begun: [0; PACKET], length: 0 })
    }
}

impl ReportSource for Spacenav {
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<Option<usize>> {
        if !is_readable(self.stream.as_fd(), timeout)? {
            return Ok(None);
        }
        let Some(length) = read(self.stream.as_fd(), &mut self.begun[self.length..])? else {
            return Ok(None);
        };
        self.length += length;
        if self.length < PACKET {
            return Ok(None);
        }
        self.length = 0;
        buffer[..PACKET].copy_from_slice(&self.begun);
        Ok(Some(PACKET))
    }
}

/// What a packet says, in the axes of the cap: the daemon swaps y and z and turns both round.
pub fn decode(packet: &[u8]) -> Option<Event> {
    let (words, []) = packet.as_chunks::<4>() else { return None };
    let words: [[u8; 4]; 8] = words.try_into().ok()?;
    let [kind, a, b, c, d, e, f, _] = words.map(i32::from_ne_bytes);
    let button = |pressed| u8::try_from(a).ok().map(|number| Event::Button { number, pressed });
    match kind {
        0 => {
            let turned =
                [a, c.checked_neg()?, b.checked_neg()?, d, f.checked_neg()?, e.checked_neg()?];
            let is_sane = turned.iter().all(|count| (-COUNTS_MAX..=COUNTS_MAX).contains(count));
            is_sane.then_some(Event::Pose(turned))
        }
        1 => button(true),
        2 => button(false),
        // Devices that come and go, and settings: nobody asks for them.
        _ => Some(Event::Other),
    }
}

/// Beyond this it is no count of a cap, whatever the sensitivity.
const COUNTS_MAX: i32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(words: [i32; 8]) -> Vec<u8> {
        words.into_iter().flat_map(i32::to_ne_bytes).collect()
    }

    #[test]
    fn motion_is_turned_back_into_the_axes_of_the_cap() {
        // Right, up and away from the person; turns about the same.
        let bytes = packet([0, 10, 20, 30, 40, 50, 60, 8]);
        assert_eq!(decode(&bytes), Some(Event::Pose([10, -30, -20, 40, -60, -50])));
    }

    #[test]
    fn buttons_are_pressed_and_released() {
        let pressed = Event::Button { number: 1, pressed: true };
        assert_eq!(decode(&packet([1, 1, 1, 0, 0, 0, 0, 0])), Some(pressed));
        let released = Event::Button { number: 1, pressed: false };
        assert_eq!(decode(&packet([2, 1, 0, 0, 0, 0, 0, 0])), Some(released));
    }

    #[test]
    fn what_is_no_packet_is_nothing() {
        assert_eq!(decode(&[0; 31]), None);
        assert_eq!(decode(&[0; 36]), None);
        assert_eq!(decode(&packet([1, -1, 1, 0, 0, 0, 0, 0])), None);
        assert_eq!(decode(&packet([0, i32::MIN, 0, 0, 0, 0, 0, 0])), None);
        assert_eq!(decode(&packet([0, 0, i32::MIN, 0, 0, 0, 0, 0])), None);
        assert_eq!(decode(&packet([9, 0, 0, 0, 0, 0, 0, 0])), Some(Event::Other));
    }
}
