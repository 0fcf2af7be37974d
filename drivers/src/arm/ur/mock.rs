//! A controller for tests: RTDE, dashboard and secondary interface on TCP, a servo that follows what
//! our program would be sent, and its time limit. Reads and writes the bytes by itself: what the
//! driver and this have in common is held against an independent client in `tests/peer.rs`.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use super::rtde::{FieldType, Reader, Value, header, kind, packet};

const TICK: Duration = Duration::from_millis(4);
/// How far the servo goes per tick (m, rad): 0.125 m/s.
const STEP: f64 = 0.000_5;

/// What the world does to the controller, and what the controller does.
#[derive(Debug)]
pub(in crate::arm) struct World {
    pub pose: [f64; 6],
    pub force: [f64; 6],
    pub robot_mode: i32,
    pub safety_mode: i32,
    pub runtime_state: u32,
    pub speed_fraction: f64,
    pub remote_control: bool,
    /// The protective stop is older than 5 s.
    pub unlocks: bool,
    /// The program cannot reach the host.
    pub dial_fails: bool,
    /// Sends no more states, and keeps its connections.
    pub frozen: bool,
    /// Refuses connections, and closes those that there are.
    pub cut: bool,
    pub output_register: i32,
    /// Where the servo goes while the program is told to follow.
    pub target: Option<[f64; 6]>,
    /// Input names and which connection holds them.
    inputs: HashMap<String, usize>,
    pub(super) input_values: HashMap<String, Value>,
    /// Of the program that runs; a newer one ends an older.
    generation: usize,
    pub programs: Vec<String>,
    /// Requests at the dashboard.
    pub asked: Vec<String>,
    /// Time limit (ms) and mode of the messages of this program.
    pub messages: Vec<(i32, i32)>,
    connections: usize,
    quits: bool,
}

pub(in crate::arm) struct MockUr {
    pub world: Arc<Mutex<World>>,
    pub rtde: SocketAddr,
    pub dashboard: SocketAddr,
    pub scripts: SocketAddr,
}

impl Drop for MockUr {
    fn drop(&mut self) {
        self.world().quits = true;
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

impl MockUr {
    /// On ports that are free.
    pub fn start() -> Self {
        Self::on([127, 0, 0, 1].into(), [0; 3])
    }

    /// On RTDE's, the dashboard's and the secondary interface's ports.
    pub fn on(ip: IpAddr, ports: [u16; 3]) -> Self {
        let world = Arc::new(Mutex::new(World {
            pose: [0.4, 0.1, 0.3, 0.0, 3.0, 0.0],
            force: [0.0; 6],
            robot_mode: 7,
            safety_mode: 1,
            runtime_state: 1,
            speed_fraction: 1.0,
            remote_control: true,
            unlocks: true,
            dial_fails: false,
            frozen: false,
            cut: false,
            output_register: 0,
            target: None,
            inputs: HashMap::new(),
            input_values: HashMap::new(),
            generation: 0,
            programs: Vec::new(),
            asked: Vec::new(),
            messages: Vec::new(),
            connections: 0,
            quits: false,
        }));
        let rtde = serve((ip, ports[0]).into(), &world, rtde_client);
        let dashboard = serve((ip, ports[1]).into(), &world, dashboard_client);
        let scripts = serve((ip, ports[2]).into(), &world, script_client);
        let servo = world.clone();
        spawn(move || {
            while !lock(&servo).quits {
                lock(&servo).move_on();
                thread::sleep(TICK);
            }
        });
        Self { world, rtde, dashboard, scripts }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world());
    }

    /// As the controller does: the program is paused.
    pub fn protective_stop(&self) {
        self.set(|world| {
            world.safety_mode = 3;
            world.runtime_state = 4;
        });
    }

    pub fn emergency_stop(&self) {
        self.set(|world| {
            world.safety_mode = 7;
            world.robot_mode = 3;
            world.end_program(world.output_register);
        });
    }

    /// Released, powered and braked by a person.
    pub fn person_makes_ready(&self) {
        self.set(|world| {
            world.safety_mode = 1;
            world.robot_mode = 7;
        });
    }
}

impl World {
    fn move_on(&mut self) {
        let Some(target) = self.target else { return };
        if self.safety_mode > 2 || self.runtime_state != 2 {
            return;
        }
        let step = STEP * self.speed_fraction;
        for (x, goal) in self.pose.iter_mut().zip(target) {
            *x += (goal - *x).clamp(-step, step);
        }
    }

    fn end_program(&mut self, code: i32) {
        self.generation += 1;
        self.target = None;
        self.runtime_state = 1;
        self.output_register = code;
    }

    fn field(&self, name: &str) -> Option<Value> {
        let pose = Value::Vector6d(self.target.unwrap_or(self.pose));
        let protective = self.safety_mode == 3;
        let emergency = self.safety_mode == 7;
        Some(match name {
            "timestamp" => Value::Double(17.25),
            "actual_q" | "target_q" => Value::Vector6d([0.1, -1.2, 1.3, -1.4, 1.5, 0.6]),
            "actual_qd"
            | "target_qd"
            | "target_qdd"
            | "target_current"
            | "target_moment"
            | "actual_current"
            | "joint_control_output"
            | "joint_temperatures"
            | "actual_joint_voltage"
            | "payload_inertia"
            | "ft_raw_wrench" => Value::Vector6d([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
            "actual_TCP_pose" => Value::Vector6d(self.pose),
            "target_TCP_pose" => pose,
            "actual_TCP_speed" | "target_TCP_speed" => {
                Value::Vector6d([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
            }
            "actual_TCP_force" => Value::Vector6d(self.force),
            "actual_tool_accelerometer" | "payload_cog" => Value::Vector3d([0.0, 0.0, -9.8]),
            "payload" => Value::Double(0.5),
            "robot_mode" => Value::Int32(self.robot_mode),
            "safety_mode" => Value::Int32(self.safety_mode),
            "joint_mode" => Value::Vector6Int32([253; 6]),
            "runtime_state" => Value::Uint32(self.runtime_state),
            "robot_status_bits" => Value::Uint32(1 | u32::from(self.runtime_state == 2) << 1),
            "safety_status_bits" => Value::Uint32(
                u32::from(self.safety_mode == 1)
                    | u32::from(protective) << 2
                    | u32::from(emergency) << 6
                    | u32::from(emergency) << 7
                    | u32::from(self.safety_mode > 2) << 10,
            ),
            "speed_scaling" | "target_speed_fraction" => Value::Double(self.speed_fraction),
            "actual_momentum"
            | "actual_main_voltage"
            | "actual_robot_voltage"
            | "actual_robot_current"
            | "actual_execution_time"
            | "standard_analog_input0"
            | "standard_analog_input1"
            | "standard_analog_output0"
            | "standard_analog_output1" => Value::Double(0.5),
            "actual_digital_input_bits" | "actual_digital_output_bits" => Value::Uint64(0),
            "output_bit_registers0_to_31" | "output_bit_registers32_to_63" => Value::Uint32(0),
            "output_int_register_24" => Value::Int32(self.output_register),
            _ if name.starts_with("output_int_register_") => Value::Int32(0),
            _ if name.starts_with("output_double_register_") => Value::Double(0.0),
            _ => return None,
        })
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "BOOL",
        Value::Uint8(_) => "UINT8",
        Value::Uint32(_) => "UINT32",
        Value::Uint64(_) => "UINT64",
        Value::Int32(_) => "INT32",
        Value::Double(_) => "DOUBLE",
        Value::Vector3d(_) => "VECTOR3D",
        Value::Vector6d(_) => "VECTOR6D",
        Value::Vector6Int32(_) => "VECTOR6INT32",
        Value::Vector6Uint32(_) => "VECTOR6UINT32",
    }
}

fn input_type(name: &str) -> Option<&'static str> {
    match name {
        "speed_slider_mask" | "external_force_torque" => Some("UINT32"),
        "speed_slider_fraction" | "standard_analog_output_0" | "standard_analog_output_1" => {
            Some("DOUBLE")
        }
        "standard_digital_output_mask"
        | "standard_digital_output"
        | "configurable_digital_output_mask"
        | "configurable_digital_output"
        | "tool_digital_output_mask"
        | "tool_digital_output"
        | "standard_analog_output_mask"
        | "standard_analog_output_type" => Some("UINT8"),
        _ if name.starts_with("input_int_register_") => Some("INT32"),
        _ if name.starts_with("input_double_register_") => Some("DOUBLE"),
        _ => None,
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name("mock-ur".into()).spawn(run).unwrap();
}

/// Listens; each client has a thread and a number. A client's end is no matter of the test.
fn serve(
    address: SocketAddr,
    world: &Arc<Mutex<World>>,
    attend: fn(Arc<Mutex<World>>, TcpStream, usize) -> std::io::Result<()>,
) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let bound = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let world = world.clone();
    spawn(move || {
        while !lock(&world).quits {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(TICK);
                continue;
            };
            if lock(&world).cut {
                continue;
            }
            stream.set_nonblocking(false).unwrap();
            stream.set_nodelay(true).unwrap();
            let number = {
                let mut world = lock(&world);
                world.connections += 1;
                world.connections
            };
            let world = world.clone();
            spawn(move || {
                _ = attend(world.clone(), stream, number);
                lock(&world).inputs.retain(|_, holder| *holder != number);
            });
        }
    });
    bound
}

fn is_over(world: &Mutex<World>) -> bool {
    let world = lock(world);
    world.quits || world.cut
}

/// A client may end its list with a comma.
fn names(reader: &mut Reader<'_>) -> Vec<String> {
    reader.names().unwrap().into_iter().filter(|name| !name.is_empty()).collect()
}

fn rtde_client(world: Arc<Mutex<World>>, mut stream: TcpStream, me: usize) -> std::io::Result<()> {
    let mut outputs: Vec<String> = Vec::new();
    // Recipe by recipe; the first has number 1.
    let mut inputs: Vec<Vec<String>> = Vec::new();
    let mut sends = false;
    stream.set_read_timeout(Some(TICK))?;
    while !is_over(&world) {
        let mut head = [0; 3];
        match stream.peek(&mut head) {
            Ok(0) => return Ok(()),
            Ok(3) => {
                stream.read_exact(&mut head)?;
                let (size, kind) = header(head).unwrap();
                let mut payload = vec![0; size - 3];
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                stream.read_exact(&mut payload)?;
                stream.set_read_timeout(Some(TICK))?;
                let mut reader = Reader::new(kind, &payload);
                let reply = match kind {
                    kind::PROTOCOL_VERSION => vec![u8::from(payload == [0, 2])],
                    kind::CONTROLLER_VERSION => {
                        [5_u32, 14, 0, 0].iter().flat_map(|x| x.to_be_bytes()).collect()
                    }
                    kind::SETUP_OUTPUTS => {
                        reader.f64().unwrap();
                        outputs = names(&mut reader);
                        let world = lock(&world);
                        let types: Vec<_> = outputs
                            .iter()
                            .map(|name| world.field(name).map_or("NOT_FOUND", |v| type_name(&v)))
                            .collect();
                        [&[1], types.join(",").as_bytes()].concat()
                    }
                    kind::SETUP_INPUTS => {
                        let names = names(&mut reader);
                        let mut world = lock(&world);
                        let types: Vec<_> = names
                            .iter()
                            .map(|name| match input_type(name) {
                                None => "NOT_FOUND",
                                Some(_) if world.inputs.get(name).is_some_and(|by| *by != me) => {
                                    "IN_USE"
                                }
                                Some(what) => what,
                            })
                            .collect();
                        let mut id = 0;
                        if !types.iter().any(|what| matches!(*what, "IN_USE" | "NOT_FOUND")) {
                            world.inputs.extend(names.iter().map(|name| (name.clone(), me)));
                            inputs.push(names);
                            id = inputs.len() as u8;
                        }
                        [&[id], types.join(",").as_bytes()].concat()
                    }
                    kind::START => {
                        sends = true;
                        vec![1]
                    }
                    kind::PAUSE => {
                        sends = false;
                        vec![1]
                    }
                    kind::DATA => {
                        let recipe = usize::from(reader.u8().unwrap());
                        for name in &inputs[recipe - 1] {
                            let what = FieldType::named(input_type(name).unwrap()).unwrap();
                            let value = reader.value(what).unwrap();
                            lock(&world).input_values.insert(name.clone(), value);
                        }
                        continue;
                    }
                    other => panic!("a packet of type {other}"),
                };
                stream.write_all(&packet(kind, &reply).unwrap())?;
            }
            _ => {}
        }
        if sends && !lock(&world).frozen {
            let mut data = vec![1];
            {
                let world = lock(&world);
                outputs.iter().for_each(|name| world.field(name).unwrap().write(&mut data));
            }
            stream.write_all(&packet(kind::DATA, &data).unwrap())?;
        }
    }
    Ok(())
}

fn dashboard_client(world: Arc<Mutex<World>>, stream: TcpStream, _: usize) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    writer.write_all(b"Connected: Universal Robots Dashboard Server\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let reply = {
            let mut world = lock(&world);
            world.asked.push(line.clone());
            match line.as_str() {
                "is in remote control" => world.remote_control.to_string(),
                "PolyscopeVersion" => "URSoftware 5.14.0.0 (Jan 01 2024)".into(),
                "robotmode" if world.robot_mode == 7 => "Robotmode: RUNNING".into(),
                "robotmode" => "Robotmode: POWER_OFF".into(),
                "safetystatus" | "safetymode" => {
                    let names = ["NORMAL", "REDUCED", "PROTECTIVE_STOP", "RECOVERY"];
                    let at = usize::try_from(world.safety_mode).unwrap() - 1;
                    format!("Safetystatus: {}", names.get(at).unwrap_or(&"ROBOT_EMERGENCY_STOP"))
                }
                "running" => format!("Program running: {}", world.runtime_state == 2),
                "close safety popup" => "closing safety popup".into(),
                "unlock protective stop" if world.safety_mode == 3 && !world.unlocks => {
                    "Cannot unlock protective stop until 5s after occurrence. Always inspect cause \
                     of protective stop before unlocking"
                        .into()
                }
                "unlock protective stop" => {
                    world.safety_mode = 1;
                    "Protective stop releasing".into()
                }
                "stop" if world.runtime_state == 1 => "Failed to execute: stop".into(),
                "stop" => {
                    let code = world.output_register;
                    world.end_program(code);
                    "Stopped".into()
                }
                other => format!("could not understand: '{other}'"),
            }
        };
        if is_over(&world) {
            break;
        }
        writer.write_all(format!("{reply}\n").as_bytes())?;
    }
    Ok(())
}

fn script_client(world: Arc<Mutex<World>>, mut stream: TcpStream, _: usize) -> std::io::Result<()> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if !lock(&world).remote_control {
        return Ok(()); // Read and thrown away, as the controller does.
    }
    let opens = text.split("socket_open(\"").nth(1).unwrap();
    let (host, rest) = opens.split_once("\", ").unwrap();
    let port: u16 = rest.split_once(',').unwrap().0.parse().unwrap();
    let generation = {
        let mut world = lock(&world);
        world.programs.push(text.clone());
        world.generation += 1;
        world.output_register = 0;
        world.messages.clear();
        world.target = None;
        if world.dial_fails {
            world.output_register = 6;
            return Ok(());
        }
        world.runtime_state = 2;
        world.generation
    };
    let socket = TcpStream::connect((host, port))?;
    lock(&world).output_register = 1;
    spawn(move || run_program(&world, socket, generation));
    Ok(())
}

/// What our program does, as its text says.
fn run_program(world: &Mutex<World>, mut socket: TcpStream, generation: usize) {
    let mut limit = Duration::from_secs(2);
    let code = loop {
        socket.set_read_timeout(Some(limit)).unwrap();
        let mut bytes = [0; 32];
        let got = socket.read_exact(&mut bytes);
        let mut world = lock(world);
        if world.generation != generation || world.quits || world.cut {
            return;
        }
        if world.runtime_state == 4 {
            // A paused program does nothing, not even end.
            drop(world);
            thread::sleep(TICK);
            continue;
        }
        if got.is_err() {
            break 3;
        }
        let word = |i: usize| i32::from_be_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap());
        world.messages.push((word(0), word(7)));
        limit = Duration::from_millis(word(0).try_into().unwrap());
        match word(7) {
            5 => world.target = Some(std::array::from_fn(|i| f64::from(word(i + 1)) / 1e6)),
            0 => world.target = None,
            -2 => break 2,
            other => panic!("a message of mode {other}"),
        }
    };
    lock(world).end_program(code);
}
