//! The whole way of a picture: a recording, a stream or a pipeline, `reins-lens` as a process, and
//! the cameras that `drivers` makes of it. Proven against files that OpenCV's own writer made and
//! against a server of MJPEG over loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod realsense;
mod scene;
mod server;

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use drivers::{
    Camera, CameraError, Crop, Cropped, Stamped,
    camera::{
        Device, DeviceCamera, DeviceSettings, Fixed, Lens, Source, View,
        message::{self, Order, Report},
        survey,
    },
};
use opencv::{
    core::{Size, Vector},
    imgcodecs::imwrite,
    prelude::*,
    videoio::VideoWriter,
};
use scene::{HEIGHT, WIDTH};
use server::{Play, Server};
use wire::{Clock, Frame, SystemClock};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(30);
const WHOLE: View = View { crop: None, width: WIDTH, height: HEIGHT };

fn settings(source: Source) -> DeviceSettings {
    DeviceSettings {
        source,
        size: None,
        fps: None,
        pixel_format: None,
        fixed: Fixed::default(),
        silent_max: Duration::from_millis(400),
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn lens() -> Lens {
    Lens::at(env!("CARGO_BIN_EXE_reins-lens"))
}

fn open(settings: &DeviceSettings, views: &[View]) -> Result<Vec<DeviceCamera>, CameraError> {
    let named = |(at, view): (usize, &View)| (format!("eye{at}"), *view);
    let views: Vec<_> = views.iter().enumerate().map(named).collect();
    Device::open(&lens(), settings, &views, &clock())
}

fn one(settings: &DeviceSettings) -> DeviceCamera {
    open(settings, &[WHOLE]).unwrap().remove(0)
}

/// Why a device cannot be opened.
fn refusal(settings: &DeviceSettings, view: View) -> String {
    open(settings, &[view]).err().expect("the device must not open").to_string()
}

/// Asks until the answer is yes.
#[track_caller]
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let clock = clock();
    let end = clock.now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(clock.now() < end, "{what} did not happen within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A film of numbered pictures, in the format of most USB cameras.
fn film(folder: &Path, pictures: u8, fps: f64) -> Source {
    let path = folder.join("film.avi");
    let size = Size::new(WIDTH.into(), HEIGHT.into());
    let code = VideoWriter::fourcc('M', 'J', 'P', 'G').unwrap();
    let mut writer = VideoWriter::new(&path, code, fps, size, true).unwrap();
    for number in 0..pictures {
        writer.write(&scene::bgr(number)).unwrap();
    }
    writer.release().unwrap();
    Source::VideoFile { path, repeat: false }
}

/// Numbered pictures without loss.
fn images(folder: &Path, pictures: u8) -> Source {
    for number in 0..pictures {
        let path = folder.join(format!("{number:03}.png"));
        imwrite(&path, &scene::bgr(number), &Vector::new()).unwrap();
    }
    let pattern = folder.join("%03d.png").to_string_lossy().into_owned();
    Source::Images { pattern, repeat: true }
}

#[test]
fn a_film_is_shown_in_order_at_its_pace_and_then_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut camera = one(&settings(film(folder.path(), 25, 25.0)));
    assert_eq!(camera.device().format().fps, Some(25.0));
    let mut seen: Vec<Stamped<Frame>> = Vec::new();
    let over = wait_for("the end of the film", || match camera.latest(PATIENCE) {
        Ok(picture) => {
            if seen.last().is_none_or(|last| last.at != picture.at) {
                seen.push(picture);
            }
            // The last picture is shown for as long as it is new enough.
            match camera.latest(Duration::from_millis(100)) {
                Err(CameraError::Device { reason, .. }) => Some(reason),
                _ => None,
            }
        }
        Err(error) => panic!("{error}"),
    });
    assert!(over.contains("over"), "{over}");
    let numbers: Vec<u8> = seen.iter().map(|picture| scene::number(&picture.value)).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers.len() > 5 && numbers.last() == Some(&24), "{numbers:?}");
    let (first, last) = (&seen[0], &seen[seen.len() - 1]);
    let pictures = u32::from(24 - numbers[0]);
    let least = Duration::from_millis(40) * pictures - Duration::from_millis(1);
    assert!(last.at.since(first.at) >= least, "{pictures} in {:?}", last.at.since(first.at));
    for picture in &seen {
        scene::check_colours(&picture.value, 40);
    }
}

#[test]
fn a_sequence_of_images_comes_to_the_byte_and_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DeviceSettings { fps: Some(50.0), ..settings(images(folder.path(), 4)) };
    let mut camera = one(&settings);
    assert!(camera.info().noiseless, "a recording may stand still");
    let mut numbers: Vec<u8> = Vec::new();
    wait_for("a second round", || {
        let picture = camera.latest(PATIENCE).unwrap().value;
        let number = scene::number(&picture);
        assert_eq!(picture, scene::rgb(number));
        if numbers.last() != Some(&number) {
            numbers.push(number);
        }
        let wrapped = numbers.windows(2).filter(|pair| pair[0] > pair[1]).count();
        (wrapped == 2).then_some(())
    });
    assert_eq!(camera.device().openings(), 1, "to begin again is not to be lost");
}

#[test]
fn two_crops_of_a_device_are_of_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DeviceSettings { fps: Some(50.0), ..settings(images(folder.path(), 4)) };
    let crop = Crop { left: 8, top: 4, width: 40, height: 30 };
    let (own, small) = (
        View { crop: Some(crop), width: crop.width, height: crop.height },
        View { crop: Some(crop), width: 24, height: 12 },
    );
    let mut cameras = open(&settings, &[WHOLE, own, small]).unwrap();
    let mut together = 0;
    wait_for("the same picture through each", || {
        let [whole, own, small] = [0, 1, 2].map(|at| cameras[at].latest(PATIENCE).unwrap());
        if whole.at != own.at || own.at != small.at {
            return None;
        }
        together += 1;
        for (seen, size) in [(own, [crop.width, crop.height]), (small, [24, 12])] {
            // What the crop in `drivers` makes of the whole picture.
            let mut other = Cropped::new(Still::of(&whole), crop, size).unwrap();
            let other = other.latest(PATIENCE).unwrap().value;
            assert_eq!((seen.value.width, seen.value.height), (size[0], size[1]));
            let differs = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 1;
            assert!(!seen.value.pixels.iter().zip(&*other.pixels).any(differs));
        }
        (together == 20).then_some(())
    });
    let device = cameras[0].device();
    assert_eq!(device.openings(), 1);
    assert!(std::ptr::eq(device, cameras[2].device()));
}

/// Shows one picture.
struct Still(drivers::CameraInfo, Stamped<Frame>);

impl Still {
    fn of(picture: &Stamped<Frame>) -> Self {
        let (width, height) = (picture.value.width, picture.value.height);
        let info = drivers::CameraInfo { name: "still".into(), width, height, noiseless: true };
        Self(info, picture.clone())
    }
}

impl Camera for Still {
    fn info(&self) -> &drivers::CameraInfo {
        &self.0
    }

    fn latest(&mut self, _: Duration) -> Result<Stamped<Frame>, CameraError> {
        Ok(self.1.clone())
    }
}

#[test]
fn a_stream_is_shown_without_delay() {
    let server = Server::start();
    let mut camera = one(&settings(Source::Http(server.address())));
    assert_eq!(camera.device().format().pixel_format.as_deref(), Some("JPEG"));
    let mut least = u64::MAX;
    for _ in 0..50 {
        let sent = server.sent();
        let picture = camera.latest(PATIENCE).unwrap().value;
        scene::check_colours(&picture, 40);
        // Numbers of a byte: 20 ms each, so a turn takes five seconds.
        least = least.min(u64::from((sent as u8).wrapping_sub(scene::number(&picture))));
        thread::sleep(Duration::from_millis(5));
    }
    // The newest was on its way at most.
    assert!(least <= 2 || least >= 250, "the newest picture shown is {least} behind");
}

#[test]
fn a_short_stall_makes_a_picture_stale_and_the_next_is_fresh() {
    let server = Server::start();
    let patient =
        DeviceSettings { silent_max: PATIENCE, ..settings(Source::Http(server.address())) };
    let mut camera = one(&patient);
    let fresh = Duration::from_millis(200);
    wait_for("a fresh picture", || camera.latest(fresh).ok());
    server.play(Play::Stall);
    let stale = wait_for("a stale picture", || camera.latest(fresh).err());
    let CameraError::Stale { camera: name, age } = stale else { panic!("{stale}") };
    assert!(name == "eye0" && age > fresh, "{name} {age:?}");
    let old = camera.latest(PATIENCE).unwrap();
    server.play(Play::Pictures);
    let new = wait_for("a fresh picture again", || camera.latest(fresh).ok());
    assert!(new.at > old.at);
    assert_eq!((camera.device().openings(), server.connections()), (1, 1));
}

#[test]
fn a_stream_that_stalls_for_long_is_opened_again() {
    let server = Server::start();
    let mut camera = one(&settings(Source::Http(server.address())));
    server.play(Play::Stall);
    wait_for("another connection", || (server.connections() > 1).then_some(()));
    server.play(Play::Pictures);
    wait_for("a fresh picture", || camera.latest(Duration::from_millis(200)).ok());
    assert!(camera.device().openings() >= 2);
}

#[test]
fn a_stream_that_is_cut_is_opened_again() {
    let server = Server::start();
    let mut camera = one(&settings(Source::Http(server.address())));
    for round in 2..5 {
        server.play(Play::Cut);
        wait_for("the loss", || camera.latest(Duration::from_millis(50)).err());
        server.play(Play::Pictures);
        wait_for("a fresh picture", || camera.latest(Duration::from_millis(50)).ok());
        assert!(camera.device().openings() >= round);
    }
}

#[test]
fn a_server_that_is_away_is_named_until_it_is_back() {
    let server = Server::start();
    let mut camera = one(&settings(Source::Http(server.address())));
    server.play(Play::Page);
    let reason = wait_for("the reason", || match camera.latest(Duration::ZERO) {
        Err(CameraError::Device { reason, .. }) => Some(reason),
        _ => None,
    });
    assert!(reason.contains("text/html"), "{reason}");
    server.play(Play::Pictures);
    wait_for("a fresh picture", || camera.latest(Duration::from_millis(200)).ok());
}

#[test]
fn what_is_no_stream_of_pictures_is_refused_with_what_it_is() {
    let server = Server::start();
    let http = settings(Source::Http(server.address()));
    server.play(Play::Page);
    let error = refusal(&http, WHOLE);
    assert!(error.contains("text/html") && error.contains(&server.address()), "{error}");
    server.play(Play::Noise);
    let error = refusal(&http, WHOLE);
    assert!(error.contains("no pictures"), "{error}");
    server.play(Play::Refusal);
    let error = refusal(&http, WHOLE);
    assert!(error.contains("503"), "{error}");
    let error = refusal(&settings(Source::Http("https://127.0.0.1/".into())), WHOLE);
    assert!(error.contains("http://"), "{error}");
}

#[test]
fn a_wrong_part_among_pictures_does_no_harm() {
    let server = Server::start();
    let mut camera = one(&settings(Source::Http(server.address())));
    server.play(Play::SomeNoise);
    let mut seen = 0;
    let mut last = None;
    wait_for("thirty pictures", || {
        let picture = camera.latest(PATIENCE).unwrap();
        if last != Some(picture.at) {
            (last, seen) = (Some(picture.at), seen + 1);
        }
        (seen == 30).then_some(())
    });
    assert_eq!(camera.device().openings(), 1);
}

#[test]
fn another_size_than_asked_for_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), 3, 25.0);
    let wrong = DeviceSettings { size: Some([640, 480]), ..settings(film.clone()) };
    let error = refusal(&wrong, WHOLE);
    assert!(error.contains("640x480") && error.contains("64x48"), "{error}");
    let right = DeviceSettings { size: Some([64, 48]), ..settings(film.clone()) };
    assert_eq!(one(&right).device().format().width, 64);
    let crop = Crop { left: 40, top: 0, width: 30, height: 20 };
    let error = refusal(&settings(film), View { crop: Some(crop), width: 8, height: 8 });
    assert!(error.contains("eye0") && error.contains("30x20"), "{error}");
}

#[test]
fn what_is_not_there_is_named() {
    for (source, words) in [
        (Source::V4l2("usb-Nobody_Eye-video-index0".into()), "plugged in"),
        (Source::VideoFile { path: "/nowhere.avi".into(), repeat: true }, "no such file"),
        (Source::Images { pattern: "/nowhere/%03d.png".into(), repeat: true }, "sequence"),
        (Source::Http("http://127.0.0.1:1/".into()), "asking for the stream"),
        (Source::GStreamer("nosuchsrc ! appsink".into()), "pipeline"),
    ] {
        let error = refusal(&settings(source.clone()), WHOLE);
        assert!(error.contains(words) && error.contains(&source.to_string()), "{error}");
    }
    let lens = Lens::at("/nowhere/reins-lens");
    let views = [("eye".to_owned(), WHOLE)];
    let source = settings(Source::Http("http://127.0.0.1:1/".into()));
    let error = Device::open(&lens, &source, &views, &clock()).err().unwrap().to_string();
    assert!(error.contains("/nowhere/reins-lens"), "{error}");
}

#[test]
fn a_text_that_is_no_picture_is_no_film() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.avi");
    std::fs::write(&path, "no film").unwrap();
    let error = refusal(&settings(Source::VideoFile { path, repeat: true }), WHOLE);
    assert!(error.contains("video"), "{error}");
}

#[test]
fn a_pipeline_of_gstreamer_is_a_camera() {
    let pipeline = "videotestsrc is-live=true pattern=red ! \
                    video/x-raw,width=64,height=48,framerate=30/1 ! videoconvert ! \
                    video/x-raw,format=BGR ! appsink drop=true max-buffers=1";
    let mut camera = one(&settings(Source::GStreamer(pipeline.into())));
    assert!(!camera.info().noiseless);
    let picture = wait_for("a picture", || camera.latest(Duration::from_millis(500)).ok()).value;
    let [red, green, blue] = [0, 1, 2].map(|channel| picture.pixels[channel]);
    assert!(red > 200 && green < 50 && blue < 50, "{red} {green} {blue}");
    let seen = survey(&mut camera, &*clock(), Duration::from_secs(1));
    assert!((20.0..40.0).contains(&seen.rate_hz), "{seen:?}");
}

#[test]
fn cameras_that_are_plugged_in_are_listed() {
    for camera in lens().list().unwrap() {
        assert!(camera.path.starts_with("/dev") || camera.trouble.is_some(), "{camera:?}");
    }
}

#[test]
fn the_process_ends_with_whoever_holds_it() {
    let server = Server::start();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_reins-lens"));
    let mut process = command.stdin(OwnedFd::from(theirs)).spawn().unwrap();
    drop(command);
    let settings = settings(Source::Http(server.address()));
    message::send(&mut ours, &Order::Open { settings, views: vec![WHOLE] }).unwrap();
    let opened: Report = message::receive(&mut ours).unwrap();
    assert!(matches!(opened, Report::Opened(_)), "{opened:?}");
    // It waits for a picture that does not come.
    server.play(Play::Stall);
    ours.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    while message::receive::<Report>(&mut ours).is_ok() {}
    assert_eq!(process.try_wait().unwrap(), None);
    drop(ours);
    wait_for("its end", || process.try_wait().unwrap());
}

#[test]
fn the_process_does_nothing_without_an_order() {
    let mut alone = Command::new(env!("CARGO_BIN_EXE_reins-lens"));
    let output = alone.stdin(Stdio::null()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && words.contains("which starts it"), "{words}");
}
