//! `reins probe` and the hand of a cell, on a machine where nothing need be plugged in.

use std::{
    fs,
    io::Write,
    os::unix::net::UnixListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::Workplace;

const TELEOP: &str = "[teleop]\ndriver = \"scripted\"";

/// The default cell with another hand.
fn with_hand(workplace: &Workplace, teleop: &str) {
    let cell = include_str!("../configs/cells/sim-ram.toml");
    assert!(cell.contains(TELEOP));
    workplace.write("cell.toml", &cell.replace(TELEOP, teleop));
}

#[test]
fn what_is_plugged_in_is_listed_by_kind() {
    let workplace = Workplace::new();
    let said = workplace.must(workplace.reins(&["probe"]));
    assert!(said.contains("SpaceMice:\n  ") && said.contains("Gamepads:\n  "), "{said}");
    assert!(said.contains("Cameras:\n  ") && !said.contains("build it"), "{said}");
}

#[test]
fn a_simulated_hand_is_not_watched() {
    let workplace = Workplace::new();
    let said = workplace.must(workplace.reins(&["probe", "--cell", "cell.toml"]));
    assert!(said.contains("simulated operator"), "{said}");
}

#[test]
fn a_hand_that_is_not_there_is_named_with_the_remedy() {
    let workplace = Workplace::new();
    let mouse =
        "[teleop]\ndriver = \"spacemouse\"\n[teleop.spacemouse]\nusb_path = \"usb-nowhere\"";
    with_hand(&workplace, mouse);
    let words = ["doctor", "--cell", "cell.toml", "--task", "task.toml", "--config", "run.toml"];
    for words in [&words[..], &["probe", "--cell", "cell.toml"]] {
        let output = workplace.reins(words).output().unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        let said = said.concat();
        assert!(!output.status.success() && said.contains("no SpaceMouse"), "{said}");
        assert!(said.contains("reins probe"), "{said}");
    }
}

/// A cell whose wrist camera shows recorded pictures, opened by the program beside `reins`.
fn with_recording(workplace: &Workplace) {
    for number in 0..3 {
        let file = fs::File::create(workplace.path(&format!("{number:03}.png"))).unwrap();
        let mut encoder = png::Encoder::new(file, 160, 120);
        encoder.set_color(png::ColorType::Rgb);
        let pixels = vec![40 * number as u8; 160 * 120 * 3];
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    }
    let camera = "[[camera]]\nname = \"wrist\"";
    let cell = include_str!("../configs/cells/sim-ram.toml");
    assert!(cell.contains(camera));
    let crop = "crop = { left = 20, top = 0, width = 120, height = 120 }";
    let capture = "capture = { source = \"%03d.png\", fps = 50, width = 160, height = 120 }";
    let images = format!("{camera}\ndriver = \"images\"\n{crop}\n{capture}");
    workplace.write("cell.toml", &cell.replace(camera, &images));
}

#[test]
fn a_camera_is_watched_and_its_rate_and_age_are_said() {
    let workplace = Workplace::new();
    with_recording(&workplace);
    let said = workplace.must(workplace.reins(&["probe", "--cell", "cell.toml", "--seconds", "2"]));
    assert!(said.contains("Camera wrist: %03d.png gives 160x120"), "{said}");
    assert!(said.contains("a second") && said.contains("jitter"), "{said}");
}

#[test]
fn a_camera_does_not_wait_for_lockstep() {
    let workplace = Workplace::new();
    with_recording(&workplace);
    let output = workplace.reins_on_run(&["train", "--lockstep"], "bad").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("waits for nobody"), "{said}");
}

#[test]
fn a_person_does_not_drive_in_lockstep() {
    let workplace = Workplace::new();
    with_hand(&workplace, "[teleop]\ndriver = \"gamepad\"");
    let output = workplace.reins_on_run(&["train", "--lockstep"], "bad").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("in lockstep, which a person"), "{said}");
}

/// A push of half the way along the cell's x, by a socket that speaks as spacenavd does.
#[test]
fn a_hand_is_watched_and_what_it_does_is_said() {
    let workplace = Workplace::new();
    let mouse = "[teleop]\ndriver = \"spacemouse\"\n[teleop.spacemouse]\nsource = \"spacenavd\"\n\
                 socket = \"spnav.sock\"";
    with_hand(&workplace, mouse);
    let listener = UnixListener::bind(workplace.path("spnav.sock")).unwrap();
    let is_over = Arc::<AtomicBool>::default();
    let over = is_over.clone();
    let daemon = thread::Builder::new().name("spacenavd".into()).spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        for tremble in [0, 1].into_iter().cycle() {
            let words: [i32; 8] = [0, 0, 0, -175 - tremble, 0, 0, 0, 16];
            let packet: Vec<u8> = words.into_iter().flat_map(i32::to_ne_bytes).collect();
            if over.load(Ordering::SeqCst) || client.write_all(&packet).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(16));
        }
    });
    let said = workplace.must(workplace.reins(&["probe", "--cell", "cell.toml", "--seconds", "2"]));
    is_over.store(true, Ordering::SeqCst);
    daemon.unwrap().join().unwrap();
    assert!(said.contains("spacenavd at spnav.sock"), "{said}");
    assert!(said.contains("moved (base frame): x +0.00 to +0.46\n"), "{said}");
    assert!(said.contains("times a second") && said.contains("age "), "{said}");
}
