//! What is wrong with a configuration file, in one line for each fault.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error(
        "{}: the {kind} file cannot be read ({source}). Name an existing file; examples are in \
         configs/",
        file.display()
    )]
    Unreadable { file: PathBuf, kind: &'static str, source: io::Error },
    #[error("{}:{line}: this is not TOML ({reason}). Correct that line", file.display())]
    Syntax { file: PathBuf, line: usize, reason: String },
    /// At least one, in the order of the file.
    #[error("{}", lines(.0))]
    Keys(Vec<Problem>),
}

/// One key that cannot stay as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// Counted from 1: the key's line, or that of the table that lacks it; none when the file has
    /// neither.
    pub line: Option<usize>,
    pub key: String,
    pub value: Option<String>,
    /// What is wrong and what is allowed.
    pub wrong: String,
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, " {}. {}", self.wrong, self.remedy)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
