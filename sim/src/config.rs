//! What a cell file's `[sim]` table may say. Every key has a default.

use std::{fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    error::SimError,
    impedance::ImpedanceConfig,
    scene::{Preset, pick_cube::Spawn},
};

/// Who makes the time pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockMode {
    /// Sleeping on the cell's clock steps the physics: as fast as the machine goes, and the same
    /// bytes in every run. One thread may sleep at a time.
    #[default]
    Simulated,
    /// A thread of its own steps the physics along the wall clock.
    Real,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// `wrist` or `side`; with the cube `wrist` or `front`.
    pub name: String,
    #[serde(default = "frame_side")]
    pub width: u16,
    #[serde(default = "frame_side")]
    pub height: u16,
}

fn frame_side() -> u16 {
    128
}

/// How far one unit of the operator's command moves the target in one step.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActionScale {
    pub linear_m: f64,
    pub angular_rad: f64,
}

impl Default for ActionScale {
    fn default() -> Self {
        Self { linear_m: 0.010, angular_rad: 0.05 }
    }
}

/// Chance that the person helps in an episode of a policy that always succeeds.
pub const HELP_LEAST: f64 = 0.05;

/// The scripted person's habits. In a file either a table, or the name of habits as a whole:
/// `operator = "patient"` is the default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorConfig {
    /// Largest command per axis; 1 is the whole stroke of the device.
    pub speed_max: f64,
    /// Standard deviation of the hand's tremor, same unit.
    pub tremor: f64,
    /// Share of the last command that stays in the next.
    pub smoothing: f64,
    /// Standard deviation of the error of the eye, drawn once per aim (m, per axis).
    pub aim_error_m: f64,
    /// Chance in each step that the hand rests for one to three steps.
    pub pause_chance: f64,
    /// Chance that the person helps at all in an episode of a policy that never succeeds; it falls with
    /// the policy's successes to 0.05.
    pub help_chance: f64,
    /// Steps without progress after which the supervisor loses patience.
    pub stall_steps: u32,
    /// Steps between losing patience and driving.
    pub reaction_steps: u32,
    /// Whether the hand leaves the device while the task is done: beside a second arm the episode may go
    /// on.
    pub lets_go: bool,
}

impl Default for OperatorConfig {
    fn default() -> Self {
        Self {
            speed_max: 0.4,
            tremor: 0.15,
            smoothing: 0.35,
            aim_error_m: 0.0008,
            pause_chance: 0.05,
            help_chance: 0.55,
            stall_steps: 15,
            reaction_steps: 2,
            lets_go: false,
        }
    }
}

fn named_or_table<'de, D: Deserializer<'de>>(from: D) -> Result<OperatorConfig, D::Error> {
    struct Habits;
    impl<'de> Visitor<'de> for Habits {
        type Value = OperatorConfig;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("\"patient\" or a table of the operator's habits")
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<OperatorConfig, E> {
            match name {
                "patient" => Ok(OperatorConfig::default()),
                other => Err(E::unknown_variant(other, &["patient"])),
            }
        }

        fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<OperatorConfig, A::Error> {
            OperatorConfig::deserialize(MapAccessDeserializer::new(table))
        }
    }
    from.deserialize_any(Habits)
}

/// A simulated cell.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    pub preset: Preset,
    /// Where a cube lies.
    pub spawn: Spawn,
    pub clock: ClockMode,
    /// Of the operator. What differs between episodes comes from each episode's own seed.
    pub seed: u64,
    pub cameras: Vec<CameraConfig>,
    pub action_scale: ActionScale,
    #[serde(deserialize_with = "named_or_table")]
    pub operator: OperatorConfig,
    pub controller: ImpedanceConfig,
    /// A file to which the cell writes what really happened, as [`crate::Happening`]s.
    pub truth_log: Option<PathBuf>,
}

impl Default for SimConfig {
    fn default() -> Self {
        let camera =
            CameraConfig { name: "wrist".into(), width: frame_side(), height: frame_side() };
        Self {
            preset: Preset::default(),
            spawn: Spawn::default(),
            clock: ClockMode::default(),
            seed: 0,
            cameras: vec![camera],
            action_scale: ActionScale::default(),
            operator: OperatorConfig::default(),
            controller: ImpedanceConfig::default(),
            truth_log: None,
        }
    }
}

impl SimConfig {
    /// Refuses values with which the physics or the operator would make no sense.
    pub(crate) fn check(&self) -> Result<(), SimError> {
        for camera in &self.cameras {
            let (width, height) = (camera.width, camera.height);
            if !(1..=1024).contains(&width) || !(1..=1024).contains(&height) {
                return Err(SimError::FrameSize { name: camera.name.clone(), width, height });
            }
        }
        let (scale, operator, controller) = (&self.action_scale, &self.operator, &self.controller);
        let stable = "MuJoCo steps at 500 Hz; stay near SERL's value or leave the key out";
        let share = "say a number from 0 to 1";
        for (key, value, range, remedy) in [
            ("action_scale.linear_m", scale.linear_m, 1e-4..=0.1, "say metres per step, 0.010"),
            ("action_scale.angular_rad", scale.angular_rad, 1e-3..=1.0, "say rad per step, 0.05"),
            ("operator.speed_max", operator.speed_max, 0.01..=1.0, share),
            ("operator.tremor", operator.tremor, 0.0..=1.0, share),
            ("operator.smoothing", operator.smoothing, 0.0..=0.95, "say a number from 0 to 0.95"),
            ("operator.aim_error_m", operator.aim_error_m, 0.0..=0.02, "say metres, 0.0008"),
            ("operator.pause_chance", operator.pause_chance, 0.0..=0.9, share),
            (
                "operator.help_chance",
                operator.help_chance,
                HELP_LEAST..=1.0,
                "say a number from 0.05 to 1",
            ),
            ("controller.stiffness_linear", controller.stiffness_linear, 0.0..=6000.0, stable),
            ("controller.damping_linear", controller.damping_linear, 0.0..=400.0, stable),
            ("controller.stiffness_angular", controller.stiffness_angular, 0.0..=300.0, stable),
            ("controller.damping_angular", controller.damping_angular, 0.0..=30.0, stable),
            ("controller.clip_linear", controller.clip_linear, 0.0..=0.1, stable),
            ("controller.clip_angular", controller.clip_angular, 0.0..=0.1, stable),
            ("controller.nullspace_stiffness", controller.nullspace_stiffness, 0.0..=100.0, stable),
            ("controller.target_filter", controller.target_filter, 1e-4..=1.0, "1 is no filter"),
        ] {
            if !range.contains(&value) {
                return Err(SimError::Config { key, value, remedy });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `text` as a `[sim]` table gives, or why it is refused.
    fn read(text: &str) -> Result<SimConfig, String> {
        let config: SimConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        config.check().map_err(|e| e.to_string())?;
        Ok(config)
    }

    fn check_refused(text: &str, word: &str) {
        let error = read(text).unwrap_err();
        assert!(error.contains(word), "{error}");
    }

    #[test]
    fn an_empty_table_is_the_default_cell() {
        assert_eq!(read("").unwrap(), SimConfig::default());
    }

    #[test]
    fn keys_of_a_table_are_taken() {
        let config = read(
            "preset = 'hard'\nclock = 'real'\ncameras = [{ name = 'side' }]\n\
                           [operator]\nstall_steps = 9",
        )
        .unwrap();
        assert_eq!((config.preset, config.clock), (Preset::Hard, ClockMode::Real));
        assert_eq!((config.cameras[0].width, config.operator.stall_steps), (128, 9));
    }

    #[test]
    fn the_operator_may_be_named() {
        assert_eq!(read("operator = 'patient'").unwrap(), SimConfig::default());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        check_refused("presett = 'hard'", "presett");
        check_refused("cameras = [{ name = 'wrist', width = 0 }]", "wrist");
        check_refused("[controller]\ndamping_linear = 1000.0", "controller.damping_linear");
        check_refused("[operator]\nspeed_max = nan", "operator.speed_max");
        check_refused("[operator]\nspeed = 1.0", "speed_max");
        check_refused("operator = 'hasty'", "patient");
    }
}
