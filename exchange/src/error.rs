//! What can go wrong between us and files of others.

use std::{io, path::PathBuf};

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use pickle::PickleError;
use replay::JournalError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum ExchangeError {
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is there already: choose another name, or move it away", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the run has no finished episode {of}: record or train first")]
    Empty { of: &'static str },
    #[error("writing {} failed", path.display())]
    Write { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{} cannot be read as Parquet; fetch or export it anew", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
    #[error("{}", path.display())]
    Pickle { path: PathBuf, source: PickleError },
    #[error("{} has {len} bytes, over the limit of {limit}: split it, or is it another file?", path.display())]
    TooLong { path: PathBuf, len: u64, limit: u64 },
    /// What is in a file of others is not what it should be.
    #[error("{}: {what}", path.display())]
    Content { path: PathBuf, what: String },
    #[error("an imported episode does not fit the task: {0}")]
    Shape(String),
}

/// For `map_err`.
pub(crate) fn io_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> ExchangeError {
    let path = path.into();
    move |source| ExchangeError::Io { action, path, source }
}

pub(crate) fn content(path: impl Into<PathBuf>, what: impl Into<String>) -> ExchangeError {
    ExchangeError::Content { path: path.into(), what: what.into() }
}

/// For `map_err` where a library writes.
pub(crate) fn write_error<E>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> ExchangeError
where
    E: std::error::Error + Send + Sync + 'static,
{
    let path = path.into();
    move |source| ExchangeError::Write { path, source: Box::new(source) }
}

pub(crate) fn arrow_error(path: impl Into<PathBuf>) -> impl FnOnce(ArrowError) -> ExchangeError {
    let path = path.into();
    move |source| ExchangeError::Parquet { path, source: source.into() }
}
