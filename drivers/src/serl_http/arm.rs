//! The server's arm.

use std::sync::Arc;

use super::{Connection, Pace, gone, link::Link, routes};
use crate::{
    Compliance, Stamped,
    arm::{Arm, ArmError, ArmMode, ArmState, Jacobian, StopKind},
    gate::SafeTarget,
};

/// Holds its pose when it is dropped.
#[derive(Debug)]
pub struct SerlArm {
    pub(super) connection: Arc<Connection>,
}

impl SerlArm {
    fn link(&self) -> &Link {
        &self.connection.0
    }

    /// An order was given: the thread for poses carries it out, or this one does.
    fn carry_out(&self) {
        match self.link().config.pace {
            Pace::Threads => self.link().bell.notify_all(),
            Pace::InStep => self.link().attend(),
        }
    }
}

impl Drop for SerlArm {
    fn drop(&mut self) {
        self.link().told().stop();
        self.link().attend();
        if let Some(failure) = &self.link().told().failure {
            tracing::error!("the arm could not be told to hold its pose: {failure}");
        }
    }
}

impl Arm for SerlArm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let link = self.link();
        link.catch_up();
        let now = link.now();
        let lost = link.is_lost(now);
        let seen = link.seen();
        let (at, measured) = seen.measured.as_ref().ok_or(ArmError::NoState)?;
        let value = ArmState {
            mode: if lost { ArmMode::Disconnected } else { link.told().mode(now) },
            tcp_pose: measured.tcp_pose,
            twist: measured.twist,
            joints: measured.joints.clone(),
            joint_velocities: measured.joint_velocities.clone(),
            wrench: measured.wrench,
            gripper: None,
        };
        Ok(Stamped { at: *at, value })
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        let link = self.link();
        if link.is_lost(link.now()) {
            return Err(ArmError::Gone(link.loss()));
        }
        let taken = link.told().follow(*target.pose(), target.valid_until());
        taken.map_err(ArmError::NeedsOperator)?;
        self.carry_out();
        // What the last pose met: this one may get through.
        match &link.told().failure {
            None => Ok(()),
            Some(failure) => Err(ArmError::Gone(failure.clone())),
        }
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        let mut told = self.link().told();
        match how {
            StopKind::Controlled => told.stop(),
            // It holds already, and a stop is only ended by `recover`.
            StopKind::Hold => told.hold(),
        }
        drop(told);
        self.carry_out();
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        self.link().recover().map_err(|error| gone(&error))
    }

    /// Waits for the server: it is set between episodes, not in a step.
    fn set_compliance(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        let posted = self.link().hand.post(routes::UPDATE_PARAM, Some(compliance));
        posted.map(drop).map_err(|error| gone(&error))
    }

    fn jacobian(&self) -> Option<Jacobian> {
        self.link().seen().measured.as_ref()?.1.jacobian.clone()
    }
}
