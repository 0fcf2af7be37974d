//! Arms and grippers of real cells, from the cell file's tables. One whose driver is not in this
//! program is refused with the feature that brings it.

use std::sync::Arc;

#[cfg(any(
    feature = "franka",
    feature = "robotiq",
    feature = "so101",
    feature = "ur",
    feature = "xarm"
))]
use anyhow::Context;
use drivers::{Arm, Gripper};
use tasks::CellConfig;
use wire::Clock;

#[cfg(not(all(
    feature = "franka",
    feature = "robotiq",
    feature = "so101",
    feature = "ur",
    feature = "xarm"
)))]
fn not_built(driver: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "this program was built without the driver {driver}: build it with \
         `cargo build --features {driver}`"
    )
}

#[cfg(feature = "ur")]
pub fn ur(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Arm>> {
    use drivers::arm::ur::{UrArm, UrConfig};
    let config = cell.ur.as_ref().context("the cell file has no [ur]")?;
    let config = UrConfig {
        host: config.host.clone(),
        rtde_port: config.rtde_port,
        dashboard_port: config.dashboard_port,
        script_port: config.script_port,
        reverse_port: config.reverse_port,
        reverse_host: config.reverse_host.clone(),
        rate_hz: config.rate_hz,
        lookahead_s: config.lookahead_s,
        gain: config.gain,
        force: config.force,
        speed_fraction_min: config.speed_fraction_min,
    };
    Ok(Box::new(UrArm::connect(config, clock)?))
}

#[cfg(not(feature = "ur"))]
pub fn ur(_: &CellConfig, _: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Arm>> {
    Err(not_built("ur"))
}

/// Setpoints may go a little faster than targets, to catch up after a pause.
#[cfg(feature = "xarm")]
const XARM_PACE: f64 = 1.2;

#[cfg(feature = "xarm")]
pub fn xarm(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Arm>> {
    use drivers::arm::xarm::{XarmArm, XarmConfig};
    let config = cell.xarm.as_ref().context("the cell file has no [xarm]")?;
    let config = XarmConfig {
        host: config.host.clone(),
        command_port: config.command_port,
        report_port: config.report_port,
        joints: config.joints,
        speed_max_mps: XARM_PACE * cell.limits.speed_max_mps,
        speed_max_radps: XARM_PACE * cell.limits.speed_max_radps,
    };
    Ok(Box::new(XarmArm::connect(config, clock)?))
}

#[cfg(not(feature = "xarm"))]
pub fn xarm(_: &CellConfig, _: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Arm>> {
    Err(not_built("xarm"))
}

#[cfg(feature = "franka")]
fn connect_franka(
    cell: &CellConfig,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<drivers::arm::franka::FrankaArm> {
    use drivers::{
        Compliance,
        arm::franka::{FrankaArm, FrankaConfig},
    };
    let config = cell.franka.as_ref().context("the cell file has no [franka]")?;
    let values = config.compliance.iter().map(|(name, value)| (name.clone(), *value));
    let config = FrankaConfig {
        host: config.host.clone(),
        real_time: config.real_time,
        collision_force_n: config.collision_force_n,
        collision_torque_nm: config.collision_torque_nm,
        compliance: Compliance::new(values)?,
        reset_speed_radps: config.reset_speed_radps,
    };
    Ok(FrankaArm::connect(config, clock)?)
}

#[cfg(feature = "franka")]
pub fn franka(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Arm>> {
    Ok(Box::new(connect_franka(cell, clock)?))
}

#[cfg(not(feature = "franka"))]
pub fn franka(_: &CellConfig, _: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Arm>> {
    Err(not_built("franka"))
}

/// By the robot's own controller, outside of the gate.
#[cfg(feature = "franka")]
pub fn reset_franka_joints(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let joints = cell.franka.as_ref().context("the cell file has no [franka]")?.reset_joints_rad;
    connect_franka(cell, clock)?.reset_joints(joints).context("resetting the joints")
}

#[cfg(not(feature = "franka"))]
pub fn reset_franka_joints(_: &CellConfig, _: Arc<dyn Clock>) -> anyhow::Result<()> {
    Err(not_built("franka"))
}

#[cfg(feature = "franka")]
pub fn franka_hand(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Gripper>> {
    use drivers::gripper::franka::{FrankaHand, FrankaHandConfig};
    let config = cell.franka.as_ref().context("the cell file has no [franka]")?;
    let config = FrankaHandConfig {
        host: config.host.clone(),
        homing: config.hand_homing,
        width_m: config.hand_width_m,
    };
    Ok(Box::new(FrankaHand::connect(config, clock)?))
}

#[cfg(not(feature = "franka"))]
pub fn franka_hand(_: &CellConfig, _: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Gripper>> {
    Err(not_built("franka"))
}

/// The arm, and its gripper for a cell that names it.
pub type ArmAndGripper = (Box<dyn Arm>, Box<dyn Gripper>);

#[cfg(feature = "so101")]
pub fn so101(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<ArmAndGripper> {
    use drivers::arm::so101::{So101Arm, So101Config};
    let config = cell.so101.as_ref().context("the cell file has no [so101]")?;
    let config = So101Config {
        device: config.device.clone(),
        calibration: config.calibration.clone(),
        rate_hz: config.rate_hz,
        joint_speed_max_radps: config.joint_speed_max_radps,
        torque_share: config.torque_share,
        stall_torque_nm: config.stall_torque_nm,
    };
    let arm = So101Arm::connect(config, clock)?;
    let gripper = arm.gripper();
    Ok((Box::new(arm), Box::new(gripper)))
}

#[cfg(not(feature = "so101"))]
pub fn so101(_: &CellConfig, _: Arc<dyn Clock>) -> anyhow::Result<ArmAndGripper> {
    Err(not_built("so101"))
}

#[cfg(feature = "robotiq")]
pub fn robotiq(cell: &CellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Gripper>> {
    use std::time::Duration;

    use drivers::gripper::robotiq::{Robotiq, RobotiqConfig, RobotiqLink, RobotiqModel};
    use tasks::cell;

    let config = cell.robotiq.as_ref().context("the cell file has no [robotiq]")?;
    let host = || cell.robotiq_host().map(str::to_owned).context("robotiq.host is missing");
    let link = match config.link {
        cell::RobotiqLink::Socket => {
            RobotiqLink::Socket { host: host()?, port: config.port.unwrap_or(63_352) }
        }
        cell::RobotiqLink::ModbusTcp => RobotiqLink::ModbusTcp {
            host: host()?,
            port: config.port.unwrap_or(502),
            slave: config.slave.unwrap_or(2),
            registers: config.registers,
        },
        cell::RobotiqLink::ModbusRtu => RobotiqLink::ModbusRtu {
            device: config.device.clone().context("robotiq.device is missing")?,
            slave: config.slave.unwrap_or(9),
        },
    };
    let model = match config.model {
        cell::RobotiqModel::TwoF85 => RobotiqModel::TWO_F_85,
        cell::RobotiqModel::TwoF140 => RobotiqModel::TWO_F_140,
    };
    let model = RobotiqModel { open_at: config.open_at, closed_at: config.closed_at, ..model };
    let activation = Duration::from_secs_f64(config.activation_s);
    Ok(Box::new(Robotiq::connect(RobotiqConfig { link, model, activation }, clock)?))
}

#[cfg(not(feature = "robotiq"))]
pub fn robotiq(_: &CellConfig, _: Arc<dyn Clock>) -> anyhow::Result<Box<dyn Gripper>> {
    Err(not_built("robotiq"))
}
