//! What the `[link]` table of a run says to the transport.

use std::path::PathBuf;

use anyhow::Context;
use tasks::run::LinkConfig;
use wire::{
    ActorId, Clock, SystemClock,
    identity::{Identity, IdentityError, Role, certificate_file, password_of},
    transport::zenoh::{LinkSettings, ZenohActorLink, ZenohLearnerLink},
};

use crate::run_dir::{Configuration, RunDir};

/// The learner's end, listening.
pub fn listen(run_dir: &RunDir, configuration: &Configuration) -> anyhow::Result<ZenohActorLink> {
    let link = &configuration.run.link;
    warn(link);
    ZenohActorLink::listen(&settings(run_dir, link)).with_context(|| described(link))
}

/// The end of `actor`, trying to connect.
pub fn connect(
    run_dir: &RunDir,
    configuration: &Configuration,
    actor: ActorId,
) -> anyhow::Result<ZenohLearnerLink> {
    let link = &configuration.run.link;
    warn(link);
    ZenohLearnerLink::connect(&settings(run_dir, link), actor).with_context(|| described(link))
}

/// Whether a learner may run on this machine, as far as its certificates tell.
pub fn may_listen(link: &LinkConfig) -> bool {
    let certified = |folder: &PathBuf| certificate_file(folder, Role::Learner).exists();
    link.certificates.as_ref().is_none_or(certified)
}

/// What is wrong with the certificates and passwords of the roles that this machine has.
pub fn examine(link: &LinkConfig) -> Vec<IdentityError> {
    let Some(folder) = &link.certificates else { return Vec::new() };
    let actors = link.actors().iter().map(|&actor| Role::Actor(ActorId(actor)));
    let mut here: Vec<Role> = std::iter::once(Role::Learner)
        .chain(actors)
        .filter(|&role| certificate_file(folder, role).exists())
        .collect();
    if here.is_empty() {
        here.push(Role::Learner);
    }
    let now = SystemClock::new().wall_now();
    let check = |role| {
        Identity::load(folder, role, now)?;
        link.users.as_ref().map_or(Ok(()), |file| password_of(role, file).map(drop))
    };
    here.into_iter().filter_map(|role| check(role).err()).collect()
}

fn settings(run_dir: &RunDir, link: &LinkConfig) -> LinkSettings {
    LinkSettings {
        endpoint: link.endpoint.clone(),
        run: run_dir.name(),
        certificates: link.certificates.clone(),
        users: link.users.clone(),
        actors: link.actors().iter().copied().map(ActorId).collect(),
    }
}

/// Said at every start.
fn warn(link: &LinkConfig) {
    if link.is_open() && !link.is_encrypted() {
        tracing::warn!(
            endpoint = link.endpoint,
            "link.insecure: whoever reaches the endpoint can send steps and read policies"
        );
    }
}

/// The keys that an error of the link is about, with their values.
fn described(link: &LinkConfig) -> String {
    let mut text = format!("opening the link, link.endpoint = {:?}", link.endpoint);
    for (key, value) in [("certificates", &link.certificates), ("users", &link.users)] {
        if let Some(path) = value {
            text += &format!(", link.{key} = {path:?}");
        }
    }
    text
}
