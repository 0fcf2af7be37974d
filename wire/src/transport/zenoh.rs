//! The link over zenoh: peer to peer, one TCP connection, no router, no multicast.
//!
//! Requests are zenoh queries, because a reply is the only proof that a message arrived: a put may
//! vanish with a closing transport and still return `Ok`. Policies and paces are puts of which
//! only the newest counts; the learner repeats them when an actor says hello.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use zenoh::{
    Session, Wait,
    bytes::ZBytes,
    handlers::FifoChannel,
    key_expr::OwnedKeyExpr,
    pubsub::{Publisher, Subscriber},
    qos::CongestionControl,
    query::{Query, Queryable},
    sample::Sample,
};

use super::{ActorLink, LearnerLink, LinkError, RequestHandler, keys};
use crate::{
    codec::{self, CodecError, Message},
    message::{ActorRequest, LearnerReply, Pace, PolicySnapshot, Refusal},
};

/// How many requests may wait for the learner's handler; each actor has one under way at a time.
const REQUEST_QUEUE: usize = 64;
/// How often the serving thread looks whether the link is being dropped.
const SERVE_POLL: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Listen,
    Connect,
}

fn open(endpoint: &str, role: Role) -> Result<Session, LinkError> {
    let failed = |e: &dyn fmt::Display| {
        let text = e.to_string();
        let reason = match role {
            Role::Listen if text.contains("in use") || text.contains("os error 98") => {
                "the port is in use: stop the other learner or choose another [link] endpoint"
                    .into()
            }
            _ => text.lines().next().unwrap_or_default().to_owned(),
        };
        LinkError::Open { endpoint: endpoint.to_owned(), reason }
    };
    let mut config = zenoh::Config::default();
    let place = match role {
        Role::Listen => "listen/endpoints",
        Role::Connect => "connect/endpoints",
    };
    for (key, value) in [
        ("mode", "\"peer\"".to_owned()),
        ("scouting/multicast/enabled", "false".to_owned()),
        ("scouting/gossip/enabled", "false".to_owned()),
        ("listen/endpoints", "[]".to_owned()),
        ("listen/exit_on_failure", "true".to_owned()),
        // The other side may be started later, and may be restarted: keep trying, quickly.
        ("connect/exit_on_failure", "false".to_owned()),
        (
            "connect/retry",
            "{ period_init_ms: 200, period_max_ms: 1000, period_increase_factor: 1.5 }".to_owned(),
        ),
        (place, format!("[\"{endpoint}\"]")),
    ] {
        config.insert_json5(key, &value).map_err(|e| failed(&e))?;
    }
    zenoh::open(config).wait().map_err(|e| failed(&e))
}

fn broken(e: impl fmt::Display) -> LinkError {
    LinkError::Broken(e.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the newest message of one key.
struct Newest<M> {
    slot: Arc<Mutex<Option<M>>>,
    _subscriber: Subscriber<()>,
}

impl<M: Message + Send + 'static> Newest<M> {
    fn subscribe(session: &Session, key: String) -> Result<Self, LinkError> {
        let slot = Arc::new(Mutex::new(None));
        let newest = slot.clone();
        let receive = move |sample: Sample| match codec::decode(&sample.payload().to_bytes()) {
            Ok(message) => *lock(&newest) = Some(message),
            Err(error) => tracing::warn!(key = %sample.key_expr(), %error, "unreadable message"),
        };
        let subscriber =
            session.declare_subscriber(key).callback(receive).wait().map_err(broken)?;
        Ok(Self { slot, _subscriber: subscriber })
    }
}

/// The actor's end. Connects by itself, also when the learner is started later or again.
pub struct ZenohLearnerLink {
    session: Session,
    requests: OwnedKeyExpr,
    policy: Newest<PolicySnapshot>,
    pace: Newest<Pace>,
}

impl ZenohLearnerLink {
    /// `endpoint` in zenoh's words, for example `tcp/127.0.0.1:7447`.
    pub fn connect(endpoint: &str, run: &str) -> Result<Self, LinkError> {
        let session = open(endpoint, Role::Connect)?;
        Ok(Self {
            policy: Newest::subscribe(&session, keys::policy(run))?,
            pace: Newest::subscribe(&session, keys::pace(run))?,
            requests: OwnedKeyExpr::new(keys::requests(run)).map_err(broken)?,
            session,
        })
    }
}

impl fmt::Debug for ZenohLearnerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zenoh link to {}", self.requests)
    }
}

impl LearnerLink for ZenohLearnerLink {
    fn request(
        &self,
        request: &ActorRequest,
        timeout: Duration,
    ) -> Result<LearnerReply, LinkError> {
        let replies = self
            .session
            .get(&self.requests)
            .payload(codec::encode(request)?)
            .congestion_control(CongestionControl::Block)
            .timeout(timeout)
            .with(FifoChannel::new(1))
            .wait()
            .map_err(broken)?;
        let Ok(reply) = replies.recv() else {
            return Err(LinkError::NoAnswer(timeout));
        };
        match reply.into_result() {
            Ok(sample) => Ok(codec::decode(&sample.payload().to_bytes())?),
            Err(_) => Err(LinkError::NoAnswer(timeout)),
        }
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        lock(&self.policy.slot).take()
    }

    fn pace(&self) -> Option<Pace> {
        *lock(&self.pace.slot)
    }
}

/// The learner's end: listens.
pub struct ZenohActorLink {
    queryable: Arc<Queryable<zenoh::handlers::FifoChannelHandler<Query>>>,
    policy: Publisher<'static>,
    pace: Publisher<'static>,
    closing: Arc<AtomicBool>,
    server: Mutex<Option<JoinHandle<()>>>,
    _session: Session,
}

impl ZenohActorLink {
    pub fn listen(endpoint: &str, run: &str) -> Result<Self, LinkError> {
        let session = open(endpoint, Role::Listen)?;
        let publisher = |key: String| {
            session
                .declare_publisher(key)
                .congestion_control(CongestionControl::Block)
                .wait()
                .map_err(broken)
        };
        let queryable = session
            .declare_queryable(keys::requests(run))
            .with(FifoChannel::new(REQUEST_QUEUE))
            .wait()
            .map_err(broken)?;
        Ok(Self {
            queryable: Arc::new(queryable),
            policy: publisher(keys::policy(run))?,
            pace: publisher(keys::pace(run))?,
            closing: Arc::default(),
            server: Mutex::default(),
            _session: session,
        })
    }
}

impl fmt::Debug for ZenohActorLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zenoh link at {}", self.queryable.key_expr())
    }
}

impl ActorLink for ZenohActorLink {
    fn serve(&self, handler: RequestHandler) -> Result<(), LinkError> {
        let (queryable, closing) = (self.queryable.clone(), self.closing.clone());
        let serve = move || {
            while !closing.load(Ordering::Relaxed) {
                match queryable.recv_timeout(SERVE_POLL) {
                    Ok(Some(query)) => answer(&query, &handler),
                    Ok(None) => {}
                    Err(_) => return,
                }
            }
        };
        let thread = thread::Builder::new().name("requests".into()).spawn(serve).map_err(broken)?;
        *lock(&self.server) = Some(thread);
        Ok(())
    }

    fn publish_policy(&self, snapshot: &PolicySnapshot) -> Result<(), LinkError> {
        self.policy.put(codec::encode(snapshot)?).wait().map_err(broken)
    }

    fn publish_pace(&self, pace: &Pace) -> Result<(), LinkError> {
        self.pace.put(codec::encode(pace)?).wait().map_err(broken)
    }
}

impl Drop for ZenohActorLink {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(server) = lock(&self.server).take() {
            // A handler that panicked has said so itself.
            let _ = server.join();
        }
    }
}

fn answer(query: &Query, handler: &RequestHandler) {
    let request = query.payload().map(ZBytes::to_bytes).unwrap_or_default();
    let reply = match codec::decode(&request) {
        Ok(request) => handler(request),
        Err(error) => {
            tracing::warn!(%error, "refused an unreadable request");
            LearnerReply::Refused(Refusal::Mismatch(error.to_string()))
        }
    };
    let sent = codec::encode(&reply)
        .map_err(|e: CodecError| e.to_string())
        .and_then(|bytes| query.reply(query.key_expr(), bytes).wait().map_err(|e| e.to_string()));
    if let Err(error) = sent {
        tracing::warn!(%error, "a reply could not be sent; the actor will ask again");
    }
}
