//! Devices of a cell, as its file names them.

use std::{path::Path, sync::Arc, time::Duration};

use ::actor::ArmParts;
use anyhow::{Context, bail, ensure};
use drivers::{
    Arm, Camera, CameraInfo, Crop, Cropped, EpisodeBrief, Fixture, FixtureError, Gate, GateLimits,
    Gripper, GripperLimits, NoSensor, SuccessSensor, Teleop, WorkspaceBox,
    camera::{Device, DeviceCamera, DeviceSettings, Fixed, Lens, Source, View},
    gate::{ForceLimits, JointLimits, MotionLimits, pair as pair_gates},
    remote::{RemoteCamera, RemoteClock, RemoteFixture, RemoteGate, RemoteSuccess, RemoteTeleop},
    serl_http::SerlHttp,
};
use nalgebra::Vector3;
use sim::{
    ClockMode, ScriptedOperator, SimArm, SimCamera, SimCell, SimConfig, SimFixture, SimGripper,
    SimSuccess, faults::Faults, in_step,
};
use tasks::{
    CellConfig, TaskConfig,
    cell::{
        ArmDriver, CameraConfig, CameraDriver, CaptureConfig, DeviceClock, FixtureDriver,
        GripperDriver, SuccessDriver, TeleopDriver,
    },
    doctor,
};
use toml::{Table, Value};
use wire::{Clock, SystemClock};

use self::pair::{BothDone, BothPrepared, OfSecond, Side};
use crate::faults;

mod pair;
mod robots;
mod serl_http;

/// The same cell with its physics along the wall clock, for a person to drive it.
pub fn in_real_time(cell: &CellConfig) -> CellConfig {
    let mut cell = cell.clone();
    if cell.is_simulated() {
        along_the_wall_clock(&mut cell.sim);
    }
    if let Some(device) = &mut cell.device {
        device.clock = DeviceClock::Real;
    }
    cell
}

fn along_the_wall_clock(sim: &mut Table) {
    sim.insert("clock".into(), Value::String("real".into()));
}

/// What speaks of one arm alone refuses a cell of two.
pub fn ensure_one_arm(cell: &CellConfig, who: &str) -> anyhow::Result<()> {
    ensure!(
        cell.arms() == 1,
        "cell {} has two arms, and {who} is for one: take [second] out of a copy of its file",
        cell.name
    );
    Ok(())
}

/// Who lets the time of a cell pass: this process in simulation, or the wall clock.
pub fn clock_mode(cell: &CellConfig, task: &TaskConfig) -> anyhow::Result<ClockMode> {
    if cell.arms() > 1 {
        return pair_clock_mode(&pair::sides(cell, task, 0));
    }
    let there = cell.device.as_ref().map(|device| device.clock);
    Ok(match (cell.arm.driver, there) {
        (ArmDriver::Sim, _) => sim_config(cell, task, 0)?.clock,
        (_, Some(DeviceClock::Simulated)) => ClockMode::Simulated,
        (_, Some(DeviceClock::Real) | None) => ClockMode::Real,
    })
}

/// Two arms have one time: a simulated one, where both are simulated and nothing holds either to the wall
/// clock.
fn pair_clock_mode(sides: &[Side]) -> anyhow::Result<ClockMode> {
    for Side { cell, task, seed, .. } in sides {
        if cell.arm.driver != ArmDriver::Sim
            || sim_config(cell, task, *seed)?.clock == ClockMode::Real
        {
            return Ok(ClockMode::Real);
        }
    }
    Ok(ClockMode::Simulated)
}

/// Side of the picture of a simulated camera that is cropped.
const SIM_PICTURE_PX: u16 = 256;

/// The devices of a cell, started.
pub struct Cell {
    pub clock: Arc<dyn Clock>,
    /// One, or a pair whose gates are tied.
    pub arms: Vec<ArmParts>,
    /// In the order of the task.
    pub cameras: Vec<Box<dyn Camera>>,
    pub fixture: Box<dyn Fixture>,
    pub success: Box<dyn SuccessSensor>,
}

/// An arm and what goes with it, before the gate stands before it.
pub struct ArmDevices {
    pub arm: Box<dyn Arm>,
    pub gripper: Option<Box<dyn Gripper>>,
    pub teleop: Option<Box<dyn Teleop>>,
    pub limits: GateLimits,
    pub gripper_limits: GripperLimits,
    pub teleop_age_max: Duration,
}

/// The devices, before the gates stand before the arms.
pub struct Devices {
    pub clock: Arc<dyn Clock>,
    /// Who lets the clock's time pass.
    pub mode: ClockMode,
    pub arms: Vec<ArmDevices>,
    pub cameras: Vec<Box<dyn Camera>>,
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
        if let Some(finding) = doctor::arms(cell, task) {
            bail!("{}. {}", finding.what, finding.remedy);
        }
        let devices = Devices::start(cell, task, seed)?;
        let devices = match faults {
            None => devices,
            Some(faults) => faults::around_devices(devices, faults),
        };
        let gated: Vec<_> = devices.arms.into_iter().map(ArmDevices::behind_gate).collect();
        if let [first, second] = gated.as_slice() {
            pair_gates(&first.gate, &second.gate);
        }
        let (mut clock, mut arms) = (devices.clock, Vec::new());
        for Gated { gate, teleop, teleop_age_max } in gated {
            match devices.mode {
                ClockMode::Simulated => clock = gate.ticked(clock),
                ClockMode::Real => gate.run_in_real_time(clock.clone())?,
            }
            arms.push(ArmParts { gate: Box::new(gate), teleop, teleop_age_max });
        }
        Ok(Self {
            clock,
            arms,
            cameras: devices.cameras,
            fixture: devices.fixture,
            success: devices.success,
        })
    }

    /// The cell that a `reins device` process serves on `socket`, for whoever commands it.
    pub fn at_device(cell: &CellConfig, task: &TaskConfig, socket: &Path) -> anyhow::Result<Self> {
        ensure_one_arm(cell, "`reins actor --device`")?;
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
            cameras.push(remote_camera(socket, config, clock.clone())?);
        }
        let teleop: Option<Box<dyn Teleop>> = match cell.teleop.driver {
            TeleopDriver::None => None,
            TeleopDriver::Scripted
            | TeleopDriver::Device
            | TeleopDriver::Spacemouse
            | TeleopDriver::Gamepad
            | TeleopDriver::Leader => Some(Box::new(RemoteTeleop::at(socket, clock.clone()))),
        };
        let teleop_age_max = cell.teleop.age_max();
        Ok(Self {
            clock,
            arms: vec![ArmParts { gate: Box::new(gate), teleop, teleop_age_max }],
            cameras,
            fixture: Box::new(RemoteFixture::at(socket)),
            success: Box::new(RemoteSuccess::at(socket)),
        })
    }
}

/// A camera of another process. Whether its pictures have noise, that process knows.
fn remote_camera(
    socket: &Path,
    config: &CameraConfig,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Box<dyn Camera>> {
    let (width, height) = (config.width, config.height);
    let info = CameraInfo { name: config.name.clone(), width, height, noiseless: false };
    let camera = RemoteCamera::connect(socket, info, clock)
        .with_context(|| format!("reaching camera {} of another process", config.name))?;
    Ok(Box::new(camera))
}

/// An arm whose gate can still be tied to another's.
struct Gated {
    gate: Gate<Box<dyn Arm>>,
    teleop: Option<Box<dyn Teleop>>,
    teleop_age_max: Duration,
}

impl ArmDevices {
    fn behind_gate(self) -> Gated {
        let gate = Gate::new(self.arm, self.limits);
        let gate = match self.gripper {
            None => gate,
            Some(gripper) => gate.with_gripper(gripper, self.gripper_limits),
        };
        Gated { gate, teleop: self.teleop, teleop_age_max: self.teleop_age_max }
    }
}

impl Devices {
    /// Each device from where the cell file says that it is.
    fn start(cell: &CellConfig, task: &TaskConfig, seed: u64) -> anyhow::Result<Self> {
        let mode = clock_mode(cell, task)?;
        let mut sides = pair::sides(cell, task, seed);
        if sides.len() > 1 && mode == ClockMode::Real {
            sides.iter_mut().for_each(|side| along_the_wall_clock(&mut side.cell.sim));
        }
        let host = Arc::new(SystemClock::new());
        let mut sources: Vec<Sources<'_>> = sides
            .iter()
            .map(|side| Sources::start(side, mode, host.clone()))
            .collect::<anyhow::Result<_>>()?;
        let arms = sources.iter_mut().map(Sources::arm_devices).collect::<anyhow::Result<_>>()?;
        let mut cameras = Vec::new();
        for name in &task.cameras {
            cameras.push(match (sources.as_mut_slice(), cell.second_camera(name)) {
                ([_, second], Some(own)) => {
                    Box::new(OfSecond::new(second.camera_called(own)?, name)) as Box<dyn Camera>
                }
                ([first, ..], _) => first.camera_called(name)?,
                ([], _) => bail!("a cell has an arm"),
            });
        }
        match sources.as_mut_slice() {
            [first, second] => Ok(Self {
                arms,
                cameras,
                fixture: match second.cell.fixture.driver {
                    FixtureDriver::Sim => {
                        Box::new(BothPrepared([first.fixture()?, second.fixture()?]))
                    }
                    FixtureDriver::Person | FixtureDriver::Device => first.fixture()?,
                },
                success: match second.cell.success.driver {
                    SuccessDriver::Sim => Box::new(BothDone([first.success()?, second.success()?])),
                    SuccessDriver::None | SuccessDriver::Device => first.success()?,
                },
                clock: match mode {
                    ClockMode::Simulated => in_step(first.clock.clone(), second.clock.clone()),
                    ClockMode::Real => host,
                },
                mode,
            }),
            [only] => Ok(Self {
                arms,
                cameras,
                fixture: only.fixture()?,
                success: only.success()?,
                clock: only.clock.clone(),
                mode,
            }),
            _ => bail!("a cell has one arm or two"),
        }
    }
}

/// Lets the robot server or a Franka bring the joints to where they belong at the beginning, outside of the
/// gate. The cell is that of one arm.
pub fn reset_joints(cell: &CellConfig) -> anyhow::Result<()> {
    if cell.arm.driver == ArmDriver::Franka {
        return robots::reset_franka_joints(cell, Arc::new(SystemClock::new()));
    }
    let config = serl_http::config(cell, ClockMode::Real)?;
    let server = SerlHttp::connect(config, Arc::new(SystemClock::new()))?;
    server.joint_reset().context("resetting the joints")
}

/// What the devices of a cell are taken from.
struct Sources<'a> {
    cell: &'a CellConfig,
    task: &'a TaskConfig,
    clock: Arc<dyn Clock>,
    mode: ClockMode,
    /// Where a part of the cell is simulated.
    sim: Option<SimParts>,
    /// Where a part of the cell is reached so.
    serl_http: Option<SerlHttp>,
    /// Of an arm that comes with one.
    own_gripper: Option<Box<dyn Gripper>>,
    /// Cameras whose device was opened for another one.
    opened: Vec<DeviceCamera>,
}

/// The arm of a real cell alone, without the gate: to read from.
pub fn open_arm(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Arm>> {
    Ok(match cell.arm.driver {
        ArmDriver::Sim => bail!("the arm of cell {} is simulated", cell.name),
        ArmDriver::SerlHttp => {
            let config = serl_http::config(cell, ClockMode::Real)?;
            Box::new(SerlHttp::connect(config, clock)?.arm())
        }
        ArmDriver::Ur => robots::ur(cell, clock)?,
        ArmDriver::Xarm => robots::xarm(cell, clock)?,
        ArmDriver::Franka => robots::franka(cell, clock)?,
        ArmDriver::So101 => robots::so101(cell, clock)?.0,
    })
}

/// A simulated cell, of which parts are taken.
struct SimParts {
    arm: Option<SimArm>,
    gripper: Option<SimGripper>,
    cameras: Vec<SimCamera>,
    teleop: Option<ScriptedOperator>,
    fixture: Option<SimFixture>,
    success: Option<SimSuccess>,
}

/// Each side of a cell file has at most one of each.
const ONCE: &str = "each part of the simulated cell is taken once";

impl<'a> Sources<'a> {
    /// Real time is what `host` says.
    fn start(side: &'a Side, mode: ClockMode, host: Arc<SystemClock>) -> anyhow::Result<Self> {
        let Side { cell, task, seed, is_of_two } = side;
        let mut clock: Arc<dyn Clock> = match (mode, &cell.device) {
            (ClockMode::Simulated, Some(device)) if cell.arm.driver != ArmDriver::Sim => {
                let clock = RemoteClock::connect(&device.socket);
                Arc::new(clock.context("reaching the other process's time")?)
            }
            _ => host.clone(),
        };
        let mut sim = None;
        if cell.is_simulated() {
            let mut config = sim_config(cell, task, *seed)?;
            // Or nobody else would move the other arm while his own is done.
            config.operator.lets_go |= *is_of_two;
            if cell.arm.driver != ArmDriver::Sim {
                // Nobody here lets its time pass.
                config.clock = ClockMode::Real;
            }
            let SimCell { clock: of_sim, arm, gripper, cameras, teleop, fixture, success, .. } =
                SimCell::start_by(config, host).context("starting the simulated cell")?;
            if cell.arm.driver == ArmDriver::Sim {
                clock = of_sim;
            }
            sim = Some(SimParts {
                arm: Some(arm),
                gripper,
                cameras,
                teleop: Some(teleop),
                fixture: Some(fixture),
                success: Some(success),
            });
        }
        Ok(Self {
            cell,
            task,
            clock,
            mode,
            sim,
            serl_http: None,
            own_gripper: None,
            opened: Vec::new(),
        })
    }

    fn sim(&mut self) -> &mut SimParts {
        self.sim.as_mut().expect("a cell with a simulated part has a simulated cell")
    }

    /// The socket of the other process.
    fn socket(&self) -> anyhow::Result<&'a Path> {
        let device = self.cell.device.as_ref();
        device.map(|device| device.socket.as_path()).context("the cell file has no [device]")
    }

    /// The robot server, asked for the first time by whoever needs it first.
    fn serl_http(&mut self) -> anyhow::Result<&SerlHttp> {
        if self.serl_http.is_none() {
            let config = serl_http::config(self.cell, self.mode)?;
            self.serl_http = Some(SerlHttp::connect(config, self.clock.clone())?);
        }
        Ok(self.serl_http.as_ref().expect("it was connected"))
    }

    fn arm_devices(&mut self) -> anyhow::Result<ArmDevices> {
        Ok(ArmDevices {
            arm: self.arm()?,
            gripper: self.gripper()?,
            teleop: self.teleop()?,
            limits: gate_limits(self.cell),
            gripper_limits: gripper_limits(self.cell),
            teleop_age_max: self.cell.teleop.age_max(),
        })
    }

    fn arm(&mut self) -> anyhow::Result<Box<dyn Arm>> {
        Ok(match self.cell.arm.driver {
            ArmDriver::Sim => Box::new(self.sim().arm.take().expect(ONCE)),
            ArmDriver::SerlHttp => Box::new(self.serl_http()?.arm()),
            ArmDriver::Ur | ArmDriver::Xarm | ArmDriver::Franka => {
                open_arm(self.cell, self.clock.clone())?
            }
            ArmDriver::So101 => {
                let (arm, gripper) = robots::so101(self.cell, self.clock.clone())?;
                self.own_gripper = Some(gripper);
                arm
            }
        })
    }

    fn gripper(&mut self) -> anyhow::Result<Option<Box<dyn Gripper>>> {
        Ok(match self.cell.gripper.driver {
            GripperDriver::None => None,
            GripperDriver::Robotiq => Some(robots::robotiq(self.cell, self.clock.clone())?),
            GripperDriver::Franka => Some(robots::franka_hand(self.cell, self.clock.clone())?),
            GripperDriver::So101 => {
                Some(self.own_gripper.take().context("the gripper of an SO-101 needs its arm")?)
            }
            GripperDriver::Sim => Some(Box::new(self.sim().gripper.take().with_context(|| {
                format!(
                    "the simulated cell {} has no gripper: set sim.preset = \"pick-cube\" or \
                     \"usb-insertion\", or gripper.driver = \"none\"",
                    self.cell.name
                )
            })?)),
            GripperDriver::SerlHttp => Some(Box::new(self.serl_http()?.gripper())),
        })
    }

    fn camera_called(&mut self, name: &str) -> anyhow::Result<Box<dyn Camera>> {
        let config = camera_config(self.cell, self.task, name)?;
        self.camera(config)
    }

    fn camera(&mut self, config: &CameraConfig) -> anyhow::Result<Box<dyn Camera>> {
        match config.driver {
            CameraDriver::Sim => {
                let cameras = &mut self.sim().cameras;
                let at = cameras.iter().position(|camera| camera.info().name == config.name);
                let at = at.context("a task names each camera once")?;
                cropped(cameras.remove(at), config, &self.cell.name)
            }
            CameraDriver::Device => remote_camera(self.socket()?, config, self.clock.clone()),
            CameraDriver::V4l2
            | CameraDriver::VideoFile
            | CameraDriver::Images
            | CameraDriver::Http
            | CameraDriver::Gstreamer
            | CameraDriver::Realsense => {
                let is_it = |camera: &DeviceCamera| camera.info().name == config.name;
                if !self.opened.iter().any(is_it) {
                    self.opened.extend(open_cameras(
                        self.cell,
                        &self.task.cameras,
                        config,
                        &self.clock,
                    )?);
                }
                let at = self.opened.iter().position(is_it);
                Ok(Box::new(self.opened.remove(at.context("a task names each camera once")?)))
            }
        }
    }

    fn teleop(&mut self) -> anyhow::Result<Option<Box<dyn Teleop>>> {
        Ok(match self.cell.teleop.driver {
            TeleopDriver::None => None,
            TeleopDriver::Scripted => Some(Box::new(self.sim().teleop.take().expect(ONCE))),
            TeleopDriver::Device => {
                Some(Box::new(RemoteTeleop::at(self.socket()?, self.clock.clone())))
            }
            TeleopDriver::Spacemouse | TeleopDriver::Gamepad | TeleopDriver::Leader => {
                let hand = super::teleop::open(&self.cell.teleop, self.clock.clone());
                hand.context("opening the teleop device")?.map(|(_, hand)| hand)
            }
        })
    }

    fn fixture(&mut self) -> anyhow::Result<Box<dyn Fixture>> {
        Ok(match self.cell.fixture.driver {
            FixtureDriver::Sim => Box::new(self.sim().fixture.take().expect(ONCE)),
            FixtureDriver::Person => Box::new(AskedPerson {
                wait: Duration::from_secs_f64(self.cell.fixture.wait_s),
                clock: self.clock.clone(),
            }),
            FixtureDriver::Device => Box::new(RemoteFixture::at(self.socket()?)),
        })
    }

    fn success(&mut self) -> anyhow::Result<Box<dyn SuccessSensor>> {
        Ok(match self.cell.success.driver {
            SuccessDriver::None => Box::new(NoSensor),
            SuccessDriver::Sim => Box::new(self.sim().success.take().expect(ONCE)),
            SuccessDriver::Device => Box::new(RemoteSuccess::at(self.socket()?)),
        })
    }
}

/// A person puts the work-piece where the next episode begins, and has some time for it.
struct AskedPerson {
    wait: Duration,
    clock: Arc<dyn Clock>,
}

impl Fixture for AskedPerson {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError> {
        let (episode, wait) = (brief.episode.0, self.wait.as_secs_f64());
        eprintln!("operator: put the work-piece in place for episode {episode}; {wait:.0} s");
        self.clock.sleep_until(self.clock.now() + self.wait);
        Ok(())
    }
}

/// Opens a camera's device, for all cameras of these names that are parts of its picture.
pub fn open_cameras(
    cell: &CellConfig,
    names: &[String],
    config: &CameraConfig,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Vec<DeviceCamera>> {
    let opening = || format!("opening camera {} of cell {}", config.name, cell.name);
    let lens = Lens::find().with_context(opening)?;
    let settings = device_settings(config).with_context(opening)?;
    let of_device = |camera: &&CameraConfig| {
        camera.driver == config.driver
            && camera.capture == config.capture
            && names.contains(&camera.name)
    };
    let view = |camera: &CameraConfig| {
        let (width, height) = (camera.width, camera.height);
        (camera.name.clone(), View { crop: camera.crop.map(crop), width, height })
    };
    let views: Vec<_> = cell.cameras.iter().filter(of_device).map(view).collect();
    Device::open(&lens, &settings, &views, clock).with_context(opening)
}

fn device_settings(config: &CameraConfig) -> anyhow::Result<DeviceSettings> {
    let capture = config.capture.as_ref().context("it has no [camera.capture]")?;
    let CaptureConfig { source, width, height, fps, pixel_format, repeat, .. } = capture.clone();
    let repeat = repeat.unwrap_or(true);
    let source = match config.driver {
        CameraDriver::V4l2 => Source::V4l2(source.into()),
        CameraDriver::VideoFile => Source::VideoFile { path: source.into(), repeat },
        CameraDriver::Images => Source::Images { pattern: source, repeat },
        CameraDriver::Http => Source::Http(source),
        CameraDriver::Gstreamer => Source::GStreamer(source),
        CameraDriver::Realsense => Source::RealSense { name: source, repeat },
        CameraDriver::Sim | CameraDriver::Device => bail!("its driver opens nothing here"),
    };
    Ok(DeviceSettings {
        source,
        size: width.zip(height).map(|(width, height)| [width, height]),
        fps,
        pixel_format,
        fixed: Fixed {
            exposure_us: capture.exposure_us,
            gain: capture.gain,
            white_balance_k: capture.white_balance_k,
        },
        silent_max: capture.silent_max(),
    })
}

pub fn crop(crop: tasks::cell::Crop) -> Crop {
    Crop { left: crop.left, top: crop.top, width: crop.width, height: crop.height }
}

/// A device's camera as the cell file wants it: cropped and scaled, or as it is.
fn cropped<C: Camera + 'static>(
    device: C,
    config: &CameraConfig,
    cell: &str,
) -> anyhow::Result<Box<dyn Camera>> {
    let Some(part) = config.crop else { return Ok(Box::new(device)) };
    let cropped = Cropped::new(device, crop(part), [config.width, config.height])
        .with_context(|| format!("the crop of camera {} in cell {cell}", config.name))?;
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
        if camera.driver != CameraDriver::Sim {
            continue;
        }
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
    if cell.teleop.driver.is_a_persons() || cell.opens_a_camera() {
        table.insert("clock".into(), Value::String("real".into()));
    }
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
