//! The driver against servers of its three protocols: a text server, tokio-modbus over TCP, and
//! tokio-modbus behind a pseudo-terminal.

use std::{
    fmt::Debug,
    future,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
};

use tokio_modbus::{
    ExceptionCode, Request, Response, SlaveRequest,
    server::{self, Service},
};
use wire::SystemClock;

use super::*;
use crate::pty::Pty;

const PATIENCE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(2);

/// A gripper as the manual describes it.
#[derive(Debug)]
struct Jaws {
    active: bool,
    /// Looks left until it is active.
    activates_in: Option<u32>,
    /// Looks that its activation takes.
    activation: u32,
    /// Where it is told to go.
    echo: u8,
    position: u8,
    speed: u8,
    force: u8,
    /// Something is between its jaws: they cannot close further.
    object_at: Option<u8>,
    fault: u8,
    orders: u32,
    activations: u32,
}

impl Jaws {
    fn new(active: bool) -> Self {
        Self {
            active,
            activates_in: None,
            activation: 5,
            echo: 3,
            position: 3,
            speed: 0,
            force: 0,
            object_at: None,
            fault: 0,
            orders: 0,
            activations: 0,
        }
    }

    fn act(&mut self, on: bool) {
        if !on {
            (self.active, self.activates_in, self.fault) = (false, None, 0);
        } else if !self.active && self.activates_in.is_none() {
            self.activates_in = Some(self.activation);
            self.activations += 1;
        }
    }

    fn go(&mut self, position: u8, speed: u8, force: u8) {
        assert!(self.active, "told to move before it was active");
        (self.echo, self.speed, self.force) = (position, speed, force);
        self.orders += 1;
    }

    /// Time passes with every look.
    fn look(&mut self) {
        match &mut self.activates_in {
            Some(0) => (self.active, self.activates_in) = (true, None),
            Some(left) => *left -= 1,
            None => {}
        }
        let goal = self.goal();
        let step = goal.abs_diff(self.position).min(40);
        self.position =
            if goal > self.position { self.position + step } else { self.position - step };
    }

    /// Where its jaws come to: not through an object, nor further than they go.
    fn goal(&self) -> u8 {
        self.echo.clamp(3, 230).min(self.object_at.unwrap_or(255))
    }

    fn object(&self) -> u8 {
        match self.object_at {
            _ if self.position != self.goal() => 0,
            Some(at) if self.echo > at => 2,
            _ => 3,
        }
    }

    fn status(&self) -> u8 {
        match (self.active, self.activates_in) {
            (true, _) => 3,
            (false, Some(_)) => 1,
            (false, None) => 0,
        }
    }
}

type SharedJaws = Arc<Mutex<Jaws>>;

fn lock(jaws: &SharedJaws) -> MutexGuard<'_, Jaws> {
    jaws.lock().unwrap()
}

/// The gripper's Modbus side.
struct Registers {
    jaws: SharedJaws,
    slave: u8,
    orders_at: u16,
    status_at: u16,
}

impl Service for Registers {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, SlaveRequest { slave, request }: Self::Request) -> Self::Future {
        let mut jaws = lock(&self.jaws);
        assert_eq!(slave, self.slave);
        future::ready(match request {
            Request::WriteMultipleRegisters(at, words) if at == self.orders_at => {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                let [action, _, _, position, speed, force] = bytes[..] else {
                    panic!("{bytes:?}");
                };
                jaws.act(action & 1 != 0);
                if action & 8 != 0 {
                    jaws.go(position, speed, force);
                }
                Ok(Response::WriteMultipleRegisters(at, 3))
            }
            Request::ReadInputRegisters(at, 3) if at == self.status_at => {
                jaws.look();
                let first = u8::from(jaws.active) | jaws.status() << 4 | jaws.object() << 6;
                Ok(Response::ReadInputRegisters(vec![
                    u16::from(first) << 8,
                    u16::from_be_bytes([jaws.fault, jaws.echo]),
                    u16::from_be_bytes([jaws.position, 12]),
                ]))
            }
            _ => Err(ExceptionCode::IllegalDataAddress),
        })
    }
}

/// A gripper, how to reach it, and what ends its server.
struct Stand {
    jaws: SharedJaws,
    link: RobotiqLink,
    unplugged: Arc<AtomicBool>,
}

fn background(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name("jaws".into()).spawn(run).unwrap();
}

impl Stand {
    fn urcap(active: bool) -> Self {
        let jaws: SharedJaws = Arc::new(Mutex::new(Jaws::new(active)));
        let unplugged = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (served, off) = (jaws.clone(), unplugged.clone());
        background(move || {
            for stream in listener.incoming() {
                if !off.load(Ordering::SeqCst) {
                    _ = speak(&served, stream.unwrap(), &off);
                }
            }
        });
        Self { jaws, link: RobotiqLink::Socket { host: "127.0.0.1".into(), port }, unplugged }
    }

    fn modbus_tcp(active: bool) -> Self {
        let jaws: SharedJaws = Arc::new(Mutex::new(Jaws::new(active)));
        let unplugged = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (served, off) = (jaws.clone(), unplugged.clone());
        background(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let server = server::tcp::Server::new(listener);
                let service = |stream: tokio::net::TcpStream, _: SocketAddr| {
                    let jaws = served.clone();
                    let service = Registers { jaws, slave: 2, orders_at: 0, status_at: 0 };
                    future::ready(Ok::<_, io::Error>(Some((service, stream))))
                };
                let serve = server.serve(&service, |_| {});
                tokio::select! {
                    _ = serve => {}
                    () = async { while !off.load(Ordering::SeqCst) { tokio::time::sleep(TICK).await } } => {}
                }
            });
        });
        let host = "127.0.0.1".into();
        let link = RobotiqLink::ModbusTcp { host, port, slave: 2, registers: [0, 0] };
        Self { jaws, link, unplugged }
    }

    fn modbus_rtu(active: bool) -> Self {
        let jaws: SharedJaws = Arc::new(Mutex::new(Jaws::new(active)));
        let unplugged = Arc::new(AtomicBool::new(false));
        let (served, off) = (jaws.clone(), unplugged.clone());
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        background(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let server = server::rtu_over_tcp::Server::new(listener);
                let service = |stream: tokio::net::TcpStream, _: SocketAddr| {
                    let jaws = served.clone();
                    let service =
                        Registers { jaws, slave: 9, orders_at: 0x03E8, status_at: 0x07D0 };
                    future::ready(Ok::<_, io::Error>(Some((service, stream))))
                };
                let serve = server.serve(&service, |_| {});
                tokio::select! {
                    _ = serve => {}
                    () = async { while !off.load(Ordering::SeqCst) { tokio::time::sleep(TICK).await } } => {}
                }
            });
        });
        let wire = TcpStream::connect(told.recv().unwrap()).unwrap();
        let line = Pty::open();
        let device = line.path.clone();
        let off = unplugged.clone();
        background(move || drop(carry(&line, wire, &off)));
        Self { jaws, link: RobotiqLink::ModbusRtu { device, slave: 9 }, unplugged }
    }

    fn connect(&self) -> Result<Robotiq, RobotiqError> {
        let config = RobotiqConfig {
            link: self.link.clone(),
            model: RobotiqModel::TWO_F_85,
            activation: Duration::from_secs(2),
        };
        Robotiq::connect(config, Arc::new(SystemClock::new()))
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.unplugged.store(true, Ordering::SeqCst);
    }
}

/// Carries bytes between a serial line and the server, whose frames are the same on both.
fn carry(line: &Pty, mut wire: TcpStream, unplugged: &AtomicBool) -> io::Result<()> {
    wire.set_nodelay(true)?;
    wire.set_read_timeout(Some(TICK))?;
    let mut bytes = [0; 256];
    while !unplugged.load(Ordering::SeqCst) {
        let count = line.read(&mut bytes, TICK)?;
        wire.write_all(&bytes[..count])?;
        match wire.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => line.write(&bytes[..count])?,
            Err(_) => {}
        }
    }
    Ok(())
}

/// The URCap's side of a connection.
fn speak(jaws: &SharedJaws, stream: TcpStream, unplugged: &AtomicBool) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if unplugged.load(Ordering::SeqCst) {
            return Ok(());
        }
        let words: Vec<&str> = line.split(' ').collect();
        let mut jaws = lock(jaws);
        let reply = match words[..] {
            ["GET", name] => {
                if name == "STA" {
                    jaws.look();
                }
                let value = match name {
                    "STA" => jaws.status(),
                    "OBJ" => jaws.object(),
                    "FLT" => jaws.fault,
                    "PRE" => jaws.echo,
                    "POS" => jaws.position,
                    other => panic!("GET {other}"),
                };
                format!("{name} {value}")
            }
            ["SET", "ACT", act, ..] => {
                jaws.act(act == "1");
                "ack".into()
            }
            ["SET", "POS", position, "SPE", speed, "FOR", force, "GTO", "1"] => {
                let byte = |text: &str| text.parse().unwrap();
                jaws.go(byte(position), byte(speed), byte(force));
                "ack".into()
            }
            _ => "?".into(),
        };
        drop(jaws);
        writer.write_all(format!("{reply}\n").as_bytes())?;
    }
    Ok(())
}

#[track_caller]
fn wait_for<T: Debug>(what: &str, mut look: impl FnMut() -> T, is_so: impl Fn(&T) -> bool) {
    let clock = SystemClock::new();
    loop {
        let seen = look();
        if is_so(&seen) {
            return;
        }
        assert!(clock.now() < Timestamp(0) + PATIENCE, "never: {what}; {seen:?}");
        thread::sleep(TICK);
    }
}

fn grip(opens: bool) -> SafeGrip {
    SafeGrip::under_test(opens, 40.0, 0.1)
}

#[track_caller]
fn wait_for_touch(gripper: &Robotiq, touch: Touch) {
    let look = || gripper.touch().map(|touch| touch.value);
    wait_for("touch", look, |seen| *seen == Ok(touch));
}

fn opening(gripper: &Robotiq) -> f64 {
    gripper.state().unwrap().value.opening
}

/// Closes on nothing, opens, closes on something.
fn check(stand: &Stand) {
    let mut gripper = stand.connect().unwrap();
    assert_eq!(lock(&stand.jaws).activations, 0, "it was active");
    assert_eq!(opening(&gripper), 1.0);
    gripper.command(grip(false)).unwrap();
    assert_eq!(gripper.touch().unwrap().value, Touch::Moving, "at once, before it has heard");
    wait_for_touch(&gripper, Touch::Nothing);
    assert_eq!(opening(&gripper), 0.0);
    gripper.command(grip(false)).unwrap();
    gripper.command(grip(true)).unwrap();
    wait_for_touch(&gripper, Touch::Nothing);
    assert_eq!(opening(&gripper), 1.0);
    lock(&stand.jaws).object_at = Some(120);
    gripper.command(grip(false)).unwrap();
    wait_for_touch(&gripper, Touch::Object);
    assert!((opening(&gripper) - 110.0 / 227.0).abs() < 1e-9);
    let jaws = lock(&stand.jaws);
    assert_eq!((jaws.force, jaws.speed), (23, 156), "what the gate allowed, in counts");
    assert_eq!(jaws.orders, 3, "a repeated command is not sent again");
}

#[test]
fn it_opens_closes_and_feels_by_the_urcaps_socket() {
    check(&Stand::urcap(true));
}

#[test]
fn it_opens_closes_and_feels_by_modbus_tcp() {
    check(&Stand::modbus_tcp(true));
}

#[test]
fn it_opens_closes_and_feels_by_modbus_rtu_on_a_terminal() {
    check(&Stand::modbus_rtu(true));
}

#[test]
fn one_that_is_not_active_is_activated_before_it_moves() {
    for stand in [Stand::urcap(false), Stand::modbus_tcp(false), Stand::modbus_rtu(false)] {
        let mut gripper = stand.connect().unwrap();
        assert_eq!(lock(&stand.jaws).activations, 1, "{}", stand.link);
        gripper.command(grip(false)).unwrap();
        wait_for_touch(&gripper, Touch::Nothing);
    }
}

#[test]
fn one_that_does_not_become_active_is_refused_with_its_fault() {
    let stand = Stand::urcap(false);
    lock(&stand.jaws).activation = u32::MAX;
    let config = RobotiqConfig {
        link: stand.link.clone(),
        model: RobotiqModel::TWO_F_85,
        activation: Duration::from_millis(100),
    };
    let Err(error) = Robotiq::connect(config, Arc::new(SystemClock::new())) else {
        panic!("it connected")
    };
    assert!(error.to_string().contains("was not active"), "{error}");
}

#[test]
fn nobody_waits_for_the_wire_or_for_the_jaws() {
    let stand = Stand::urcap(true);
    let mut gripper = stand.connect().unwrap();
    // The server answers nothing while its jaws are held.
    let held = lock(&stand.jaws);
    let clock = SystemClock::new();
    for i in 0..50 {
        gripper.command(grip(i % 2 == 0)).unwrap();
        _ = gripper.state();
    }
    let took = clock.now().since(Timestamp(0));
    drop(held);
    assert!(took < Duration::from_millis(50), "{took:?}");
    wait_for("the newest order", || lock(&stand.jaws).echo, |echo| *echo == 255);
}

#[test]
fn one_that_is_unplugged_is_gone_and_one_that_comes_back_goes_on() {
    let stand = Stand::urcap(true);
    let mut gripper = stand.connect().unwrap();
    stand.unplugged.store(true, Ordering::SeqCst);
    wait_for("gone", || gripper.state().map(drop), Result::is_err);
    let told = gripper.command(grip(false)).unwrap_err().to_string();
    assert!(told.contains("does not answer"), "{told}");
    stand.unplugged.store(false, Ordering::SeqCst);
    wait_for("back", || gripper.state().map(drop), Result::is_ok);
    gripper.command(grip(false)).unwrap();
    wait_for_touch(&gripper, Touch::Nothing);
    assert_eq!(lock(&stand.jaws).activations, 0);
}

#[test]
fn one_that_lost_its_activation_says_so_and_does_not_move_by_itself() {
    let stand = Stand::modbus_tcp(true);
    let mut gripper = stand.connect().unwrap();
    lock(&stand.jaws).active = false;
    wait_for("gone", || gripper.state().map(drop), Result::is_err);
    let told = gripper.command(grip(false)).unwrap_err().to_string();
    assert!(told.contains("not active any more"), "{told}");
    let jaws = lock(&stand.jaws);
    assert_eq!((jaws.activations, jaws.orders), (0, 0));
}

#[test]
fn a_fault_is_told_by_name() {
    let stand = Stand::modbus_rtu(true);
    let gripper = stand.connect().unwrap();
    lock(&stand.jaws).fault = 0x0A;
    wait_for("gone", || gripper.state().map(drop), Result::is_err);
    let told = gripper.state().unwrap_err().to_string();
    assert!(told.contains("below 22 V"), "{told}");
}

#[test]
fn one_that_does_not_answer_is_refused_with_what_to_check() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let config = RobotiqConfig {
        link: RobotiqLink::Socket { host: "127.0.0.1".into(), port: free },
        model: RobotiqModel::TWO_F_140,
        activation: Duration::from_secs(1),
    };
    let Err(error) = Robotiq::connect(config, Arc::new(SystemClock::new())) else {
        panic!("it connected")
    };
    assert!(error.to_string().contains("is the cable in"), "{error}");
}
