//! The task file: what is to be learned. Observation, action, reset, reward, episode length.

use std::{path::Path, time::Duration};

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use wire::{ActionSpec, CameraSpec, ObservationSpec, geometry::Pose};

use crate::{
    error::ConfigError,
    frame::from_euler_xyz,
    load::{self, ConfigFile, Fault},
    reward::{RewardConfig, RewardKind},
    schema::{Key, lookup},
};

mod keys;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    pub name: String,
    pub step_rate_hz: f64,
    pub episode_steps: u32,
    /// Names of the cell's cameras, in the order in which the policy gets them.
    pub cameras: Vec<String>,
    pub observation: ObservationConfig,
    pub action: ActionConfig,
    pub reset: ResetConfig,
    /// In a task for two arms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<SecondTask>,
    pub reward: RewardConfig,
}

/// What a task for two arms says of the second alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondTask {
    pub reset: ResetConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservationConfig {
    pub frame: FrameChange,
    pub image_width: u16,
    pub image_height: u16,
    /// In the order in which they stand in the proprioception vector.
    pub proprio: Vec<ProprioKey>,
    /// Scaled forces and torques are kept within ± this.
    pub wrench_clip: f64,
    pub scale: ProprioScale,
}

/// How velocities and actions get from the base frame to the end-effector frame and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameChange {
    /// Linear and angular parts are turned, each for itself.
    Rotation,
    /// What HIL-SERL at commit 5d02aed does: an adjoint in which linear commands leak into
    /// rotation, Euler angles, wrenches left in the base frame. For parity only.
    HilSerlAdjoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProprioKey {
    /// TCP relative to the reset pose, reset frame.
    Position,
    Rotation,
    /// End-effector frame, as all below.
    LinearVelocity,
    AngularVelocity,
    Force,
    Torque,
    /// Target minus measured.
    PositionLag,
    RotationLag,
    /// How far the gripper is open: 0 closed, 1 wide open.
    Gripper,
}

impl ProprioKey {
    /// How many values the key has. Where the policy does not tilt the tool, of rotations only
    /// the yaw (about the tool's z) is kept.
    pub fn width(self, dims: ActionDims) -> usize {
        match (self, dims) {
            (Self::Gripper, _) => 1,
            (_, ActionDims::XyzRotation) => 3,
            (Self::Rotation | Self::AngularVelocity | Self::RotationLag, _) => 1,
            _ => 3,
        }
    }
}

/// What a value of 1 stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProprioScale {
    pub position_m: f64,
    pub rotation_rad: f64,
    pub linear_velocity_mps: f64,
    pub angular_velocity_radps: f64,
    pub force_n: f64,
    pub torque_nm: f64,
    pub position_lag_m: f64,
    pub rotation_lag_rad: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionConfig {
    pub dims: ActionDims,
    /// Move and turn that an entry of 1 stands for.
    pub translation_m: f64,
    pub rotation_rad: f64,
    pub delta_from: DeltaFrom,
    pub gripper: GripperAction,
    /// What the grasp critic takes off the reward of a step that moves the gripper.
    pub gripper_penalty: f64,
}

/// Whether the policy commands the gripper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GripperAction {
    None,
    /// Close, stay or open in each step, as an entry of the action behind the arm's.
    Discrete,
}

impl ActionConfig {
    /// What people call the entries of an arm's part of an action.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.dims.names().chain(std::iter::repeat_n("gripper", self.grippers()))
    }

    /// Grippers that the policy commands, of each arm.
    pub fn grippers(&self) -> usize {
        match self.gripper {
            GripperAction::None => 0,
            GripperAction::Discrete => 1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionDims {
    #[serde(rename = "xyz")]
    Xyz,
    /// The turn is about the tool's z axis, which keeps its direction.
    #[serde(rename = "xyz+yaw")]
    XyzYaw,
    #[serde(rename = "xyz+rotation")]
    XyzRotation,
}

impl ActionDims {
    pub fn count(self) -> usize {
        self.entries().len()
    }

    /// Which of x, y, z, and the turns about the tool's x, y, z the policy moves.
    pub fn entries(self) -> &'static [usize] {
        match self {
            Self::Xyz => &[0, 1, 2],
            Self::XyzYaw => &[0, 1, 2, 5],
            Self::XyzRotation => &[0, 1, 2, 3, 4, 5],
        }
    }

    /// What people call the entries.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = ["x", "y", "z", "roll", "pitch", "yaw"];
        self.entries().iter().map(move |entry| all[*entry])
    }
}

/// What an action moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeltaFrom {
    /// The previous target: the arm's lag does not eat small moves.
    Target,
    /// The measured pose, as in HIL-SERL.
    Measured,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetConfig {
    /// Middle of the start poses; base frame, extrinsic xyz angles.
    pub position_m: [f64; 3],
    pub rpy_rad: [f64; 3],
    /// Start poses are uniform within ± this.
    pub random_m: [f64; 3],
    /// About the tool's z axis.
    pub random_yaw_rad: f64,
    /// Height in the base frame at which the arm goes over to the start pose.
    pub travel_z_m: f64,
    pub speed_mps: f64,
    pub speed_radps: f64,
    pub tolerance_m: f64,
    pub tolerance_rad: f64,
    pub timeout_steps: u32,
}

impl ResetConfig {
    pub fn orientation(&self) -> UnitQuaternion<f64> {
        from_euler_xyz(&Vector3::from(self.rpy_rad))
    }

    /// Middle of the start poses.
    pub fn pose(&self) -> Pose {
        let position = Vector3::from(self.position_m);
        Pose::from_parts(Translation3::from(position), self.orientation())
    }

    fn faults(&self, at: &str) -> Option<Fault> {
        let start_top = self.position_m[2] + self.random_m[2];
        (self.travel_z_m < start_top).then(|| {
            Fault::new(
                format!("{at}.travel_z_m"),
                format!("is below the highest start pose ({start_top:.4} m)"),
                format!("Set it to {start_top:.4} or higher"),
            )
        })
    }
}

impl TaskConfig {
    pub fn load(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::load(file.as_ref())
    }

    /// `file` only names the text in errors.
    pub fn from_toml(text: &str, file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        load::parse(text, file.as_ref())
    }

    pub fn to_toml(&self) -> String {
        load::to_toml(self)
    }

    /// SHA-256 of the resolved configuration, in hex.
    pub fn hash(&self) -> String {
        load::hash(self)
    }

    /// Time of one step.
    pub fn period(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.step_rate_hz)
    }

    /// Whether a cell for this task must have a gripper.
    pub fn needs_gripper(&self) -> bool {
        self.action.grippers() > 0 || self.observation.proprio.contains(&ProprioKey::Gripper)
    }

    /// How many arms the task moves.
    pub fn arms(&self) -> usize {
        1 + usize::from(self.second.is_some())
    }

    /// The task as each of its arms has it, in the order of actions and observations: its own reset,
    /// and an action of its own dimensions alone.
    pub fn arm_tasks(&self) -> Vec<Self> {
        let second = self.second.iter().map(|second| &second.reset);
        std::iter::once(&self.reset)
            .chain(second)
            .map(|reset| Self { reset: reset.clone(), second: None, ..self.clone() })
            .collect()
    }

    /// Grippers that the policy commands.
    pub fn grippers(&self) -> usize {
        self.arms() * self.action.grippers()
    }

    /// Entries of an action that are no gripper's.
    pub fn motion_dim(&self) -> usize {
        self.arms() * self.action.dims.count()
    }

    /// What people call the entries of an action; those of a second arm say so.
    pub fn action_names(&self) -> Vec<String> {
        let of_arm = |arm: usize| {
            let prefix = if arm == 0 { "" } else { "second " };
            self.action.names().map(move |name| format!("{prefix}{name}"))
        };
        (0..self.arms()).flat_map(of_arm).collect()
    }

    pub fn proprio_dim(&self) -> usize {
        let keys = self.observation.proprio.iter();
        self.arms() * keys.map(|key| key.width(self.action.dims)).sum::<usize>()
    }

    pub fn observation_spec(&self) -> ObservationSpec {
        let camera = |name: &String| CameraSpec {
            name: name.clone(),
            width: self.observation.image_width,
            height: self.observation.image_height,
        };
        ObservationSpec {
            proprio_dim: self.proprio_dim(),
            cameras: self.cameras.iter().map(camera).collect(),
        }
    }

    pub fn action_spec(&self) -> ActionSpec {
        ActionSpec { dim: self.motion_dim() + self.grippers() }
    }
}

impl ConfigFile for TaskConfig {
    const KIND: &'static str = "task";
    const KEYS: &'static [Key] = keys::KEYS;

    fn defaults(given: &Table) -> Table {
        let mut defaults = load::built_in(include_str!("task/defaults.toml"));
        if given.get("second").is_some_and(Value::is_table) {
            let as_first = |name: &&str| Some(((*name).to_owned(), defaults.get(*name)?.clone()));
            let own: Table = keys::SECOND_TABLES.iter().filter_map(as_first).collect();
            defaults.insert("second".into(), Value::Table(own));
        }
        let start = lookup(given, "reset.rpy_rad").or(lookup(&defaults, "reset.rpy_rad")).cloned();
        // Tables that may be left out have defaults where they are there.
        let optional = [
            ("classifier", "debounce_frames", Some(Value::Integer(2))),
            ("gate", "rpy_rad", start),
            ("gate", "tolerance_rad", Some(Value::Float(3.2))),
        ];
        for (table, key, value) in optional {
            let there = lookup(given, &format!("reward.{table}")).is_some_and(Value::is_table);
            let reward = defaults.get_mut("reward").and_then(Value::as_table_mut);
            if let (true, Some(reward), Some(value)) = (there, reward, value) {
                let table = reward.entry(table).or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(table) = table {
                    table.insert(key.to_owned(), value);
                }
            }
        }
        defaults
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if has_duplicates(&self.cameras) {
            faults.push(Fault::new("cameras", "names a camera twice", "Name each camera once"));
        }
        if has_duplicates(&self.observation.proprio) {
            faults.push(Fault::new(
                "observation.proprio",
                "names a value twice",
                "Name each value once",
            ));
        }
        if self.proprio_dim() == 0 && self.cameras.is_empty() {
            faults.push(Fault::new(
                "cameras",
                "is empty, and so is observation.proprio: the policy would see nothing",
                "Name a camera",
            ));
        }
        let adjoint = self.observation.frame == FrameChange::HilSerlAdjoint;
        if adjoint && self.action.dims != ActionDims::XyzRotation {
            faults.push(Fault::new(
                "observation.frame",
                "needs six action dimensions",
                "Set action.dims to \"xyz+rotation\", or observation.frame to \"rotation\"",
            ));
        }
        if self.reward.kind == RewardKind::Classifier {
            if self.reward.classifier.is_none() {
                faults.push(Fault::new(
                    "reward.kind",
                    "needs a classifier",
                    "Add [reward.classifier] with `file`, see `reins classifier --help`",
                ));
            }
            if self.cameras.is_empty() {
                faults.push(Fault::new(
                    "cameras",
                    "is empty, and the classifier of reward.kind needs pictures",
                    "Name the cameras that it looks through",
                ));
            }
        }
        faults.extend(self.reset.faults("reset"));
        if let Some(second) = &self.second {
            faults.extend(second.reset.faults("second.reset"));
        }
        faults
    }
}

fn has_duplicates<T: PartialEq>(items: &[T]) -> bool {
    items.iter().enumerate().any(|(i, item)| items[..i].contains(item))
}

#[cfg(test)]
mod tests;
