//! From a file to a checked type: read, check every key against the schema, lay the file over the
//! defaults, convert, check what concerns several keys. Reports all faults at once.

use std::{fs, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use crate::{
    cell::CellConfig,
    error::{ConfigError, Problem},
    run::RunConfig,
    schema::{Allowed, Key, children, join, lookup, split_index},
    task::TaskConfig,
};

/// A fault that only shows when keys are seen together.
pub(crate) struct Fault {
    pub key: String,
    pub wrong: String,
    pub remedy: String,
}

impl Fault {
    pub fn new(
        key: impl Into<String>,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), wrong: wrong.into(), remedy: remedy.into() }
    }
}

pub(crate) trait ConfigFile: Serialize + DeserializeOwned {
    /// "cell", "task", "run" or "faults".
    const KIND: &'static str;
    const KEYS: &'static [Key];

    /// What `given` need not say.
    fn defaults(given: &Table) -> Table;

    fn faults(&self) -> Vec<Fault>;
}

const FILES: [(&str, &[Key]); 3] = [
    (CellConfig::KIND, CellConfig::KEYS),
    (TaskConfig::KIND, TaskConfig::KEYS),
    (RunConfig::KIND, RunConfig::KEYS),
];

pub(crate) fn load<C: ConfigFile>(file: &Path) -> Result<C, ConfigError> {
    let text = fs::read_to_string(file).map_err(|source| ConfigError::Unreadable {
        file: file.to_owned(),
        kind: C::KIND,
        source,
    })?;
    parse(&text, file)
}

/// `file` only names the text in errors.
pub(crate) fn parse<C: ConfigFile>(text: &str, file: &Path) -> Result<C, ConfigError> {
    let given: Table = toml::from_str(text).map_err(|e| ConfigError::Syntax {
        file: file.to_owned(),
        line: e.span().map_or(1, |span| line_at(text, span.start)),
        reason: e.message().lines().collect::<Vec<_>>().join(" "),
    })?;
    let defaults = C::defaults(&given);
    let report = Report { text, file, given: &given };

    let mut check = Check { keys: C::KEYS, defaults: &defaults, faults: Vec::new() };
    check.table(&given, "", "");
    report.refuse(check.faults)?;

    let resolved = overlaid(&defaults, &given);
    let mut check = Check { keys: C::KEYS, defaults: &defaults, faults: Vec::new() };
    check.missing(&resolved, "", "");
    report.refuse(check.faults)?;

    let config = C::deserialize(Value::Table(resolved)).map_err(|e| {
        let reason = e.message().to_owned();
        report.error(vec![Fault::new(C::KIND, reason, "Compare with docs/configuration.md")])
    })?;
    report.refuse(config.faults())?;
    Ok(config)
}

/// The whole resolved configuration as a file of its own.
pub(crate) fn to_toml<C: ConfigFile>(config: &C) -> String {
    toml::to_string(config).expect("every configuration type maps onto TOML")
}

/// SHA-256 of the resolved configuration, in hex.
pub(crate) fn hash<C: ConfigFile>(config: &C) -> String {
    hex::encode(Sha256::digest(to_toml(config)))
}

/// A table of defaults that ships inside the program.
pub(crate) fn built_in(text: &str) -> Table {
    toml::from_str(text).expect("the shipped defaults are TOML")
}

/// `over` laid on `base`: tables key by key, elements of a list of tables each on the first
/// element of the base, everything else whole. A list of tables that `over` lacks is empty.
pub(crate) fn overlaid(base: &Table, over: &Table) -> Table {
    let mut merged = base.clone();
    for (name, value) in base {
        if template(value).is_some() && !over.contains_key(name) {
            merged.insert(name.clone(), Value::Array(Vec::new()));
        }
    }
    for (name, value) in over {
        let value = match (base.get(name), value) {
            (Some(Value::Table(base)), Value::Table(over)) => Value::Table(overlaid(base, over)),
            (Some(base), Value::Array(items)) if let Some(base) = template(base) => {
                let each = |item: &Value| match item {
                    Value::Table(over) => Value::Table(overlaid(base, over)),
                    other => other.clone(),
                };
                Value::Array(items.iter().map(each).collect())
            }
            (_, value) => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    merged
}

fn template(value: &Value) -> Option<&Table> {
    value.as_array()?.first()?.as_table()
}

/// Turns faults into an error that names file and line.
struct Report<'a> {
    text: &'a str,
    file: &'a Path,
    given: &'a Table,
}

impl Report<'_> {
    fn refuse(&self, faults: Vec<Fault>) -> Result<(), ConfigError> {
        if faults.is_empty() { Ok(()) } else { Err(self.error(faults)) }
    }

    fn error(&self, faults: Vec<Fault>) -> ConfigError {
        let problem = |fault: Fault| Problem {
            file: self.file.to_owned(),
            line: line_of(self.text, &fault.key),
            value: lookup(self.given, &fault.key).filter(|v| !v.is_table()).map(shown),
            key: fault.key,
            wrong: fault.wrong,
            remedy: fault.remedy,
        };
        let mut problems: Vec<Problem> = faults.into_iter().map(problem).collect();
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        ConfigError::Keys(problems)
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string().replace('\n', " ");
    if text.chars().count() <= 60 {
        return text;
    }
    text.chars().take(57).chain("...".chars()).collect()
}

/// Compares a file with the schema.
struct Check<'a> {
    keys: &'static [Key],
    defaults: &'a Table,
    faults: Vec<Fault>,
}

impl Check<'_> {
    /// `parent` says where the table stands in the file (`camera[1]`), `pattern` where in the schema
    /// (`camera[]`).
    fn table(&mut self, table: &Table, parent: &str, pattern: &str) {
        for (name, value) in table {
            let (at, path) = (join(parent, name), join(pattern, name));
            if let Some(key) = self.keys.iter().find(|key| key.path == path) {
                if let (Allowed::Like(tables), Value::Table(inner)) = (key.allowed, value) {
                    self.alike(inner, &at, tables);
                }
                self.value(key, value, at);
            } else if self.is_table(&path) {
                match value {
                    Value::Table(inner) => self.table(inner, &at, &path),
                    _ => self.not_a_table(at, &format!("[{path}]")),
                }
            } else if self.is_table(&format!("{path}[]")) {
                match value.as_array().filter(|items| items.iter().all(Value::is_table)) {
                    Some(items) => {
                        for (i, inner) in items.iter().filter_map(Value::as_table).enumerate() {
                            self.table(inner, &format!("{at}[{i}]"), &format!("{path}[]"));
                        }
                    }
                    None => self.not_a_table(at, &format!("[[{path}]]")),
                }
            } else {
                let remedy = self.remedy_for_unknown(parent, pattern, name);
                self.faults.push(Fault::new(at, "is not a key that reins knows", remedy));
            }
        }
    }

    /// A table that may hold these tables of the file once more.
    fn alike(&mut self, table: &Table, at: &str, tables: &[&str]) {
        for (name, value) in table {
            if tables.contains(&name.as_str()) {
                let one = [(name.clone(), value.clone())].into_iter().collect();
                self.table(&one, at, "");
                continue;
            }
            let remedy = match nearest(name, tables) {
                Some(close) => format!("Did you mean {}?", join(at, close)),
                None => format!("Leave it out; known here are {}", tables.join(", ")),
            };
            self.faults.push(Fault::new(join(at, name), "is not a key that reins knows", remedy));
        }
    }

    fn is_table(&self, path: &str) -> bool {
        !children(self.keys, path).is_empty()
    }

    fn not_a_table(&mut self, at: String, header: &str) {
        let wrong = format!("is a value where {header} belongs");
        self.faults.push(Fault::new(at, wrong, format!("Write {header} and its keys below it")));
    }

    fn value(&mut self, key: &Key, value: &Value, at: String) {
        if key.allowed.admits(value) {
            return;
        }
        let remedy = unit_hint(key, value)
            .or_else(|| nearest_word(key, value))
            .or_else(|| {
                let default = lookup(self.defaults, key.path)?;
                Some(format!("Correct it, or leave it out for the default {}", shown(default)))
            })
            .unwrap_or_else(|| "Correct it; it has no default".into());
        self.faults.push(Fault::new(at, format!("must be {}", key.allowance()), remedy));
    }

    fn remedy_for_unknown(&self, parent: &str, pattern: &str, name: &str) -> String {
        let known = children(self.keys, pattern);
        if let Some(close) = nearest(name, &known) {
            return format!("Did you mean {}?", join(parent, close));
        }
        let named = |keys: &'static [Key]| {
            keys.iter().find(|key| key.path.rsplit('.').next() == Some(name))
        };
        if let Some(key) = named(self.keys) {
            return format!("Did you mean {}?", key.path);
        }
        for (kind, keys) in FILES {
            if let Some(key) = named(keys) {
                return format!("Move it to the {kind} file, as {}", key.path);
            }
        }
        format!("Leave it out; known here are {}", known.join(", "))
    }

    /// Required keys that are not there although the table is that should hold them.
    fn missing(&mut self, table: &Table, at: &str, pattern: &str) {
        self.missing_of(&children(self.keys, pattern), table, at, pattern);
    }

    /// The same of those that have these names.
    fn missing_of(&mut self, names: &[&'static str], table: &Table, at: &str, pattern: &str) {
        for name in names {
            let (at, path) = (join(at, name), join(pattern, name));
            let known = self.keys.iter().find(|key| key.path == path);
            match table.get(*name) {
                Some(Value::Table(inner)) => match known.map(|key| key.allowed) {
                    Some(Allowed::Like(tables)) => self.missing_of(tables, inner, &at, ""),
                    _ => self.missing(inner, &at, &path),
                },
                Some(Value::Array(items)) => {
                    for (i, inner) in items.iter().filter_map(Value::as_table).enumerate() {
                        self.missing(inner, &format!("{at}[{i}]"), &format!("{path}[]"));
                    }
                }
                Some(_) => {}
                None => {
                    if let Some(key) = known.filter(|key| key.required) {
                        let wrong = format!("is missing and has no default: {}", key.what);
                        let remedy = format!("Add it: {}", key.allowance());
                        self.faults.push(Fault::new(at, wrong, remedy));
                    }
                }
            }
        }
    }
}

/// Says what was probably meant when a number is right in another unit.
fn unit_hint(key: &Key, value: &Value) -> Option<String> {
    let unit = key.unit;
    if let Value::String(text) = value {
        let digits = text.trim().starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
        let numeric = matches!(key.allowed, Allowed::Integer(..) | Allowed::Number(..));
        return (digits && numeric && !unit.is_empty())
            .then(|| format!("Write the bare number; {} is in {unit}", key.path));
    }
    let (factor, other) = match unit {
        "rad" | "rad/s" => (1f64.to_radians(), "degrees"),
        "m" | "m/s" => (1e-3, "millimetres"),
        "ms" => (1e3, "seconds"),
        _ => return None,
    };
    let numbers: Vec<f64> = match value {
        Value::Array(items) => items.iter().filter_map(number).collect(),
        value => number(value).into_iter().collect(),
    };
    let scaled = |x: &f64| match key.allowed {
        Allowed::Integer(..) => Value::Integer((x * factor).round() as i64),
        _ => Value::Float((x * factor * 1e4).round() / 1e4),
    };
    let meant = match value {
        Value::Array(_) => Value::Array(numbers.iter().map(scaled).collect()),
        _ => scaled(numbers.first()?),
    };
    let fits = numbers.iter().all(|x| x.is_finite()) && key.allowed.admits(&meant);
    fits.then(|| format!("{} is in {unit}: if {other} were meant, write {meant}", key.path))
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|x| x as f64))
}

fn nearest_word(key: &Key, value: &Value) -> Option<String> {
    let words = match key.allowed {
        Allowed::OneOf(words) => words,
        Allowed::List(Allowed::OneOf(words)) => words,
        _ => return None,
    };
    let wrong = match value {
        Value::Array(items) => {
            items.iter().filter_map(Value::as_str).find(|word| !words.contains(word))?
        }
        value => value.as_str()?,
    };
    Some(format!("Did you mean \"{}\"?", nearest(wrong, words)?))
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|word| (strsim::jaro_winkler(name, word), *word));
    let (score, word) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let part_of = |word: &&&str| name.len() >= 4 && word.contains(name);
    if score > 0.82 { Some(word) } else { known.iter().find(part_of).copied() }
}

/// The line of the last part of `path` that the file holds.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for segment in path.split('.') {
        let (name, index) = split_index(segment);
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        let mut span = key.span();
        let mut value = value;
        if let (Some(index), DeValue::Array(items)) = (index, value.get_ref()) {
            value = items.get(index)?;
            span = value.span();
        }
        found = Some(line_at(text, span.start));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
