//! A server of numbered pictures over HTTP that misbehaves on demand.

use std::{
    io::{BufRead, BufReader, Result, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use opencv::{core::Vector, imgcodecs::imencode};

use crate::scene;

const EVERY: Duration = Duration::from_millis(20);

/// What whoever is or gets connected receives.
#[derive(Clone, Copy, PartialEq)]
pub enum Play {
    Pictures,
    /// Nothing more, over a connection that stays.
    Stall,
    /// In the middle of a picture.
    Cut,
    /// Parts that are no pictures.
    Noise,
    /// One in three.
    SomeNoise,
    /// A page for people.
    Page,
    Refusal,
}

pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    play: Mutex<Play>,
    connections: AtomicU64,
    sent: AtomicU64,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            play: Mutex::new(Play::Pictures),
            connections: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let shared = state.clone();
        let accept = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                let serve = move || {
                    // The other side may leave at any time.
                    let _ = state.serve(stream);
                };
                thread::Builder::new().name("serve".into()).spawn(serve).unwrap();
            }
        };
        thread::Builder::new().name("accept".into()).spawn(accept).unwrap();
        Self { address, state }
    }

    pub fn address(&self) -> String {
        format!("http://{}/stream.mjpg", self.address)
    }

    pub fn play(&self, play: Play) {
        *self.state.play.lock().unwrap() = play;
    }

    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Number of the last picture.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        let mut request = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while request.read_line(&mut line)? > 2 {
            line.clear();
        }
        self.connections.fetch_add(1, Ordering::SeqCst);
        match *self.play.lock().unwrap() {
            Play::Page => {
                let page =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";
                return stream.write_all(page.as_bytes());
            }
            Play::Refusal => {
                let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
                return stream.write_all(answer.as_bytes());
            }
            _ => {}
        }
        stream.write_all(
            b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n",
        )?;
        loop {
            thread::sleep(EVERY);
            let play = *self.play.lock().unwrap();
            let number = match play {
                Play::Stall => continue,
                Play::Page | Play::Refusal => return Ok(()),
                _ => self.sent.load(Ordering::SeqCst) + 1,
            };
            let noise = play == Play::Noise || play == Play::SomeNoise && number.is_multiple_of(3);
            let mut picture = Vector::new();
            imencode(".jpg", &scene::bgr(number as u8), &mut picture, &Vector::new()).unwrap();
            let part = if noise { b"no picture".to_vec() } else { picture.iter().collect() };
            // Every other part says its length.
            let length = match number % 2 {
                0 => format!("Content-Length: {}\r\n", part.len()),
                _ => String::new(),
            };
            write!(stream, "--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n")?;
            if play == Play::Cut {
                return stream.write_all(&part[..part.len() / 2]);
            }
            stream.write_all(&part)?;
            stream.write_all(b"\r\n")?;
            self.sent.store(number, Ordering::SeqCst);
        }
    }
}
