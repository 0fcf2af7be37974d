//! `docs/configuration.md`, written from the same tables that check the files.

use std::fmt::Write;

use toml::{Table, Value};

use crate::{
    cell::CellConfig,
    faults::FaultScript,
    load::ConfigFile,
    run::RunConfig,
    schema::{Key, lookup},
    task::TaskConfig,
};

const HEAD: &str = "\
# Configuration

<!-- Written from the tables in `tasks/src/*/keys.rs` and the defaults beside them.
     After a change: REINS_WRITE_DOCS=1 cargo test -p tasks -->

A run needs three TOML files: a *cell* file says what the hardware is, a *task* file what is to be
learned, a *run* file how. Examples are in `configs/`. Lengths are in metres, angles in radians,
positions in the arm's base frame; a key's last part is its unit.

Files are checked before anything moves. An unknown key, a wrong type, a value out of range or a
missing file is refused with file, line, key, value and remedy. Bounds are included. The resolved
configuration, defaults and all, is written into the run's folder, and its SHA-256 into the
manifest.

The limits of a cell file protect the robot, the work-piece and the data. They are no safety
function: emergency stop, enabling device and limits that protect people belong to the robot's
certified controller.
";

/// The whole text of `docs/configuration.md`.
pub fn configuration() -> String {
    let none = Table::new();
    let reins = RunConfig::defaults(&none);
    let hil_serl = RunConfig::defaults(&preset_hil_serl());
    let mut text = HEAD.to_owned();
    section(
        &mut text,
        "The cell file",
        "`[[camera]]` stands once for each camera. `crop` may be left out; then the whole picture \
         is kept. A simulated camera that is cropped takes pictures of 256x256. Each device is chosen \
         by its `driver`. Where the arm is not simulated the defaults are those of a real cell: each \
         camera says its driver, `fixture.driver` is `\"person\"` and `success.driver` `\"none\"`. The \
         tables `serl_http` and `device` are only there where a part is reached so; their defaults \
         are those of a table that is there. `[camera.capture]` belongs to a camera that is opened here \
         (docs/cameras.md); cameras with the same one are parts of one device's picture. `[second]` \
         describes the second arm of a pair in the same words ([two-arms.md](two-arms.md)).",
        CellConfig::KEYS,
        &[("default", &CellConfig::defaults(&every_table()))],
    );
    section(
        &mut text,
        "The task file",
        "The proprioception vector holds the keys of `observation.proprio` in the order of the \
         file, three values each; unless `dims = \"xyz+rotation\"` the rotations (`rotation`, \
         `angular-velocity`, `rotation-lag`) have one value, the yaw. `position` and `rotation` \
         are relative to the pose at reset, all others are in the end-effector frame. For the order of \
         HIL-SERL write `[\"force\", \"position\", \"rotation\", \"torque\", \
         \"linear-velocity\", \"angular-velocity\"]`. A task for two arms holds the vector of the first \
         and then that of the second; so does the action.",
        TaskConfig::KEYS,
        &[("default", &TaskConfig::defaults(&none))],
    );
    section(
        &mut text,
        "The run file",
        "`preset` chooses the defaults; keys in the file win over them.",
        RunConfig::KEYS,
        &[("`reins`", &reins), ("`hil-serl`", &hil_serl)],
    );
    section(
        &mut text,
        "The fault script",
        "Only for rehearsals, see [faults.md](faults.md). `[[fault]]` stands once for each fault.",
        FaultScript::KEYS,
        &[("default", &FaultScript::defaults(&none))],
    );
    text
}

/// A cell with every table that may be left out, so that its settings have defaults.
fn every_table() -> Table {
    let empty = |name: &str| (name.to_owned(), Value::Table(Table::new()));
    let hands = ["spacemouse", "gamepad", "leader"].map(empty).into_iter().collect();
    let tables =
        ["serl_http", "ur", "xarm", "franka", "so101", "robotiq", "device"].map(empty).into_iter();
    tables.chain([("teleop".to_owned(), Value::Table(hands))]).collect()
}

fn preset_hil_serl() -> Table {
    [("preset".to_owned(), Value::String("hil-serl".into()))].into_iter().collect()
}

fn section(text: &mut String, title: &str, intro: &str, keys: &[Key], columns: &[(&str, &Table)]) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let rule = "---|".repeat(columns.len());
    let _ = write!(
        text,
        "\n## {title}\n\n{intro}\n\n| key | {} | unit | allowed | meaning |\n|---|{rule}---|---|---|\n",
        names.join(" | ")
    );
    for key in keys {
        let defaults: Vec<String> =
            columns.iter().map(|(_, table)| default_of(key, table)).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            key.path,
            defaults.join(" | "),
            key.unit,
            key.allowed,
            key.what
        );
    }
}

fn default_of(key: &Key, defaults: &Table) -> String {
    match lookup(defaults, key.path) {
        Some(value) => format!("`{}`", value.to_string().replace('\n', " ")),
        None if key.required => "required".into(),
        None => "none".into(),
    }
}
