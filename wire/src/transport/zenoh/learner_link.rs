//! The actor's end. Connects by itself, also when the learner is started later or again.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use zenoh::{
    Session, Wait, handlers::FifoChannel, key_expr::OwnedKeyExpr, liveliness::LivelinessToken,
    pubsub::Subscriber, qos::CongestionControl, sample::Sample,
};

use super::{
    broken, lock,
    session::{self, Credentials, LinkSettings},
    watch::Watch,
};
use crate::{
    clock::{Clock, SystemClock},
    codec::{self, Message},
    identity::Role,
    ids::ActorId,
    message::{ActorRequest, LearnerReply, Pace, PolicySnapshot},
    transport::{LearnerLink, LinkError, LinkState, keys},
};

pub struct ZenohLearnerLink {
    session: Session,
    requests: OwnedKeyExpr,
    policy: Newest<PolicySnapshot>,
    pace: Newest<Pace>,
    watch: Watch,
    _alive: LivelinessToken,
}

impl ZenohLearnerLink {
    /// Succeeds also when no learner is there, or none that lets us in: [`LearnerLink::state`]
    /// says so. Errors are about our own files and settings.
    pub fn connect(settings: &LinkSettings, actor: ActorId) -> Result<Self, LinkError> {
        let run = &settings.run;
        let role = Role::Actor(actor);
        let own = Credentials::load(settings, role, SystemClock::new().wall_now())?;
        let session = session::open(settings, &own)?;
        let watch = Watch::start(&session, settings, own)?;
        let alive = session.liveliness().declare_token(keys::alive(run, role)).wait();
        Ok(Self {
            policy: Newest::subscribe(&session, keys::policy(run))?,
            pace: Newest::subscribe(&session, keys::pace(run))?,
            requests: OwnedKeyExpr::new(keys::request(run, actor)).map_err(broken)?,
            watch,
            _alive: alive.map_err(broken)?,
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
        // A channel of its own for each request: a reply that comes too late finds nobody.
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

    fn state(&self) -> LinkState {
        self.watch.state()
    }
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
