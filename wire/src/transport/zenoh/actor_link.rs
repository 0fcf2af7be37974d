//! The learner's end: listens.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use zenoh::{
    Session, Wait,
    bytes::ZBytes,
    handlers::{FifoChannel, FifoChannelHandler},
    liveliness::LivelinessToken,
    pubsub::{Publisher, Subscriber},
    qos::{CongestionControl, Priority},
    query::{Query, Queryable},
    sample::{Sample, SampleKind},
};

use super::{
    broken, lock,
    session::{self, Credentials, LinkSettings},
};
use crate::{
    clock::{Clock, SystemClock},
    codec::{self, CodecError},
    identity::Role,
    ids::ActorId,
    message::{ActorRequest, LearnerReply, Pace, PolicySnapshot, Refusal},
    transport::{ActorLink, LinkError, RequestHandler, keys},
};

/// How many requests may wait for the learner's handler; each actor has one under way at a time.
const REQUEST_QUEUE: usize = 64;
/// How often the serving thread looks whether the link is being dropped.
const SERVE_POLL: Duration = Duration::from_millis(100);

pub struct ZenohActorLink {
    queryable: Arc<Queryable<FifoChannelHandler<Query>>>,
    policy: Publisher<'static>,
    pace: Publisher<'static>,
    actors: Arc<Mutex<BTreeSet<ActorId>>>,
    closing: Arc<AtomicBool>,
    server: Mutex<Option<JoinHandle<()>>>,
    _watch: Subscriber<()>,
    _alive: LivelinessToken,
    _session: Session,
}

impl ZenohActorLink {
    pub fn listen(settings: &LinkSettings) -> Result<Self, LinkError> {
        let run = &settings.run;
        let own = Credentials::load(settings, Role::Learner, SystemClock::new().wall_now())?;
        let session = session::open(settings, &own)?;
        // Behind answers, in a queue of their own: whoever publishes holds the queue while it waits
        // for room, and zenoh's only thread under TLS must not need it meanwhile.
        let publisher = |key: String| {
            session
                .declare_publisher(key)
                .priority(Priority::DataLow)
                .congestion_control(CongestionControl::Block)
                .wait()
                .map_err(broken)
        };
        let queryable = session
            .declare_queryable(keys::requests(run))
            .with(FifoChannel::new(REQUEST_QUEUE))
            .wait()
            .map_err(broken)?;
        let (watch, actors) = watch(&session, run)?;
        let alive = session.liveliness().declare_token(keys::alive(run, Role::Learner)).wait();
        Ok(Self {
            queryable: Arc::new(queryable),
            policy: publisher(keys::policy(run))?,
            pace: publisher(keys::pace(run))?,
            actors,
            closing: Arc::default(),
            server: Mutex::default(),
            _watch: watch,
            _alive: alive.map_err(broken)?,
            _session: session,
        })
    }
}

/// The set of actors that are alive, kept up to date.
type Alive = (Subscriber<()>, Arc<Mutex<BTreeSet<ActorId>>>);

fn watch(session: &Session, run: &str) -> Result<Alive, LinkError> {
    let actors = Arc::<Mutex<BTreeSet<ActorId>>>::default();
    let present = actors.clone();
    let note = move |sample: Sample| {
        let Some(actor) = keys::actor_of(sample.key_expr()) else { return };
        match sample.kind() {
            SampleKind::Put => {
                lock(&present).insert(actor);
                tracing::info!(%actor, "an actor is connected");
            }
            SampleKind::Delete => {
                lock(&present).remove(&actor);
                tracing::info!(%actor, "an actor is gone");
            }
        }
    };
    let subscriber = session
        .liveliness()
        .declare_subscriber(keys::alive_actors(run))
        .history(true)
        .callback(note)
        .wait()
        .map_err(broken)?;
    Ok((subscriber, actors))
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

    fn actors(&self) -> Vec<ActorId> {
        lock(&self.actors).iter().copied().collect()
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
    let reply = understood(query).map_or_else(
        |reason| {
            tracing::warn!(key = %query.key_expr(), reason, "refused a request");
            LearnerReply::Refused(Refusal::Mismatch(reason))
        },
        |request| handler(request),
    );
    let sent = codec::encode(&reply)
        .map_err(|e: CodecError| e.to_string())
        .and_then(|bytes| query.reply(query.key_expr(), bytes).wait().map_err(|e| e.to_string()));
    if let Err(error) = sent {
        tracing::warn!(%error, "a reply could not be sent; the actor will ask again");
    }
}

/// The request, if it is one and speaks for the actor under whose name it came. Access control
/// binds the key to a certificate, and this binds the content to the key.
fn understood(query: &Query) -> Result<ActorRequest, String> {
    let bytes = query.payload().map(ZBytes::to_bytes).unwrap_or_default();
    let request: ActorRequest = codec::decode(&bytes).map_err(|e: CodecError| e.to_string())?;
    match keys::actor_of(query.key_expr()) {
        Some(actor) if actor == request.actor() => Ok(request),
        _ => Err(format!("a request for actor {} came under another name", request.actor())),
    }
}
