//! The live display: a bar for the budget and a line that says what both processes do.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use learner::status::Phase;

use crate::supervise::Heard;

/// Without a terminal a plain line is printed this often instead.
const LINE_EVERY: Duration = Duration::from_secs(15);

pub struct Progress {
    bar: ProgressBar,
    actor: Option<actor::Status>,
    learner: Option<learner::Status>,
    plain: bool,
    clock: wire::SystemClock,
    last_line: Option<wire::Timestamp>,
}

impl Progress {
    pub fn new() -> Self {
        let plain = !std::io::stderr().is_terminal();
        let target =
            if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = "{bar:32.cyan/blue} {pos}/{len} {elapsed_precise} eta {eta}\n{msg}";
        bar.set_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self {
            bar,
            actor: None,
            learner: None,
            plain,
            clock: wire::SystemClock::new(),
            last_line: None,
        }
    }

    pub fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Actor(status) => self.actor = Some(*status),
            Heard::Learner(status) => self.learner = Some(*status),
        }
        let (position, length) = self.position();
        self.bar.set_length(length);
        self.bar.set_position(position);
        let line = self.line();
        if self.plain {
            self.print_now_and_then(&line);
        } else {
            self.bar.set_message(line);
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
        eprintln!("{}", self.line());
    }

    /// Demonstrations first, then training steps.
    fn position(&self) -> (u64, u64) {
        match &self.learner {
            Some(l) if l.phase == Phase::WaitingForDemonstrations => {
                (l.demonstrations.into(), l.demonstrations_wanted.into())
            }
            Some(l) => (l.env_steps, l.env_steps_wanted),
            None => (0, 1),
        }
    }

    fn line(&self) -> String {
        let learner = match &self.learner {
            None => "learner: starting".into(),
            Some(l) => l.to_string(),
        };
        let actor =
            self.actor.as_ref().map_or_else(|| "actor: starting".into(), ToString::to_string);
        format!("{learner}\n{actor}")
    }

    fn print_now_and_then(&mut self, line: &str) {
        let now = wire::Clock::now(&self.clock);
        if self.last_line.is_none_or(|last| now.since(last) >= LINE_EVERY) {
            self.last_line = Some(now);
            eprintln!("{line}");
        }
    }
}
