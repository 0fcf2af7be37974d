//! What a row says besides the pictures. A new field of `wire::Step` is one more line in [`FIELDS`],
//! and one in `import` where it is read back.

use std::iter::repeat_n;

use serde_json::{Value, json};
use tasks::TaskConfig;
use wire::{Action, ActionSource, EpisodeEnd, Observation, Outcome, Step};

use super::{ACTION, STATE};

/// A step with what belongs to it.
pub(super) struct Row<'a> {
    pub before: &'a Observation,
    pub step: &'a Step,
    pub is_last: bool,
    pub end: &'a EpisodeEnd,
}

pub(super) struct Field {
    pub name: &'static str,
    pub values: Values,
}

pub(super) enum Values {
    Float(fn(&Row<'_>) -> f32),
    Whole(fn(&Row<'_>) -> i64),
    Flag(fn(&Row<'_>) -> bool),
    Vector(Width, fn(&Row<'_>, usize) -> Vec<f32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Proprio,
    Action,
}

impl Width {
    pub fn of(self, task: &TaskConfig) -> usize {
        match self {
            Self::Proprio => task.proprio_dim(),
            Self::Action => task.action_spec().dim,
        }
    }
}

/// Names in other modules: those that are read back.
pub(super) mod name {
    pub const REWARD: &str = "next.reward";
    pub const DONE: &str = "next.done";
    pub const TERMINATED: &str = "next.terminated";
    pub const TRUNCATED: &str = "next.truncated";
    pub const SUCCESS: &str = "next.success";
    pub const INTERVENTION: &str = "complementary_info.is_intervention";
    pub const POLICY_VERSION: &str = "complementary_info.policy_version";
    pub const COMMANDED: &str = "complementary_info.commanded_action";
    pub const POLICY_ACTION: &str = "complementary_info.policy_action";
    pub const HAS_POLICY_ACTION: &str = "complementary_info.has_policy_action";
    pub const HUMAN_ACTION: &str = "complementary_info.human_action";
    pub const HAS_HUMAN_ACTION: &str = "complementary_info.has_human_action";
    pub const GATE_EVENTS: &str = "complementary_info.gate_events";
    pub const CAPTURED_AT: &str = "complementary_info.captured_at_ns";
    pub const STARTED_AT: &str = "complementary_info.started_at_ns";
}

use Values::{Flag, Float, Vector, Whole};

pub(super) const FIELDS: &[Field] = &[
    Field { name: STATE, values: Vector(Width::Proprio, |row, _| row.before.proprio.clone()) },
    Field { name: ACTION, values: Vector(Width::Action, |row, _| of(&row.step.executed_action)) },
    Field { name: name::REWARD, values: Float(|row| row.step.reward) },
    Field { name: name::DONE, values: Flag(|row| row.step.terminated || row.step.truncated) },
    Field { name: name::TERMINATED, values: Flag(|row| row.step.terminated) },
    Field { name: name::TRUNCATED, values: Flag(|row| row.step.truncated) },
    Field {
        name: name::SUCCESS,
        values: Flag(|row| row.is_last && row.end.outcome == Outcome::Success),
    },
    Field { name: name::INTERVENTION, values: Flag(|row| row.step.source == ActionSource::Human) },
    Field { name: name::POLICY_VERSION, values: Whole(|row| row.step.policy_version.0 as i64) },
    Field {
        name: name::COMMANDED,
        values: Vector(Width::Action, |row, _| of(&row.step.commanded_action)),
    },
    Field {
        name: name::POLICY_ACTION,
        values: Vector(Width::Action, |row, width| or_zeros(&row.step.policy_action, width)),
    },
    Field { name: name::HAS_POLICY_ACTION, values: Flag(|row| row.step.policy_action.is_some()) },
    Field {
        name: name::HUMAN_ACTION,
        values: Vector(Width::Action, |row, width| or_zeros(&row.step.human_action, width)),
    },
    Field { name: name::HAS_HUMAN_ACTION, values: Flag(|row| row.step.human_action.is_some()) },
    Field { name: name::GATE_EVENTS, values: Whole(|row| row.step.gate_events.0.into()) },
    Field { name: name::CAPTURED_AT, values: Whole(|row| row.before.captured_at.0 as i64) },
    Field { name: name::STARTED_AT, values: Whole(|row| row.step.started_at.0 as i64) },
];

fn of(action: &Action) -> Vec<f32> {
    action.as_slice().to_vec()
}

fn or_zeros(action: &Option<Action>, width: usize) -> Vec<f32> {
    action.as_ref().map_or_else(|| vec![0.0; width], of)
}

impl Field {
    /// Values in a row; 1 for what is no vector.
    pub fn width(&self, task: &TaskConfig) -> usize {
        match self.values {
            Vector(width, _) => width.of(task),
            _ => 1,
        }
    }

    /// The entry in `info.json`.
    pub fn described(&self, task: &TaskConfig) -> Value {
        let dtype = match self.values {
            Float(_) | Vector(..) => "float32",
            Whole(_) => "int64",
            Flag(_) => "bool",
        };
        let names = match self.values {
            Vector(Width::Proprio, _) => json!(state_names(task)),
            Vector(Width::Action, _) => json!(action_names(task)),
            _ => Value::Null,
        };
        json!({ "dtype": dtype, "shape": [self.width(task)], "names": names })
    }
}

const AXES: [&str; 3] = ["x", "y", "z"];

/// `position.x` and so on, in the order of the task's observation keys, arm by arm.
fn state_names(task: &TaskConfig) -> Vec<String> {
    of_each_arm(task, &arm_state_names(task))
}

/// The names of an arm's part, and those of a second arm with its own prefix.
fn of_each_arm(task: &TaskConfig, names: &[String]) -> Vec<String> {
    let prefixes = ["", "second."].into_iter().take(task.arms());
    prefixes.flat_map(|arm| names.iter().map(move |name| format!("{arm}{name}"))).collect()
}

fn arm_state_names(task: &TaskConfig) -> Vec<String> {
    let mut names = Vec::new();
    for key in &task.observation.proprio {
        let word = json!(key);
        let word = word.as_str().unwrap_or("value");
        let width = key.width(task.action.dims);
        // Where only one axis is kept, it is the tool's own.
        let axes = if width == 1 { &AXES[2..] } else { &AXES[..width.min(3)] };
        names.extend(axes.iter().map(|axis| format!("{word}.{axis}")));
    }
    names
}

fn action_names(task: &TaskConfig) -> Vec<String> {
    let known = ["x", "y", "z", "rotation.x", "rotation.y", "rotation.z"];
    let moved = task.action.dims.entries().iter().map(|entry| known[*entry]);
    let names = moved.chain(repeat_n("gripper", task.action.grippers())).map(str::to_owned);
    of_each_arm(task, &names.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_two_arms_has_names_of_its_own() {
        let text = "name = \"task\"\ncameras = []\naction = { dims = \"xyz\", gripper = \"discrete\" }\n\
                    observation = { proprio = [\"position\", \"gripper\"] }\n\
                    reset = { position_m = [0, 0, 0], travel_z_m = 1 }\n\
                    second = { reset = { position_m = [0, 0, 0], travel_z_m = 1 } }\n";
        let task = TaskConfig::from_toml(text, "task").expect("a valid task");
        let names = [action_names(&task), state_names(&task)];
        let first =
            [["x", "y", "z", "gripper"], ["position.x", "position.y", "position.z", "gripper.z"]];
        for ((names, first), width) in
            names.iter().zip(first).zip([Width::Action.of(&task), Width::Proprio.of(&task)])
        {
            assert_eq!(names.len(), width);
            assert_eq!(names[..4], first);
            assert_eq!(names[4..], first.map(|name| format!("second.{name}")));
        }
    }

    #[test]
    fn an_action_names_what_it_moves() {
        let check = |action: &str, expected: &[&str]| {
            let text = format!(
                "name = \"task\"\ncameras = [\"a\"]\naction = {action}\n\
                 reset = {{ position_m = [0, 0, 0], travel_z_m = 1 }}\n"
            );
            let task = TaskConfig::from_toml(&text, "task").expect("a valid task");
            assert_eq!(action_names(&task), expected);
        };
        check("{ dims = \"xyz\", gripper = \"discrete\" }", &["x", "y", "z", "gripper"]);
        check("{ dims = \"xyz+yaw\" }", &["x", "y", "z", "rotation.z"]);
        check(
            "{ dims = \"xyz+rotation\" }",
            &["x", "y", "z", "rotation.x", "rotation.y", "rotation.z"],
        );
    }
}
