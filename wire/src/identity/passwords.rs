//! The file of names and passwords: `<name>:<password>`, one a line. The learner's holds all of
//! them, an actor's only its own.

use std::{fmt, path::Path};

use super::{IdentityError, Role, read_private};

/// A password that no log line and no error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The password of `role`. Every line is checked, since the learner hands the file to zenoh.
pub fn password_of(role: Role, file: &Path) -> Result<Password, IdentityError> {
    let not_text = |_| IdentityError::PasswordLine { file: file.to_owned(), line: 1 };
    let text = String::from_utf8(read_private(file)?).map_err(not_text)?;
    let mut found = None;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let parts = line.split_once(':').map(|(name, password)| (name.trim(), password.trim()));
        match parts {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => {
                if name == role.to_string() {
                    found = Some(Password(password.to_owned()));
                }
            }
            _ => {
                let file = file.to_owned();
                return Err(IdentityError::PasswordLine { file, line: index + 1 });
            }
        }
    }
    found.ok_or_else(|| IdentityError::NoPassword { file: file.to_owned(), role: role.to_string() })
}
