//! Against streams of reports as the devices send them, over sockets that keep reports apart as hidraw
//! does, a tree like sysfs with named pipes for nodes, and a socket like spacenavd's.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::Write,
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::Mutex,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use wire::{GripperCommand, ManualClock, SystemClock, Timestamp};

use super::{
    list::tests::{COMPACT, Tree},
    *,
};

const HIL_SERL: [&str; 6] = ["+y", "+x", "-z", "+ry", "+rx", "-rz"];
const SILENCE: Duration = Duration::from_millis(100);

fn config() -> SpaceMouseConfig {
    SpaceMouseConfig {
        origin: Origin::Hidraw { places: Places::default(), choice: Choice::default() },
        axes: AxisMap::from_words(&HIL_SERL, 0.0).unwrap(),
        feel: Feel {
            dead_zone: 0.08,
            release_zone: 0.05,
            engage_reports: 2,
            hold: Duration::from_millis(120),
            silence_max: SILENCE,
        },
        buttons: vec![ButtonRole::GripperClose, ButtonRole::GripperOpen, ButtonRole::MarkSuccess],
        dead_man: Duration::from_millis(200),
    }
}

/// How a model sends one pose, and how long it waits between two.
#[derive(Clone, Copy, Debug)]
enum Stream {
    /// SpaceNavigator and its kin: two reports, 8 ms apart.
    Halves,
    /// Wireless models: one report each 16 ms.
    Whole,
    Spacenavd,
}

const STREAMS: [Stream; 3] = [Stream::Halves, Stream::Whole, Stream::Spacenavd];

impl Stream {
    fn packets(self, pose: [i16; 6]) -> Vec<Vec<u8>> {
        let report = |number: u8, axes: &[i16]| {
            let body = axes.iter().flat_map(|axis| axis.to_le_bytes());
            std::iter::once(number).chain(body).collect()
        };
        match self {
            Self::Halves => vec![report(1, &pose[..3]), report(2, &pose[3..])],
            Self::Whole => vec![report(1, &pose)],
            Self::Spacenavd => {
                let [x, y, z, rx, ry, rz] = pose.map(i32::from);
                vec![packet([0, x, -z, -y, rx, -rz, -ry, 16])]
            }
        }
    }

    fn decode(self) -> fn(&[u8]) -> Option<Event> {
        match self {
            Self::Halves | Self::Whole => report::decode,
            Self::Spacenavd => spacenav::decode,
        }
    }
}

fn packet(words: [i32; 8]) -> Vec<u8> {
    words.into_iter().flat_map(i32::to_ne_bytes).collect()
}

fn pair() -> [OwnedFd; 2] {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    [ours, theirs]
}

/// A driver whose thread is the test, and the other end of its cable.
struct Rig {
    stream: Stream,
    clock: Arc<ManualClock>,
    reader: Reader,
    mouse: SpaceMouse,
    cable: Option<OwnedFd>,
    /// What the driver finds when it looks.
    plugged: Arc<Mutex<VecDeque<OwnedFd>>>,
}

impl Rig {
    fn new(stream: Stream, config: SpaceMouseConfig) -> Self {
        let plugged = Arc::<Mutex<VecDeque<OwnedFd>>>::default();
        let [ours, theirs] = pair();
        plugged.lock().unwrap().push_back(theirs);
        let shelf = plugged.clone();
        let opener: Opener = Box::new(move || {
            let fd = shelf.lock().unwrap().pop_front().ok_or(SpaceMouseError::None)?;
            let source = Box::new(FdSource::from(fd));
            Ok(Opened { name: "the mouse".into(), source, decode: stream.decode() })
        });
        let clock = Arc::<ManualClock>::default();
        clock.sleep_until(Timestamp(5_000_000_000));
        let dead_man = config.dead_man;
        let (reader, newest) = reader(config, opener, clock.clone()).unwrap();
        let watched =
            Watched::new(newest, [clock.clone(), clock.clone()], dead_man, Arc::default(), None);
        let mouse = SpaceMouse { name: "the mouse".into(), watched };
        Self { stream, clock, reader, mouse, cable: Some(ours), plugged }
    }

    fn send(&self, report: &[u8]) {
        rustix::io::write(self.cable.as_ref().unwrap(), report).unwrap();
    }

    /// 16 ms pass and one pose comes.
    fn pose(&mut self, pose: [i16; 6]) {
        for packet in self.stream.packets(pose) {
            self.send(&packet);
        }
        self.pass(Duration::from_millis(16));
    }

    fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.reader.turn(Duration::ZERO);
    }

    /// A hand that trembles, for three poses.
    fn push(&mut self) {
        for tremble in 0..3 {
            self.pose([0, 175 + tremble, 0, 0, 0, 0]);
        }
    }

    fn unplug(&mut self) {
        self.cable = None;
        self.reader.turn(Duration::ZERO);
    }

    fn plug(&mut self) {
        let [ours, theirs] = pair();
        self.cable = Some(ours);
        self.plugged.lock().unwrap().push_back(theirs);
    }

    fn sample(&mut self) -> TeleopSample {
        self.mouse.sample().unwrap().value
    }

    fn lost(&mut self) -> String {
        self.mouse.sample().unwrap_err().to_string()
    }

    fn age(&mut self) -> Duration {
        self.clock.now().since(self.mouse.sample().unwrap().at)
    }
}

#[test]
fn every_family_gives_the_same_push() {
    for stream in STREAMS {
        let mut rig = Rig::new(stream, config());
        assert_eq!(rig.sample(), TeleopSample::default(), "{stream:?}");
        for _ in 0..3 {
            rig.pose([0, 350, 0, 0, 0, -350]);
        }
        let TeleopSample { twist, engaged, gripper } = rig.sample();
        assert!(engaged, "{stream:?}");
        assert_eq!(twist, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0], "{stream:?}");
        assert_eq!(gripper, GripperCommand::Stay);
    }
}

#[test]
fn a_cap_that_is_let_go_rests_in_silence_and_is_known_to_live() {
    for stream in STREAMS {
        let mut rig = Rig::new(stream, config());
        rig.push();
        for _ in 0..3 {
            rig.pose([0; 6]);
        }
        assert!(rig.sample().engaged, "{stream:?}: held");
        for _ in 0..1000 {
            rig.pass(Duration::from_millis(10));
        }
        assert_eq!(rig.sample(), TeleopSample::default(), "{stream:?}");
        assert_eq!(rig.age(), Duration::ZERO, "{stream:?}");
    }
}

#[test]
fn an_unplugged_device_is_gone_also_in_a_push_and_is_found_again() {
    for stream in STREAMS {
        let mut rig = Rig::new(stream, config());
        rig.push();
        assert!(rig.sample().engaged, "{stream:?}");
        rig.unplug();
        assert!(rig.lost().contains("unplugged"), "{stream:?}: {}", rig.lost());
        for _ in 0..30 {
            rig.pass(Duration::from_millis(100));
            assert!(rig.lost().contains("no SpaceMouse") || rig.lost().contains("unplugged"));
        }
        rig.plug();
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.sample(), TeleopSample::default(), "{stream:?}: nothing is pushed yet");
        rig.push();
        assert!(rig.sample().engaged, "{stream:?}");
    }
}

#[test]
fn a_device_that_is_gone_is_not_looked_for_all_the_time() {
    let mut rig = Rig::new(Stream::Halves, config());
    rig.unplug();
    rig.plug();
    rig.pass(Duration::from_millis(900));
    assert!(rig.mouse.sample().is_err());
    rig.pass(Duration::from_millis(100));
    assert!(rig.mouse.sample().is_ok());
}

#[test]
fn a_device_that_falls_silent_in_a_push_is_lost_until_it_is_heard() {
    for stream in STREAMS {
        let mut rig = Rig::new(stream, config());
        rig.push();
        rig.pass(SILENCE);
        assert_eq!(rig.age(), SILENCE, "{stream:?}: as old as its report");
        rig.pass(Duration::from_millis(1));
        assert!(rig.lost().contains("silent in the middle of a push"), "{}", rig.lost());
        rig.pose([0, 170, 0, 0, 0, 0]);
        assert!(rig.sample().engaged, "{stream:?}");
    }
}

#[test]
fn a_reader_that_is_stuck_shows_in_the_age() {
    let mut rig = Rig::new(Stream::Whole, config());
    rig.pass(Duration::ZERO);
    rig.clock.advance(Duration::from_millis(700));
    assert_eq!(rig.age(), Duration::from_millis(700));
}

#[test]
fn reports_that_queue_up_are_all_taken_in() {
    let mut rig = Rig::new(Stream::Halves, config());
    for pose in [[0, 200, 0, 0, 0, 0], [0, 210, 0, 0, 0, 0], [0; 6]] {
        for packet in Stream::Halves.packets(pose) {
            rig.send(&packet);
        }
    }
    rig.pass(Duration::from_millis(10));
    let TeleopSample { twist, engaged, .. } = rig.sample();
    assert!(engaged && twist == [0.0; 6], "{twist:?}");
}

#[test]
fn buttons_do_what_they_are_configured_for() {
    let mut rig = Rig::new(Stream::Halves, config());
    let mut press = |bits: u8| {
        rig.send(&[3, bits, 0]);
        rig.pass(Duration::from_millis(8));
        (rig.sample().gripper, rig.sample().engaged, rig.mouse.mark())
    };
    assert_eq!(press(0b01), (GripperCommand::Close, true, None));
    assert_eq!(press(0b10), (GripperCommand::Open, true, None));
    assert_eq!(press(0b00), (GripperCommand::Stay, false, None));
    assert_eq!(press(0b100), (GripperCommand::Stay, false, Some(Mark::Success)));
    // Nothing is configured for this one.
    assert_eq!(press(0b1000), (GripperCommand::Stay, false, None));
}

#[test]
fn a_push_and_a_button_come_together() {
    let mut rig = Rig::new(Stream::Halves, config());
    rig.send(&[3, 1, 0]);
    rig.push();
    let TeleopSample { twist, gripper, engaged } = rig.sample();
    assert!(engaged && twist[0] > 0.3 && gripper == GripperCommand::Close, "{twist:?}");
}

#[test]
fn a_press_from_before_the_episode_marks_nothing_in_it() {
    let mut rig = Rig::new(Stream::Halves, config());
    rig.send(&[3, 0b100, 0]);
    rig.pass(Duration::from_millis(8));
    rig.send(&[3, 0, 0]);
    rig.pass(Duration::from_millis(8));
    let brief =
        EpisodeBrief { episode: wire::EpisodeId(1), kind: wire::EpisodeKind::Training, seed: 0 };
    rig.mouse.announce(&brief);
    assert_eq!(rig.mouse.mark(), None);
}

#[test]
fn where_a_button_is_asked_for_the_cap_alone_moves_nothing() {
    let mut config = config();
    config.buttons = vec![ButtonRole::Intervene, ButtonRole::GripperClose];
    let mut rig = Rig::new(Stream::Halves, config);
    rig.send(&[3, 0b10, 0]);
    rig.push();
    assert_eq!(rig.sample(), TeleopSample::default());
    rig.send(&[3, 0b01, 0]);
    rig.push();
    assert!(rig.sample().engaged && rig.sample().twist[0] > 0.3);
    rig.send(&[3, 0, 0]);
    rig.push();
    assert_eq!(rig.sample(), TeleopSample::default());
}

#[test]
fn buttons_of_an_unplugged_device_are_not_down() {
    let mut rig = Rig::new(Stream::Halves, config());
    rig.send(&[3, 0b101, 0]);
    rig.pass(Duration::from_millis(8));
    rig.unplug();
    assert_eq!(rig.mouse.mark(), None);
    rig.plug();
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.sample(), TeleopSample::default());
}

#[test]
fn what_is_not_understood_is_counted_and_moves_nothing() {
    let mut rig = Rig::new(Stream::Halves, config());
    rig.send(&[1, 0xff, 0xff, 0xff]);
    rig.send(&[0x17, 80]);
    rig.send(&[9; 20]);
    rig.pass(Duration::from_millis(8));
    assert_eq!((rig.sample(), rig.reader.odd_reports), (TeleopSample::default(), 2));
}

#[test]
fn the_newest_sample_moves_the_arm_for_so_long_at_most() {
    let rig = Rig::new(Stream::Halves, config());
    assert_eq!(rig.mouse.dead_man(), Some(Duration::from_millis(200)));
}

// ---- a whole driver, thread and all ----

impl Tree {
    /// A node that can be opened, and what is written there as from the device. A named pipe keeps no
    /// reports apart, so one at a time may be in it.
    fn plug_node(&self, node: &str, usb_path: &str) -> File {
        let path = self.places().dev.join(node);
        make_pipe(&path);
        self.plug(node, COMPACT, usb_path, "");
        // Open for both, so that neither end waits for the other.
        OpenOptions::new().read(true).write(true).open(path).unwrap()
    }

    fn unplug_node(&self, node: &str) {
        self.unplug(node);
        std::fs::remove_file(self.places().dev.join(node)).unwrap();
    }
}

fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

fn open_at(tree: &Tree, usb_path: &str) -> Result<SpaceMouse, SpaceMouseError> {
    let choice = Choice { usb_path: Some(usb_path.into()), serial: None };
    let origin = Origin::Hidraw { places: tree.places(), choice };
    open_from(origin)
}

fn open_from(origin: Origin) -> Result<SpaceMouse, SpaceMouseError> {
    let host = Arc::new(SystemClock::new());
    let clock = Arc::<ManualClock>::default();
    clock.sleep_until(Timestamp(9_000_000_000));
    // No thread is waited for that the machine lets wait.
    let feel = Feel { silence_max: Duration::from_secs(60), ..config().feel };
    SpaceMouse::open(SpaceMouseConfig { origin, feel, ..config() }, host, clock)
}

/// Sends the report until the driver says what is waited for.
#[track_caller]
fn until(
    mouse: &mut SpaceMouse,
    mut send: impl FnMut(),
    what: impl Fn(&Result<Stamped<TeleopSample>, TeleopError>) -> bool,
) {
    let clock = SystemClock::new();
    while clock.now() < Timestamp(10_000_000_000) {
        send();
        if what(&mouse.sample()) {
            return;
        }
        clock.sleep_until(clock.now() + Duration::from_millis(4));
    }
    panic!("waited for in vain; the last is {:?}", mouse.sample());
}

const RIGHT_PUSH: [u8; 7] = [1, 0x5e, 1, 0, 0, 0, 0];

fn is_engaged(sample: &Result<Stamped<TeleopSample>, TeleopError>) -> bool {
    sample.as_ref().is_ok_and(|sample| sample.value.engaged)
}

#[test]
fn two_devices_are_told_apart_and_do_not_disturb_each_other() {
    let tree = Tree::new();
    let (near, far) = ("usb-0000:00:14.0-2", "usb-0000:00:14.0-20");
    let mut left_cap = tree.plug_node("hidraw0", "usb-0000:00:14.0-20/input0");
    let _right_cap = tree.plug_node("hidraw1", "usb-0000:00:14.0-2/input0");
    let mut left = open_at(&tree, far).unwrap();
    let mut right = open_at(&tree, near).unwrap();
    assert!(left.name().contains(far), "{}", left.name());
    until(&mut left, || left_cap.write_all(&RIGHT_PUSH).unwrap(), is_engaged);
    let sample = left.sample().unwrap();
    assert_eq!(sample.value.twist[1], 1.0);
    assert!(sample.at <= Timestamp(9_000_000_000), "by the cell's clock: {:?}", sample.at);
    assert!(!right.sample().unwrap().value.engaged);
}

#[test]
fn the_same_place_is_found_again_under_another_node() {
    let tree = Tree::new();
    let path = "usb-0000:00:14.0-2";
    let mut cap = tree.plug_node("hidraw0", path);
    let mut mouse = open_at(&tree, path).unwrap();
    until(&mut mouse, || cap.write_all(&RIGHT_PUSH).unwrap(), is_engaged);
    tree.unplug_node("hidraw0");
    drop(cap);
    until(&mut mouse, || {}, |sample| sample.is_err());
    // Another mouse at another place is not taken for it.
    let mut other = tree.plug_node("hidraw0", "usb-0000:00:14.0-3");
    let mut cap = tree.plug_node("hidraw7", path);
    until(&mut mouse, || {}, |sample| sample.is_ok());
    until(&mut mouse, || cap.write_all(&RIGHT_PUSH).unwrap(), is_engaged);
    other.write_all(&RIGHT_PUSH).unwrap();
}

#[test]
fn a_device_that_is_not_clear_or_not_there_is_refused_with_what_is() {
    let tree = Tree::new();
    let refusal = |choice: Choice| {
        let places = tree.places();
        open_from(Origin::Hidraw { places, choice }).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refusal(Choice::default()).contains("no SpaceMouse is plugged in"));
    tree.plug("hidraw0", COMPACT, "usb-0000:00:14.0-2/input0", "");
    tree.plug("hidraw1", COMPACT, "usb-0000:00:14.0-3/input0", "");
    let several = refusal(Choice::default());
    assert!(several.contains("usb-0000:00:14.0-2") && several.contains("14.0-3"), "{several}");
    let choice = Choice { usb_path: Some("usb-0000:00:14.0-9".into()), serial: None };
    let other = refusal(choice);
    assert!(other.contains("14.0-9") && other.contains("14.0-2"), "{other}");
    // In the list, and its node is away.
    let choice = Choice { usb_path: Some("usb-0000:00:14.0-2".into()), serial: None };
    assert!(refusal(choice).contains("opening the SpaceMouse"));
}

#[test]
fn who_may_not_read_the_device_is_told_of_the_rule() {
    let error = refused(Path::new("/dev/hidraw0"), io::ErrorKind::PermissionDenied.into());
    let text = error.to_string();
    assert!(text.contains("/dev/hidraw0") && text.contains("docs/udev"), "{text}");
}

// ---- spacenavd ----

struct Daemon {
    listener: UnixListener,
    folder: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("spnav.sock")).unwrap();
        Self { listener, folder }
    }

    fn origin(&self) -> Origin {
        Origin::Spacenavd(self.folder.path().join("spnav.sock"))
    }

    fn client(&self) -> UnixStream {
        self.listener.accept().unwrap().0
    }
}

#[test]
fn spacenavd_is_listened_to_and_comes_back() {
    let daemon = Daemon::start();
    let mut mouse = open_from(daemon.origin()).unwrap();
    let mut client = daemon.client();
    // Pushed down, in pieces that are no packets.
    let down = packet([0, 0, -350, 0, 0, 0, 0, 16]);
    let mut halves = down.chunks(20).cycle();
    until(&mut mouse, || client.write_all(halves.next().unwrap()).unwrap(), is_engaged);
    assert_eq!(mouse.sample().unwrap().value.twist[2], -1.0);
    drop(client);
    until(&mut mouse, || {}, |sample| sample.is_err());
    until(&mut mouse, || {}, |sample| sample.is_ok());
    let mut client = daemon.client();
    let close = packet([1, 0, 1, 0, 0, 0, 0, 0]);
    client.write_all(&close).unwrap();
    until(
        &mut mouse,
        || {},
        |sample| sample.as_ref().is_ok_and(|s| s.value.gripper == GripperCommand::Close),
    );
}

#[test]
fn without_spacenavd_its_socket_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::Spacenavd(folder.path().join("nobody.sock"));
    let error = open_from(origin).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("nobody.sock") && error.contains("start it"), "{error}");
}
