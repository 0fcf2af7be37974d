//! The dashboard server of the controller (port 29999): a line out, a line back.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Dashboard(BufReader<TcpStream>);

/// Whether the controller takes programs from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Remote,
    Local,
    /// CB3 controllers have no such mode: they always take them.
    NoSuchMode,
}

impl Dashboard {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let mut dashboard = Self(BufReader::new(stream));
        dashboard.line()?; // its greeting
        Ok(dashboard)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim().to_owned())
    }

    pub fn ask(&mut self, request: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes())?;
        self.line()
    }

    pub fn control(&mut self) -> io::Result<Control> {
        Ok(control_of(&self.ask("is in remote control")?))
    }
}

fn control_of(answer: &str) -> Control {
    match answer.to_ascii_lowercase().as_str() {
        "true" => Control::Remote,
        "false" => Control::Local,
        _ => Control::NoSuchMode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_that_does_not_know_the_question_has_no_such_mode() {
        assert_eq!(control_of("true"), Control::Remote);
        assert_eq!(control_of("false"), Control::Local);
        let old = "could not understand: 'is in remote control'";
        assert_eq!(control_of(old), Control::NoSuchMode);
    }
}
