//! The text protocol of the gripper's URCap, on port 63352 of a UR controller: lines of variables.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
};

use super::registers::{Order, REPLY_WAIT, Said};

#[derive(Debug)]
pub(super) struct Urcap(BufReader<TcpStream>);

impl Urcap {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, REPLY_WAIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_WAIT))?;
        stream.set_write_timeout(Some(REPLY_WAIT))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, request: &str) -> io::Result<String> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }

    pub fn tell(&mut self, order: &Order) -> io::Result<()> {
        let reply = self.ask(&set(order))?;
        if reply.trim() == "ack" {
            return Ok(());
        }
        Err(io::Error::other(format!("it answered {:?} instead of ack", reply.trim())))
    }

    pub fn read(&mut self) -> io::Result<Said> {
        Ok(Said {
            status: self.get("STA")?,
            object: self.get("OBJ")?,
            fault: self.get("FLT")?,
            echo: self.get("PRE")?,
            position: self.get("POS")?,
        })
    }

    fn get(&mut self, name: &str) -> io::Result<u8> {
        let reply = self.ask(&format!("GET {name}\n"))?;
        value(name, &reply).ok_or_else(|| {
            io::Error::other(format!("it answered {:?} to GET {name}", reply.trim()))
        })
    }
}

fn set(order: &Order) -> String {
    match order {
        Order { activate: false, .. } => "SET ACT 0 GTO 0\n".into(),
        Order { go: false, .. } => "SET ACT 1\n".into(),
        Order { position, speed, force, .. } => {
            format!("SET POS {position} SPE {speed} FOR {force} GTO 1\n")
        }
    }
}

fn value(name: &str, reply: &str) -> Option<u8> {
    let (got, value) = reply.trim().split_once(' ')?;
    if got != name {
        return None;
    }
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_one_line() {
        let close = Order { activate: true, go: true, position: 255, speed: 128, force: 3 };
        assert_eq!(set(&close), "SET POS 255 SPE 128 FOR 3 GTO 1\n");
        assert_eq!(set(&Order::RESET), "SET ACT 0 GTO 0\n");
        assert_eq!(set(&Order::ACTIVATE), "SET ACT 1\n");
    }

    #[test]
    fn only_the_value_that_was_asked_for_is_taken() {
        assert_eq!(value("POS", "POS 3\n"), Some(3));
        assert_eq!(value("POS", "OBJ 3\n"), None);
        assert_eq!(value("POS", "POS 256\n"), None);
        assert_eq!(value("POS", "?\n"), None);
    }
}
