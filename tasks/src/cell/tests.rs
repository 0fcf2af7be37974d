//! What a cell file implies, and what it refuses.

use super::*;

const LIMITS: &str = "[limits]\nworkspace_min_m = [0, 0, 0]\nworkspace_max_m = [1, 1, 1]\n";

fn cell(text: &str) -> Result<CellConfig, String> {
    let text = format!("name = \"c\"\n{text}\n{LIMITS}");
    CellConfig::from_toml(&text, "cell.toml").map_err(|error| error.to_string())
}

#[test]
fn a_cell_that_names_nothing_is_simulated() {
    let cell = cell("[[camera]]\nname = \"wrist\"").unwrap();
    assert!(cell.is_simulated());
    assert_eq!((cell.arm.driver, cell.cameras[0].driver), (ArmDriver::Sim, CameraDriver::Sim));
    assert_eq!(cell.fixture.driver, FixtureDriver::Sim);
    assert_eq!(cell.success.driver, SuccessDriver::Sim);
    assert_eq!((&cell.serl_http, &cell.device), (&None, &None));
}

const REAL: &str = "[arm]\ndriver = \"serl-http\"\n[serl_http]\nurl = \"http://robot:5000\"\n";

#[test]
fn another_arm_implies_a_person_and_no_sensor() {
    let cell = cell(REAL).unwrap();
    assert!(!cell.is_simulated());
    assert_eq!(cell.fixture.driver, FixtureDriver::Person);
    assert_eq!(cell.success.driver, SuccessDriver::None);
    assert_eq!(cell.serl_http.unwrap().timeout_ms, 500);
}

#[test]
fn each_device_may_come_from_elsewhere() {
    let text = format!(
        "{REAL}[gripper]\ndriver = \"sim\"\n[[camera]]\nname = \"a\"\ndriver = \"device\"\n\
         [[camera]]\nname = \"b\"\ndriver = \"sim\"\n[fixture]\ndriver = \"device\""
    );
    let cell = cell(&text).unwrap();
    assert!(cell.is_simulated());
    assert_eq!(cell.device.unwrap().clock, DeviceClock::Real);
    let drivers: Vec<CameraDriver> = cell.cameras.iter().map(|camera| camera.driver).collect();
    assert_eq!(drivers, [CameraDriver::Device, CameraDriver::Sim]);
}

#[test]
fn what_is_resolved_can_be_read_again() {
    let cell = cell(&format!("{REAL}[serl_http.compliance]\ntranslational_clip_x = 0.01")).unwrap();
    let again = CellConfig::from_toml(&cell.to_toml(), "again.toml").unwrap();
    assert_eq!(again, cell);
}

#[track_caller]
fn refuses(text: &str, words: &str) {
    let error = cell(text).unwrap_err();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_a_driver_needs_is_asked_for() {
    refuses("[arm]\ndriver = \"serl-http\"", "serl_http.url");
    refuses(&format!("{REAL}[[camera]]\nname = \"wrist\""), "camera[0].driver");
    refuses(&format!("{REAL}gripper_open = 0.0"), "serl_http.gripper_open");
    refuses(&format!("{REAL}[serl_http.compliance]\nclip = 1"), "clip");
    refuses("[device]\nclock = \"simulated\"", "two times");
    let cropped = "[[camera]]\nname = \"a\"\ndriver = \"device\"\n\
                   [camera.crop]\nleft = 0\ntop = 0\nwidth = 9\nheight = 9";
    refuses(cropped, "crops it itself");
}
