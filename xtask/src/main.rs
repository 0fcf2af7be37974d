//! Chores of this repository: `cargo xtask setup | demo | day | test | torture | fuzz | ci | check-deps`.
//! Few and light dependencies: it is built before anything else is there. It never asks for more
//! rights than it has; what it may not do itself it prints as a command to type.

mod args;
mod check_deps;
mod ci;
mod day;
mod demo;
mod fuzz;
mod paths;
mod progress;
mod setup;
mod shell;
mod stopwatch;
mod test;
mod torture;

use args::Command;
use paths::Paths;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match args::parse(lexopt::Parser::from_env()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let paths = Paths::find()?;
    match command {
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(())
        }
        Command::Setup(options) => setup::run(&paths, &options).map(drop),
        Command::Demo { setup, pass_on } => demo::run(&paths, &setup, &pass_on),
        Command::Day(day) => day::run(&paths, &day),
        Command::Test { setup, which } => test::run(&paths, &setup, which),
        Command::Torture(torture) => torture::run(&paths, &torture),
        Command::Ci => ci::run(&paths),
        Command::CheckDeps => check_deps::run(&paths),
        Command::Fuzz(options) => fuzz::run(&paths, &options),
    }
}
