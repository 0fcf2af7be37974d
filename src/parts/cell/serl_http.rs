//! What a cell file says of HIL-SERL's robot server, in the driver's words.

use std::time::Duration;

use anyhow::Context;
use drivers::{
    Compliance,
    serl_http::{GripperMeaning, GripperRoutes, Pace, SerlHttpConfig, WrenchMeaning},
};
use sim::ClockMode;
use tasks::{
    CellConfig,
    cell::{SerlGripper, SerlWrench},
};

/// In simulated time each state must be that of its moment.
pub fn config(cell: &CellConfig, mode: ClockMode) -> anyhow::Result<SerlHttpConfig> {
    let server = cell.serl_http.as_ref().context("the cell file has no [serl_http]")?;
    let values = server.compliance.iter().map(|(name, value)| (name.clone(), *value));
    Ok(SerlHttpConfig {
        url: server.url.clone(),
        pace: match mode {
            ClockMode::Simulated => Pace::InStep,
            ClockMode::Real => Pace::Threads,
        },
        state_period: Duration::from_secs_f64(1.0 / server.state_rate_hz),
        pose_period: Duration::from_secs_f64(1.0 / server.pose_rate_hz),
        timeout: Duration::from_millis(server.timeout_ms),
        stuck_after: (server.stuck_ms > 0).then(|| Duration::from_millis(server.stuck_ms)),
        wrench: match server.wrench {
            SerlWrench::OfTool => WrenchMeaning::OfTool,
            SerlWrench::OnTool => WrenchMeaning::OnTool,
            SerlWrench::None => WrenchMeaning::Unknown,
        },
        gripper: GripperMeaning {
            closed: server.gripper_closed,
            open: server.gripper_open,
            by: match server.gripper_by {
                SerlGripper::OpenClose => GripperRoutes::OpenClose,
                SerlGripper::Move => GripperRoutes::Move,
            },
            close_target: server.gripper_close_target,
            open_target: server.gripper_open_target,
            latches: server.gripper_latches,
        },
        compliance: Compliance::new(values)?,
    })
}
