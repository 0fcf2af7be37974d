//! A control box for tests: commands and reports on TCP, and a servo that goes at once to setpoints
//! that are near, as the real one does. Reads and writes the bytes by itself: what it takes for the
//! protocol is held against the vendor's own client in `tests/peer.rs`.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

const TICK: Duration = Duration::from_millis(10);
/// A setpoint further away than this (mm) is too fast.
const STEP_MAX_MM: f64 = 20.0;
const TOO_FAST: u8 = 24;

#[derive(Debug)]
pub(in crate::arm) struct ControlBox {
    /// mm, and roll, pitch, yaw.
    pub pose: [f64; 6],
    pub joints: [f64; 7],
    pub state: u8,
    pub mode: u8,
    pub enabled: bool,
    pub error: u8,
    /// What makes the error come back when it is cleared, as a button that is still pressed.
    pub cause: u8,
    pub setpoints: u32,
    /// Registers that were written, in order, but for the servo's.
    pub written: Vec<u8>,
    pub frozen: bool,
    pub cut: bool,
    quits: bool,
}

pub(in crate::arm) struct MockXarm {
    pub inside: Arc<Mutex<ControlBox>>,
    pub commands: SocketAddr,
    pub reports: SocketAddr,
}

impl Drop for MockXarm {
    fn drop(&mut self) {
        self.inside().quits = true;
    }
}

fn lock(inside: &Mutex<ControlBox>) -> MutexGuard<'_, ControlBox> {
    inside.lock().unwrap()
}

impl MockXarm {
    pub fn start() -> Self {
        Self::on([127, 0, 0, 1].into(), [0; 2])
    }

    /// On the ports of commands and of reports.
    pub fn on(ip: IpAddr, ports: [u16; 2]) -> Self {
        let inside = Arc::new(Mutex::new(ControlBox {
            pose: [300.0, 20.0, 250.0, 3.1, 0.1, -0.2],
            joints: [0.1, -0.5, -0.6, 0.2, 1.1, 0.3, 0.0],
            state: 5,
            mode: 0,
            enabled: false,
            error: 0,
            cause: 0,
            setpoints: 0,
            written: Vec::new(),
            frozen: false,
            cut: false,
            quits: false,
        }));
        let commands = serve((ip, ports[0]).into(), &inside, command_client);
        let reports = serve((ip, ports[1]).into(), &inside, report_client);
        Self { inside, commands, reports }
    }

    pub fn inside(&self) -> MutexGuard<'_, ControlBox> {
        lock(&self.inside)
    }

    pub fn set(&self, change: impl FnOnce(&mut ControlBox)) {
        change(&mut self.inside());
    }

    /// Stops with an error.
    pub fn fail(&self, error: u8) {
        self.set(|inside| inside.fail(error));
    }
}

impl ControlBox {
    fn fail(&mut self, error: u8) {
        self.error = error;
        self.state = 4;
    }

    fn report(&self) -> Vec<u8> {
        let mut bytes = 87_u32.to_be_bytes().to_vec();
        bytes.push(self.state | self.mode << 4);
        bytes.extend([0, 0]);
        self.joints.iter().for_each(|x| bytes.extend((*x as f32).to_le_bytes()));
        self.pose.iter().for_each(|x| bytes.extend((*x as f32).to_le_bytes()));
        bytes.extend([0; 28]);
        assert_eq!(bytes.len(), 87);
        bytes
    }

    /// State byte and data of the reply to a request.
    fn answer(&mut self, register: u8, parameters: &[u8]) -> Vec<u8> {
        if (11..=12).contains(&register) || (16..=19).contains(&register) {
            self.written.push(register);
        }
        let mut data = Vec::new();
        let mut invalid = false;
        match (register, parameters) {
            (1, []) => {
                data = b"6,6,XI1304,AC1300,v1.12.10".to_vec();
                data.resize(40, 0);
            }
            (2, []) => {
                data = b"XI130400000000".to_vec();
                data.resize(40, 0);
            }
            (11, [8, on]) => {
                self.enabled = *on == 1;
                self.state = 5;
            }
            // Nothing ends an error but that it is cleared.
            (12, [state]) if self.error == 0 && (self.enabled || *state != 0) => {
                self.state = if *state == 0 { 2 } else { *state };
            }
            (12, [_]) => {}
            (13, []) => data = vec![self.state],
            (14, []) => data = vec![0, 0],
            (15, []) => data = vec![self.error, 0],
            (16, []) => {
                self.error = self.cause;
                self.state = 5;
            }
            (17, []) => {}
            (19, [mode] | [mode, 0]) => {
                self.mode = *mode;
                self.state = 5;
            }
            (41, []) => self.pose.iter().for_each(|x| data.extend((*x as f32).to_le_bytes())),
            (42, []) => self.joints.iter().for_each(|x| data.extend((*x as f32).to_le_bytes())),
            (93, parameters) if parameters.len() == 37 => self.servo(parameters),
            _ => invalid = true,
        }
        let ready = self.mode == 1 && self.state < 3;
        let state = u8::from(self.error != 0) << 6 | u8::from(!ready) << 4 | u8::from(invalid) << 3;
        [vec![state], data].concat()
    }

    fn servo(&mut self, parameters: &[u8]) {
        if self.error != 0 || self.mode != 1 || self.state > 2 {
            return;
        }
        let float = |i: usize| {
            f64::from(f32::from_le_bytes(parameters[4 * i..4 * i + 4].try_into().unwrap()))
        };
        assert_eq!(parameters[32..], [0; 5], "base frame, absolute");
        let at: [f64; 3] = std::array::from_fn(float);
        let away: f64 = at.iter().zip(self.pose).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        if away > STEP_MAX_MM {
            return self.fail(TOO_FAST);
        }
        let axis = nalgebra::Vector3::new(float(3), float(4), float(5));
        let turn = nalgebra::Rotation3::from_scaled_axis(axis);
        let (roll, pitch, yaw) = turn.euler_angles();
        self.pose = [at[0], at[1], at[2], roll, pitch, yaw];
        self.setpoints += 1;
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name("mock-xarm".into()).spawn(run).unwrap();
}

/// Listens; each client has a thread. A client's end is no matter of the test.
fn serve(
    address: SocketAddr,
    inside: &Arc<Mutex<ControlBox>>,
    attend: fn(&Mutex<ControlBox>, TcpStream) -> std::io::Result<()>,
) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let bound = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let inside = inside.clone();
    spawn(move || {
        while !lock(&inside).quits {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(TICK);
                continue;
            };
            if lock(&inside).cut {
                continue;
            }
            stream.set_nonblocking(false).unwrap();
            stream.set_nodelay(true).unwrap();
            let inside = inside.clone();
            spawn(move || drop(attend(&inside, stream)));
        }
    });
    bound
}

fn is_over(inside: &Mutex<ControlBox>) -> bool {
    let inside = lock(inside);
    inside.quits || inside.cut
}

fn command_client(inside: &Mutex<ControlBox>, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    while !is_over(inside) {
        let mut head = [0; 6];
        match stream.peek(&mut head) {
            Ok(0) => return Ok(()),
            Ok(6) => stream.read_exact(&mut head)?,
            _ => continue,
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[4], head[5]]))];
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.read_exact(&mut body)?;
        stream.set_read_timeout(Some(TICK))?;
        match head[2..4] {
            // 3 is 2 without heartbeats; newer firmware takes both.
            [0, 2 | 3] => {}
            // A heartbeat.
            [0, 1] if body == [0, 0] => continue,
            _ => panic!("{head:?} {body:?}"),
        }
        let answer = {
            let mut inside = lock(inside);
            if inside.frozen {
                continue;
            }
            inside.answer(body[0], &body[1..])
        };
        let length = (answer.len() + 1) as u16;
        let mut reply = head[..4].to_vec();
        reply.extend(length.to_be_bytes());
        reply.push(body[0]);
        reply.extend(answer);
        stream.write_all(&reply)?;
    }
    Ok(())
}

fn report_client(inside: &Mutex<ControlBox>, mut stream: TcpStream) -> std::io::Result<()> {
    while !is_over(inside) {
        if !lock(inside).frozen {
            let report = lock(inside).report();
            stream.write_all(&report)?;
        }
        thread::sleep(TICK);
    }
    Ok(())
}
