//! What the `[link]` table of a run says to the transport.

use anyhow::Context;
use tasks::run::LinkConfig;
use wire::{
    ActorId,
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
