//! The server as a browser meets it: real sockets on loopback, no actor.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};

use console::{Board, Console, OperatorEvent, PageTeleop, Scene, Settings, SharedHand, Subject};
use drivers::Teleop;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client::IntoClientRequest, http::HeaderValue};
use wire::{Clock, Frame, GripperCommand, ManualClock, SystemClock, Timestamp};

/// Longer than anything here takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

struct Served {
    console: Console,
    board: Board,
    hand: SharedHand,
    /// Stamps what the pages say, so that a test says how late it is.
    clock: Arc<ManualClock>,
    heard: Arc<Mutex<Vec<OperatorEvent>>>,
}

fn serve() -> Served {
    let (board, clock) = (Board::default(), Arc::<ManualClock>::default());
    let hand = SharedHand::new(Duration::from_secs(1));
    let heard = Arc::<Mutex<Vec<_>>>::default();
    let taken = heard.clone();
    let console = Console::start(Settings {
        port: 0,
        subject: Subject { run: "first".into(), ..Subject::default() },
        board: board.clone(),
        hand: Some(hand.clone()),
        events: vec![OperatorEvent::Pause, OperatorEvent::SoftStop],
        take_event: Box::new(move |event| {
            taken.lock().unwrap().push(event);
            Ok(())
        }),
        host_clock: clock.clone(),
    });
    Served { console: console.unwrap(), board, hand, clock, heard }
}

impl Served {
    fn authority(&self) -> &str {
        let url = self.console.url().strip_prefix("http://").unwrap();
        url.split_once('/').unwrap().0
    }

    fn token(&self) -> &str {
        self.console.url().split_once('#').unwrap().1
    }

    fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(self.authority()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The answer to a request for `path` of `host`.
    fn get(&self, path: &str, host: &str) -> String {
        let mut stream = self.stream();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A page from `origin`, if it is let in.
    fn page_from(&self, origin: &str) -> Option<Page> {
        let mut request =
            format!("ws://{}/socket", self.authority()).into_client_request().unwrap();
        request.headers_mut().insert("origin", HeaderValue::from_str(origin).unwrap());
        let (socket, _) = tungstenite::client(request, self.stream()).ok()?;
        Some(Page { socket, sequence: 0 })
    }

    fn page(&self) -> Page {
        self.page_from(&format!("http://{}", self.authority())).unwrap()
    }

    fn unlocked(&self) -> Page {
        let mut page = self.page();
        page.say(json!({"type": "unlock", "token": self.token()}));
        page.hear("unlocked");
        page
    }

    /// The page's hand as the actor samples it.
    fn teleop(&self) -> PageTeleop {
        PageTeleop::new(self.hand.clone(), self.clock.clone(), self.clock.clone(), None)
    }

    fn at(&self, ms: u64) {
        self.clock.sleep_until(Timestamp(ms * 1_000_000));
    }
}

struct Page {
    socket: WebSocket<TcpStream>,
    sequence: u64,
}

impl Page {
    fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).unwrap();
    }

    /// The next message of this type.
    fn hear(&mut self, kind: &str) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == kind {
                    return message;
                }
            }
        }
    }

    /// Says what the hand does, and returns when the server has heard it.
    fn hand(&mut self, sent_ms: u64, push: Option<[f64; 6]>) {
        self.sequence += 1;
        let sequence = self.sequence;
        let hand = json!({"type": "hand", "sequence": sequence, "sent_ms": sent_ms, "push": push});
        self.say(hand);
        self.settle();
    }

    /// Messages are heard in order, and this one is answered.
    fn settle(&mut self) {
        self.say(json!({"type": "nonsense"}));
        let why = self.hear("refused")["why"].clone();
        assert!(why.as_str().unwrap().contains("nonsense"), "{why}");
    }
}

const PUSH: Option<[f64; 6]> = Some([0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);

#[test]
fn the_page_comes_with_everything_and_asks_nobody_else() {
    let served = serve();
    for (path, kind) in [("/", "html"), ("/console.js", "javascript"), ("/console.css", "css")] {
        let answer = served.get(path, served.authority());
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let answer = answer.to_lowercase();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-type: text/{kind}")), "{head}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        let names_others = ["https://", "//cdn"].iter().any(|other| body.contains(other));
        assert!(!names_others, "{path} names another site");
        assert!(kind != "html" || (!body.contains(" style=") && !body.contains(" onclick")));
    }
    assert!(served.get("/runs", served.authority()).starts_with("HTTP/1.1 404"));
}

#[test]
fn another_name_for_this_machine_is_turned_away() {
    let served = serve();
    for host in ["evil.example", "evil.example:7373"] {
        let answer = served.get("/", host);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(!answer.contains("reins"), "{answer}");
    }
}

#[test]
fn a_page_of_another_site_is_turned_away() {
    let served = serve();
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert!(served.page_from(origin).is_none(), "{origin}");
    }
    assert!(served.page_from(&format!("http://{}", served.authority())).is_some());
}

#[test]
fn everybody_here_may_look_and_the_newest_is_shown() {
    let served = serve();
    for steps in 0..100 {
        served.board.show(Scene { env_steps: steps, ..Scene::default() });
    }
    let mut page = served.page();
    assert_eq!(page.hear("hello")["subject"]["run"], "first");
    assert_eq!(page.hear("scene")["scene"]["env_steps"], 99);
    served.board.show(Scene { env_steps: 100, ..Scene::default() });
    assert_eq!(page.hear("scene")["scene"]["env_steps"], 100);
    served.board.picture(vec![Frame::new(8, 8, vec![9; 192]).unwrap(); 2]);
    let mut pictures = Vec::new();
    while pictures.len() < 2 {
        if let Message::Binary(bytes) = page.socket.read().unwrap() {
            pictures.push(bytes[..3].to_vec());
        }
    }
    assert_eq!(pictures, [[0, 0xff, 0xd8], [1, 0xff, 0xd8]]);
}

#[test]
fn nobody_commands_without_the_token() {
    let served = serve();
    let mut teleop = served.teleop();
    let mut page = served.page();
    page.say(json!({"type": "say", "event": "soft_stop"}));
    assert!(page.hear("refused")["why"].as_str().unwrap().contains("only look"));
    page.say(json!({"type": "unlock", "token": "0".repeat(64)}));
    page.hear("refused");
    page.say(json!({"type": "hand", "sequence": 1, "sent_ms": 0, "push": PUSH}));
    assert!(page.hear("refused")["why"].as_str().unwrap().contains("only look"));
    assert!(!teleop.sample().unwrap().value.engaged);
    assert_eq!(*served.heard.lock().unwrap(), []);
}

#[test]
fn what_the_actor_does_not_understand_is_refused_by_name() {
    let served = serve();
    let mut page = served.unlocked();
    page.say(json!({"type": "say", "event": "soft_stop"}));
    assert_eq!(page.hear("took")["event"], "soft_stop");
    page.say(json!({"type": "say", "event": "success"}));
    page.hear("refused");
    assert_eq!(*served.heard.lock().unwrap(), [OperatorEvent::SoftStop]);
}

#[test]
fn a_page_drives_for_as_long_as_it_is_heard() {
    let served = serve();
    let mut teleop = served.teleop();
    let mut page = served.unlocked();
    served.at(1000);
    page.hand(500, PUSH);
    let sample = teleop.sample().unwrap();
    assert_eq!((sample.value.twist[1], sample.value.engaged), (1.0, true));
    served.at(1150);
    assert!(teleop.sample().unwrap().value.engaged);
    served.at(1151);
    assert!(teleop.sample().is_err(), "the page is late");
    page.hand(651, None);
    assert!(!teleop.sample().unwrap().value.engaged);
}

#[test]
fn old_pushes_that_come_late_move_nothing() {
    let served = serve();
    let mut teleop = served.teleop();
    let mut page = served.unlocked();
    served.at(1000);
    page.hand(500, PUSH);
    // The connection stood still for two seconds, and then everything comes at once.
    served.at(3000);
    for sent in [520, 540, 560] {
        page.hand(sent, PUSH);
    }
    assert!(teleop.sample().is_err());
    page.hand(2500, PUSH);
    assert!(teleop.sample().unwrap().value.engaged);
}

#[test]
fn a_hidden_page_and_a_cut_socket_lose_the_hand_at_once() {
    let served = serve();
    let mut teleop = served.teleop();
    let mut page = served.unlocked();
    page.hand(0, PUSH);
    page.say(json!({"type": "let_go"}));
    page.settle();
    let why = teleop.sample().unwrap_err().to_string();
    assert!(why.contains("hidden"), "{why}");

    page.hand(20, PUSH);
    assert!(teleop.sample().unwrap().value.engaged);
    drop(page);
    // Nobody waits for the dead man's time: the clock stands still here.
    let mut looks = 0;
    while teleop.sample().is_ok() {
        looks += 1;
        assert!(looks < 1_000_000, "the server never noticed");
        std::thread::yield_now();
    }
    let why = teleop.sample().unwrap_err().to_string();
    assert!(why.contains("closed"), "{why}");
}

#[test]
fn two_pages_do_not_drive_at_once() {
    let served = serve();
    let (mut one, mut two) = (served.unlocked(), served.unlocked());
    one.hand(0, PUSH);
    two.say(json!({"type": "hand", "sequence": 1, "sent_ms": 0, "push": [0, -1, 0, 0, 0, 0]}));
    assert!(two.hear("refused")["why"].as_str().unwrap().contains("another page drives"));
    assert_eq!(served.teleop().sample().unwrap().value.twist[1], 1.0);
}

#[test]
fn a_tap_on_the_grippers_key_is_told_once() {
    let served = serve();
    let mut page = served.unlocked();
    let closes = json!({"type": "hand", "sequence": 1, "sent_ms": 0, "push": [0, 0, 0, 0, 0, 0], "gripper": "close"});
    page.say(closes);
    page.say(json!({"type": "hand", "sequence": 2, "sent_ms": 1, "push": null, "gripper": null}));
    page.say(json!({"type": "say", "event": "pause"}));
    page.hear("took");
    let mut teleop = served.teleop();
    let sample = teleop.sample().unwrap().value;
    assert_eq!((sample.gripper, sample.engaged), (GripperCommand::Close, true));
    assert_eq!(teleop.sample().unwrap().value.gripper, GripperCommand::Stay);
}

#[test]
fn a_message_that_is_too_long_ends_the_connection() {
    let served = serve();
    let mut page = served.unlocked();
    let _ = page.socket.send(Message::text("x".repeat(10_000)));
    let ended = loop {
        match page.socket.read() {
            Ok(Message::Close(_)) => break true,
            Ok(_) => {}
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => break false,
            Err(_) => break true,
        }
    };
    assert!(ended);
}

#[test]
fn the_last_word_is_told_before_the_server_ends() {
    let served = serve();
    let mut page = served.page();
    page.hear("scene");
    served.board.show(Scene { ended: true, ..Scene::default() });
    drop(served);
    let mut ended = false;
    while let Ok(message) = page.socket.read() {
        if let Message::Text(text) = message {
            let message: Value = serde_json::from_str(&text).unwrap();
            ended = message["scene"]["ended"] == true;
        }
    }
    assert!(ended, "the page did not hear that the run ended");
}

#[test]
fn a_port_that_is_taken_is_named_with_the_remedy() {
    let served = serve();
    let port = served.authority().rsplit_once(':').unwrap().1.parse().unwrap();
    let error = Console::start(Settings {
        port,
        subject: Subject::default(),
        board: Board::default(),
        hand: None,
        events: Vec::new(),
        take_event: Box::new(|_| Ok(())),
        host_clock: Arc::new(SystemClock::new()),
    });
    let error = error.err().unwrap().to_string();
    assert!(error.contains(&port.to_string()) && error.contains("--console PORT"), "{error}");
}
