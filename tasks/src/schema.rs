//! What a configuration file may hold: every key with its unit, what is allowed and what it does.
//!
//! One table per file serves the checks, the words of an error and `docs/configuration.md`. A path
//! is dotted; `camera[].width` is the `width` of every element of `camera`.

use std::fmt;

use toml::{Table, Value};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowed {
    Bool,
    /// Text that is not empty.
    Text,
    OneOf(&'static [&'static str]),
    Integer(i64, i64),
    /// Finite, bounds included.
    Number(f64, f64),
    /// Exactly so many.
    Vector(usize, &'static Allowed),
    /// Any count.
    List(&'static Allowed),
    Either(&'static [Allowed]),
    /// A table that somebody else checks.
    Table,
    /// A table with the keys of these tables of the same file.
    Like(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub path: &'static str,
    /// Empty for a pure number or a word.
    pub unit: &'static str,
    pub allowed: Allowed,
    /// Whoever writes the table that holds the key must write the key.
    pub required: bool,
    pub what: &'static str,
}

pub(crate) const fn key(
    path: &'static str,
    unit: &'static str,
    allowed: Allowed,
    what: &'static str,
) -> Key {
    Key { path, unit, allowed, required: false, what }
}

impl Key {
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// What is allowed, with the unit.
    pub(crate) fn allowance(&self) -> String {
        match self.unit {
            "" => self.allowed.to_string(),
            unit => format!("{} ({unit})", self.allowed),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => write!(f, "true or false"),
            Self::Text => write!(f, "text in quotes"),
            Self::OneOf(words) => write!(f, "{}", quoted(words).join(" or ")),
            Self::Integer(min, i64::MAX) => write!(f, "a whole number, {min} or more"),
            Self::Integer(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::Number(min, max) => write!(f, "a number from {min} to {max}"),
            Self::Vector(n, each) => write!(f, "a list of {n}, each {each}"),
            Self::List(each) => write!(f, "a list, each {each}"),
            Self::Either(choices) => {
                let choices: Vec<String> = choices.iter().map(Self::to_string).collect();
                write!(f, "{}", choices.join(", or "))
            }
            Self::Table => write!(f, "a table"),
            Self::Like(tables) => write!(f, "a table with the keys of {}", tables.join(", ")),
        }
    }
}

impl Allowed {
    pub(crate) fn admits(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Bool, Value::Boolean(_)) | (Self::Table | Self::Like(_), Value::Table(_)) => {
                true
            }
            (Self::Text, Value::String(text)) => !text.trim().is_empty(),
            (Self::OneOf(words), Value::String(word)) => words.contains(&word.as_str()),
            (Self::Integer(min, max), Value::Integer(x)) => (min..=max).contains(&x),
            (Self::Number(min, max), Value::Float(x)) => (min..=max).contains(&x),
            (Self::Number(min, max), Value::Integer(x)) => (*min..=*max).contains(&(*x as f64)),
            (Self::Vector(n, each), Value::Array(items)) => {
                items.len() == *n && items.iter().all(|x| each.admits(x))
            }
            (Self::List(each), Value::Array(items)) => items.iter().all(|x| each.admits(x)),
            (Self::Either(choices), value) => choices.iter().any(|choice| choice.admits(value)),
            _ => false,
        }
    }
}

/// The value at `path`; `camera[2].width` takes an element, `camera[].width` the first.
pub(crate) fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut segments = path.split('.');
    let mut value = element(table, segments.next()?)?;
    for segment in segments {
        value = element(value.as_table()?, segment)?;
    }
    Some(value)
}

fn element<'a>(table: &'a Table, segment: &str) -> Option<&'a Value> {
    let (name, index) = split_index(segment);
    let value = table.get(name)?;
    match index {
        None => Some(value),
        Some(index) => value.as_array()?.get(index),
    }
}

/// `camera[2]` → (`camera`, 2); `camera[]` → (`camera`, 0).
pub(crate) fn split_index(segment: &str) -> (&str, Option<usize>) {
    match segment.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        Some((name, index)) => (name, Some(index.parse().unwrap_or(0))),
        None => (segment, None),
    }
}

pub(crate) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// The names that may stand in the table at `prefix`.
pub(crate) fn children(keys: &[Key], prefix: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in keys {
        let rest = match prefix {
            "" => Some(key.path),
            _ => key.path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(first) = rest.and_then(|rest| rest.split('.').next()) else { continue };
        let (name, _) = split_index(first);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("\"{word}\"")).collect()
}
