//! Starting other programs: a command is shown, run with the terminal as it is, and its failure
//! named.

use anyhow::{Context, bail};
use std::path::Path;
use std::process::Command;

/// The command as a person would type it.
pub fn text(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Shows the command and runs it.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    eprintln!("$ {}", text(command));
    let status =
        command.status().with_context(|| format!("could not start `{}`", text(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", text(command));
    }
    Ok(())
}

/// `cargo` in the repository, as from a terminal. What the cargo that runs this program says of
/// this package would otherwise have build scripts that watch it (ring's) run again, and all that
/// depends on them built again.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
        command.env_remove(name);
    }
    command
}

fn is_of_this_package(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    let whole = ["CARGO_CRATE_NAME", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || whole.contains(&&*name)
}

/// True if a program of one of these names can be found in PATH.
pub fn found_in_path(names: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| names.iter().any(|name| folder.join(name).is_file()))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn cargo_hears_nothing_of_this_package() {
        let command = cargo(Path::new("."));
        let removed = |name| command.get_envs().any(|(key, value)| key == name && value.is_none());
        // Cargo gives them to every test.
        assert!(removed("CARGO_PKG_NAME") && removed("CARGO_MANIFEST_DIR"));
        assert!(!removed("CARGO_TARGET_DIR") && !removed("PATH"));
    }

    #[test]
    fn a_command_can_be_typed_as_shown() {
        let mut command = Command::new("pip");
        command.args(["a==1", "-d", "/with space", "it's"]);
        assert_eq!(text(&command), r"pip a==1 -d '/with space' 'it'\''s'");
    }
}
