//! Gamepads: the person drives while a button is held, and the sticks push.
//!
//! A pad speaks only when something changes, so its silence says nothing: a thread looks at it two
//! hundred times a second, and what it saw is as old as that look. A pad that is gone is an error until it
//! is back, so that the arm is held and not given to the policy.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gilrs::{Axis, Button, GamepadId, Gilrs, GilrsBuilder, LinuxGamepadExt};
use thiserror::Error;
use wire::{Clock, Mark};

use super::{
    Teleop, TeleopError, TeleopSample,
    newest::{Newest, Shared, Watched},
    spacemouse::{FdSource, Places},
};
use crate::{EpisodeBrief, Stamped};

mod pad;

pub use self::pad::{PadButton, PadMap, PadState};

/// Between two looks.
const TURN: Duration = Duration::from_millis(5);

/// What is said to somebody who may not read a pad.
pub const PERMISSION_REMEDY: &str =
    "log in at the machine itself, or `sudo usermod -aG input $USER` and log in anew";

#[derive(Debug, Error)]
pub enum GamepadError {
    #[error("looking for gamepads: {0}")]
    System(String),
    #[error("no gamepad is there: plug one in (`reins probe` lists what is there)")]
    None,
    #[error("no gamepad is called \"{wanted}\": mend teleop.gamepad.name; there are: {there}")]
    NotThatOne { wanted: String, there: String },
    #[error("starting the thread of the gamepad")]
    Thread(#[source] io::Error),
}

#[derive(Clone, Debug, PartialEq)]
pub struct GamepadConfig {
    /// A part of its name, where there are several; the first one otherwise.
    pub name: Option<String>,
    pub map: PadMap,
    /// So long the newest look moves the arm at most.
    pub dead_man: Duration,
}

/// A gamepad that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pad {
    pub name: String,
    pub node: PathBuf,
}

pub struct Gamepad {
    name: String,
    watched: Watched,
}

impl Gamepad {
    /// The pad must be there; when it goes away later it is waited for. `host` is the machine's clock,
    /// `clock` the cell's, in which samples are stamped.
    pub fn open(
        config: GamepadConfig,
        host: Arc<dyn Clock>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GamepadError> {
        let gilrs = start()?;
        let GamepadConfig { name: wanted, map, dead_man } = config;
        let (id, pad) = choose(&gilrs, wanted.as_deref())?;
        let newest = Shared::new(Newest::at_rest(host.now(), true));
        let watcher = Watcher { map, newest: newest.clone(), host: host.clone() };
        let ending = Arc::<AtomicBool>::default();
        let end = ending.clone();
        let thread = thread::Builder::new()
            .name("gamepad".into())
            .spawn(move || watch(gilrs, id, wanted.as_deref(), watcher, &end))
            .map_err(GamepadError::Thread)?;
        let watched = Watched::new(newest, [host, clock], dead_man, ending, Some(thread));
        Ok(Self { name: pad.name, watched })
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Teleop for Gamepad {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        self.watched.sample()
    }

    fn mark(&mut self) -> Option<Mark> {
        self.watched.mark()
    }

    fn announce(&mut self, _: &EpisodeBrief) {
        self.watched.announce();
    }

    /// A stick at its end stays the same for as long as it is held there.
    fn dead_man(&self) -> Option<Duration> {
        Some(self.watched.dead_man)
    }
}

/// The gamepads that this process can read.
pub fn list() -> Result<Vec<Pad>, GamepadError> {
    Ok(pads(&start()?).into_iter().map(|(_, pad)| pad).collect())
}

/// Gamepads that are plugged in and may not be read: by sysfs, as a device that cannot be opened is
/// not there for the library.
pub fn denied(places: &Places) -> Vec<Pad> {
    let Ok(entries) = fs::read_dir(places.sysfs.join("class/input")) else { return Vec::new() };
    let pad = |entry: fs::DirEntry| {
        let file_name = entry.file_name();
        let is_event = file_name.to_str()?.starts_with("event");
        let device = entry.path().join("device");
        let keys = fs::read_to_string(device.join("capabilities/key")).ok()?;
        let name = fs::read_to_string(device.join("name")).ok()?.trim().to_owned();
        let node = places.dev.join("input").join(file_name);
        (is_event && has_pad_buttons(&keys) && is_denied(&node)).then_some(Pad { name, node })
    };
    let mut denied: Vec<Pad> = entries.flatten().filter_map(pad).collect();
    denied.sort_by(|a, b| a.node.cmp(&b.node));
    denied
}

fn is_denied(node: &Path) -> bool {
    FdSource::open(node).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The kernel's number of the south button, which every gamepad has.
const BTN_SOUTH: usize = 0x130;

/// `keys` are words of 64 bits in hex, the highest first.
fn has_pad_buttons(keys: &str) -> bool {
    let word = keys.split_whitespace().rev().nth(BTN_SOUTH / 64);
    let bits = word.and_then(|word| u64::from_str_radix(word, 16).ok()).unwrap_or(0);
    bits >> (BTN_SOUTH % 64) & 1 == 1
}

fn start() -> Result<Gilrs, GamepadError> {
    // Dead zones are ours, and nothing shakes.
    let builder = GilrsBuilder::new().with_default_filters(false).with_force_feedback(false);
    builder.build().map_err(|error| GamepadError::System(error.to_string()))
}

fn pads(gilrs: &Gilrs) -> Vec<(GamepadId, Pad)> {
    let pad = |(id, pad): (GamepadId, gilrs::Gamepad<'_>)| {
        (id, Pad { name: pad.name().to_owned(), node: pad.devpath().to_owned() })
    };
    gilrs.gamepads().map(pad).collect()
}

fn choose(gilrs: &Gilrs, wanted: Option<&str>) -> Result<(GamepadId, Pad), GamepadError> {
    pick(pads(gilrs), wanted)
}

/// The first one that is meant.
fn pick<I>(mut there: Vec<(I, Pad)>, wanted: Option<&str>) -> Result<(I, Pad), GamepadError> {
    if there.is_empty() {
        return Err(GamepadError::None);
    }
    let is_meant = |(_, pad): &(I, Pad)| wanted.is_none_or(|wanted| pad.name.contains(wanted));
    match there.iter().position(is_meant) {
        Some(index) => Ok(there.swap_remove(index)),
        None => {
            let names: Vec<&str> = there.iter().map(|(_, pad)| pad.name.as_str()).collect();
            let wanted = wanted.unwrap_or_default().to_owned();
            Err(GamepadError::NotThatOne { wanted, there: names.join(", ") })
        }
    }
}

/// Until it is told to end; owns the pad.
fn watch(
    mut gilrs: Gilrs,
    mut id: GamepadId,
    wanted: Option<&str>,
    mut watcher: Watcher,
    ending: &AtomicBool,
) {
    while !ending.load(Ordering::SeqCst) {
        while gilrs.next_event().is_some() {}
        let mut seen = look(&gilrs, id);
        if seen.is_none()
            && let Ok((other, _)) = choose(&gilrs, wanted)
        {
            id = other;
            seen = look(&gilrs, id);
        }
        watcher.see(seen.as_ref());
        watcher.host.sleep_until(watcher.host.now() + TURN);
    }
}

/// The pad now; `None` when it is gone. Its node is gone sooner than the library hears of it.
fn look(gilrs: &Gilrs, id: GamepadId) -> Option<PadState> {
    let pad = gilrs.connected_gamepad(id).filter(|pad| pad.devpath().exists())?;
    let stick = |x, y| [x, y].map(|axis| f64::from(pad.value(axis)));
    let pressed = PadButton::all().filter(|button| pad.is_pressed(named(*button)));
    Some(PadState {
        left_stick: stick(Axis::LeftStickX, Axis::LeftStickY),
        right_stick: stick(Axis::RightStickX, Axis::RightStickY),
        pressed: pressed.collect(),
    })
}

fn named(button: PadButton) -> Button {
    match button {
        PadButton::South => Button::South,
        PadButton::East => Button::East,
        PadButton::North => Button::North,
        PadButton::West => Button::West,
        PadButton::LeftShoulder => Button::LeftTrigger,
        PadButton::RightShoulder => Button::RightTrigger,
        PadButton::LeftTrigger => Button::LeftTrigger2,
        PadButton::RightTrigger => Button::RightTrigger2,
        PadButton::Select => Button::Select,
        PadButton::Start => Button::Start,
        PadButton::LeftStick => Button::LeftThumb,
        PadButton::RightStick => Button::RightThumb,
        PadButton::Up => Button::DPadUp,
        PadButton::Down => Button::DPadDown,
        PadButton::Left => Button::DPadLeft,
        PadButton::Right => Button::DPadRight,
    }
}

/// Turns looks at the pad into the newest word of the hand.
struct Watcher {
    map: PadMap,
    newest: Shared,
    host: Arc<dyn Clock>,
}

impl Watcher {
    fn see(&mut self, pad: Option<&PadState>) {
        let now = self.host.now();
        let mut newest = self.newest.lock();
        match pad {
            Some(pad) => {
                newest.gone = None;
                newest.alive_at = now;
                newest.twist = self.map.push(pad);
                newest.engaged = true;
                newest.buttons.hear(now, self.map.roles(pad));
            }
            None => {
                if newest.gone.is_none() {
                    tracing::warn!("the gamepad is gone; it is waited for");
                }
                newest.gone = Some("the gamepad was unplugged or switched off".into());
                newest.twist = [0.0; 6];
                newest.engaged = false;
                newest.buttons.let_go();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{GripperCommand, ManualClock, Timestamp};

    use super::{super::buttons::ButtonRole, *};
    use PadButton::{LeftTrigger, North, RightShoulder, South, West};

    fn rig() -> (Watcher, Gamepad, Arc<ManualClock>) {
        let map = PadMap {
            dead_zone: 0.12,
            yaw_rad: 0.0,
            roles: vec![
                (RightShoulder, ButtonRole::Intervene),
                (LeftTrigger, ButtonRole::GripperClose),
                (South, ButtonRole::GripperToggle),
                (North, ButtonRole::MarkSuccess),
                (West, ButtonRole::MarkFailure),
            ],
            turn: Some(PadButton::LeftShoulder),
        };
        let clock = Arc::<ManualClock>::default();
        clock.sleep_until(Timestamp(1_000_000_000));
        let newest = Shared::new(Newest::at_rest(clock.now(), true));
        let watcher = Watcher { map, newest: newest.clone(), host: clock.clone() };
        let dead_man = Duration::from_millis(200);
        let watched =
            Watched::new(newest, [clock.clone(), clock.clone()], dead_man, Arc::default(), None);
        (watcher, Gamepad { name: "a pad".into(), watched }, clock)
    }

    fn pad(pressed: &[PadButton]) -> PadState {
        PadState { left_stick: [0.0, 1.0], pressed: pressed.to_vec(), ..PadState::default() }
    }

    #[test]
    fn the_sticks_push_only_while_the_button_is_held() {
        let (mut watcher, mut gamepad, _) = rig();
        watcher.see(Some(&pad(&[])));
        assert_eq!(gamepad.sample().unwrap().value, TeleopSample::default());
        watcher.see(Some(&pad(&[RightShoulder])));
        let TeleopSample { twist, engaged, .. } = gamepad.sample().unwrap().value;
        assert!(engaged && twist == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], "{twist:?}");
        watcher.see(Some(&pad(&[])));
        assert!(!gamepad.sample().unwrap().value.engaged);
    }

    #[test]
    fn the_button_alone_takes_the_arm_over_and_holds_it() {
        let (mut watcher, mut gamepad, _) = rig();
        let still = PadState { pressed: vec![RightShoulder], ..PadState::default() };
        watcher.see(Some(&still));
        let sample = gamepad.sample().unwrap().value;
        assert_eq!(sample, TeleopSample { engaged: true, ..TeleopSample::default() });
    }

    #[test]
    fn the_gripper_obeys_only_while_the_button_is_held() {
        let (mut watcher, mut gamepad, _) = rig();
        watcher.see(Some(&pad(&[LeftTrigger])));
        assert_eq!(gamepad.sample().unwrap().value, TeleopSample::default());
        watcher.see(Some(&pad(&[LeftTrigger, RightShoulder])));
        assert_eq!(gamepad.sample().unwrap().value.gripper, GripperCommand::Close);
        watcher.see(Some(&pad(&[South, RightShoulder])));
        assert_eq!(gamepad.sample().unwrap().value.gripper, GripperCommand::Open);
    }

    #[test]
    fn marks_are_heard_whoever_drives() {
        let (mut watcher, mut gamepad, _) = rig();
        watcher.see(Some(&pad(&[North])));
        watcher.see(Some(&pad(&[])));
        assert_eq!(gamepad.mark(), Some(Mark::Success));
        assert_eq!(gamepad.mark(), None);
        watcher.see(Some(&pad(&[West])));
        assert_eq!(gamepad.mark(), Some(Mark::Failure));
    }

    #[test]
    fn a_pad_that_is_gone_in_mid_takeover_is_an_error_until_it_is_back() {
        let (mut watcher, mut gamepad, _) = rig();
        watcher.see(Some(&pad(&[RightShoulder])));
        watcher.see(None);
        assert!(matches!(gamepad.sample(), Err(TeleopError::Gone(_))));
        watcher.see(Some(&PadState::default()));
        assert_eq!(gamepad.sample().unwrap().value, TeleopSample::default());
    }

    #[test]
    fn a_sample_is_as_old_as_the_look_at_the_pad() {
        let (mut watcher, mut gamepad, clock) = rig();
        watcher.see(Some(&pad(&[RightShoulder])));
        clock.advance(Duration::from_millis(30));
        assert_eq!(clock.now().since(gamepad.sample().unwrap().at), Duration::from_millis(30));
        assert_eq!(gamepad.dead_man(), Some(Duration::from_millis(200)));
    }

    #[test]
    fn the_pad_that_is_meant_is_picked() {
        let pad = |name: &str| Pad { name: name.into(), node: "/dev/input/event3".into() };
        let there = || vec![(1, pad("Xbox 360 Controller")), (2, pad("Wireless Controller"))];
        assert_eq!(pick(there(), None).unwrap().0, 1);
        assert_eq!(pick(there(), Some("Wireless")).unwrap().0, 2);
        let error = pick(there(), Some("Steam")).unwrap_err().to_string();
        assert!(error.contains("Steam") && error.contains("Xbox 360"), "{error}");
        assert!(matches!(pick(Vec::<(u8, Pad)>::new(), Some("x")), Err(GamepadError::None)));
    }

    #[test]
    fn a_machine_without_gamepads_says_so() {
        if list().unwrap().is_empty() {
            let (host, clock) = (Arc::<ManualClock>::default(), Arc::<ManualClock>::default());
            let map = PadMap { dead_zone: 0.1, yaw_rad: 0.0, roles: Vec::new(), turn: None };
            let config = GamepadConfig { name: None, map, dead_man: TURN };
            let error = Gamepad::open(config, host, clock).map(|_| ()).unwrap_err();
            assert!(matches!(error, GamepadError::None), "{error}");
        } else {
            eprintln!("skipped: a gamepad is plugged in");
        }
    }

    #[test]
    fn a_gamepad_is_told_by_its_buttons() {
        // An Xbox controller, and a keyboard.
        assert!(has_pad_buttons("7cdb000000000000 0 0 0 0\n"));
        assert!(!has_pad_buttons("402000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe\n"));
        assert!(!has_pad_buttons(""));
    }
}
