//! The server's gripper.

use std::sync::Arc;

use super::{
    Connection, Pace,
    link::{Link, lock},
};
use crate::{Gripper, GripperError, GripperState, Stamped, gate::SafeGrip};

/// Force and speed are the server's own: the contract has no words for them.
#[derive(Debug)]
pub struct SerlGripper {
    pub(super) connection: Arc<Connection>,
}

impl SerlGripper {
    fn link(&self) -> &Link {
        &self.connection.0
    }
}

impl Gripper for SerlGripper {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        let link = self.link();
        link.catch_up();
        let meaning = &link.config.gripper;
        let seen = link.seen();
        let (at, measured) =
            seen.measured.as_ref().ok_or_else(|| GripperError::Gone("there is no state".into()))?;
        let said = measured
            .gripper
            .ok_or_else(|| GripperError::Gone("the server says nothing of a gripper".into()))?;
        let opening = ((said - meaning.closed) / (meaning.open - meaning.closed)).clamp(0.0, 1.0);
        Ok(Stamped { at: *at, value: GripperState { opening } })
    }

    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        let link = self.link();
        lock(&link.grip).wanted = Some(grip.opens());
        match link.config.pace {
            Pace::Threads => link.grip_bell.notify_all(),
            Pace::InStep => link.attend_gripper(),
        }
        match &lock(&link.grip).failure {
            None => Ok(()),
            Some(failure) => Err(GripperError::Gone(failure.clone())),
        }
    }
}
