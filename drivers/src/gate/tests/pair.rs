//! Two arms whose stop is one.

use super::*;
use crate::gate::pair;

fn benches() -> [Bench; 2] {
    let benches = [Bench::in_the_middle(), Bench::in_the_middle()];
    pair(&benches[0].gate, &benches[1].gate);
    benches
}

/// Both device loops, tick by tick.
fn ticks(benches: &mut [Bench; 2], ticks: u32) {
    for _ in 0..ticks {
        benches.iter_mut().for_each(|bench| bench.ticks(1));
    }
}

/// Both arms move.
fn moving() -> [Bench; 2] {
    let mut benches = benches();
    for bench in &mut benches {
        bench.command(pose(0.02, 0.0, 0.1)).unwrap();
    }
    ticks(&mut benches, 3);
    assert!(benches.iter_mut().all(|bench| bench.stops().is_empty()));
    benches
}

/// After something has happened to the arm on this side, the other's is stopped within one tick.
#[track_caller]
fn check(side: usize, happens: impl FnOnce(&mut Bench), trip: &Trip) {
    let mut benches = moving();
    happens(&mut benches[side]);
    ticks(&mut benches, 1);
    let other = &mut benches[1 - side];
    assert_eq!(other.stops().last(), Some(&StopKind::Controlled));
    assert_eq!(other.mode(), ArmMode::Stopped);
    assert_eq!(other.refusal(), Trip::Partner);
    let own = benches[side].gate.refusal();
    assert!(own.as_ref().is_none_or(|own| own == trip), "{own:?}");
}

#[test]
fn what_stops_either_arm_stops_the_other_within_one_tick() {
    for side in [0, 1] {
        check(side, |one| one.gate.stop(StopKind::Controlled).unwrap(), &Trip::Stopped);
        let word = Trip::Emergency("a word".into());
        check(side, |one| one.gate.emergency_stop("a word").unwrap(), &word);
        check(side, |one| one.arm(|arm| arm.state.value.mode = ArmMode::Reflex), &Trip::Stopped);
        let pressed = Trip::Emergency("the robot's own stop was pressed".into());
        check(side, |one| one.arm(|arm| arm.state.value.mode = ArmMode::EmergencyStop), &pressed);
        check(
            side,
            |one| one.arm(|arm| arm.state.value.mode = ArmMode::Disconnected),
            &Trip::StateLost,
        );
    }
}

#[test]
fn a_hold_of_one_is_no_stop_of_the_other() {
    let mut benches = moving();
    benches[0].gate.stop(StopKind::Hold).unwrap();
    ticks(&mut benches, 3);
    assert_eq!(benches[1].stops(), []);
    benches[1].command(middle()).unwrap();
}

#[test]
fn a_partner_that_is_gone_stops_the_other_arm() {
    let [one, mut other] = moving();
    drop(one);
    other.ticks(1);
    assert_eq!(other.refusal(), Trip::Partner);
}

#[test]
fn the_one_that_stopped_by_itself_is_recovered_first() {
    let mut benches = moving();
    benches[0].gate.stop(StopKind::Controlled).unwrap();
    ticks(&mut benches, 1);
    // The wrong way round: the other is stopped again.
    benches[1].gate.recover().unwrap();
    ticks(&mut benches, 1);
    assert_eq!(benches[1].refusal(), Trip::Partner);
    benches[0].gate.recover().unwrap();
    ticks(&mut benches, 3);
    benches[0].command(middle()).unwrap();
    benches[1].gate.recover().unwrap();
    ticks(&mut benches, 3);
    benches[1].command(middle()).unwrap();
    ticks(&mut benches, 3);
    assert!(benches.iter().all(|bench| bench.gate.refusal().is_none()));
}

/// Both loops run on threads, and both arms stop in the same moment: nobody waits for the other.
#[test]
fn two_that_stop_at_once_do_not_wait_for_each_other() {
    for _ in 0..50 {
        let clock: Arc<dyn wire::Clock> = Arc::new(wire::SystemClock::new());
        let gates = [0, 1].map(|_| Gate::new(obedient(middle()), limits()));
        pair(&gates[0], &gates[1]);
        for gate in &gates {
            gate.run_in_real_time(clock.clone()).unwrap();
        }
        for gate in &gates {
            gate.device().arm.state.value.mode = ArmMode::Reflex;
        }
        let until = clock.now() + Duration::from_secs(5);
        for gate in &gates {
            while gate.refusal().is_none() {
                assert!(clock.now() < until, "one waits for the other");
                clock.sleep_until(clock.now() + Duration::from_millis(1));
            }
        }
    }
}
