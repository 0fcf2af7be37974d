//! A learner behind certificates, and peers of every kind that knock at it.
#![allow(dead_code, reason = "two test programs share this, each with a part of it")]

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use serde_json::{Value, json};
use wire::{
    ActionSpec, ActorId, ActorRequest, Clock, Hello, LearnerReply, LearnerStep, ObservationSpec,
    Pace, PolicySnapshot, PolicyVersion, SystemClock, WeightsHash, Welcome, codec,
    identity::{Role, authority::Authority, authority_file, authority_key_file},
    transport::{
        ActorLink, LearnerLink,
        zenoh::{LinkSettings, ZenohActorLink, ZenohLearnerLink},
    },
};
use zenoh::{
    Session, Wait,
    handlers::FifoChannelHandler,
    pubsub::Subscriber,
    sample::{Locality, Sample},
};

pub const ACTOR: ActorId = ActorId(0);
pub const UNLISTED: ActorId = ActorId(7);
/// How long an answer or a policy that must not come is waited for. What must come comes within
/// milliseconds, as the positive tests show.
pub const LIMIT: Duration = Duration::from_millis(1500);
/// Bytes.
const LARGE: usize = 300_000;
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(50);

/// Keys of zenoh's configuration and their values.
pub type Config = BTreeMap<&'static str, Value>;

/// What a raw zenoh peer shows.
#[derive(Debug)]
pub enum Proof {
    None,
    /// Signed by the right authority, for this common name.
    Certificate(&'static str),
    /// Signed by somebody else's authority.
    Foreign(&'static str),
}

pub struct Place {
    folder: tempfile::TempDir,
    endpoint: String,
    users: Option<PathBuf>,
    pub learner: ZenohActorLink,
    requests: Arc<Mutex<BTreeMap<ActorId, u64>>>,
}

impl Place {
    pub fn new() -> Self {
        Self::build(false)
    }

    pub fn with_passwords() -> Self {
        Self::build(true)
    }

    fn build(passwords: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let actors = [ACTOR, ActorId(1), UNLISTED];
        issue(&folder.path().join("certs"), &actors);
        issue(&folder.path().join("foreign"), &actors);
        let users = passwords.then(|| {
            write_users(folder.path(), "users.txt", "learner:l0\nactor-0:a0\nactor-1:a1\n")
        });
        let endpoint = free_endpoint();
        let settings = settings(folder.path(), &endpoint, users.clone());
        let learner = ZenohActorLink::listen(&settings).unwrap();
        let requests = Arc::<Mutex<BTreeMap<ActorId, u64>>>::default();
        let counted = requests.clone();
        let handler = move |request: ActorRequest| {
            *counted.lock().unwrap().entry(request.actor()).or_default() += 1;
            LearnerReply::Welcome(Welcome { through: None, pace: Pace::default() })
        };
        learner.serve(Arc::new(handler)).unwrap();
        Self { folder, endpoint, users, learner, requests }
    }

    pub fn settings(&self) -> LinkSettings {
        settings(self.folder.path(), &self.endpoint, self.users.clone())
    }

    pub fn foreign_folder(&self) -> PathBuf {
        self.folder.path().join("foreign")
    }

    pub fn users_file(&self, text: &str) -> PathBuf {
        write_users(self.folder.path(), "other-users.txt", text)
    }

    pub fn actor(&self, actor: ActorId) -> ZenohLearnerLink {
        self.actor_at(&self.endpoint, actor)
    }

    pub fn actor_at(&self, endpoint: &str, actor: ActorId) -> ZenohLearnerLink {
        let settings = LinkSettings { endpoint: endpoint.to_owned(), ..self.settings() };
        ZenohLearnerLink::connect(&settings, actor).unwrap()
    }

    /// A zenoh session that is not ours, connected to the learner as far as it gets.
    pub fn peer(&self, proof: &Proof) -> Session {
        open(&self.peer_config(proof))
    }

    /// zenoh's configuration of a peer that shows this.
    pub fn peer_config(&self, proof: &Proof) -> Config {
        let endpoint = match proof {
            Proof::None => self.endpoint.replace("tls/", "tcp/"),
            _ => self.endpoint.clone(),
        };
        let mut config = quiet();
        config.insert("connect/endpoints", json!([endpoint]));
        let (folder, name) = match proof {
            Proof::None => return config,
            Proof::Certificate(name) => (self.folder.path().join("certs"), name),
            Proof::Foreign(name) => (self.foreign_folder(), name),
        };
        // The right root in any case, so that it is the learner who refuses.
        let root = authority_file(&self.folder.path().join("certs"));
        let files = certificate_for(&folder, name);
        config.insert("transport/link/tls", tls("connect", &root, &files));
        config
    }

    /// Somebody with a certificate of this name who listens as if it were the learner.
    pub fn impostor(&self, name: &'static str) -> (String, Session) {
        let endpoint = free_endpoint();
        let folder = self.folder.path().join("certs");
        let files = certificate_for(&folder, name);
        let mut config = quiet();
        config.insert("listen/endpoints", json!([endpoint]));
        config.insert("transport/link/tls", tls("listen", &authority_file(&folder), &files));
        let session = open(&config);
        (endpoint, session)
    }

    pub fn publish(&self) {
        self.learner.publish_policy(&policy()).unwrap();
    }

    pub fn publish_large(&self) {
        let parameters = vec![7; LARGE].into();
        self.learner.publish_policy(&PolicySnapshot { parameters, ..policy() }).unwrap();
    }

    /// How many requests for this actor have reached the learner.
    pub fn requests_of(&self, actor: ActorId) -> u64 {
        self.requests.lock().unwrap().get(&actor).copied().unwrap_or_default()
    }

    /// The positive control: asks, is answered, and gets a policy.
    #[track_caller]
    pub fn assert_served(&self, link: &dyn LearnerLink, actor: ActorId) {
        let before = self.requests_of(actor);
        self.wait_until("an answer", || {
            link.request(&hello(actor), Duration::from_secs(1)).is_ok()
        });
        assert!(self.requests_of(actor) > before);
        self.wait_until("a policy", || {
            self.publish();
            link.take_policy().is_some()
        });
    }

    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn() -> bool) {
        for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
            if condition() {
                return;
            }
            std::thread::sleep(POLL);
        }
        panic!("{what}: not within {PATIENCE:?}");
    }
}

fn settings(folder: &Path, endpoint: &str, users: Option<PathBuf>) -> LinkSettings {
    LinkSettings {
        endpoint: endpoint.to_owned(),
        run: "test".into(),
        certificates: Some(folder.join("certs")),
        users,
        actors: [ACTOR, ActorId(1)].into(),
    }
}

fn issue(folder: &Path, actors: &[ActorId]) {
    let authority = Authority::open(folder, SystemClock::new().wall_now()).unwrap();
    authority.issue(Role::Learner, &["127.0.0.1".into()]).unwrap();
    for &actor in actors {
        authority.issue(Role::Actor(actor), &[]).unwrap();
    }
}

/// Certificate and key of `name`, made if the authority has not made them.
fn certificate_for(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let files = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    if !files.0.exists() {
        let signer = KeyPair::from_pem(&text(&authority_key_file(folder))).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&text(&authority_file(folder)), signer).unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".into()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        fs::write(&files.0, params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        fs::write(&files.1, key.serialize_pem()).unwrap();
    }
    files
}

fn tls(side: &str, root: &Path, (pem, key): &(PathBuf, PathBuf)) -> Value {
    let mut tls = json!({ "root_ca_certificate": root, "enable_mtls": true });
    tls[format!("{side}_certificate")] = json!(pem);
    tls[format!("{side}_private_key")] = json!(key);
    tls
}

fn quiet() -> Config {
    let quiet = [
        ("mode", json!("peer")),
        ("scouting/multicast/enabled", json!(false)),
        ("scouting/gossip/enabled", json!(false)),
        ("listen/endpoints", json!([])),
    ];
    quiet.into_iter().collect()
}

fn open(config: &Config) -> Session {
    let mut settings = zenoh::Config::default();
    for (key, value) in config {
        settings.insert_json5(key, &value.to_string()).unwrap();
    }
    zenoh::open(settings).wait().unwrap()
}

/// Hears what others publish under this key, and not what the peer itself does.
pub fn listen_in(peer: &Session, key: &str) -> Subscriber<FifoChannelHandler<Sample>> {
    peer.declare_subscriber(key).allowed_origin(Locality::Remote).wait().unwrap()
}

/// Asks like an actor would, over a raw session; `None` when nobody answers.
pub fn ask(peer: &Session, key: String, actor: ActorId) -> Option<LearnerReply> {
    let replies =
        peer.get(key).payload(codec::encode(&hello(actor)).unwrap()).timeout(LIMIT).wait().unwrap();
    let reply = replies.recv().ok()?.into_result().ok()?;
    Some(codec::decode(&reply.payload().to_bytes()).unwrap())
}

pub fn hello(actor: ActorId) -> ActorRequest {
    ActorRequest::Hello(Hello {
        actor,
        run: "test".into(),
        task_hash: "hash".into(),
        observation: ObservationSpec { proprio_dim: 3, cameras: vec![] },
        action: ActionSpec { dim: 2 },
    })
}

/// As long as a batch of records.
pub fn large_hello(actor: ActorId) -> ActorRequest {
    let ActorRequest::Hello(hello) = hello(actor) else { unreachable!() };
    ActorRequest::Hello(Hello { task_hash: "x".repeat(LARGE), ..hello })
}

pub fn policy() -> PolicySnapshot {
    snapshot(1)
}

pub fn policy_bytes(version: u64) -> Vec<u8> {
    codec::encode(&snapshot(version)).unwrap()
}

fn snapshot(version: u64) -> PolicySnapshot {
    PolicySnapshot {
        version: PolicyVersion(version),
        learner_step: LearnerStep(0),
        backbone: WeightsHash([7; 32]),
        parameters: vec![1, 2, 3].into(),
    }
}

fn free_endpoint() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("tls/127.0.0.1:{port}")
}

fn write_users(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}
