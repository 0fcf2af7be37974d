//! Devices of a cell, as its file names them.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use drivers::{
    Arm, Camera, CameraInfo, Crop, Cropped, Fixture, Gate, GateLimits, Gripper, GripperLimits,
    GuardedArm, SuccessSensor, Teleop, WorkspaceBox,
    gate::{ForceLimits, JointLimits, MotionLimits},
    remote::{RemoteCamera, RemoteFixture, RemoteGate, RemoteSuccess, RemoteTeleop},
};
use nalgebra::Vector3;
use sim::{ClockMode, SimCell, SimConfig, faults::Faults};
use tasks::{
    CellConfig, TaskConfig,
    cell::{ArmDriver, CameraConfig, GripperDriver, TeleopDriver},
};
use toml::{Table, Value};
use wire::{Clock, SystemClock};

use crate::faults;

/// The same cell with its physics along the wall clock, for a person to drive it.
pub fn in_real_time(cell: &CellConfig) -> CellConfig {
    let mut cell = cell.clone();
    if cell.arm.driver == ArmDriver::Sim {
        cell.sim.insert("clock".into(), Value::String("real".into()));
    }
    cell
}

/// Side of the picture of a simulated camera that is cropped.
const SIM_PICTURE_PX: u16 = 256;

/// The devices of a cell, started.
pub struct Cell {
    pub clock: Arc<dyn Clock>,
    pub gate: Box<dyn GuardedArm>,
    /// In the order of the task.
    pub cameras: Vec<Box<dyn Camera>>,
    pub teleop: Option<Box<dyn Teleop>>,
    pub fixture: Box<dyn Fixture>,
    pub success: Box<dyn SuccessSensor>,
}

/// The devices, before the gate stands before the arm.
pub struct Devices {
    pub clock: Arc<dyn Clock>,
    /// Who lets the clock's time pass.
    pub mode: ClockMode,
    pub arm: Box<dyn Arm>,
    pub gripper: Option<Box<dyn Gripper>>,
    pub cameras: Vec<Box<dyn Camera>>,
    pub teleop: Option<Box<dyn Teleop>>,
    pub fixture: Box<dyn Fixture>,
    pub success: Box<dyn SuccessSensor>,
}

impl Cell {
    pub fn start(cell: &CellConfig, task: &TaskConfig, seed: u64) -> anyhow::Result<Self> {
        Self::start_with(cell, task, seed, None)
    }

    /// With faults between the devices and whoever uses them.
    pub fn start_with(
        cell: &CellConfig,
        task: &TaskConfig,
        seed: u64,
        faults: Option<&Faults>,
    ) -> anyhow::Result<Self> {
        let devices = match cell.arm.driver {
            ArmDriver::Sim => Devices::start_sim(cell, task, seed)?,
        };
        let devices = match faults {
            None => devices,
            Some(faults) => faults::around_devices(devices, faults),
        };
        let gate = Gate::new(devices.arm, gate_limits(cell));
        let gate = match devices.gripper {
            None => gate,
            Some(gripper) => gate.with_gripper(gripper, gripper_limits(cell)),
        };
        let clock = match devices.mode {
            ClockMode::Simulated => gate.ticked(devices.clock),
            ClockMode::Real => {
                gate.run_in_real_time(devices.clock.clone())?;
                devices.clock
            }
        };
        Ok(Self {
            clock,
            gate: Box::new(gate),
            cameras: devices.cameras,
            teleop: devices.teleop,
            fixture: devices.fixture,
            success: devices.success,
        })
    }

    /// The cell that a `reins device` process serves on `socket`, for whoever commands it.
    pub fn at_device(cell: &CellConfig, task: &TaskConfig, socket: &Path) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let gate = RemoteGate::connect(socket, clock.clone()).with_context(|| {
            let (cell, task) = (&cell.name, &task.name);
            format!(
                "reaching the device of cell {cell}: start `reins device` with its file and that \
                 of task {task} first"
            )
        })?;
        let mut cameras: Vec<Box<dyn Camera>> = Vec::new();
        for name in &task.cameras {
            let config = camera_config(cell, task, name)?;
            let (width, height) = (config.width, config.height);
            let noiseless = cell.arm.driver == ArmDriver::Sim;
            let info = CameraInfo { name: name.clone(), width, height, noiseless };
            cameras.push(Box::new(RemoteCamera::at(socket, info, clock.clone())));
        }
        let teleop: Option<Box<dyn Teleop>> = match cell.teleop.driver {
            TeleopDriver::None => None,
            TeleopDriver::Scripted => Some(Box::new(RemoteTeleop::at(socket, clock.clone()))),
        };
        Ok(Self {
            clock,
            gate: Box::new(gate),
            cameras,
            teleop,
            fixture: Box::new(RemoteFixture::at(socket)),
            success: Box::new(RemoteSuccess::at(socket)),
        })
    }
}

impl Devices {
    fn start_sim(cell: &CellConfig, task: &TaskConfig, seed: u64) -> anyhow::Result<Self> {
        let config = sim_config(cell, task, seed)?;
        let mode = config.clock;
        let sim = SimCell::start(config).context("starting the simulated cell")?;
        let teleop: Option<Box<dyn Teleop>> = match cell.teleop.driver {
            TeleopDriver::None => None,
            TeleopDriver::Scripted => Some(Box::new(sim.teleop)),
        };
        let gripper: Option<Box<dyn Gripper>> = match cell.gripper.driver {
            GripperDriver::None => None,
            GripperDriver::Sim => Some(Box::new(sim.gripper.with_context(|| {
                format!(
                    "the simulated cell {} has no gripper: set sim.preset = \"pick-cube\" or \
                     \"usb-insertion\", or gripper.driver = \"none\"",
                    cell.name
                )
            })?)),
        };
        Ok(Self {
            clock: sim.clock,
            mode,
            arm: Box::new(sim.arm),
            gripper,
            cameras: sim
                .cameras
                .into_iter()
                .map(|device| camera(device, cell))
                .collect::<anyhow::Result<_>>()?,
            teleop,
            fixture: Box::new(sim.fixture),
            success: Box::new(sim.success),
        })
    }
}

/// A device's camera as the cell file wants it: cropped and scaled, or as it is.
fn camera<C: Camera + 'static>(device: C, cell: &CellConfig) -> anyhow::Result<Box<dyn Camera>> {
    let Some((config, crop)) = cell.camera(&device.info().name).and_then(|c| Some((c, c.crop?)))
    else {
        return Ok(Box::new(device));
    };
    let crop = Crop { left: crop.left, top: crop.top, width: crop.width, height: crop.height };
    let cropped = Cropped::new(device, crop, [config.width, config.height])
        .with_context(|| format!("the crop of camera {} in cell {}", config.name, cell.name))?;
    Ok(Box::new(cropped))
}

fn camera_config<'a>(
    cell: &'a CellConfig,
    task: &TaskConfig,
    name: &str,
) -> anyhow::Result<&'a CameraConfig> {
    cell.camera(name).with_context(|| {
        let (task, cell) = (&task.name, &cell.name);
        format!("task {task} looks through camera {name}, which cell {cell} does not have")
    })
}

/// The cell file's `[sim]` table, with what cell and task say elsewhere filled in.
pub fn sim_config(cell: &CellConfig, task: &TaskConfig, seed: u64) -> anyhow::Result<SimConfig> {
    let mut table = cell.sim.clone();
    let mut cameras = Vec::new();
    for name in &task.cameras {
        let camera = camera_config(cell, task, name)?;
        let mut entry = Table::new();
        entry.insert("name".into(), Value::String(name.clone()));
        // A crop is taken out of a larger picture.
        let [width, height] = match camera.crop {
            Some(_) => [SIM_PICTURE_PX; 2],
            None => [camera.width, camera.height],
        };
        entry.insert("width".into(), Value::Integer(width.into()));
        entry.insert("height".into(), Value::Integer(height.into()));
        cameras.push(Value::Table(entry));
    }
    let mut scale = Table::new();
    scale.insert("linear_m".into(), Value::Float(task.action.translation_m));
    scale.insert("angular_rad".into(), Value::Float(task.action.rotation_rad));
    table.insert("cameras".into(), Value::Array(cameras));
    table.insert("action_scale".into(), Value::Table(scale));
    table.insert(
        "seed".into(),
        Value::Integer(i64::try_from(seed).context("the seed is too large")?),
    );
    Value::Table(table)
        .try_into()
        .with_context(|| format!("reading the [sim] table of cell {}", cell.name))
}

fn gripper_limits(cell: &CellConfig) -> GripperLimits {
    let config = &cell.gripper;
    GripperLimits {
        force_n: config.force_n,
        speed_mps: config.speed_mps,
        change_min: Duration::from_millis(config.change_min_ms),
    }
}

pub fn gate_limits(cell: &CellConfig) -> GateLimits {
    let limits = &cell.limits;
    GateLimits {
        workspace: WorkspaceBox {
            min: Vector3::from(limits.workspace_min_m),
            max: Vector3::from(limits.workspace_max_m),
            orientation: limits.orientation(),
            tilt_max_rad: limits.tilt_max_rad,
            yaw_max_rad: limits.yaw_max_rad,
        },
        step_max_m: limits.step_max_m,
        step_max_rad: limits.step_max_rad,
        lead_max_m: limits.lead_max_m,
        lead_max_rad: limits.lead_max_rad,
        linear: MotionLimits {
            speed_max: limits.speed_max_mps,
            acceleration_max: limits.acceleration_max_mps2,
            jerk_max: limits.jerk_max_mps3,
        },
        angular: MotionLimits {
            speed_max: limits.speed_max_radps,
            acceleration_max: limits.acceleration_max_radps2,
            jerk_max: limits.jerk_max_radps3,
        },
        force: ForceLimits {
            force_max_n: limits.force_max_n,
            torque_max_nm: limits.torque_max_nm,
            time: Duration::from_millis(limits.force_time_ms),
            back_off_m: limits.back_off_m,
        },
        joints: JointLimits {
            margin_rad: limits.joint_margin_rad,
            condition_slow: limits.condition_slow,
            condition_stop: limits.condition_stop,
        },
        state_age_max: Duration::from_millis(limits.state_age_max_ms),
        state_lost_after: Duration::from_millis(limits.state_lost_ms),
        lease: Duration::from_millis(limits.lease_ms),
        stop_after: Duration::from_millis(limits.stop_after_ms),
        takeover_ramp: Duration::from_millis(limits.takeover_ramp_ms),
    }
}
