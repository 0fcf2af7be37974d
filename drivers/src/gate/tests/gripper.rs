//! The gripper behind the gate: told by the device loop, never by whoever commands.

use wire::GripperCommand::{self, Close, Open, Stay};

use super::*;
use crate::{GripperError, GripperState};

type Told = Arc<Mutex<Vec<SafeGrip>>>;

struct Jaws {
    told: Told,
    at: Timestamp,
    gone: bool,
}

impl Gripper for Jaws {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        Ok(Stamped { at: self.at, value: GripperState { opening: 0.25 } })
    }

    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        if self.gone {
            return Err(GripperError::Gone("pulled".into()));
        }
        self.told.lock().unwrap().push(grip);
        Ok(())
    }
}

fn bench(gone: bool) -> (Bench, Told) {
    let told = Told::default();
    let jaws = Box::new(Jaws { told: told.clone(), at: Timestamp(0), gone });
    let bounds = GripperLimits { force_n: 12.0, speed_mps: 0.1, change_min: PERIOD * 2 };
    let mut bench = Bench::in_the_middle();
    bench.gate = Gate::new(obedient(middle()), limits()).with_gripper(jaws, bounds);
    (bench, told)
}

fn command(bench: &mut Bench, gripper: GripperCommand) -> Result<GateReport, ArmError> {
    bench.gate.command(bench.now, &Command::every(PERIOD, middle()).gripping(gripper))
}

#[test]
fn a_command_returns_before_the_gripper_hears_of_it() {
    let (mut bench, told) = bench(false);
    command(&mut bench, Close).unwrap();
    assert_eq!(*told.lock().unwrap(), []);
    bench.ticks(3);
    let sent = told.lock().unwrap().clone();
    assert_eq!(
        sent.iter().map(|grip| (grip.opens(), grip.force_n())).collect::<Vec<_>>(),
        [(false, 12.0)]
    );
    assert_eq!(bench.gate.settle().unwrap().gripper, Close);
    bench.step(middle());
    assert_eq!(told.lock().unwrap().len(), 1, "a command that says nothing of it sends nothing");
}

#[test]
fn a_change_too_soon_is_held_back_and_reported() {
    let (mut bench, told) = bench(false);
    command(&mut bench, Close).unwrap();
    bench.ticks(10);
    bench.gate.settle().unwrap();
    command(&mut bench, Open).unwrap();
    bench.ticks(10);
    let executed = bench.gate.settle().unwrap();
    assert_eq!(executed.gripper, Stay);
    assert_events(executed.events, GateEvents::GRIPPER);
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn a_stopped_arm_keeps_its_grip() {
    let (mut bench, told) = bench(false);
    command(&mut bench, Open).unwrap();
    bench.gate.stop(StopKind::Controlled).unwrap();
    bench.ticks(5);
    assert_eq!(*told.lock().unwrap(), []);
    command(&mut bench, Open).unwrap_err();
    bench.ticks(5);
    assert_eq!(
        *told.lock().unwrap(),
        [],
        "a refused command moves the gripper no more than the arm"
    );
}

#[test]
fn a_gripper_that_is_gone_is_told_of_with_the_next_command() {
    let (mut bench, _) = bench(true);
    command(&mut bench, Close).unwrap();
    bench.ticks(1);
    let failed = command(&mut bench, Close).unwrap_err().to_string();
    assert!(failed.contains("gripper") && failed.contains("pulled"), "{failed}");
}

#[test]
fn the_state_says_how_far_it_is_open_while_that_is_fresh() {
    let (mut bench, _) = bench(false);
    assert_eq!(bench.gate.state().unwrap().value.gripper, Some(0.25));
    bench.ticks(50);
    assert_eq!(bench.gate.state().unwrap().value.gripper, None, "that was half a second ago");
}

#[test]
fn a_cell_without_a_gripper_refuses_its_commands() {
    let mut bench = Bench::in_the_middle();
    command(&mut bench, Stay).unwrap();
    let refused = command(&mut bench, Close).unwrap_err().to_string();
    assert!(refused.contains("the cell has none"), "{refused}");
}
