//! Each outside system is named in one place, so that it can be exchanged there.

/// Library as written in Rust, and where it may be named: a file, or all below a folder.
const PLACES: &[(&str, &[&str])] = &[
    // Tests speak as foreign peers.
    (
        "zenoh",
        &["wire/src/transport/zenoh.rs", "wire/src/transport/zenoh/", "tests/", "wire/tests/"],
    ),
    ("mujoco_rs", &["sim/"]),
    (
        "rerun",
        &[
            "actor/src/viz.rs",
            "actor/src/viz/",
            "learner/src/viz.rs",
            "learner/src/viz/",
            "src/report.rs",
            "src/report/",
            "tests/",
        ],
    ),
    ("axum", &["console/", "drivers/src/serl_http/"]),
    ("ureq", &["drivers/src/serl_http/call.rs", "lens/src/http.rs"]),
    (
        "franka",
        &["drivers/src/arm/franka.rs", "drivers/src/arm/franka/", "drivers/src/gripper/franka.rs"],
    ),
    ("tokio_modbus", &["drivers/src/gripper/robotiq/"]),
    ("serial2", &["drivers/src/feetech/bus.rs"]),
    ("serial2_tokio", &["drivers/src/gripper/robotiq/modbus.rs"]),
    ("opencv", &["lens/"]),
    ("v4l", &["lens/src/list.rs"]),
    ("libloading", &["lens/src/realsense/", "nets/src/device.rs"]),
    ("gilrs", &["drivers/src/teleop/gamepad.rs"]),
    ("hidapi", &["drivers/src/teleop/spacemouse.rs"]),
];

/// `file`: path below the root.
pub fn violations(file: &str, text: &str) -> Vec<String> {
    let allowed = |places: &[&str]| {
        places.iter().any(|place| file == *place || place.ends_with('/') && file.starts_with(place))
    };
    let complaint = |(line, name): (usize, &str)| {
        let (library, places) = PLACES.iter().find(|(library, _)| *library == name)?;
        let places = (!allowed(places)).then(|| places.join(", "))?;
        Some(format!("{file}:{line} names {library}, which belongs in {places}"))
    };
    path_roots(&tokens(text)).filter_map(complaint).collect()
}

/// A word or a single other character, with its line. Blanks, comments and quotes are left out.
type Token<'a> = (usize, &'a str);

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (length, is_code) = next_token(rest, first);
        let (token, after) = rest.split_at(length);
        if is_code {
            found.push((line, token));
        }
        line += token.matches('\n').count();
        rest = after;
    }
    found
}

/// Length in bytes of what `text` begins with, and whether it is code.
fn next_token(text: &str, first: char) -> (usize, bool) {
    let up_to = |end: &str| text.find(end).map_or(text.len(), |at| at + end.len());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if text.starts_with("//") {
        (up_to("\n"), false)
    } else if text.starts_with("/*") {
        (up_to("*/"), false)
    } else if let Some(length) = raw_quote_length(text) {
        (length, false)
    } else if text.starts_with("'\"'") {
        (3, false)
    } else if first == '"' {
        (quote_length(text), false)
    } else if is_word(first) {
        (text.find(|c| !is_word(c)).unwrap_or(text.len()), true)
    } else {
        (first.len_utf8(), !first.is_whitespace())
    }
}

/// Of `r"..."` or `r#"..."#` at the beginning of `text`.
fn raw_quote_length(text: &str) -> Option<usize> {
    let content = text.strip_prefix('r')?.trim_start_matches('#').strip_prefix('"')?;
    let opening = text.len() - content.len();
    let closing = format!("\"{}", "#".repeat(opening - 2));
    Some(content.find(&closing).map_or(text.len(), |at| opening + at + closing.len()))
}

fn quote_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// The words at which a path begins: in imports the first, or the first of each branch where the
/// import begins with a brace; elsewhere a word before `::` and not after it.
fn path_roots<'a>(tokens: &'a [Token<'a>]) -> impl Iterator<Item = Token<'a>> {
    let text = |index: usize| tokens.get(index).map_or("", |(_, text)| *text);
    // Depth of braces inside an import, and whether it began with one.
    let mut import: Option<(usize, bool)> = None;
    tokens.iter().enumerate().filter_map(move |(index, &token)| {
        let before = index.checked_sub(1).map_or("", text);
        match (&mut import, token.1) {
            (None, "use") => {
                import = Some((0, text(index + 1) == "{"));
                None
            }
            (Some(_), ";") => {
                import = None;
                None
            }
            (Some((depth, _)), "{") => {
                *depth += 1;
                None
            }
            (Some((depth, _)), "}") => {
                *depth = depth.saturating_sub(1);
                None
            }
            (Some((depth, begins_with_brace)), _) => {
                let of_branch = *begins_with_brace && *depth == 1 && ["{", ","].contains(&before);
                (before == "use" || of_branch).then_some(token)
            }
            (None, _) => {
                let is_path = text(index + 1) == ":" && text(index + 2) == ":";
                let is_root = ![":", "."].contains(&before) || is_type_of_field(tokens, index);
                (is_path && is_root || before == "crate").then_some(token)
            }
        }
    })
}

/// True at `b` in `a: b::C`, where the colon before it is a single one.
fn is_type_of_field(tokens: &[Token<'_>], index: usize) -> bool {
    let colon = |back: usize| index.checked_sub(back).is_some_and(|at| tokens[at].1 == ":");
    colon(1) && !colon(2)
}

#[cfg(test)]
mod test {
    use super::*;

    #[track_caller]
    fn check(file: &str, line: &str, complaints: usize) {
        assert_eq!(violations(file, line).len(), complaints, "{file}: {line}");
    }

    #[test]
    fn a_library_in_its_own_module_is_right() {
        check("wire/src/transport/zenoh.rs", "use zenoh::Session;", 0);
        check("sim/src/world.rs", "let model: mujoco_rs::prelude::MjModel;", 0);
        check("actor/src/viz/scene.rs", "use rerun::Scalars;", 0);
    }

    #[test]
    fn a_library_elsewhere_is_named_with_file_and_line() {
        assert_eq!(
            violations("actor/src/uplink.rs", "\nuse zenoh::Session;"),
            ["actor/src/uplink.rs:2 names zenoh, which belongs in \
              wire/src/transport/zenoh.rs, wire/src/transport/zenoh/, tests/, wire/tests/"]
        );
        check("src/main.rs", "use zenoh;", 1);
        check("src/main.rs", "let x = rerun::RecordingStream::new();", 1);
        check("src/main.rs", "struct A { x: rerun::RecordingStream }", 1);
        check("src/main.rs", "use {std::fs, zenoh as z};", 1);
        check("src/main.rs", "use {\n  std::{fs, io},\n  zenoh::Session,\n};", 1);
        check("wire/src/transport/zenoh_helper.rs", "use zenoh::Session;", 1);
        check("simulate/src/lib.rs", "extern crate mujoco_rs;", 1);
        check("actor/src/uplink.rs", r#"let c = '"'; zenoh::open("\"//");"#, 1);
    }

    #[test]
    fn our_own_modules_of_the_same_name_are_no_matter() {
        check("wire/src/transport.rs", "pub mod zenoh;", 0);
        check("wire/src/transport.rs", "pub use self::zenoh::Link;", 0);
        check("actor/src/uplink.rs", "use wire::transport::zenoh::Options;", 0);
        check("actor/src/uplink.rs", "use wire::{\n  a::{\n    zenoh::{B, C},\n  },\n};", 0);
        check("actor/src/uplink.rs", "let zenoh = wire::zenoh::open(options.zenoh);", 0);
        check("actor/src/uplink.rs", "use prerun::Thing;", 0);
    }

    #[test]
    fn comments_and_quotes_are_no_code() {
        check("actor/src/uplink.rs", "// rerun::Scalars would do", 0);
        check("actor/src/uplink.rs", "/* rerun::Scalars\n rerun::Scalars */", 0);
        check("actor/src/uplink.rs", r#"let text = "use \" zenoh::open";"#, 0);
        check("actor/src/uplink.rs", r##"let text = r"\"; let text = "zenoh::open";"##, 0);
        check("actor/src/uplink.rs", r##"let text = r#"use " zenoh::open"#;"##, 0);
    }
}
