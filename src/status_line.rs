//! How a process on its own says what it is doing: a line now and then for people, or JSON lines
//! on stdout for the process that started it.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use serde::Serialize;
use wire::{Clock, SystemClock, Timestamp};

/// A terminal gets a line this often, anything else less often.
const TERMINAL_EVERY: Duration = Duration::from_secs(2);
const FILE_EVERY: Duration = Duration::from_secs(15);

pub struct Reporter {
    json: bool,
    every: Duration,
    clock: SystemClock,
    last: Option<Timestamp>,
}

impl Reporter {
    pub fn new(json: bool) -> Self {
        let every = if std::io::stderr().is_terminal() { TERMINAL_EVERY } else { FILE_EVERY };
        Self { json, every, clock: SystemClock::new(), last: None }
    }

    pub fn actor(&mut self, status: &actor::Status) {
        self.say(status, ToString::to_string);
    }

    pub fn learner(&mut self, status: &learner::Status) {
        self.say(status, ToString::to_string);
    }

    fn say<S: Serialize>(&mut self, status: &S, line: impl FnOnce(&S) -> String) {
        if self.json {
            let mut out = std::io::stdout().lock();
            // A parent that is gone does not listen; the run goes on.
            let _ = serde_json::to_writer(&mut out, status);
            let _ = out.write_all(b"\n");
            let _ = out.flush();
            return;
        }
        let now = self.clock.now();
        if self.last.is_none_or(|last| now.since(last) >= self.every) {
            self.last = Some(now);
            eprintln!("{}", line(status));
        }
    }
}
