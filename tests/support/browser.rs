//! A headless Chromium that is told over its DevTools socket what to do.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};
use wire::{Clock, SystemClock};

use super::{Process, page::PATIENCE};

const NAMES: [&str; 5] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const LISTENS: &str = "DevTools listening on ws://";

/// A Chromium on this machine.
pub fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let all = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    env::var_os("CHROMIUM").map(PathBuf::from).into_iter().chain(all).find(|path| path.is_file())
}

/// One tab.
pub struct Browser {
    socket: WebSocket<TcpStream>,
    calls: u64,
    session: String,
    /// Errors on the page, those against its own security policy among them.
    pub errors: Vec<String>,
    process: Process,
    _profile: TempDir,
}

impl Browser {
    pub fn open(program: &Path, url: &str, [width, height]: [u32; 2]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The sandbox wants rights that a container does not give; the page is our own.
        let mut command = Command::new(program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg("about:blank").stdout(Stdio::null()).stderr(Stdio::piped());
        // What is called Chromium may be a script that starts it, and it is many processes.
        command.process_group(0);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let process = Process(Some(child));
        let at = lines.find_map(|line| Some(line.strip_prefix(LISTENS)?.to_owned())).unwrap();
        thread::Builder::new().name("drain".into()).spawn(move || lines.for_each(drop)).unwrap();
        let stream = TcpStream::connect(at.split_once('/').unwrap().0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(format!("ws://{at}"), stream).unwrap();
        let mut browser = Self {
            socket,
            calls: 0,
            session: String::new(),
            errors: Vec::new(),
            process,
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Log.enable", "Runtime.enable", "Page.enable"] {
            browser.call(domain, json!({}));
        }
        browser.resize([width, height], false);
        browser.call("Page.navigate", json!({"url": url}));
        browser
    }

    pub fn resize(&mut self, [width, height]: [u32; 2], touch: bool) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    pub fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let heard: Value = serde_json::from_str(&text).unwrap();
            match heard["method"].as_str() {
                Some("Log.entryAdded") if heard["params"]["entry"]["level"] == "error" => {
                    self.errors.push(heard["params"]["entry"].to_string());
                }
                Some("Runtime.exceptionThrown") => self.errors.push(heard["params"].to_string()),
                _ => {}
            }
            if heard["id"] == id {
                assert!(heard["error"].is_null(), "{method}: {heard}");
                return heard["result"].clone();
            }
        }
    }

    /// What an expression on the page gives.
    pub fn ask(&mut self, expression: &str) -> Value {
        self.evaluate(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn evaluate(&mut self, expression: &str) -> Result<Value, Value> {
        let params = json!({"expression": expression, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", params);
        match answer["exceptionDetails"].is_null() {
            true => Ok(answer["result"]["value"].clone()),
            false => Err(answer),
        }
    }

    /// Waits until it is true; on a page that is not there yet nothing is.
    pub fn wait_for(&mut self, expression: &str) {
        let clock = SystemClock::new();
        let until = clock.now() + PATIENCE;
        while self.evaluate(expression) != Ok(Value::Bool(true)) {
            assert!(clock.now() < until, "{expression} is not so within {PATIENCE:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn key_down(&mut self, key: &str) {
        let text = if key.len() == 1 { key } else { "" };
        let params = json!({"type": "keyDown", "key": key, "text": text});
        self.call("Input.dispatchKeyEvent", params);
    }

    pub fn key_up(&mut self, key: &str) {
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key}));
    }

    pub fn press(&mut self, key: &str) {
        self.key_down(key);
        self.key_up(key);
    }

    /// A picture of the whole page.
    pub fn photograph(&mut self, file: &Path) {
        let wanted = json!({"format": "png", "captureBeyondViewport": false});
        let picture = self.call("Page.captureScreenshot", wanted);
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    /// The browser is gone at once, all its processes, as when its machine fails.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.process.signal_group("KILL");
    }
}
