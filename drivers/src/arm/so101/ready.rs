//! What makes servos ready to move: settings that LeRobot gives them too, a calibration that is theirs, and
//! torque without a jump.

use std::io;

use wire::Clock;

use super::{
    Body, POLL,
    calibration::{Calibration, IDS, NAMES, SERVOS},
    grip::TORQUE_MAX,
    kinematics::{JOINTS, Joints},
};
use crate::{
    arm::ArmError,
    feetech::{
        Alarms, Answer, Bus,
        registers::{
            ACCELERATION, GAIN_D, GAIN_I, GAIN_P, GOAL_POSITION, GOAL_TIME, HOMING_OFFSET, MODE,
            OFFSET_SIGN, OVERLOAD_TORQUE, PERMANENT, POSITION_LIMITS, POSITION_SIGN, PRESENT,
            PRESENT_ALARMS, PRESENT_POSITION, PROTECTION_CURRENT, RETURN_DELAY, TORQUE_ENABLE,
            TORQUE_LIMIT, TORQUE_MAX as TORQUE_MAX_AT, signed, with_sign, word,
        },
    },
};

const GRIPPER: usize = SERVOS - 1;
/// How fast speed may grow: as fast as the servo can, for targets come in small steps.
const ACCELERATION_MAX: u8 = 254;
/// How often the alarms are looked at until they are over.
const LOOKS_MAX: u32 = 15;

/// Of one servo, its position and its alarms. Some firmware leaves alarms out of its answers' head.
pub(super) fn position(answer: &Answer<PRESENT>) -> i32 {
    signed(&answer.data, POSITION_SIGN)
}

pub(super) fn alarms(answer: &Answer<PRESENT>) -> Alarms {
    Alarms(answer.alarms.0 | answer.data[PRESENT_ALARMS])
}

/// Whether the servos hold this calibration, and why not. LeRobot writes it into file and servos.
pub(crate) fn check(
    bus: &mut Bus,
    calibration: &Calibration,
) -> io::Result<Result<[[u8; PERMANENT]; SERVOS], ArmError>> {
    let mut all = [[0; PERMANENT]; SERVOS];
    for (i, there) in all.iter_mut().enumerate() {
        *there = bus.read(IDS[i], 0)?.data;
        let wanted = calibration.0[i];
        let offset = signed(&there[usize::from(HOMING_OFFSET)..], OFFSET_SIGN);
        let limits = usize::from(POSITION_LIMITS);
        let range = [&there[limits..], &there[limits + 2..]].map(|bytes| i32::from(word(bytes)));
        if offset != wanted.homing_offset || range != [wanted.range_min, wanted.range_max] {
            return Ok(Err(ArmError::NeedsOperator(format!(
                "the servo of {} is calibrated otherwise than the file says (offset {offset}, range {} \
                 to {}): is it the file of another arm? Name the right one, or calibrate the arm anew \
                 with `lerobot-calibrate`",
                NAMES[i], range[0], range[1]
            ))));
        }
    }
    Ok(Ok(all))
}

/// Compares the calibration and sets what is not set. Nothing moves.
pub(super) fn set_up(bus: &mut Bus, body: &Body) -> io::Result<Result<(), ArmError>> {
    let there = match check(bus, &body.calibration)? {
        Ok(there) => there,
        Err(error) => return Ok(Err(error)),
    };
    for (i, id) in IDS.into_iter().enumerate() {
        let mut wanted: Vec<(u8, &[u8])> = vec![
            (RETURN_DELAY, &[0][..]),
            (GAIN_P, &[16][..]),
            (GAIN_D, &[32][..]),
            (GAIN_I, &[0][..]),
            (MODE, &[0][..]),
        ];
        let torque_max = TORQUE_MAX.to_le_bytes();
        let mut torque = body.torque_limit;
        if i == GRIPPER {
            wanted.extend([
                (TORQUE_MAX_AT, &torque_max[..]),
                (PROTECTION_CURRENT, &[250, 0][..]),
                (OVERLOAD_TORQUE, &[25][..]),
            ]);
            torque = TORQUE_MAX;
        }
        bus.write_permanent(id, &there[i], &wanted)?;
        bus.write(id, ACCELERATION, &[ACCELERATION_MAX])?;
        if i < JOINTS {
            let [low, high] = body.speed_ticks.to_le_bytes();
            bus.write(id, GOAL_TIME, &[0, 0, low, high])?;
        }
        bus.write(id, TORQUE_LIMIT, &torque.to_le_bytes())?;
    }
    Ok(Ok(()))
}

/// Lets each servo hold where it is: one that holds already goes on as it was told, if that is near.
/// Gives what the joints are told.
pub(super) fn hold(
    bus: &mut Bus,
    body: &Body,
    clock: &dyn Clock,
) -> io::Result<Result<Joints, ArmError>> {
    let look = |bus: &mut Bus| bus.read_all::<PRESENT, SERVOS>(IDS, PRESENT_POSITION);
    let present = bus.retrying(look)?.map(|it| position(&it));
    let mut told = Joints::zeros();
    for (i, id) in IDS.into_iter().enumerate() {
        let [holds] = bus.read(id, TORQUE_ENABLE)?.data;
        let goal = signed(&bus.read::<2>(id, GOAL_POSITION)?.data, POSITION_SIGN);
        let near = (goal - present[i]).abs() <= body.rest_ticks;
        let goal = if holds == 1 && (near || i == GRIPPER) { goal } else { present[i] };
        bus.write(id, GOAL_POSITION, &with_sign(goal, POSITION_SIGN))?;
        bus.write(id, TORQUE_ENABLE, &[1])?;
        if i < JOINTS {
            told[i] = body.calibration.radians(i, goal);
        }
    }
    let mut looks = 0;
    loop {
        let all = bus.retrying(look)?.map(|it| alarms(&it));
        let Some(i) = all[..JOINTS].iter().position(|alarms| alarms.any()) else {
            return Ok(Ok(told));
        };
        looks += 1;
        if looks == LOOKS_MAX {
            let why = format!("the servo of {} reports {}", NAMES[i], all[i]);
            return Ok(Err(ArmError::NeedsOperator(why)));
        }
        clock.sleep_until(clock.now() + POLL);
    }
}
