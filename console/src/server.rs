//! Serves the page on 127.0.0.1, from a thread of its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State, WebSocketUpgrade},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use wire::Clock;

use crate::{
    board::Board,
    event::OperatorEvent,
    hand::{PageId, SharedHand},
    protocol::MESSAGE_BYTES_MAX,
    scene::Subject,
    session,
    visitor::{Token, refuse_host, refuse_origin},
};

/// Pages at a time; more are turned away.
const PAGES_MAX: usize = 16;
/// How long the pages get to take the last word.
const FAREWELL: Duration = Duration::from_millis(500);

/// Everything comes from this server, and nothing may frame the page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/console.css", "text/css; charset=utf-8", include_str!("page/console.css")),
    ("/console.js", "text/javascript; charset=utf-8", include_str!("page/console.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// Tells the actor what the operator said; says why when that cannot be. Called on the server's
/// thread, so it must not wait.
pub type EventTaker = Box<dyn Fn(OperatorEvent) -> Result<(), String> + Send + Sync>;

/// What is served and to whom it speaks.
pub struct Settings {
    /// Of 127.0.0.1; 0 takes one that is free.
    pub port: u16,
    pub subject: Subject,
    pub board: Board,
    /// What a page drives with; `None` for a page to look at.
    pub hand: Option<SharedHand>,
    /// What the actor understands.
    pub events: Vec<OperatorEvent>,
    pub take_event: EventTaker,
    /// Stamps what the pages say.
    pub host_clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum ConsoleError {
    #[error(
        "the console cannot listen on 127.0.0.1:{port}: {source}; choose another port with \
         --console PORT"
    )]
    Listen { port: u16, source: io::Error },
    #[error("the system gave no random numbers for the console's token: {0}")]
    Token(io::Error),
    #[error("the console's thread could not be started: {0}")]
    Thread(io::Error),
}

/// What all sessions share.
pub struct Shared {
    pub subject: Subject,
    pub board: Board,
    pub hand: Option<SharedHand>,
    pub events: Vec<OperatorEvent>,
    pub take_event: EventTaker,
    pub host_clock: Arc<dyn Clock>,
    pub token: Token,
    next_page: AtomicU64,
    room: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// The server. It ends when this is dropped.
pub struct Console {
    url: String,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Console {
    pub fn start(settings: Settings) -> Result<Self, ConsoleError> {
        let port = settings.port;
        let listen = |source| ConsoleError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            subject: settings.subject,
            board: settings.board,
            hand: settings.hand,
            events: settings.events,
            take_event: settings.take_event,
            host_clock: settings.host_clock,
            token: Token::random().map_err(ConsoleError::Token)?,
            next_page: AtomicU64::new(1),
            room: Arc::new(Semaphore::new(PAGES_MAX)),
            stop: stopped,
        });
        let url = url(address, &shared.token);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ConsoleError::Thread)?;
        let run = move || {
            if let Err(error) = runtime.block_on(serve(listener, shared)) {
                tracing::error!("the console ended: {error}");
            }
        };
        let thread = thread::Builder::new()
            .name("console".into())
            .spawn(run)
            .map_err(ConsoleError::Thread)?;
        Ok(Self { url, stop, thread: Some(thread) })
    }

    /// Where the page is, with the token that lets it command.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A server that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// The token is behind the `#`: browsers keep it to themselves.
fn url(address: SocketAddr, token: &Token) -> String {
    format!("http://{address}/#{}", token.as_str())
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (mut stop, room) = (shared.stop.clone(), shared.room.clone());
    let mut router = Router::new().route("/socket", get(connect));
    for (path, kind, text) in FILES {
        router = router.route(path, get(move || file(kind, text)));
    }
    let router = router.layer(middleware::from_fn(guard)).with_state(shared);
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => return ended,
        _ = stop.changed() => {}
    }
    // Each page gives its place back when it has the last word.
    let everybody = room.acquire_many(u32::try_from(PAGES_MAX).expect("a small number"));
    let _ = tokio::time::timeout(FAREWELL, everybody).await;
    Ok(())
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

/// Before anything else, and on every answer.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refuse_host(request.headers()) {
        None => next.run(request).await,
        Some(why) => refusal(why),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(why: &'static str) -> Response<Body> {
    (StatusCode::FORBIDDEN, why).into_response()
}

async fn connect(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Some(why) = refuse_origin(&headers) {
        return refusal(why);
    }
    let Ok(place) = shared.room.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open").into_response();
    };
    let page = PageId(shared.next_page.fetch_add(1, Ordering::Relaxed));
    let stop = shared.stop.clone();
    upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX).on_upgrade(
        async move |socket| {
            session::serve(socket, shared, page, stop).await;
            drop(place);
        },
    )
}
