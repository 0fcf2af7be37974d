//! The command line.

use crate::fuzz;
use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

pub const USAGE: &str = "\
cargo xtask <command>

  setup [--cuda]            install what is missing; says what, before it does
  demo [options of `reins demo`]
                            set up, build, and run the main job, e.g. demo --seed 1 --run first
  day [--seed S] [--folder DIR]
                            the operator's day, from labels and demonstrations to an evaluation
  test [--unit]             set up and run every test, or the quick ones inside the crates alone
  test --python-peers       also those that install large Python packages (2.5 GB, once)
  test --hardware-sims      also the drivers' tests that install a foreign package to speak with
  test --browser            the operator's page in headless Chromium; skipped, and said so, without
  torture [--trials N] [--seed S]
                            kill actor and learner in the middle of runs, see that nothing is lost
  torture --cuts            cut the link in nine ways while an arm moves in real time (8 minutes)
  torture --soak MINUTES    two arms with two cameras each on one learner: deadlines, memory, loss
  ci                        what the merge gate runs: fmt, rules, licences, clippy, tests, docs
  check-deps                check which crate uses which
  fuzz [--minutes M] [TARGET...]
                            throw bytes at every decoder, M minutes each (10)

  setup, demo and test also take
    --yes                   do not ask before installing system packages
    --no-apt                leave system packages alone
    --cuda                  bring the CUDA libraries of libtorch too (2.0 GB more to download)";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetupOptions {
    pub cuda: bool,
    /// Install system packages without asking.
    pub yes: bool,
    /// Do not look for system packages at all.
    pub no_apt: bool,
}

#[derive(Debug, PartialEq)]
pub enum Command {
    Help,
    Setup(SetupOptions),
    /// `pass_on` goes to `reins demo` as it stands.
    Demo {
        setup: SetupOptions,
        pass_on: Vec<OsString>,
    },
    Day(Day),
    Test {
        setup: SetupOptions,
        which: Tests,
    },
    Torture(Torture),
    Ci,
    CheckDeps,
    Fuzz(fuzz::Options),
}

/// A day of the simulated operator, in a workspace of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Day {
    pub seed: u64,
    /// The workspace, beside the repository's files unless it says another place.
    pub folder: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tests {
    #[default]
    All,
    /// Inside the crates.
    Unit,
    /// All, also those that install large Python packages.
    PythonPeers,
    /// All, also those of drivers that install a foreign package to speak with.
    HardwareSims,
    /// Of the operator's page, with a real browser.
    Browser,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Torture {
    /// `pass_on` goes to the harness as it stands.
    Kills {
        pass_on: Vec<OsString>,
    },
    Cuts,
    Soak {
        minutes: u32,
    },
}

pub fn parse(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let name = match parser.next()? {
        None | Some(Long("help") | Short('h')) => return Ok(Command::Help),
        Some(Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected()),
    };
    if name == "demo" {
        return Ok(demo(parser.raw_args()?));
    }
    if name == "torture" {
        return torture(parser.raw_args()?.collect()).map(Command::Torture);
    }
    if name == "day" {
        return day(parser);
    }
    if name == "fuzz" {
        return fuzz(parser);
    }
    let takes_setup_options = matches!(name.as_str(), "setup" | "test");
    let mut setup = SetupOptions::default();
    let mut which = Tests::default();
    while let Some(option) = parser.next()? {
        match option {
            Long("help") | Short('h') => return Ok(Command::Help),
            Long("cuda") if takes_setup_options => setup.cuda = true,
            Long("yes") | Short('y') if takes_setup_options => setup.yes = true,
            Long("no-apt") if takes_setup_options => setup.no_apt = true,
            Long("unit") if name == "test" => which = Tests::Unit,
            Long("browser") if name == "test" => which = Tests::Browser,
            Long("hardware-sims") if name == "test" => which = Tests::HardwareSims,
            Long("python-peers") if name == "test" => which = Tests::PythonPeers,
            other => return Err(other.unexpected()),
        }
    }
    match name.as_str() {
        "setup" => Ok(Command::Setup(setup)),
        "test" => Ok(Command::Test { setup, which }),
        "ci" => Ok(Command::Ci),
        "check-deps" => Ok(Command::CheckDeps),
        "help" => Ok(Command::Help),
        _ => Err(format!("there is no command `{name}`").into()),
    }
}

fn day(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let (mut seed, mut folder) = (0, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Command::Help),
            Long("seed") => seed = parser.value()?.parse()?,
            Long("folder") => folder = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    let folder = folder.unwrap_or_else(|| format!("runs/day-{seed}").into());
    Ok(Command::Day(Day { seed, folder }))
}

fn fuzz(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = fuzz::Options { seconds: 600, targets: Vec::new() };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Command::Help),
            Long("minutes") => {
                options.seconds = (parser.value()?.parse::<f64>()? * 60.0).ceil() as u64
            }
            Value(target) => options.targets.push(target.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Fuzz(options))
}

fn torture(pass_on: Vec<OsString>) -> Result<Torture, lexopt::Error> {
    let words: Vec<_> = pass_on.iter().map(|word| word.to_string_lossy()).collect();
    match words.iter().map(AsRef::as_ref).collect::<Vec<_>>()[..] {
        ["--cuts"] => Ok(Torture::Cuts),
        ["--soak", minutes] => match minutes.parse() {
            Ok(minutes @ 1..) => Ok(Torture::Soak { minutes }),
            _ => Err(format!("--soak {minutes}: say a number of minutes, from 1 on").into()),
        },
        ["--soak"] => Err("--soak: say for how many minutes, 10 for example".into()),
        _ => Ok(Torture::Kills { pass_on }),
    }
}

/// Everything that is not an option of the set-up belongs to `reins demo`, `--help` too.
fn demo(arguments: impl Iterator<Item = OsString>) -> Command {
    let mut setup = SetupOptions::default();
    let mut pass_on = Vec::new();
    for argument in arguments {
        match argument.to_str() {
            Some("--cuda") => setup.cuda = true,
            Some("--yes" | "-y") => setup.yes = true,
            Some("--no-apt") => setup.no_apt = true,
            _ => pass_on.push(argument),
        }
    }
    Command::Demo { setup, pass_on }
}

#[cfg(test)]
mod test {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(line.split_whitespace())).map_err(|error| error.to_string())
    }

    #[test]
    fn demo_passes_on_what_it_does_not_know() {
        let expected = Command::Demo {
            setup: SetupOptions { yes: true, ..SetupOptions::default() },
            pass_on: ["--seed", "3", "--run", "first"].map(OsString::from).to_vec(),
        };
        assert_eq!(parsed("demo --seed 3 --yes --run first"), Ok(expected));
    }

    #[test]
    fn torture_passes_on_what_it_does_not_know() {
        let pass_on = ["--trials", "200"].map(OsString::from).to_vec();
        let kills = Torture::Kills { pass_on };
        assert_eq!(parsed("torture --trials 200"), Ok(Command::Torture(kills)));
    }

    #[test]
    fn torture_has_other_pains() {
        assert_eq!(parsed("torture --cuts"), Ok(Command::Torture(Torture::Cuts)));
        let soak = Torture::Soak { minutes: 10 };
        assert_eq!(parsed("torture --soak 10"), Ok(Command::Torture(soak)));
        for wrong in ["torture --soak", "torture --soak 0", "torture --soak long"] {
            assert!(parsed(wrong).unwrap_err().contains("minutes"), "{wrong}");
        }
    }

    #[test]
    fn each_day_has_a_workspace_of_its_own() {
        let day = |seed, folder: &str| Ok(Command::Day(Day { seed, folder: folder.into() }));
        assert_eq!(parsed("day"), day(0, "runs/day-0"));
        assert_eq!(parsed("day --seed 2"), day(2, "runs/day-2"));
        assert_eq!(parsed("day --folder cell --seed 1"), day(1, "cell"));
        assert!(parsed("day --seed many").is_err() && parsed("day first").is_err());
    }

    #[test]
    fn setup_takes_its_options() {
        let expected = SetupOptions { cuda: true, yes: true, no_apt: true };
        assert_eq!(parsed("setup --cuda -y --no-apt"), Ok(Command::Setup(expected)));
    }

    #[test]
    fn test_says_which() {
        let setup = SetupOptions::default();
        for (line, which) in [
            ("test", Tests::All),
            ("test --unit", Tests::Unit),
            ("test --python-peers", Tests::PythonPeers),
            ("test --hardware-sims", Tests::HardwareSims),
            ("test --browser", Tests::Browser),
        ] {
            assert_eq!(parsed(line), Ok(Command::Test { setup, which }));
        }
    }

    #[test]
    fn fuzz_takes_minutes_and_targets() {
        let expected = fuzz::Options { seconds: 30, targets: vec!["journal".to_owned()] };
        assert_eq!(parsed("fuzz --minutes 0.5 journal"), Ok(Command::Fuzz(expected)));
    }

    #[test]
    fn an_unknown_word_is_refused_by_name() {
        assert_eq!(parsed("destroy"), Err("there is no command `destroy`".to_owned()));
        assert_eq!(parsed("ci --cuda"), Err("invalid option '--cuda'".to_owned()));
        assert_eq!(parsed("setup --unit"), Err("invalid option '--unit'".to_owned()));
    }
}
