//! The operator's page of an actor: gives the page what the actor's views and status and the run's
//! folder say, and the actor what the person on the page does. The terminal's words are in
//! `terminal`.
//!
//! It stands between the actor and its recording on a thread of its own. The actor drops a view
//! when the channel is full, as ever, and waits for nobody.

mod curves;
mod showing;

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use actor::{OperatorCommand, StatusSlot, ViewEvent};
use anyhow::Context;
use console::{
    Board, Console, Curves, OperatorEvent, PageTeleop, Rates, Settings, SharedHand, Subject,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use wire::{Clock, Mark, SystemClock, Timestamp};

pub use self::curves::{Folder, losses, past, rates};
use self::showing::Showing;
use crate::{
    parts::cell::Cell,
    run_dir::{Configuration, RunDir},
};

/// Views that may wait here for the recording; more are dropped and counted.
const VIEW_QUEUE: usize = 256;
/// How often the status is shown when there is no step.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// Added to the time after which the policy drives again: a page that is lost before that is told
/// from one that has let go.
const REST_MARGIN: Duration = Duration::from_millis(600);

/// What every actor understands of what the page can say.
const UNDERSTOOD: [(OperatorEvent, OperatorCommand); 8] = [
    (OperatorEvent::Start, OperatorCommand::Resume),
    (OperatorEvent::Pause, OperatorCommand::Pause),
    (OperatorEvent::Success, OperatorCommand::Mark(Mark::Success)),
    (OperatorEvent::Failure, OperatorCommand::Mark(Mark::Failure)),
    (OperatorEvent::Reset, OperatorCommand::EndEpisode),
    (OperatorEvent::Release, OperatorCommand::Release),
    (OperatorEvent::SoftStop, OperatorCommand::EmergencyStop),
    (OperatorEvent::Recover, OperatorCommand::Recover),
];
/// And where demonstrations wait for a word.
const ON_DEMONSTRATIONS: [(OperatorEvent, OperatorCommand); 3] = [
    (OperatorEvent::Keep, OperatorCommand::Keep),
    (OperatorEvent::Discard, OperatorCommand::Discard),
    (OperatorEvent::Undo, OperatorCommand::Undo),
];

/// A page that is served, before the actor is there.
pub struct Page {
    server: Console,
    board: Board,
    hand: SharedHand,
    host_clock: Arc<dyn Clock>,
    showing: Showing,
}

impl Page {
    /// Serves the page and prints where it is. `review`: demonstrations wait for a word.
    pub fn serve(
        port: u16,
        run_dir: &RunDir,
        configuration: &Configuration,
        say: Sender<OperatorCommand>,
        review: bool,
    ) -> anyhow::Result<Self> {
        let on_demonstrations: &[_] = if review { &ON_DEMONSTRATIONS } else { &[] };
        let understood = [&UNDERSTOOD, on_demonstrations].concat();
        let events = understood.iter().map(|(event, _)| *event).collect();
        let (board, host_clock) = (Board::default(), Arc::new(SystemClock::new()));
        let hand = SharedHand::new(configuration.cell.teleop.release_hold() + REST_MARGIN);
        let release = hand.clone();
        let take_event = move |event: OperatorEvent| -> Result<(), String> {
            let (_, command) = understood
                .iter()
                .find(|(known, _)| *known == event)
                .ok_or("the actor does not know that word")?;
            say.try_send(*command).map_err(|_| "the actor was not told; say it again")?;
            if event == OperatorEvent::Release {
                release.let_go();
            }
            Ok(())
        };
        let server = Console::start(Settings {
            port,
            subject: subject(run_dir, configuration),
            board: board.clone(),
            hand: Some(hand.clone()),
            events,
            take_event: Box::new(take_event),
            host_clock: host_clock.clone(),
        })?;
        eprintln!("operator's page: {}", server.url());
        let showing = Showing::new(board.clone(), configuration);
        Ok(Self { server, board, hand, host_clock, showing })
    }

    /// Puts the page's hand before the cell's own teleop device. Of two arms it drives the first, which
    /// is the one that the page shows.
    pub fn take_over(&self, cell: &mut Cell) {
        let Some(first) = cell.arms.first_mut() else { return };
        let (hand, own) = (self.hand.clone(), first.teleop.take());
        let page = PageTeleop::new(hand, self.host_clock.clone(), cell.clock.clone(), own);
        first.teleop = Some(Box::new(page));
    }

    /// Shows what the actor says from here on, and passes its views on to the recording.
    pub fn watch(
        self,
        recording: Sender<ViewEvent>,
        status: StatusSlot,
        run_dir: &RunDir,
    ) -> anyhow::Result<WatchingPage> {
        let (views, seen) = crossbeam_channel::bounded(VIEW_QUEUE);
        let (remembered, past) = crossbeam_channel::bounded(1);
        let Self { server, board, showing, .. } = self;
        let folder = Folder::new(run_dir.metrics());
        let relay = Relay { recording, status, showing, folder, past, curves: Curves::default() };
        let start = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.into());
            thread.spawn(work).context("starting the operator's page")
        };
        let thread = start("console-views", Box::new(move || relay.run(&seen, &board)))?;
        // The journal holds every picture, so that this takes a while. Nobody waits for it.
        let run_dir = run_dir.clone();
        start("console-past", Box::new(move || remember(&run_dir, &remembered)))?;
        Ok(WatchingPage { server, views, thread })
    }
}

/// A page that shows an actor.
pub struct WatchingPage {
    server: Console,
    views: Sender<ViewEvent>,
    thread: JoinHandle<()>,
}

impl WatchingPage {
    /// Where the actor's views are to go.
    pub fn views(&self) -> &Sender<ViewEvent> {
        &self.views
    }

    /// Shows the last word. Call when the actor has let go of its sender.
    pub fn finish(self) {
        let Self { server, views, thread } = self;
        drop(views);
        // A thread that panicked has said so.
        let _ = thread.join();
        drop(server);
    }
}

/// What the run did before this process, as far as it lies on this machine.
fn remember(run_dir: &RunDir, remembered: &Sender<Vec<Rates>>) {
    match past(run_dir) {
        Ok((rates, _)) => drop(remembered.send(rates)),
        Err(error) => tracing::debug!("the page shows no earlier episodes: {error:#}"),
    }
}

struct Relay {
    recording: Sender<ViewEvent>,
    status: StatusSlot,
    showing: Showing,
    folder: Folder,
    past: Receiver<Vec<Rates>>,
    curves: Curves,
}

impl Relay {
    fn run(mut self, seen: &Receiver<ViewEvent>, board: &Board) {
        let clock = SystemClock::new();
        loop {
            let event = seen.recv_timeout(STATUS_EVERY);
            if let Ok(event) = &event {
                self.showing.see(event);
            }
            self.showing.show(&self.status.get());
            if self.redraw(clock.now()) {
                board.draw(self.curves.clone());
            }
            match event {
                // The recording's thread may wait for the disk; the actor does not wait for us.
                Ok(event) => drop(self.recording.send(event)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Whether there is something new on the curves.
    fn redraw(&mut self, now: Timestamp) -> bool {
        if let Ok(past) = self.past.try_recv() {
            self.showing.remember(past);
        }
        let losses = self.folder.news(now).map(losses);
        let rates = self.showing.new_rates();
        let is_new = losses.is_some() || rates.is_some();
        if let Some(losses) = losses {
            self.curves.losses = losses;
        }
        if let Some(rates) = rates {
            self.curves.rates = rates;
        }
        is_new
    }
}

/// What the page of an actor is about.
pub fn subject(run_dir: &RunDir, configuration: &Configuration) -> Subject {
    let Configuration { cell, task, .. } = configuration;
    Subject {
        run: run_dir.name(),
        task: task.name.clone(),
        cell: cell.name.clone(),
        cameras: task.cameras.clone(),
        workspace_m: Some([cell.limits.workspace_min_m, cell.limits.workspace_max_m]),
        axes: task.action_names(),
        episode_steps: task.episode_steps,
        live: true,
    }
}
