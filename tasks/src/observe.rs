//! The proprioception vector: what the arm measures, relative to where the episode began.
//!
//! Layout: the task's `observation.proprio` keys in the order of the file, each of
//! [`ProprioKey::width`] values. Nothing in it is an absolute pose, so what is learned at one
//! place of the work-piece holds at another (HIL-SERL, appendix D.1).

use nalgebra::{UnitQuaternion, Vector3};
use wire::geometry::{Pose, Twist, Wrench};

use crate::{
    frame::{adjoint_inverse, from_vector6, relative, to_euler_xyz, to_vector6, turned_back},
    task::{ActionDims, FrameChange, ObservationConfig, ProprioKey, TaskConfig},
};

/// What an arm measured at one moment; base frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub tcp_pose: Pose,
    pub twist: Twist,
    /// Zero is taken where the arm cannot tell.
    pub wrench: Option<Wrench>,
    /// 0 closed, 1 wide open; 0 is taken where there is no gripper.
    pub gripper: Option<f64>,
}

/// Turns measurements into proprioception vectors.
#[derive(Clone, Debug)]
pub struct Observer {
    config: ObservationConfig,
    dims: ActionDims,
    reset_pose: Pose,
}

impl Observer {
    pub fn new(task: &TaskConfig) -> Self {
        Self {
            config: task.observation.clone(),
            dims: task.action.dims,
            reset_pose: task.reset.pose(),
        }
    }

    /// Begins an episode at `reset_pose`, the measured one.
    pub fn reset(&mut self, reset_pose: Pose) {
        self.reset_pose = reset_pose;
    }

    /// The vector for `measured`, with `target` the pose that the arm is following, if any.
    /// `task.proprio_dim()` values.
    pub fn proprio(&self, measured: &Measured, target: Option<&Pose>) -> Vec<f32> {
        let mut values = Vec::with_capacity(3 * self.config.proprio.len());
        for key in &self.config.proprio {
            let scaled = self.value(*key, measured, target);
            match key.width(self.dims) {
                1 => values.push(scaled.z as f32),
                _ => values.extend(scaled.iter().map(|x| *x as f32)),
            }
        }
        values
    }

    fn value(&self, key: ProprioKey, measured: &Measured, target: Option<&Pose>) -> Vector3<f64> {
        let scale = &self.config.scale;
        let rotation = &measured.tcp_pose.rotation;
        let pose = relative(&self.reset_pose, &measured.tcp_pose);
        let wrench = measured.wrench.unwrap_or_default();
        let clip = |v: Vector3<f64>| {
            let limit = self.config.wrench_clip;
            v.map(|x| x.clamp(-limit, limit))
        };
        match key {
            ProprioKey::Position => pose.translation.vector / scale.position_m,
            ProprioKey::Rotation => self.angles(&pose.rotation) / scale.rotation_rad,
            ProprioKey::LinearVelocity => self.twist(measured).linear / scale.linear_velocity_mps,
            ProprioKey::AngularVelocity => {
                self.twist(measured).angular / scale.angular_velocity_radps
            }
            ProprioKey::Force => clip(self.wrench_part(rotation, wrench.force) / scale.force_n),
            ProprioKey::Torque => clip(self.wrench_part(rotation, wrench.torque) / scale.torque_nm),
            ProprioKey::PositionLag => {
                let lag = target.map_or_else(Vector3::zeros, |target| {
                    target.translation.vector - measured.tcp_pose.translation.vector
                });
                rotation.inverse_transform_vector(&lag) / scale.position_lag_m
            }
            ProprioKey::RotationLag => {
                let lag = target.map_or_else(Vector3::zeros, |target| {
                    (rotation.inverse() * target.rotation).scaled_axis()
                });
                lag / scale.rotation_lag_rad
            }
            ProprioKey::Gripper => Vector3::z() * measured.gripper.unwrap_or_default(),
        }
    }

    fn angles(&self, rotation: &UnitQuaternion<f64>) -> Vector3<f64> {
        match self.config.frame {
            FrameChange::Rotation => rotation.scaled_axis(),
            FrameChange::HilSerlAdjoint => to_euler_xyz(rotation),
        }
    }

    fn twist(&self, measured: &Measured) -> Twist {
        let Twist { linear, angular } = &measured.twist;
        match self.config.frame {
            FrameChange::Rotation => turned_back(&measured.tcp_pose.rotation, &measured.twist),
            FrameChange::HilSerlAdjoint => {
                let base = to_vector6(linear, angular);
                let (linear, angular) = from_vector6(&(adjoint_inverse(&measured.tcp_pose) * base));
                Twist { linear, angular }
            }
        }
    }

    fn wrench_part(&self, rotation: &UnitQuaternion<f64>, part: Vector3<f64>) -> Vector3<f64> {
        match self.config.frame {
            FrameChange::Rotation => rotation.inverse_transform_vector(&part),
            FrameChange::HilSerlAdjoint => part,
        }
    }
}

#[cfg(test)]
mod tests;
