//! An actor that serves the operator's page, and a page that is no browser.

use std::{
    io::{BufRead, BufReader, ErrorKind},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket, client::IntoClientRequest, http::HeaderValue};
use wire::{Clock, SystemClock};

use super::Process;

pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between two words of a hand.
const BEAT: Duration = Duration::from_millis(20);
/// How long a look for something to read takes at most.
const LOOK: Duration = Duration::from_millis(1);
const SAYS: &str = "operator's page: ";

/// Starts a `reins` that serves the page; it and the page's address.
pub fn serve(mut command: Command) -> (Process, String) {
    command.env("RUST_LOG", "error,zenoh=off").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let process = Process(Some(child));
    let address = lines.find_map(|line| Some(line.strip_prefix(SAYS)?.to_owned()));
    let address = address.expect("it says where the page is");
    // It must find room for what it says later.
    let drain = move || lines.for_each(|line| println!("{line}"));
    thread::Builder::new().name("drain".into()).spawn(drain).unwrap();
    (process, address)
}

pub struct Page {
    socket: WebSocket<TcpStream>,
    sequence: u64,
    clock: SystemClock,
    /// As the server said last.
    pub scene: Value,
    /// What came in answer to commands.
    pub answers: Vec<Value>,
}

impl Page {
    /// Opens the page and shows the token of its address.
    pub fn open(address: &str) -> Self {
        let (host, token) = address.strip_prefix("http://").unwrap().split_once("/#").unwrap();
        let mut request = format!("ws://{host}/socket").into_client_request().unwrap();
        let origin = HeaderValue::from_str(&format!("http://{host}")).unwrap();
        request.headers_mut().insert("origin", origin);
        let (mut socket, _) =
            tungstenite::client(request, TcpStream::connect(host).unwrap()).unwrap();
        socket.get_mut().set_read_timeout(Some(LOOK)).unwrap();
        let mut page = Self {
            socket,
            sequence: 0,
            clock: SystemClock::new(),
            scene: Value::Null,
            answers: Vec::new(),
        };
        page.send(&json!({"type": "unlock", "token": token}));
        page
    }

    fn send(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).unwrap();
    }

    pub fn say(&mut self, event: &str) {
        self.send(&json!({"type": "say", "event": event}));
    }

    /// As a page does that the person cannot see any more.
    pub fn hide(&mut self) {
        self.send(&json!({"type": "let_go"}));
    }

    /// Takes in what the server has said so far.
    pub fn look(&mut self) {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    match message["type"].as_str() {
                        Some("scene") => self.scene = message["scene"].clone(),
                        Some("took" | "refused" | "unlocked") => self.answers.push(message),
                        _ => {}
                    }
                }
                Ok(_) => {}
                Err(Error::Io(e))
                    if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return;
                }
                Err(error) => panic!("the page's connection ended: {error}"),
            }
        }
    }

    /// One word of the hand, and a look.
    fn beat(&mut self, push: Option<[f64; 6]>) {
        self.sequence += 1;
        let sent_ms = self.clock.now().as_secs_f64() * 1e3;
        let sequence = self.sequence;
        self.send(&json!({"type": "hand", "sequence": sequence, "sent_ms": sent_ms, "push": push}));
        self.look();
        thread::sleep(BEAT);
    }

    /// Pushes for so long, and has no rest after it.
    pub fn push(&mut self, push: [f64; 6], time: Duration) {
        let until = self.clock.now() + time;
        while self.clock.now() < until {
            self.beat(Some(push));
        }
    }

    /// Rests until the scene is as wanted.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let until = self.clock.now() + PATIENCE;
        while !wanted(&self.scene) {
            assert!(self.clock.now() < until, "no {what} within {PATIENCE:?}: {}", self.scene);
            self.beat(None);
        }
    }

    /// Waits for an episode of training that has just begun.
    pub fn await_training(&mut self) {
        self.wait_for("training", |scene| {
            let episode = &scene["episode"];
            scene["driver"] == "policy"
                && episode["kind"] == "training"
                && (2..20).contains(&episode["steps"].as_u64().unwrap_or(0))
        });
    }

    /// Where the arm was in the newest step, along one axis (m).
    pub fn arm(&self, axis: usize) -> f64 {
        self.scene["arm"]["tcp_m"][axis].as_f64().unwrap()
    }
}
