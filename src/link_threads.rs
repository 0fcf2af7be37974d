//! Gives a process that will open a link the threads that a TLS link needs. They are chosen by an
//! environment variable, which a running process cannot set safely: it starts itself again, once,
//! under the same process id.

use std::{convert::Infallible, os::unix::process::CommandExt, process::Command};

use anyhow::Context;
use wire::transport::zenoh::{RUNTIME_VARIABLE, tls_is_sound};

use crate::cli;

/// Does not return in a process that had to start again. Call it before anything else.
pub fn choose(command: &cli::Command) -> anyhow::Result<()> {
    let opens_a_link = matches!(command, cli::Command::Learner(_) | cli::Command::Actor(_));
    if !opens_a_link || tls_is_sound() {
        return Ok(());
    }
    start_again().map(|never| match never {})
}

fn start_again() -> anyhow::Result<Infallible> {
    let program = std::env::current_exe().context("finding the reins program")?;
    let (name, value) = RUNTIME_VARIABLE;
    let failed = Command::new(program).args(std::env::args_os().skip(1)).env(name, value).exec();
    Err(failed).context("starting reins again with the threads of a link")
}
