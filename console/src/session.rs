//! One page that is connected: what it says and what it is told. Reading and writing are apart, so
//! that a page that takes nothing can still say something, and the other way round.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use wire::Timestamp;

use crate::{
    hand::{Busy, DEAD_MAN, Does, Loss, PageId},
    lateness::Lateness,
    picture,
    protocol::{FromPage, ToPage, parse},
    server::Shared,
};

/// Answers that wait for the connection; a page that asks faster than it listens gets no more.
const ANSWERS: usize = 16;
/// A page that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn serve(
    socket: WebSocket,
    shared: Arc<Shared>,
    page: PageId,
    stop: watch::Receiver<bool>,
) {
    let (out, heard) = socket.split();
    let (answer, answers) = mpsc::channel(ANSWERS);
    tokio::select! {
        () = listen(heard, Listener::new(&shared, page), answer) => {}
        () = tell(out, &shared, answers, stop) => {}
    }
    if let Some(hand) = &shared.hand {
        hand.lock().lose(page, Loss::Closed);
    }
}

async fn listen(
    mut heard: SplitStream<WebSocket>,
    mut listener: Listener<'_>,
    answer: mpsc::Sender<String>,
) {
    while let Some(Ok(message)) = heard.next().await {
        match message {
            Message::Text(text) => {
                let now = listener.shared.host_clock.now();
                if let Some(words) = listener.hear(now, &text) {
                    let _ = answer.try_send(words);
                }
            }
            Message::Close(_) => return,
            // The library answers pings.
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

/// Whatever is new, the newest first and nothing twice.
async fn tell(
    out: SplitSink<WebSocket, Message>,
    shared: &Shared,
    mut answers: mpsc::Receiver<String>,
    mut stop: watch::Receiver<bool>,
) {
    let mut out = Out(out);
    let hello = ToPage::Hello {
        subject: &shared.subject,
        events: &shared.events,
        drives: shared.hand.is_some(),
        dead_man_ms: u64::try_from(DEAD_MAN.as_millis()).expect("a short time"),
    };
    let board = &shared.board;
    let (mut scenes, mut curves) = (board.scene.subscribe(), board.curves.subscribe());
    let mut pictures = board.pictures.subscribe();
    scenes.mark_changed();
    curves.mark_changed();
    pictures.mark_changed();
    let mut listens = out.say(hello.to_json()).await;
    while listens {
        listens = tokio::select! {
            biased;
            Some(words) = answers.recv() => out.say(words).await,
            _ = stop.changed() => {
                let scene = scenes.borrow_and_update().clone();
                out.say(ToPage::Scene { scene: &scene }.to_json()).await;
                out.send(Message::Close(None)).await;
                false
            }
            _ = scenes.changed() => {
                let scene = scenes.borrow_and_update().clone();
                out.say(ToPage::Scene { scene: &scene }.to_json()).await
            }
            _ = pictures.changed() => {
                let frames = pictures.borrow_and_update().clone();
                out.show(&frames).await
            }
            _ = curves.changed() => {
                let curves = curves.borrow_and_update().clone();
                out.say(ToPage::Curves { curves: &curves }.to_json()).await
            }
        };
    }
}

struct Out(SplitSink<WebSocket, Message>);

impl Out {
    /// Whether the page still listens.
    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(PATIENCE, self.0.send(message)).await, Ok(Ok(())))
    }

    async fn say(&mut self, words: String) -> bool {
        self.send(Message::Text(words.into())).await
    }

    async fn show(&mut self, frames: &[wire::Frame]) -> bool {
        for (camera, frame) in (0..=u8::MAX).zip(frames) {
            match picture::message(camera, frame) {
                Ok(bytes) => {
                    if !self.send(Message::Binary(bytes.into())).await {
                        return false;
                    }
                }
                Err(error) => tracing::debug!(camera, "a picture cannot be shown: {error}"),
            }
        }
        true
    }
}

/// Takes what one page says, and says what it is answered.
struct Listener<'a> {
    shared: &'a Shared,
    page: PageId,
    unlocked: bool,
    lateness: Lateness,
    /// What a hand was refused for last: told once, not fifty times a second.
    told: Option<&'static str>,
}

const LOCKED: &str = "this page may only look: open the address that was printed at the start";
const BUSY: &str = "another page drives";
const NO_HAND: &str = "this console has no hand on the arm";

impl<'a> Listener<'a> {
    fn new(shared: &'a Shared, page: PageId) -> Self {
        Self { shared, page, unlocked: false, lateness: Lateness::default(), told: None }
    }

    fn hear(&mut self, now: Timestamp, text: &str) -> Option<String> {
        let refused = |why: &str| Some(ToPage::Refused { why }.to_json());
        match parse(text) {
            Err(why) => refused(&format!("not understood: {why}")),
            Ok(FromPage::Unlock { token }) => {
                self.unlocked = self.shared.token.is(&token);
                if !self.unlocked {
                    tracing::warn!("a page showed the console a wrong token");
                    return refused(LOCKED);
                }
                Some(ToPage::Unlocked.to_json())
            }
            Ok(FromPage::Hand { sequence, sent_ms, push, gripper }) => {
                let does = Does { push, gripper: gripper.map(Into::into).unwrap_or_default() };
                let why = self.hand(now, sequence, sent_ms, does).err();
                if self.told == why {
                    return None;
                }
                self.told = why;
                why.and_then(refused)
            }
            Ok(FromPage::LetGo) => {
                if let Some(hand) = &self.shared.hand {
                    hand.lock().lose(self.page, Loss::Hidden);
                }
                None
            }
            Ok(FromPage::Say { .. }) if !self.unlocked => refused(LOCKED),
            Ok(FromPage::Say { event }) if !self.shared.events.contains(&event) => {
                refused("the actor does not know that word")
            }
            Ok(FromPage::Say { event }) => {
                tracing::info!(?event, "the operator's page");
                match (self.shared.take_event)(event) {
                    Ok(()) => Some(ToPage::Took { event }.to_json()),
                    Err(why) => refused(&why),
                }
            }
        }
    }

    fn hand(
        &mut self,
        now: Timestamp,
        sequence: u64,
        sent_ms: f64,
        does: Does,
    ) -> Result<(), &'static str> {
        let hand = self.shared.hand.as_ref().ok_or(NO_HAND)?;
        if !self.unlocked {
            return Err(LOCKED);
        }
        // What is late proves nothing about now: the hand is late too, and says so by its silence.
        match self.lateness.of(now, sequence, sent_ms) {
            Some(late) if late <= DEAD_MAN => {
                hand.lock().hear(now.before(late), self.page, does).map_err(|Busy| BUSY)
            }
            _ => Ok(()),
        }
    }
}
