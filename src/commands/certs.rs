//! `reins certs`: a small private certificate authority, and what to do with its files.

use std::path::Path;

use wire::{
    ActorId, Clock, SystemClock,
    identity::{Role, authority::Authority, certificate_file},
};

use crate::cli::Certs;

/// Under these an actor on the learner's own machine reaches it.
const OWN_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub fn run(certs: &Certs) -> anyhow::Result<()> {
    let Certs { folder, actor, learner } = certs;
    let authority = Authority::open(folder, SystemClock::new().wall_now())?;
    let mut made = Vec::new();
    if !learner.is_empty() || !certificate_file(folder, Role::Learner).exists() {
        let mut hosts: Vec<String> = learner.clone();
        hosts.extend(OWN_HOSTS.map(String::from));
        hosts.sort();
        hosts.dedup();
        authority.issue(Role::Learner, &hosts)?;
        made.push(Role::Learner);
    }
    let first = actor.is_empty() && learner.is_empty();
    for &number in if first { &[0][..] } else { actor } {
        let role = Role::Actor(ActorId(number));
        authority.issue(role, &[])?;
        made.push(role);
    }
    println!("{}", guide(folder, learner.first().map(String::as_str), &made));
    Ok(())
}

fn guide(folder: &Path, host: Option<&str>, made: &[Role]) -> String {
    let names: Vec<String> = made.iter().map(ToString::to_string).collect();
    let actors: Vec<String> = (0..=u16::MAX)
        .filter(|&number| certificate_file(folder, Role::Actor(ActorId(number))).exists())
        .map(|number| number.to_string())
        .collect();
    let folder = folder.display();
    let mut text = format!("made in {folder}: {}\n\ncopy to each machine:\n", names.join(", "));
    for name in &names {
        text += &format!("  {name:<10} ca.pem {name}.pem {name}.key\n");
    }
    text += &format!(
        "ca.key stays here: whoever has it can let anybody in\n\n\
         in the run file of each machine:\n  [link]\n  endpoint = \"tls/{}:7447\"  # a \
         name of the learner's certificate\n  certificates = \"{folder}\"  # where the files lie \
         there\n  actors = [{}]  # all that may append",
        host.unwrap_or("127.0.0.1"),
        actors.join(", ")
    );
    text
}
