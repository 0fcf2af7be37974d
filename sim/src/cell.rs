//! Puts a simulated cell together: one world, and a driver for each of its devices.

use std::{fmt, sync::Arc};

use drivers::CameraInfo;
use mujoco_rs::prelude::{MjModel, MjtObjBase};
use wire::{Clock, SystemClock};

use crate::{
    arm::SimArm,
    camera::SimCamera,
    clock::{SimulatedClock, run_in_real_time},
    config::{ClockMode, SimConfig},
    error::SimError,
    fixture::{SimFixture, SimSuccess},
    gripper::SimGripper,
    operator::ScriptedOperator,
    renderer::Renderer,
    truth::Truth,
    truth_log::TruthLog,
    world::{self, SharedWorld, World},
};

/// Smallest picture surface that MuJoCo is asked for when there are no cameras.
const NO_FRAME: (u16, u16) = (16, 16);

/// The devices of a simulated cell. Take them apart; the world lives as long as any of them.
pub struct SimCell {
    pub clock: Arc<dyn Clock>,
    pub arm: SimArm,
    /// Where the tool is one.
    pub gripper: Option<SimGripper>,
    pub cameras: Vec<SimCamera>,
    pub teleop: ScriptedOperator,
    pub fixture: SimFixture,
    pub success: SimSuccess,
    pub truth: Truth,
}

impl fmt::Debug for SimCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimCell").field("cameras", &self.cameras.len()).finish_non_exhaustive()
    }
}

impl SimCell {
    /// Opens EGL only when the configuration has cameras.
    pub fn start(config: SimConfig) -> Result<Self, SimError> {
        Self::start_by(config, Arc::new(SystemClock::new()))
    }

    /// The same, where real time is what `host` says: that of another cell beside this one.
    pub fn start_by(config: SimConfig, host: Arc<SystemClock>) -> Result<Self, SimError> {
        config.check()?;
        let sizes: Vec<_> = config.cameras.iter().map(|c| (c.width, c.height)).collect();
        let largest = sizes.iter().fold(NO_FRAME, |a, b| (a.0.max(b.0), a.1.max(b.1)));
        let model = world::load(config.preset, largest)?;
        let mut world = World::new(model.clone(), config.preset, config.controller.clone())?;
        world.truth_log = config.truth_log.as_deref().map(TruthLog::open).transpose()?;
        let world = SharedWorld::new(world);
        let cameras = start_cameras(&config, &world, &model, sizes)?;
        let clock: Arc<dyn Clock> = match config.clock {
            ClockMode::Simulated => Arc::new(SimulatedClock(world.clone())),
            ClockMode::Real => {
                run_in_real_time(&world, host.clone())?;
                host
            }
        };
        let teleop =
            ScriptedOperator::new(world.clone(), config.operator, config.action_scale, config.seed);
        Ok(Self {
            clock,
            arm: SimArm { world: world.clone() },
            gripper: config.preset.grips().then(|| SimGripper { world: world.clone() }),
            cameras,
            teleop,
            fixture: SimFixture {
                world: world.clone(),
                preset: config.preset,
                spawn: config.spawn,
            },
            success: SimSuccess { world: world.clone() },
            truth: Truth { world },
        })
    }
}

fn start_cameras(
    config: &SimConfig,
    world: &SharedWorld,
    model: &Arc<MjModel>,
    sizes: Vec<(u16, u16)>,
) -> Result<Vec<SimCamera>, SimError> {
    let ids = config
        .cameras
        .iter()
        .map(|camera| {
            model.name_to_id(MjtObjBase::mjOBJ_CAMERA, &camera.name).ok_or_else(|| {
                SimError::UnknownCamera {
                    name: camera.name.clone(),
                    cameras: config.preset.cameras(),
                }
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let renderer = Arc::new(Renderer::start(model.clone(), sizes)?);
    let camera = |(camera, id): (&crate::CameraConfig, usize)| {
        let info = CameraInfo {
            name: camera.name.clone(),
            width: camera.width,
            height: camera.height,
            noiseless: true,
        };
        SimCamera::new(world.clone(), renderer.clone(), info, id)
    };
    Ok(config.cameras.iter().zip(ids).map(camera).collect())
}
