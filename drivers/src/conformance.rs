//! What every arm's driver must do, as tests. A driver's own tests put its arm on a [`Stand`]; the
//! functions here panic with the rule that is broken.

use std::{sync::Arc, time::Duration};

use nalgebra::Vector3;
use wire::{Clock, geometry::Pose};

use crate::{
    Arm, ArmError, ArmMode, ArmState, Command, Gate, GateLimits, GuardedArm, Stamped, StopKind,
    WorkspaceBox,
    gate::SafeTarget,
};

/// An arm under test and the robot on the other side of its driver: a simulator, a server of the real
/// protocol, or a device that is played back.
pub trait Stand {
    type Arm: Arm + 'static;

    /// A new connection to the robot, which is well.
    fn connect(&mut self) -> Self::Arm;

    /// The clock of the arm's timestamps.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Sleeping is what makes the clock's time pass.
    fn is_paced(&self) -> bool {
        false
    }

    /// Where the TCP really is, as the robot knows without the driver.
    fn tcp_pose(&mut self) -> Pose;

    /// A way (m, base frame) that the robot can go and that takes it a tenth of a second or more.
    fn way(&self) -> Vector3<f64> {
        Vector3::new(0.02, 0.0, 0.0)
    }

    /// Breaks the link to the robot. False where there is none that could break.
    fn cut(&mut self) -> bool;

    /// The link is as it was.
    fn mend(&mut self);

    /// Makes the robot stop by itself. False where the driver cannot know of that.
    fn reflex(&mut self) -> bool;
}

/// From the breaking of a link until the driver says so.
pub const LOSS_NOTICED: Duration = Duration::from_secs(1);
const STATE_AGE_MAX: Duration = Duration::from_millis(100);
const LEASE: Duration = Duration::from_millis(200);
const POLL: Duration = Duration::from_millis(10);
/// For a robot to come to rest, and for how long it is then watched.
const SETTLING: Duration = Duration::from_millis(500);
/// A robot at rest moves less (m).
const REST_M: f64 = 5e-4;

/// Each rule on a stand of its own, the arm by itself and then behind the gate.
pub fn check<S: Stand>(make: impl Fn() -> S) {
    type Rule<S> = (&'static str, fn(&mut S));
    let rules: [Rule<S>; 11] = [
        ("the state is fresh", fresh_state),
        ("a command is followed", a_command_is_followed),
        ("at the end of the lease the arm holds by itself", expiry_holds),
        ("a stop may be repeated, and only recovery ends it", stops),
        ("a robot that stopped by itself is recovered only on request", reflexes),
        ("a lost link is noticed, and nothing goes on by itself after it", link_loss),
        ("a dropped arm stops", drop_stops),
        ("gate: a command is followed", gated_command),
        ("gate: silence holds and then stops", gated_silence),
        ("gate: a lost link is noticed", gated_link_loss),
        ("gate: a dropped gate stops the arm", gated_drop),
    ];
    for (name, rule) in rules {
        println!("conformance: {name}");
        rule(&mut make());
    }
}

fn fresh_state<S: Stand>(stand: &mut S) {
    let arm = stand.connect();
    let first = await_state(stand, &arm);
    pause(&*stand.clock(), STATE_AGE_MAX);
    let second = arm.state().expect("an arm that had a state has one");
    let age = stand.clock().now().since(second.at);
    assert!(age <= STATE_AGE_MAX, "the newest state is {age:?} old");
    assert!(second.at > first.at, "the state is not taken again");
    let off = distance(&second.value.tcp_pose, &stand.tcp_pose());
    assert!(off < 5e-3, "it says a pose that is {off} m from where the robot is");
}

fn a_command_is_followed<S: Stand>(stand: &mut S) {
    let mut arm = stand.connect();
    let goal = ahead(&await_state(stand, &arm).value.tcp_pose, stand.way());
    go(stand, &mut arm, &goal);
    let mode = arm.state().expect("a state").value.mode;
    assert_eq!(mode, ArmMode::Running, "an arm under a valid lease runs");
}

fn expiry_holds<S: Stand>(stand: &mut S) {
    let mut arm = stand.connect();
    let (goal, far) = set_off(stand, &mut arm, Duration::from_millis(50));
    pause(&*stand.clock(), SETTLING);
    assert_rests_alone(stand, "at the end of its lease");
    let mode = arm.state().expect("a state").value.mode;
    assert_eq!(mode, ArmMode::Holding, "the lease is over");
    let left = distance(&stand.tcp_pose(), &goal);
    assert!(left > far / 2.0, "it went on to its target, {left} m from it, without a lease");
    go_back(stand, &mut arm);
}

fn stops<S: Stand>(stand: &mut S) {
    let mut arm = stand.connect();
    await_state(stand, &arm);
    for _ in 0..2 {
        arm.stop(StopKind::Hold).expect("a hold is always taken");
    }
    let (goal, far) = set_off(stand, &mut arm, Duration::from_secs(5));
    for _ in 0..2 {
        arm.stop(StopKind::Controlled).expect("a stop is always taken");
    }
    arm.stop(StopKind::Hold).expect("a milder stop is taken, too");
    pause(&*stand.clock(), SETTLING);
    assert_rests_alone(stand, "under a stop");
    let left = distance(&stand.tcp_pose(), &goal);
    assert!(left > far / 2.0, "it went on to its target, {left} m from it, under a stop");
    let mode = arm.state().expect("a state").value.mode;
    assert_eq!(mode, ArmMode::Stopped, "a hold does not end a stop");
    refuses(stand, &mut arm, "a stopped arm");
    refuses(stand, &mut arm, "an arm that has refused a command");
    arm.recover().expect("a stop can be recovered");
    go_back(stand, &mut arm);
}

fn reflexes<S: Stand>(stand: &mut S) {
    let mut arm = stand.connect();
    set_off(stand, &mut arm, LEASE);
    if !stand.reflex() {
        println!("conformance: this driver cannot know of a reflex");
        return;
    }
    let seen = within(&*stand.clock(), LOSS_NOTICED, || {
        arm.state().is_ok_and(|state| {
            matches!(state.value.mode, ArmMode::Reflex | ArmMode::EmergencyStop)
        })
    });
    assert!(seen, "the robot stopped by itself, and the arm does not say so");
    refuses(stand, &mut arm, "an arm in a reflex");
    pause(&*stand.clock(), SETTLING);
    refuses(stand, &mut arm, "an arm that was left alone in its reflex");
    arm.recover().expect("a reflex can be recovered");
    go_back(stand, &mut arm);
}

fn link_loss<S: Stand>(stand: &mut S) {
    let mut arm = stand.connect();
    set_off(stand, &mut arm, Duration::from_millis(50));
    if !stand.cut() {
        println!("conformance: there is no link that could break");
        return;
    }
    let lost = within(&*stand.clock(), LOSS_NOTICED, || is_lost(&arm.state()));
    assert!(lost, "the link has been broken for {LOSS_NOTICED:?}, and the arm does not say so");
    refuses(stand, &mut arm, "an arm without a link");
    stand.mend();
    let back = within(&*stand.clock(), Duration::from_secs(5), || !is_lost(&arm.state()));
    assert!(back, "the link is there again, and the arm does not say so");
    pause(&*stand.clock(), SETTLING);
    assert_rests_alone(stand, "after its link came back");
    let mode = arm.state().expect("a state").value.mode;
    assert_ne!(mode, ArmMode::Running, "it goes on by itself after its link came back");
    arm.recover().expect("after a lost link it can be recovered");
    go_back(stand, &mut arm);
}

fn drop_stops<S: Stand>(stand: &mut S) {
    let mut arm = stand.connect();
    let (goal, far) = set_off(stand, &mut arm, Duration::from_secs(5));
    drop(arm);
    pause(&*stand.clock(), SETTLING);
    assert_rests_alone(stand, "when its driver is gone");
    let left = distance(&stand.tcp_pose(), &goal);
    assert!(left > far / 2.0, "it went on to its target, {left} m from it, without a driver");
}

fn gated_command<S: Stand>(stand: &mut S) {
    let mut gated = Gated::new(stand);
    let clock = gated.clock.clone();
    let goal = ahead(&gated.home, stand.way());
    let there = within(&*clock, Duration::from_secs(5), || {
        gated.command(&goal).expect("the gate takes a command");
        gated.moved() > 0.75 * distance(&gated.home, &goal)
    });
    assert!(there, "the arm came {} m through the gate", gated.moved());
}

fn gated_silence<S: Stand>(stand: &mut S) {
    let mut gated = Gated::new(stand);
    let clock = gated.clock.clone();
    gated.command(&ahead(&gated.home, stand.way())).expect("the gate takes a command");
    pause(&*clock, GATE_LEASE + SETTLING);
    assert_eq!(gated.mode(), ArmMode::Holding, "nobody commands");
    assert_rests(stand, &*clock, "when nobody commands");
    pause(&*clock, GATE_STOP_AFTER);
    assert_eq!(gated.mode(), ArmMode::Stopped, "nobody has commanded for long");
    let home = gated.home;
    gated.command(&home).expect_err("a stopped arm takes no command");
    gated.gate.recover().expect("a stop can be recovered");
    gated.command(&home).expect("after recovery it takes one");
}

fn gated_link_loss<S: Stand>(stand: &mut S) {
    let mut gated = Gated::new(stand);
    let clock = gated.clock.clone();
    gated.command(&ahead(&gated.home, stand.way())).expect("the gate takes a command");
    pause(&*clock, POLL * 5);
    if !stand.cut() {
        return;
    }
    let lost = within(&*clock, LOSS_NOTICED, || {
        let state = gated.gate.state();
        is_lost(&state) || state.is_ok_and(|state| state.value.mode == ArmMode::Stopped)
    });
    assert!(lost, "the link has been broken for {LOSS_NOTICED:?}, and nothing says so");
    let home = gated.home;
    let refused = within(&*clock, LOSS_NOTICED, || gated.command(&home).is_err());
    assert!(refused, "commands are taken for an arm without a link");
}

fn gated_drop<S: Stand>(stand: &mut S) {
    let mut gated = Gated::new(stand);
    let clock = gated.clock.clone();
    gated.command(&ahead(&gated.home, stand.way())).expect("the gate takes a command");
    pause(&*clock, POLL * 5);
    drop(gated);
    pause(&*clock, SETTLING);
    assert_rests(stand, &*clock, "when its gate is gone");
}

const GATE_LEASE: Duration = Duration::from_millis(250);
const GATE_STOP_AFTER: Duration = Duration::from_secs(2);

/// An arm behind a gate whose workspace is about where it stands.
struct Gated<A: Arm> {
    gate: Gate<A>,
    clock: Arc<dyn Clock>,
    home: Pose,
}

impl<A: Arm + 'static> Gated<A> {
    fn new<S: Stand<Arm = A>>(stand: &mut S) -> Self {
        let arm = stand.connect();
        let home = await_state(stand, &arm).value.tcp_pose;
        let reach = Vector3::repeat(0.2);
        let limits = GateLimits {
            lease: GATE_LEASE,
            stop_after: GATE_STOP_AFTER,
            ..GateLimits::new(WorkspaceBox {
                min: home.translation.vector - reach,
                max: home.translation.vector + reach,
                orientation: home.rotation,
                tilt_max_rad: 0.3,
                yaw_max_rad: 0.3,
            })
        };
        let gate = Gate::new(arm, limits);
        let clock = stand.clock();
        let clock = if stand.is_paced() {
            gate.ticked(clock)
        } else {
            gate.run_in_real_time(clock.clone()).expect("the gate's thread starts");
            clock
        };
        Self { gate, clock, home }
    }

    fn command(&mut self, pose: &Pose) -> Result<(), ArmError> {
        let now = self.clock.now();
        let command = Command::every(Duration::from_millis(100), *pose);
        let taken = self.gate.command(now, &command).map(drop);
        // In a paced cell this is what lets the device loop run.
        self.clock.sleep_until(now + POLL);
        taken
    }

    fn mode(&self) -> ArmMode {
        self.gate.state().expect("a state").value.mode
    }

    fn moved(&self) -> f64 {
        distance(&self.gate.state().expect("a state").value.tcp_pose, &self.home)
    }
}

/// Sends the arm twice its way ahead on a lease of this length, and waits until it has left. Gives the
/// target, and how far it was.
fn set_off<S: Stand>(stand: &mut S, arm: &mut S::Arm, lease: Duration) -> (Pose, f64) {
    let start = await_state(stand, arm).value.tcp_pose;
    let goal = ahead(&start, stand.way() * 2.0);
    let until = stand.clock().now() + lease;
    arm.command(SafeTarget::under_test(goal, until)).expect("a command is taken");
    pause(&*stand.clock(), POLL * 4);
    (goal, distance(&start, &goal))
}

/// Commands the arm until it has come most of the way.
fn go<S: Stand>(stand: &mut S, arm: &mut S::Arm, goal: &Pose) {
    let start = stand.tcp_pose();
    let clock = stand.clock();
    let far = distance(&start, goal);
    let mut left = far;
    let deadline = clock.now() + Duration::from_secs(5);
    while left > 0.25 * far && clock.now() < deadline {
        let until = clock.now() + LEASE;
        arm.command(SafeTarget::under_test(*goal, until)).expect("a command is taken");
        pause(&*stand.clock(), POLL * 2);
        left = distance(&stand.tcp_pose(), goal);
    }
    assert!(left <= 0.25 * far, "{left} m are left of {far} m after 5 s of commands");
}

/// After a hold, a stop or a loss the arm can be commanded again.
fn go_back<S: Stand>(stand: &mut S, arm: &mut S::Arm) {
    let goal = ahead(&await_state(stand, arm).value.tcp_pose, -stand.way());
    go(stand, arm, &goal);
}

#[track_caller]
fn refuses<S: Stand>(stand: &mut S, arm: &mut S::Arm, who: &str) {
    let here = stand.tcp_pose();
    let until = stand.clock().now() + LEASE;
    let taken = arm.command(SafeTarget::under_test(here, until));
    assert!(taken.is_err(), "{who} takes a command");
}

fn is_lost(state: &Result<Stamped<ArmState>, ArmError>) -> bool {
    match state {
        Ok(state) => state.value.mode == ArmMode::Disconnected,
        Err(ArmError::Gone(_)) => true,
        Err(_) => false,
    }
}

/// The first state that is fresh.
fn await_state<S: Stand>(stand: &S, arm: &S::Arm) -> Stamped<ArmState> {
    let clock = stand.clock();
    let mut seen = None;
    within(&*stand.clock(), Duration::from_secs(5), || {
        seen = arm.state().ok().filter(|state| clock.now().since(state.at) <= STATE_AGE_MAX);
        seen.is_some()
    });
    seen.expect("a fresh state within 5 s of connecting")
}

#[track_caller]
fn assert_rests_alone<S: Stand>(stand: &mut S, when: &str) {
    let clock = stand.clock();
    assert_rests(stand, &*clock, when);
}

#[track_caller]
fn assert_rests<S: Stand>(stand: &mut S, clock: &dyn Clock, when: &str) {
    let before = stand.tcp_pose();
    pause(clock, SETTLING);
    let moved = distance(&stand.tcp_pose(), &before);
    assert!(moved < REST_M, "the robot moves {when}: {moved} m in {SETTLING:?}");
}

/// Whether it comes true in this time.
fn within(clock: &dyn Clock, time: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = clock.now() + time;
    while !is_so() {
        if clock.now() >= deadline {
            return false;
        }
        pause(clock, POLL);
    }
    true
}

fn pause(clock: &dyn Clock, time: Duration) {
    clock.sleep_until(clock.now() + time);
}

fn ahead(pose: &Pose, way: Vector3<f64>) -> Pose {
    Pose::from_parts((pose.translation.vector + way).into(), pose.rotation)
}

fn distance(a: &Pose, b: &Pose) -> f64 {
    (a.translation.vector - b.translation.vector).norm()
}
