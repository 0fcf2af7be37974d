//! The connection that commands go over (port 502): a request, its reply.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    frame::{self, Reply, register},
    status::{SERVO_MODE, error_name},
};
use crate::arm::ArmError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A control box that does not answer for so long is gone.
const REPLY_WAIT: Duration = Duration::from_millis(300);
/// Enabling releases the brakes.
const ENABLE_WAIT: Duration = Duration::from_secs(5);
/// All joints.
const ALL: u8 = 8;
/// States to be set.
const FOLLOW: u8 = 0;
const STOP: u8 = 4;

#[derive(Debug)]
pub(super) struct Commands {
    stream: TcpStream,
    transaction: u16,
    /// Its firmware wants a second byte with the mode.
    mode_takes_two: bool,
}

/// From this firmware on a mode has a second parameter, which this driver leaves at 0.
const TWO_BYTES_FROM: [u32; 2] = [1, 10];

impl Commands {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(REPLY_WAIT))?;
        let mut commands = Self { stream, transaction: 0, mode_takes_two: true };
        commands.mode_takes_two = firmware(&commands.version()?) >= TWO_BYTES_FROM;
        Ok(commands)
    }

    fn ask(&mut self, register: u8, parameters: &[u8], wait: Duration) -> io::Result<Reply> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        self.transaction = self.transaction.wrapping_add(1);
        self.stream.write_all(&frame::request(self.transaction, register, parameters))?;
        self.stream.set_read_timeout(Some(wait))?;
        loop {
            let mut head = [0; frame::HEADER];
            self.stream.read_exact(&mut head)?;
            let (transaction, length) = frame::header(head).map_err(invalid)?;
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body)?;
            if transaction == self.transaction {
                return frame::reply(register, &body).map_err(invalid);
            }
        }
    }

    fn tell(&mut self, register: u8, parameters: &[u8]) -> io::Result<Reply> {
        self.ask(register, parameters, REPLY_WAIT)
    }

    /// Keeps the connection open where nothing else is said.
    pub fn beat(&mut self) -> io::Result<()> {
        self.stream.write_all(&frame::HEARTBEAT)
    }

    /// The number of the error that there is; 0 for none.
    pub fn error(&mut self) -> io::Result<u8> {
        let reply = self.tell(register::ERRORS, &[])?;
        reply.data.first().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// What the control box says that it is.
    pub fn version(&mut self) -> io::Result<String> {
        let reply = self.tell(register::VERSION, &[])?;
        let text: Vec<u8> = reply.data.into_iter().take_while(|byte| *byte != 0).collect();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// One setpoint of the servo. False when the control box has an error.
    pub fn servo(&mut self, at_m: [f64; 3], turn: [f64; 3]) -> io::Result<bool> {
        let reply = self.tell(register::SERVO_AXIS_ANGLE, &frame::servo_parameters(at_m, turn))?;
        Ok(!reply.failed)
    }

    pub fn stop(&mut self) -> io::Result<()> {
        self.tell(register::SET_STATE, &[STOP]).map(drop)
    }

    /// Clears what can be cleared, enables the arm and has it follow setpoints. It does not move.
    pub fn make_ready(&mut self) -> io::Result<Result<(), ArmError>> {
        self.tell(register::CLEAR_ERROR, &[])?;
        self.tell(register::CLEAR_WARNING, &[])?;
        self.ask(register::ENABLE, &[ALL, 1], ENABLE_WAIT)?;
        let mode: &[u8] = if self.mode_takes_two { &[SERVO_MODE, 0] } else { &[SERVO_MODE] };
        self.tell(register::SET_MODE, mode)?;
        self.tell(register::SET_STATE, &[FOLLOW])?;
        Ok(match self.error()? {
            0 => Ok(()),
            number => Err(not_cleared(number)),
        })
    }
}

/// Major and minor of a version like `6,6,XI1304,AC1300,v1.12.10`; a newer one where it has none.
fn firmware(version: &str) -> [u32; 2] {
    let text = version.rsplit(['v', 'V']).next().unwrap_or_default();
    let mut numbers = text.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => [major, minor],
        _ => TWO_BYTES_FROM,
    }
}

pub(super) fn not_cleared(number: u8) -> ArmError {
    let name = error_name(number);
    ArmError::NeedsOperator(format!("error {number} of the control box is there: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_behind_its_v() {
        assert_eq!(firmware("6,6,XI1304,AC1300,v1.9.10"), [1, 9]);
        assert_eq!(firmware("6,9,LI1006,DC1300,V2.1.0"), [2, 1]);
        assert_eq!(firmware("?"), TWO_BYTES_FROM);
    }
}
