//! The gripper: the arm's sixth servo, on its line and in its thread.

use std::{f64::consts::TAU, sync::Arc};

use super::Shared;
use crate::{
    Gripper, GripperError, GripperState, Stamped,
    feetech::{Alarms, registers::TURN},
    gate::SafeGrip,
};

/// From the moving jaw's axis to its tip (m).
const JAW_M: f64 = 0.08;
/// In thousandths of the servo's torque. More than half burns it in a long grip, as LeRobot found.
const TORQUE_MIN: f64 = 50.0;
pub(super) const TORQUE_MAX: u16 = 500;
/// In ticks per second.
const SPEED_MIN: f64 = 50.0;
const SPEED_MAX: f64 = 3400.0;

/// What the servo is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub opens: bool,
    /// In thousandths of what the servo has.
    pub torque: u16,
    /// In ticks per second.
    pub speed: u16,
}

impl Order {
    fn new(grip: SafeGrip, stall_torque_nm: f64) -> Self {
        let torque = 1000.0 * grip.force_n() * JAW_M / stall_torque_nm;
        let speed = grip.speed_mps() / JAW_M * TURN / TAU;
        Self {
            opens: grip.opens(),
            torque: torque.clamp(TORQUE_MIN, TORQUE_MAX.into()) as u16,
            speed: speed.clamp(SPEED_MIN, SPEED_MAX) as u16,
        }
    }
}

/// What gripper and thread leave for each other.
#[derive(Debug, Default)]
pub(super) struct Jaws {
    /// How far they are open.
    pub seen: Option<Stamped<f64>>,
    pub alarms: Alarms,
    /// What is to be told; the newest wins.
    pub order: Option<Order>,
    /// What the servo was told last.
    pub told: Option<Order>,
}

impl Jaws {
    /// Why they would not follow. One that grips hard for long reports overload and goes on.
    fn unusable(&self) -> Option<GripperError> {
        let alarms = self.alarms.without(Alarms::OVERLOAD);
        alarms.any().then(|| {
            let remedy = "check the power supply, let it cool down, and start the cell again";
            GripperError::Gone(format!("the servo of the gripper reports {alarms}: {remedy}"))
        })
    }
}

/// The gripper of a [`super::So101Arm`]. Gone when the arm is.
pub struct So101Gripper {
    pub(super) shared: Arc<Shared>,
    pub(super) stall_torque_nm: f64,
}

impl Gripper for So101Gripper {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        let status = self.shared.lock();
        if !status.linked || status.quits {
            return Err(GripperError::Gone("the arm's servos do not answer".into()));
        }
        if let Some(error) = status.jaws.unusable() {
            return Err(error);
        }
        let seen = status.jaws.seen.as_ref();
        let Stamped { at, value } =
            seen.ok_or_else(|| GripperError::Gone("its servo has said nothing yet".into()))?;
        Ok(Stamped { at: *at, value: GripperState { opening: *value } })
    }

    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        self.state()?;
        let order = Order::new(grip, self.stall_torque_nm);
        let mut status = self.shared.lock();
        if status.jaws.order.or(status.jaws.told) != Some(order) {
            status.jaws.order = Some(order);
        }
        Ok(())
    }
}
