//! The line that servos share: one speaks at a time, and only when it is asked.

use std::{io, ops::Range, path::Path, time::Duration};

use rustix::fs::{FlockOperation, flock};
use serial2::SerialPort;

use super::{
    frame::{self, Alarms, BROADCAST, Instruction},
    registers::{LOCK, PERMANENT},
};

/// With eight data bits, one stop bit and no parity.
const BAUD: u32 = 1_000_000;
/// Longest silence before an answer: adapters collect bytes for up to 16 ms.
const REPLY_WAIT: Duration = Duration::from_millis(25);
/// More than this without an answer in it is noise.
const HEARD_MAX: usize = 512;
/// How often somebody who does not answer is asked again: for a fifth of a second in all, which a busy
/// machine may be away.
const RETRIES: u32 = 7;

/// What a servo says, and what it says is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer<const N: usize> {
    pub alarms: Alarms,
    pub data: [u8; N],
}

pub(crate) struct Bus {
    port: SerialPort,
    request: Vec<u8>,
    heard: Vec<u8>,
    /// Of what was heard, done with.
    done: usize,
}

impl Bus {
    pub fn open(device: &Path) -> io::Result<Self> {
        let mut port = SerialPort::open(device, BAUD)?;
        flock(&port, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            io::Error::new(io::ErrorKind::ResourceBusy, "another program has it open")
        })?;
        port.set_read_timeout(REPLY_WAIT)?;
        port.set_write_timeout(REPLY_WAIT)?;
        let (request, heard) = (Vec::with_capacity(64), Vec::with_capacity(HEARD_MAX));
        Ok(Self { port, request, heard, done: 0 })
    }

    pub fn read<const N: usize>(&mut self, id: u8, address: u8) -> io::Result<Answer<N>> {
        self.retrying(|bus| {
            bus.ask(id, Instruction::Read, &[address, N as u8])?;
            bus.answer_of(id)
        })
    }

    /// Waits until the servo says that it has it.
    pub fn write(&mut self, id: u8, address: u8, data: &[u8]) -> io::Result<()> {
        let parameters = [&[address][..], data].concat();
        self.retrying(|bus| {
            bus.ask(id, Instruction::Write, &parameters)?;
            bus.answer_of::<0>(id).map(drop)
        })
    }

    /// Writes to permanent memory what is not there yet: it wears out. `there` is what it holds.
    pub fn write_permanent(
        &mut self,
        id: u8,
        there: &[u8; PERMANENT],
        wanted: &[(u8, &[u8])],
    ) -> io::Result<()> {
        let lacks = |(address, data): &&(u8, &[u8])| {
            let at = usize::from(*address);
            there[at..at + data.len()] != **data
        };
        let lacking: Vec<_> = wanted.iter().filter(lacks).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        self.write(id, LOCK, &[0])?;
        for (address, data) in lacking {
            self.write(id, *address, data)?;
        }
        self.write(id, LOCK, &[1])
    }

    /// The same registers of several servos, by one request. It is not repeated.
    pub fn read_all<const N: usize, const S: usize>(
        &mut self,
        ids: [u8; S],
        address: u8,
    ) -> io::Result<[Answer<N>; S]> {
        let mut parameters = [0; 16];
        parameters[..2].copy_from_slice(&[address, N as u8]);
        parameters[2..2 + S].copy_from_slice(&ids);
        self.ask(BROADCAST, Instruction::SyncRead, &parameters[..2 + S])?;
        let mut answers = [None; S];
        while let Some(missing) = answers.iter().position(Option::is_none) {
            let (id, alarms, data) = self.hear().map_err(|error| silent(ids[missing], &error))?;
            let Some(at) = ids.iter().position(|known| *known == id) else { continue };
            answers[at] = Some(Answer { alarms, data: self.sized(id, data)? });
        }
        Ok(answers.map(|answer| answer.expect("none is missing")))
    }

    /// The same registers of several servos. None answers.
    pub fn write_all<const N: usize>(
        &mut self,
        address: u8,
        each: &[(u8, [u8; N])],
    ) -> io::Result<()> {
        let mut parameters = [0; 64];
        parameters[..2].copy_from_slice(&[address, N as u8]);
        let mut end = 2;
        for (id, data) in each {
            parameters[end] = *id;
            parameters[end + 1..end + 1 + N].copy_from_slice(data);
            end += 1 + N;
        }
        self.ask(BROADCAST, Instruction::SyncWrite, &parameters[..end])
    }

    /// Once more where what was said was not heard.
    pub fn retrying<T>(
        &mut self,
        mut once: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut retries = RETRIES;
        loop {
            match once(self) {
                Err(error) if retries > 0 && is_silence(&error) => retries -= 1,
                outcome => return outcome,
            }
        }
    }

    fn ask(&mut self, id: u8, instruction: Instruction, parameters: &[u8]) -> io::Result<()> {
        // An answer that came too late is not one to this.
        self.port.discard_input_buffer()?;
        self.heard.clear();
        self.done = 0;
        frame::request(&mut self.request, id, instruction, parameters);
        self.port.write_all(&self.request)
    }

    fn answer_of<const N: usize>(&mut self, asked: u8) -> io::Result<Answer<N>> {
        loop {
            let (id, alarms, data) = self.hear().map_err(|error| silent(asked, &error))?;
            if id == asked {
                return Ok(Answer { alarms, data: self.sized(id, data)? });
            }
        }
    }

    fn hear(&mut self) -> io::Result<(u8, Alarms, Range<usize>)> {
        loop {
            if let Some(found) = frame::find(&self.heard[self.done..]) {
                let data = self.done + found.data.start..self.done + found.data.end;
                self.done += found.length;
                return Ok((found.id, found.alarms, data));
            }
            if self.heard.len() >= HEARD_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "there is only noise"));
            }
            let mut bytes = [0; 64];
            match self.port.read(&mut bytes)? {
                0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the line is gone")),
                count => self.heard.extend(&bytes[..count]),
            }
        }
    }

    fn sized<const N: usize>(&self, id: u8, data: Range<usize>) -> io::Result<[u8; N]> {
        <[u8; N]>::try_from(&self.heard[data]).map_err(|_| {
            let wrong = format!("servo {id} answers something else than what it was asked");
            io::Error::new(io::ErrorKind::InvalidData, wrong)
        })
    }
}

/// Whether the line is there, but what was said on it was not understood.
pub(crate) fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::InvalidData)
}

fn silent(id: u8, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("servo {id} does not answer: {error}"))
}
