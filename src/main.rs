//! The `reins` command line: parses arguments, wires parts, starts them. No logic lives here.

use std::process::ExitCode;

use clap::Parser;

mod classifier;
mod cli;
mod commands;
mod comparison;
mod driven;
mod evaluation;
mod examples;
mod faults;
mod link_threads;
mod parts;
mod probe;
mod progress;
mod replace;
mod report;
mod results;
mod run_dir;
mod shutdown;
mod status_line;
mod supervise;
mod terminal;
mod truth;
mod view;
mod web_console;
mod workspace;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    init_tracing(&arguments);
    let outcome = link_threads::choose(&arguments.command).and_then(|()| commands::run(arguments));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: what was tried, then why, outermost first.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Log lines go to stderr, so that stdout holds only what was asked for. `RUST_LOG` overrides.
fn init_tracing(arguments: &cli::Arguments) {
    use tracing_subscriber::EnvFilter;
    let default = if arguments.is_child() { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new(format!("{default},zenoh=error,zenoh_transport=off,zenoh_link=off"))
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .compact()
        .init();
}
