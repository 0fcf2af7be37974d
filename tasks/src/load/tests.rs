use std::collections::BTreeSet;

use super::*;
use crate::{document, run::Preset};

/// Every key of a resolved file that uses all there is.
fn leaves(table: &Table, prefix: &str, into: &mut BTreeSet<String>) {
    for (name, value) in table {
        let path = join(prefix, name);
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves(inner, &path, into),
            Value::Array(items) if items.first().is_some_and(Value::is_table) => {
                for inner in items.iter().filter_map(Value::as_table) {
                    leaves(inner, &format!("{path}[]"), into);
                }
            }
            _ => {
                into.insert(path);
            }
        }
    }
}

/// The schema names exactly the keys that the type has.
fn check_schema<C: ConfigFile>(text: &str) {
    let config: C = parse(text, Path::new("test.toml")).expect("a valid file");
    let mut found = BTreeSet::new();
    let resolved: Table = toml::from_str(&to_toml(&config)).expect("TOML");
    leaves(&resolved, "", &mut found);
    let known: BTreeSet<String> = C::KEYS.iter().map(|key| key.path.to_owned()).collect();
    // What stands below `second` has the keys of the file itself.
    let (alike, mut found): (BTreeSet<_>, BTreeSet<_>) =
        found.into_iter().partition(|path| path.starts_with("second."));
    for path in &alike {
        assert!(known.contains(path.trim_start_matches("second.")), "{path}");
        found.insert("second".into());
    }
    assert_eq!(found, known);
    let again: C = parse(&to_toml(&config), Path::new("resolved.toml")).expect("resolved");
    assert_eq!(to_toml(&again), to_toml(&config));
    assert_eq!(hash(&again), hash(&config));
}

const CELL: &str = r#"
name = "cell"
limits = { workspace_min_m = [0, 0, 0], workspace_max_m = [1, 1, 1] }
device = { socket = "device.sock" }
teleop = { spacemouse = { usb_path = "usb-2", serial = "1" }, gamepad = { name = "a pad" }, leader = { device = "/dev/a", calibration = "b" } }
ur = { host = "a", reverse_host = "b" }
xarm = { host = "a" }
franka = { host = "a" }
so101 = { device = "/dev/a", calibration = "b" }
robotiq = { host = "a", port = 1, device = "/dev/b", slave = 9 }
serl_http.url = "http://localhost:5000"
second = { limits = { workspace_min_m = [0, 0, 0], workspace_max_m = [1, 1, 1] } }
[serl_http.compliance]
translational_stiffness = 0
translational_damping = 0
rotational_stiffness = 0
rotational_damping = 0
nullspace_stiffness = 0
joint1_nullspace_stiffness = 0
translational_clip_x = 0
translational_clip_y = 0
translational_clip_z = 0
translational_clip_neg_x = 0
translational_clip_neg_y = 0
translational_clip_neg_z = 0
rotational_clip_x = 0
rotational_clip_y = 0
rotational_clip_z = 0
rotational_clip_neg_x = 0
rotational_clip_neg_y = 0
rotational_clip_neg_z = 0
translational_Ki = 0
rotational_Ki = 0
[[camera]]
name = "a"
driver = "v4l2"
crop = { left = 0, top = 0, width = 64, height = 64 }
[camera.capture]
source = "usb-Maker_Eye-video-index0"
width = 640
height = 480
fps = 30
pixel_format = "MJPG"
exposure_us = 8000
gain = 10
white_balance_k = 4600
silent_max_ms = 1000
[[camera]]
name = "b"
driver = "images"
capture = { source = "%03d.png", repeat = false }
"#;

const TASK: &str = r#"
name = "task"
cameras = ["a"]
reset = { position_m = [0, 0, 0], travel_z_m = 0.1 }
second = { reset = { position_m = [1, 0, 0], travel_z_m = 0.1 } }
[reward]
classifier = { file = "classifier.bin", sha256 = "0" }
gate = { position_m = [0, 0, 0], tolerance_m = [0, 0, 0] }
"#;

const RUN: &str = r#"
[link]
endpoint = "tls/localhost:7447"
certificates = "certificates"
users = "users"
actors = [0, 1]
"#;

#[test]
fn the_cell_schema_names_the_keys_of_the_type() {
    check_schema::<CellConfig>(CELL);
}

#[test]
fn the_task_schema_names_the_keys_of_the_type() {
    check_schema::<TaskConfig>(TASK);
}

#[test]
fn the_run_schema_names_the_keys_of_the_type() {
    // Left out of a resolved file unless they are set.
    let imitation = "algorithm = 'hg-dagger', pretrain_updates = 1, grasp_margin_weight = 1";
    for (first, learner) in
        [("", ""), ("preset = 'hil-serl'", ""), ("", "q_clip = [0, 1], target_entropy = -3, ")]
    {
        let text = format!("{first}\nlearner = {{ {learner}{imitation} }}\n{RUN}");
        check_schema::<RunConfig>(&text);
    }
}

#[test]
fn the_file_wins_over_the_preset() {
    let run = RunConfig::from_toml("preset = \"hil-serl\"\nlearner.batch = 64", "run").expect("ok");
    assert_eq!((run.learner.batch, run.learner.bc_weight), (64, 0.0));
    assert_eq!(run.learner.discount, RunConfig::preset(Preset::Reins).learner.discount);
}

#[test]
fn a_run_may_go_on_with_another_endpoint_and_more_steps_but_not_with_another_network() {
    let hash = |text: &str| RunConfig::from_toml(text, "run.toml").unwrap().learning_hash();
    let base = hash("");
    assert_eq!(hash("[link]\nendpoint = \"tcp/127.0.0.1:7999\"\n[threads]\nlearner = 7\n"), base);
    assert_eq!(hash("[budget]\nenv_steps = 99999\n"), base);
    assert_ne!(hash("[network]\nhidden = [32]\n"), base);
    assert_ne!(hash("[learner]\ndiscount = 0.9\n"), base);
    assert_ne!(hash("seed = 9\n"), base);
}

#[test]
fn a_file_that_says_what_the_defaults_say_has_their_hash() {
    let spelled = RunConfig::from_toml("learner.batch = 128\nseed = 0", "run").expect("ok");
    assert_eq!(spelled.hash(), RunConfig::preset(Preset::Reins).hash());
    let other = RunConfig::from_toml("seed = 1", "run").expect("ok");
    assert_ne!(other.hash(), spelled.hash());
    assert_eq!(other.hash().len(), 64);
}

/// Each cell file with a camera that is opened here, and a part of what is wrong with it.
#[test]
fn what_a_camera_cannot_be_asked_for_is_refused() {
    let head = "name = 'c'\nlimits = { workspace_min_m = [0,0,0], workspace_max_m = [1,1,1] }\n";
    let camera = |name: &str, driver: &str, capture: &str| {
        format!("[[camera]]\nname = '{name}'\ndriver = '{driver}'\n{capture}\n")
    };
    let of = |driver, keys| camera("a", driver, &format!("[camera.capture]\nsource = 's'\n{keys}"));
    for (cameras, wrong) in [
        (camera("a", "v4l2", ""), "nothing says which camera"),
        (of("sim", ""), "opened here"),
        (of("v4l2", "width = 64"), "stands without height"),
        (of("http", "gain = 1"), "v4l2"),
        (of("gstreamer", "fps = 30"), "recordings"),
        (of("v4l2", "repeat = true"), "recordings"),
        (of("v4l2", "pixel_format = 'MJPEG'"), "four letters"),
        (of("realsense", "pixel_format = 'MJPG'"), "v4l2"),
        (of("v4l2", "exposure_us = 0"), "exposure_us"),
        (
            of("v4l2", "") + &camera("b", "v4l2", "capture = { source = 's', fps = 9 }"),
            "camera a too",
        ),
    ] {
        let error = CellConfig::from_toml(&format!("{head}{cameras}"), "cell").unwrap_err();
        assert!(error.to_string().contains(wrong), "{wrong}: {error}");
    }
    let same = of("v4l2", "fps = 9") + &camera("b", "v4l2", "capture = { source = 's', fps = 9 }");
    let cell = CellConfig::from_toml(&format!("{head}{same}"), "cell").expect("one device");
    assert_eq!(cell.cameras[0].capture, cell.cameras[1].capture);
}

#[test]
fn a_list_of_cameras_gets_defaults_element_by_element() {
    let text = format!("{CELL}\n").replace("name = \"a\"", "name = \"a\"\nwidth = 64");
    let cell = CellConfig::from_toml(&text, "cell").expect("ok");
    assert_eq!((cell.cameras[0].width, cell.cameras[0].height), (64, 128));
    let (none, _) = CELL.split_once("[[camera]]").expect("it has cameras");
    assert!(CellConfig::from_toml(none, "cell").expect("ok").cameras.is_empty());
}

#[test]
fn the_documentation_is_in_step_with_the_tables() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let written = document::configuration();
    if std::env::var_os("REINS_WRITE_DOCS").is_some() {
        fs::write(&file, &written).expect("docs/ is writable");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == written, "run: REINS_WRITE_DOCS=1 cargo test -p tasks");
}
