use drivers::{Camera, CameraError, CameraInfo, Stamped, SuccessSensor};
use wire::{Clock, Frame, ManualClock, UnixNanos};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e9) as u64)
}

fn lost(when: When, lasts_s: f64) -> Faults {
    let lasts = Duration::from_secs_f64(lasts_s);
    Faults::new(3, vec![Fault { kind: FaultKind::LinkLost, when, lasts }])
}

fn timeline(faults: &Faults) -> Timeline {
    let wanted = |kind: &FaultKind| (*kind == FaultKind::LinkLost).then_some(());
    faults.timelines(wanted).pop().expect("one").1
}

/// One letter per half second from 0 on: `x` under way, `.` not.
fn course(faults: &Faults, halves: u32) -> String {
    let mut timeline = timeline(faults);
    let looks = (0..halves).map(|i| timeline.look(at(f64::from(i) / 2.0)).is_active());
    looks.map(|active| if active { 'x' } else { '.' }).collect()
}

#[test]
fn once_at_its_time_and_no_longer_than_it_lasts() {
    assert_eq!(course(&lost(When::At(at(1.0)), 1.5), 8), "..xxx...");
}

#[test]
fn again_and_again() {
    assert_eq!(course(&lost(When::Every(2 * SECOND), 0.5), 14), "....x...x...x.");
}

#[test]
fn what_nobody_looked_at_has_begun_all_the_same() {
    let mut timeline = timeline(&lost(When::Every(SECOND), 0.1));
    assert_eq!(timeline.look(at(4.5)), Moment { begun: 4, until: None });
}

#[test]
fn drawn_moments_follow_from_the_seed_and_come_about_as_often_as_asked() {
    let faults = lost(When::PerMinute(10.0), 1.0);
    assert_eq!(course(&faults, 400), course(&faults, 400));
    let other = Faults::new(4, faults.0.faults.clone());
    assert_ne!(course(&faults, 400), course(&other, 400));
    // Every 7 s on average: 6 s of pause, 1 s under way.
    let begun = timeline(&faults).look(at(7000.0)).begun;
    assert!((800..1200).contains(&begun), "{begun} times in 7000 s");
}

struct Never;

impl SuccessSensor for Never {
    fn succeeded(&mut self) -> bool {
        false
    }
}

#[test]
fn at_a_step() {
    let faults = lost(When::AtStep(3), 0.5);
    let mut line = timeline(&faults);
    let clock = Arc::new(ManualClock::default());
    let mut steps = StepCounter::new(Box::new(Never), &faults, clock.clone());
    let mut active = String::new();
    for _ in 0..10 {
        clock.advance(Duration::from_millis(100));
        active.push(if line.look(clock.now()).is_active() { 'x' } else { '.' });
        steps.succeeded();
    }
    // Begun by the third step, at 0.3 s, and over at 0.8 s.
    assert_eq!(active, "...xxxx...");
}

#[test]
fn only_the_wall_clock_jumps() {
    let kind = FaultKind::ClockJump { by_s: -3600.0 };
    let jump = Fault { kind, when: When::At(at(5.0)), lasts: Duration::ZERO };
    let inner = Arc::new(ManualClock::default());
    inner.advance(5000 * SECOND);
    let clock = FaultyClock::new(inner.clone(), &Faults::new(0, vec![jump]));
    assert_eq!(clock.now(), inner.now());
    assert_eq!(clock.wall_now(), UnixNanos(1_400_000_000_000));
}

/// A camera whose picture tells the time in tenths of a second.
struct Telling(CameraInfo, Arc<ManualClock>);

impl Camera for Telling {
    fn info(&self) -> &CameraInfo {
        &self.0
    }

    fn latest(&mut self, _: Duration) -> Result<Stamped<Frame>, CameraError> {
        let at = self.1.now();
        let shade = (at.0 / 100_000_000) as u8;
        Ok(Stamped { at, value: Frame::new(1, 1, vec![shade; 3]).expect("one pixel") })
    }
}

/// A look each tenth of a second for a second: the shade, and how old it says it is; `None` is
/// stale, at most 250 ms are allowed.
fn looks(name: &str, kind: FaultKind) -> Vec<Option<(u8, u64)>> {
    let clock = Arc::new(ManualClock::default());
    let lasts = Duration::from_millis(400);
    let fault = Fault { kind, when: When::At(at(0.3)), lasts };
    let info = CameraInfo { name: name.into(), width: 1, height: 1, noiseless: true };
    let telling = Box::new(Telling(info, clock.clone()));
    let mut camera = FaultyCamera::new(telling, &Faults::new(0, vec![fault]), clock.clone());
    let mut seen = Vec::new();
    for _ in 0..9 {
        let picture = camera.latest(Duration::from_millis(250));
        let age_ms = |at| clock.now().since(at).as_millis() as u64;
        seen.push(picture.ok().map(|picture| (picture.value.pixels[0], age_ms(picture.at))));
        clock.advance(Duration::from_millis(100));
    }
    seen
}

fn all_well() -> Vec<Option<(u8, u64)>> {
    (0..9).map(|shade| Some((shade, 0))).collect()
}

#[test]
fn dropped_pictures_grow_old() {
    let kind = FaultKind::FramesDropped { camera: None, share: 1.0 };
    let mut expected = all_well();
    expected.splice(3..7, [Some((2, 100)), Some((2, 200)), None, None]);
    assert_eq!(looks("wrist", kind), expected);
}

#[test]
fn a_frozen_picture_claims_to_be_new() {
    let kind = FaultKind::FramesFrozen { camera: Some("wrist".into()) };
    let mut expected = all_well();
    expected.splice(3..7, [Some((2, 0)); 4]);
    assert_eq!(looks("wrist", kind.clone()), expected);
    assert_eq!(looks("side", kind), all_well());
}

#[test]
fn a_late_picture_says_when_it_was_taken() {
    let of = Late::Camera(None);
    let delay = Duration::from_millis(200);
    let kind = FaultKind::Latency { of, delay, jitter: Duration::ZERO };
    let mut expected = all_well();
    expected.splice(3..7, (1..5).map(|shade| Some((shade, 200))));
    assert_eq!(looks("wrist", kind), expected);
}
