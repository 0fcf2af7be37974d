//! From a policy's action to a target pose, and exactly back.
//!
//! An action is a displacement in the end-effector frame of the measured pose, [-1, 1] per entry:
//! xyz, then a rotation vector or its part along the tool's z axis. It is turned into the base frame and composed on the left of the
//! pose that the task's `action.delta_from` names. Where the policy commands the gripper too, that
//! entry stands behind the others. Clips nothing but what a person's hand gives: limits are the gate's.

use nalgebra::{Translation3, UnitQuaternion, Vector3, Vector6};
use wire::{Action, GripperCommand, geometry::Pose};

use crate::{
    frame::{adjoint, adjoint_inverse, from_euler_xyz, from_vector6, to_euler_xyz, to_vector6},
    task::{ActionConfig, ActionDims, DeltaFrom, FrameChange, TaskConfig},
};

#[derive(Clone, Debug)]
pub struct ActionMap {
    config: ActionConfig,
    frame: FrameChange,
    /// What the tool keeps when the policy does not turn it.
    orientation: UnitQuaternion<f64>,
}

impl ActionMap {
    pub fn new(task: &TaskConfig) -> Self {
        Self {
            config: task.action.clone(),
            frame: task.observation.frame,
            orientation: task.reset.orientation(),
        }
    }

    /// Begins an episode at `start`, the pose that the reset aimed at.
    pub fn reset(&mut self, start: &Pose) {
        self.orientation = start.rotation;
    }

    /// Where `action` sends the TCP; base frame. `last_target` is what the gate let through in the
    /// step before, if its lease is valid.
    pub fn target(&self, action: &Action, measured: &Pose, last_target: Option<&Pose>) -> Pose {
        let mut entries = Vector6::zeros();
        for (entry, value) in self.config.dims.entries().iter().zip(action.as_slice()) {
            entries[*entry] = f64::from(*value);
        }
        self.target_of(&entries, measured, last_target)
    }

    /// What `action` tells the gripper.
    pub fn gripper(&self, action: &Action) -> GripperCommand {
        match self.config.grippers() {
            0 => GripperCommand::Stay,
            _ => action
                .as_slice()
                .last()
                .map_or_else(GripperCommand::default, |entry| GripperCommand::from_entry(*entry)),
        }
    }

    /// The action whose target is `executed` and that tells the gripper `gripper`: what is stored is
    /// what the gate let through. Entries beyond ±1 are possible where the gate moved the target
    /// further than an action could.
    pub fn action(
        &self,
        executed: &Pose,
        gripper: GripperCommand,
        measured: &Pose,
        last_target: Option<&Pose>,
    ) -> Action {
        let entries = self.entries_of(executed, measured, last_target);
        self.with_gripper(&entries, gripper)
    }

    /// A person's command (base frame, linear and angular, [-1, 1] each, and the gripper's) as an
    /// action. A command that would leave the action space is shortened and keeps its direction.
    pub fn from_teleop(
        &self,
        twist: &[f64; 6],
        gripper: GripperCommand,
        tcp_rotation: &UnitQuaternion<f64>,
    ) -> Action {
        let into_tool = |part: [f64; 3]| {
            let turned = tcp_rotation.inverse_transform_vector(&Vector3::from(part));
            turned / turned.amax().max(1.0)
        };
        let linear = into_tool([twist[0], twist[1], twist[2]]);
        let angular = into_tool([twist[3], twist[4], twist[5]]);
        self.with_gripper(&to_vector6(&linear, &angular), gripper)
    }

    /// Of `motion` what the policy moves, and the gripper's entry if it commands that.
    fn with_gripper(&self, motion: &Vector6<f64>, gripper: GripperCommand) -> Action {
        let moved = self.config.dims.entries().iter().map(|entry| motion[*entry] as f32);
        Action(moved.chain(std::iter::repeat_n(gripper.entry(), self.config.grippers())).collect())
    }

    /// How far a tool whose z axis is that of the start pose is turned about it (rad).
    fn yaw(&self, rotation: &UnitQuaternion<f64>) -> f64 {
        let turn = self.orientation.inverse() * rotation;
        wrapped(2.0 * turn.k.atan2(turn.w))
    }

    fn anchor<'a>(&self, measured: &'a Pose, last_target: Option<&'a Pose>) -> &'a Pose {
        match self.config.delta_from {
            DeltaFrom::Target => last_target.unwrap_or(measured),
            DeltaFrom::Measured => measured,
        }
    }

    fn target_of(&self, entries: &Vector6<f64>, measured: &Pose, last: Option<&Pose>) -> Pose {
        let anchor = self.anchor(measured, last);
        let base = match self.frame {
            FrameChange::Rotation => {
                let (linear, angular) = from_vector6(entries);
                to_vector6(&(measured.rotation * linear), &(measured.rotation * angular))
            }
            // The reference changes frames before it scales, and clips in the base frame.
            FrameChange::HilSerlAdjoint => {
                (adjoint(measured) * entries).map(|entry| entry.clamp(-1.0, 1.0))
            }
        };
        let (linear, angular) = from_vector6(&base);
        let angular = angular * self.config.rotation_rad;
        let position = anchor.translation.vector + linear * self.config.translation_m;
        let rotation = match (self.config.dims, self.frame) {
            (ActionDims::Xyz, _) => self.orientation,
            (ActionDims::XyzYaw, _) => {
                let yaw = self.yaw(&anchor.rotation) + entries[5] * self.config.rotation_rad;
                self.orientation * UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw)
            }
            (_, FrameChange::Rotation) => {
                UnitQuaternion::from_scaled_axis(angular) * anchor.rotation
            }
            (_, FrameChange::HilSerlAdjoint) => from_euler_xyz(&angular) * anchor.rotation,
        };
        Pose::from_parts(Translation3::from(position), rotation)
    }

    fn entries_of(&self, executed: &Pose, measured: &Pose, last: Option<&Pose>) -> Vector6<f64> {
        let anchor = self.anchor(measured, last);
        let offset = executed.translation.vector - anchor.translation.vector;
        let linear = offset / self.config.translation_m;
        let turn = executed.rotation * anchor.rotation.inverse();
        match self.frame {
            FrameChange::Rotation if self.config.dims == ActionDims::XyzYaw => {
                let yaw = wrapped(self.yaw(&executed.rotation) - self.yaw(&anchor.rotation));
                let linear = measured.rotation.inverse_transform_vector(&linear);
                to_vector6(&linear, &(Vector3::z() * yaw / self.config.rotation_rad))
            }
            FrameChange::Rotation => {
                let angular = turn.scaled_axis() / self.config.rotation_rad;
                let back = |part| measured.rotation.inverse_transform_vector(part);
                to_vector6(&back(&linear), &back(&angular))
            }
            FrameChange::HilSerlAdjoint => {
                let angular = to_euler_xyz(&turn) / self.config.rotation_rad;
                adjoint_inverse(measured) * to_vector6(&linear, &angular)
            }
        }
    }
}

/// The same angle in [-π, π].
fn wrapped(angle: f64) -> f64 {
    angle.sin().atan2(angle.cos())
}

#[cfg(test)]
mod tests;
