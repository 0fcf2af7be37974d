//! A server of HIL-SERL's contract, over an arm that stands behind its gate: so that HIL-SERL's own
//! environment, or anything else that speaks it, drives any of our arms.
//!
//! Answers are those of the contract, except that a pose which the gate does not take is answered by
//! error 500 with the reason, where the original would take it and not move. A pose is followed as far
//! as the gate lets one command lead, and for the length of a lease; then the arm holds.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::watch;
use wire::Clock;

use crate::{ArmError, GuardedArm, SharedArm};

mod answers;
mod homing;

use self::answers::{Answer, Failure, Said};

const BODY_BYTES_MAX: usize = 64 << 10;

/// What is served, and where.
pub struct Settings {
    pub listen: SocketAddr,
    pub arm: SharedArm,
    pub clock: Arc<dyn Clock>,
    /// How long a pose is followed.
    pub lease: Duration,
}

#[derive(Debug, Error)]
pub enum SerlServerError {
    #[error("listening on {address}: {source}; choose another address with --listen")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the server's thread could not be started")]
    Thread(#[source] io::Error),
    #[error("the arm does not say where it stands")]
    Arm(#[from] ArmError),
}

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub struct SerlServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the routes share.
struct Host {
    arm: SharedArm,
    clock: Arc<dyn Clock>,
    lease: Duration,
    /// Where a joint reset leads: where the arm stood at first.
    home: wire::geometry::Pose,
    /// The controller runs: `/stopimp` ends that, `/startimp` begins it.
    driven: AtomicBool,
    /// What the gripper was told last: it goes with every pose.
    grip: std::sync::Mutex<wire::GripperCommand>,
}

impl SerlServer {
    pub fn start(settings: Settings) -> Result<Self, SerlServerError> {
        let address = settings.listen;
        let listen = |source| SerlServerError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let host = Arc::new(Host {
            home: settings.arm.state()?.value.tcp_pose,
            arm: settings.arm,
            clock: settings.clock,
            lease: settings.lease,
            driven: AtomicBool::new(true),
            grip: std::sync::Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(SerlServerError::Thread)?;
        let run = move || {
            if let Err(error) = runtime.block_on(serve(listener, host, stopped)) {
                tracing::error!("the server of HIL-SERL's contract ended: {error}");
            }
            // A joint reset that is under way is not waited for.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new()
            .name("serl-server".into())
            .spawn(run)
            .map_err(SerlServerError::Thread)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for SerlServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A server that panicked has said so.
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: TcpListener,
    host: Arc<Host>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = router(host);
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => ended,
        _ = stop.changed() => Ok(()),
    }
}

fn router(host: Arc<Host>) -> Router {
    let mut router = Router::new();
    for &(route, answer) in answers::QUICK {
        let host = host.clone();
        router = router
            .route(route, post(move |body: Bytes| async move { response(answer(&host, &body)) }));
    }
    for &(route, answer) in answers::SLOW {
        let host = host.clone();
        let slow = move |body: Bytes| async move {
            let answered = tokio::task::spawn_blocking(move || answer(&host, &body)).await;
            response(answered.unwrap_or_else(|e| Err(Failure::server(e))))
        };
        router = router.route(route, post(slow));
    }
    router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(middleware::from_fn(no_browser))
}

/// A browser says from which page a request comes. No page may move the arm.
async fn no_browser(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "the robot is not driven from a page").into_response();
    }
    next.run(request).await
}

fn response(answer: Answer) -> Response {
    const HTML: &str = "text/html; charset=utf-8";
    match answer {
        Ok(Said::Text(text)) => ([(header::CONTENT_TYPE, HTML)], text).into_response(),
        Ok(Said::Json(value)) => json(&value),
        Err(failure) => {
            tracing::warn!("a request failed: {failure}");
            let status =
                StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::CONTENT_TYPE, HTML)], failure.to_string()).into_response()
        }
    }
}

fn json(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

impl Host {
    fn is_driven(&self) -> bool {
        self.driven.load(Ordering::SeqCst)
    }
}
