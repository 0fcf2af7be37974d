//! Six servos of the STS series on a pseudo-terminal, for tests. Reads and writes the bytes by itself: what
//! it takes for the protocol is held against Feetech's own client in `arm/so101/tests/peer.rs`.

use std::{
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::Duration,
};

use tempfile::TempDir;
use wire::{Clock, SystemClock};

use crate::pty::Pty;

const TICK: Duration = Duration::from_millis(1);
/// How fast a servo is at most (ticks per second).
const SPEED_MAX: f64 = 3400.0;
pub(crate) const SERVOS: usize = 6;

#[derive(Clone, Debug)]
pub(crate) struct MockServo {
    pub registers: [u8; 96],
    /// Where its horn is, as it says it.
    pub ticks: f64,
    /// How far its load pulls it from where it is told to be.
    pub sag: f64,
    pub alarms: u8,
    /// What raises the alarms again that switching its torque on has ended.
    pub cause: u8,
    /// Does not answer.
    pub silent: bool,
}

impl MockServo {
    fn new(id: u8) -> Self {
        let mut registers = [0; 96];
        registers[..9].copy_from_slice(&[3, 10, 0, 9, 3, id, 0, 250, 1]);
        let mut servo =
            Self { registers, ticks: 2048.0, sag: 0.0, alarms: 0, cause: 0, silent: false };
        servo.put(11, 4095); // Highest position.
        servo.put(16, 1000);
        servo.registers[21..24].copy_from_slice(&[32, 32, 0]);
        servo.put(28, 500);
        servo.registers[36] = 80;
        servo.registers[55] = 1;
        servo.put(48, 1000);
        servo.registers[62..64].copy_from_slice(&[74, 31]);
        servo
    }

    pub fn word(&self, address: usize) -> u16 {
        u16::from_le_bytes([self.registers[address], self.registers[address + 1]])
    }

    pub fn put(&mut self, address: usize, word: u16) {
        self.registers[address..address + 2].copy_from_slice(&word.to_le_bytes());
    }

    pub fn torque(&self) -> bool {
        self.registers[40] == 1
    }

    fn write(&mut self, address: usize, data: &[u8]) {
        for (at, byte) in (address..).zip(data) {
            // Permanent memory is locked, and what it measures is not written.
            if at < 40 && self.registers[55] == 1 || (56..70).contains(&at) {
                continue;
            }
            self.registers[at] = *byte;
            if at == 40 {
                self.alarms = self.cause;
            }
        }
    }

    fn step(&mut self, seconds: f64) {
        let goal = f64::from(self.word(42)).clamp(self.word(9).into(), self.word(11).into());
        let speed = match self.word(46) {
            0 => SPEED_MAX,
            speed => f64::from(speed & 0x7FFF).min(SPEED_MAX),
        };
        // An overloaded one gives way.
        if self.torque() && self.alarms & 0x20 == 0 {
            let way = goal - self.sag - self.ticks;
            self.ticks += way.clamp(-speed * seconds, speed * seconds);
        }
        self.put(56, self.ticks.round() as u16);
        self.registers[65] = self.alarms;
    }
}

#[derive(Debug)]
pub(crate) struct Inside {
    pub servos: Vec<MockServo>,
    /// What was written to which servo, in order, but for goals that went to all at once.
    pub written: Vec<(u8, u8)>,
    /// Requests to several at once: reads and writes.
    pub reads: u32,
    pub goals: u32,
    /// Nobody answers.
    pub frozen: bool,
    /// The adapter is unplugged.
    pub cut: bool,
    quits: bool,
}

pub(crate) struct MockServos {
    inside: Arc<Mutex<Inside>>,
    pub device: PathBuf,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl MockServos {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("tty");
        let servos = (1..=SERVOS as u8).map(MockServo::new).collect();
        let inside = Inside {
            servos,
            written: Vec::new(),
            reads: 0,
            goals: 0,
            frozen: false,
            cut: false,
            quits: false,
        };
        let inside = Arc::new(Mutex::new(inside));
        let line = plug_in(&device);
        let run = {
            let (inside, device) = (inside.clone(), device.clone());
            move || serve(&inside, &device, line)
        };
        let thread = thread::Builder::new().name("mock-servos".into()).spawn(run).unwrap();
        Self { inside, device, thread: Some(thread), _folder: folder }
    }

    pub fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    pub fn set(&self, change: impl FnOnce(&mut Inside)) {
        change(&mut self.inside());
    }
}

impl Drop for MockServos {
    fn drop(&mut self) {
        if let Ok(mut inside) = self.inside.lock() {
            inside.quits = true;
        }
        _ = self.thread.take().unwrap().join();
    }
}

/// A new terminal under the same name, as an adapter gets one that is plugged in again.
fn plug_in(device: &PathBuf) -> Pty {
    let line = Pty::open();
    _ = std::fs::remove_file(device);
    symlink(&line.path, device).unwrap();
    line
}

fn serve(inside: &Mutex<Inside>, device: &PathBuf, line: Pty) {
    let clock = SystemClock::new();
    let mut line = Some(line);
    let mut heard = Vec::new();
    let mut stepped_at = clock.now();
    loop {
        let (quits, cut) = {
            let mut inside = inside.lock().unwrap();
            let now = clock.now();
            let seconds = now.since(stepped_at).as_secs_f64();
            inside.servos.iter_mut().for_each(|servo| servo.step(seconds));
            stepped_at = now;
            (inside.quits, inside.cut)
        };
        if quits {
            return;
        }
        if cut {
            if line.is_some() {
                // Its number may soon be another terminal's.
                _ = std::fs::remove_file(device);
            }
            line = None;
        } else if line.is_none() {
            (line, heard) = (Some(plug_in(device)), Vec::new());
        }
        let Some(open) = &line else {
            thread::sleep(TICK);
            continue;
        };
        let mut bytes = [0; 256];
        let count = open.read(&mut bytes, TICK).unwrap_or(0);
        heard.extend(&bytes[..count]);
        while let Some((id, instruction, parameters)) = request(&mut heard) {
            let said = inside.lock().unwrap().answer(id, instruction, &parameters);
            // Whoever asked may be gone.
            _ = open.write(&said);
        }
    }
}

/// The first whole request, taken out. One with a wrong checksum is not heard.
fn request(heard: &mut Vec<u8>) -> Option<(u8, u8, Vec<u8>)> {
    loop {
        let start = heard.windows(2).position(|two| two == [0xFF, 0xFF])?;
        heard.drain(..start);
        let length = usize::from(*heard.get(3)?);
        if heard.len() < length + 4 {
            return None;
        }
        let frame: Vec<u8> = heard.drain(..length + 4).collect();
        let sum: u32 = frame[2..].iter().map(|byte| u32::from(*byte)).sum();
        if sum & 0xFF == 0xFF {
            return Some((frame[2], frame[4], frame[5..frame.len() - 1].to_vec()));
        }
    }
}

impl Inside {
    fn answer(&mut self, id: u8, instruction: u8, parameters: &[u8]) -> Vec<u8> {
        match (instruction, parameters) {
            (0x01, []) => self.say(id, &[]),
            (0x02, [address, count]) => self.say_registers(id, *address, *count),
            (0x03, [address, data @ ..]) => {
                self.written.push((id, *address));
                if let Some(servo) = self.servo(id) {
                    servo.write((*address).into(), data);
                }
                self.say(id, &[])
            }
            (0x82, [address, count, ids @ ..]) => {
                assert_eq!(id, 0xFE);
                self.reads += 1;
                ids.iter().flat_map(|id| self.say_registers(*id, *address, *count)).collect()
            }
            (0x83, [address, count, each @ ..]) => {
                assert_eq!(id, 0xFE);
                self.goals += u32::from(*address == 42);
                for one in each.chunks(usize::from(*count) + 1) {
                    if let Some(servo) = self.servo(one[0]) {
                        servo.write((*address).into(), &one[1..]);
                    }
                }
                Vec::new()
            }
            other => panic!("{other:?}"),
        }
    }

    fn servo(&mut self, id: u8) -> Option<&mut MockServo> {
        let reachable = !self.frozen;
        let servo = self.servos.get_mut(usize::from(id).checked_sub(1)?)?;
        (reachable && !servo.silent).then_some(servo)
    }

    fn say_registers(&mut self, id: u8, address: u8, count: u8) -> Vec<u8> {
        let range = usize::from(address)..usize::from(address) + usize::from(count);
        let Some(data) = self.servo(id).map(|servo| servo.registers[range].to_vec()) else {
            return Vec::new();
        };
        self.say(id, &data)
    }

    fn say(&mut self, id: u8, data: &[u8]) -> Vec<u8> {
        let Some(servo) = self.servo(id) else { return Vec::new() };
        let mut frame = vec![0xFF, 0xFF, id, data.len() as u8 + 2, servo.alarms];
        frame.extend(data);
        let sum: u32 = frame[2..].iter().map(|byte| u32::from(*byte)).sum();
        frame.push(!(sum as u8));
        frame
    }
}
