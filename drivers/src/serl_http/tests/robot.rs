//! A robot behind a server of the contract, written down from the contract alone: it follows the pose
//! that it was told last for ever, and has the quirks of the servers that are out there.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use serde_json::{Value, json};
use tokio::sync::watch;
use wire::geometry::Pose;

/// How fast it follows (m/s).
const SPEED: f64 = 0.06;
const TICK: Duration = Duration::from_millis(5);
/// The page that an exception of the original is answered by.
const PAGE: &str = "<!doctype html>\n<title>500 Internal Server Error</title>\n";

#[derive(Clone, Debug)]
pub struct Quirks {
    pub joints: usize,
    /// Without one `/getstate` and all of its routes are exceptions.
    pub gripper: bool,
    pub flat_jacobian: bool,
    /// Answered by 404.
    pub missing: Vec<&'static str>,
    /// Answered by 500, and in JSON.
    pub failing: Vec<&'static str>,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            joints: 7,
            gripper: true,
            flat_jacobian: false,
            missing: Vec::new(),
            failing: Vec::new(),
        }
    }
}

pub struct World {
    pub quirks: Quirks,
    pub pose: Pose,
    velocity: Vector3<f64>,
    equilibrium: Pose,
    /// Sensors are never quite still.
    noise: f64,
    /// The state does not change any more, and is still told.
    pub frozen: bool,
    /// It stands, and the server says so of each pose, until the error is cleared.
    pub reflex: bool,
    /// Nothing is answered.
    pub silent: bool,
    pub opening: f64,
    /// What the server believes of its gripper.
    believes_open: bool,
    /// Every command with its body, in order.
    pub told: Vec<(String, Value)>,
}

pub struct Robot {
    pub world: Arc<Mutex<World>>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Robot {
    pub fn new(quirks: Quirks) -> Self {
        let down = UnitQuaternion::from_quaternion(Quaternion::new(0.0, 1.0, 0.0, 0.0));
        let pose = Pose::from_parts(Vector3::new(0.5, 0.0, 0.2).into(), down);
        let world = Arc::new(Mutex::new(World {
            quirks,
            pose,
            velocity: Vector3::zeros(),
            equilibrium: pose,
            noise: 0.0,
            frozen: false,
            reflex: false,
            silent: false,
            opening: 0.4,
            believes_open: true,
            told: Vec::new(),
        }));
        let (stop, stopped) = watch::channel(false);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (served, moved, watched) = (world.clone(), world.clone(), stop.subscribe());
        let run = move || serve(listener, served, stopped);
        let go = move || {
            while !*watched.borrow() {
                lock(&moved).tick();
                thread::sleep(TICK);
            }
        };
        let start = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.into()).spawn(run).unwrap()
        };
        let threads = vec![start("robot", Box::new(go)), start("robot-server", Box::new(run))];
        Self { world, address, stop, threads }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// The routes that were told something, in order.
    pub fn routes(&self) -> Vec<String> {
        self.world().told.iter().map(|(route, _)| route.clone()).collect()
    }
}

impl Drop for Robot {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(listener: TcpListener, world: Arc<Mutex<World>>, mut stop: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let router = Router::new().fallback(answer).with_state(world);
        tokio::select! {
            ended = async { axum::serve(listener, router).await } => ended.unwrap(),
            _ = stop.changed() => {}
        }
    });
}

async fn answer(State(world): State<Arc<Mutex<World>>>, uri: Uri, body: Bytes) -> Response {
    while lock(&world).silent {
        tokio::time::sleep(TICK).await;
    }
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    lock(&world).answer(uri.path(), body)
}

impl World {
    pub fn hold(&mut self) {
        self.equilibrium = self.pose;
    }

    fn tick(&mut self) {
        let way = self.equilibrium.translation.vector - self.pose.translation.vector;
        let step = SPEED * TICK.as_secs_f64();
        let step = if way.norm() > step { way * (step / way.norm()) } else { way };
        self.pose.translation.vector += step;
        self.velocity = step / TICK.as_secs_f64();
        if !self.frozen {
            self.noise += 1e-9;
        }
    }

    fn answer(&mut self, route: &str, body: Value) -> Response {
        if self.quirks.missing.contains(&route) {
            return StatusCode::NOT_FOUND.into_response();
        }
        if self.quirks.failing.contains(&route) {
            let why = json!({ "error": "not enabled" });
            return (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response();
        }
        if let Some(state) = self.state(route) {
            return match state {
                Some(state) => ([(header::CONTENT_TYPE, "application/json")], state.to_string())
                    .into_response(),
                None => exception(),
            };
        }
        self.told.push((route.into(), body.clone()));
        if self.reflex && route == "/pose" {
            let why = json!({ "error": "in a reflex" });
            return (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response();
        }
        match self.obey(route, &body) {
            Some(said) => said.into_response(),
            None => exception(),
        }
    }

    /// The outer is none where this is no route of the state, the inner where it is an exception.
    fn state(&self, route: &str) -> Option<Option<Value>> {
        let (at, turn) = (self.pose.translation.vector, self.pose.rotation.coords);
        let pose = json!([at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w]);
        let v = self.velocity;
        let vel = json!([v.x, v.y, v.z, 0.0, 0.0, 0.0]);
        let joints = self.quirks.joints;
        let filled = |v: Vector3<f64>| -> Vec<f64> {
            (0..joints).map(|i| v.get(i).copied().unwrap_or(0.1) + self.noise).collect()
        };
        let q = filled(at);
        let mut dq = filled(v);
        dq.iter_mut().skip(3).for_each(|x| *x = 0.0);
        let rows: Vec<Vec<f64>> = (0..6)
            .map(|row| (0..joints).map(|column| f64::from(u8::from(row == column))).collect())
            .collect();
        let jacobian = if self.quirks.flat_jacobian { json!(rows.concat()) } else { json!(rows) };
        let (force, torque) = (json!([0.0, 0.0, 1.5]), json!([0.0, 0.1, 0.0]));
        let gripper = self.quirks.gripper.then_some(self.opening);
        Some(Some(match route {
            "/getstate" => match gripper {
                None => return Some(None),
                Some(opening) => json!({
                    "pose": pose, "vel": vel, "force": force, "torque": torque, "q": q, "dq": dq,
                    "jacobian": jacobian, "gripper_pos": opening,
                }),
            },
            "/getpos" => json!({ "pose": pose }),
            "/getvel" => json!({ "vel": vel }),
            "/getforce" => json!({ "force": force }),
            "/gettorque" => json!({ "torque": torque }),
            "/getq" => json!({ "q": q }),
            "/getdq" => json!({ "dq": dq }),
            "/getjacobian" => json!({ "jacobian": jacobian }),
            "/get_gripper" => match gripper {
                None => return Some(None),
                Some(opening) => json!({ "gripper": opening }),
            },
            _ => return None,
        }))
    }

    /// As the Franka hand's server does it, latch and all.
    fn obey(&mut self, route: &str, body: &Value) -> Option<&'static str> {
        match route {
            "/pose" => {
                let arr: [f64; 7] = serde_json::from_value(body["arr"].clone()).ok()?;
                let rotation = Quaternion::new(arr[6], arr[3], arr[4], arr[5]);
                self.equilibrium = Pose::from_parts(
                    Vector3::new(arr[0], arr[1], arr[2]).into(),
                    UnitQuaternion::from_quaternion(rotation),
                );
                Some("Moved")
            }
            "/clearerr" => {
                self.reflex = false;
                Some("Clear")
            }
            "/update_param" => Some("Updated compliance parameters"),
            "/jointreset" => Some("Reset Joint"),
            "/startimp" => Some("Started impedance"),
            "/open_gripper" if self.quirks.gripper => {
                if !std::mem::replace(&mut self.believes_open, true) {
                    self.opening = 1.0;
                }
                Some("Opened")
            }
            "/close_gripper" if self.quirks.gripper => {
                if std::mem::take(&mut self.believes_open) {
                    self.opening = 0.0;
                }
                Some("Closed")
            }
            "/move_gripper" if self.quirks.gripper => {
                self.opening = (body["gripper_pos"].as_f64()? / 2550.0 / 0.08).min(1.0);
                Some("Moved Gripper")
            }
            _ => None,
        }
    }
}

fn exception() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/html")], PAGE).into_response()
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
