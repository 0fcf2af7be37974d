//! `reins serve-cell`: a cell's arm by HIL-SERL's contract, the rest of the cell over a socket.

use std::time::Duration;

use anyhow::{Context, ensure};
use drivers::{
    SharedArm,
    remote::Served,
    serl_http::server::{SerlServer, Settings},
};
use sim::ClockMode;
use tasks::{CellConfig, TaskConfig};

use super::device;
use crate::{
    cli::ServeCell,
    parts::cell::{self, Cell, in_real_time},
};

pub fn run(serve: &ServeCell) -> anyhow::Result<()> {
    let listen = serve.listen;
    ensure!(
        listen.ip().is_loopback() || serve.insecure,
        "whoever reaches {listen} moves the arm, and nobody is asked who they are: listen on \
         127.0.0.1, or say --insecure in a network that is the cell's alone"
    );
    if !listen.ip().is_loopback() {
        tracing::warn!("whoever reaches {listen} moves the arm, and nobody is asked who they are");
    }
    let file = CellConfig::load(&serve.cell)?;
    let cell = if serve.paced { file } else { in_real_time(&file) };
    let task = TaskConfig::load(&serve.task)?;
    ensure!(
        !serve.paced || cell::clock_mode(&cell, &task)? == ClockMode::Simulated,
        "the time of cell {} passes by itself: leave --paced out, or set sim.clock = \"simulated\"",
        cell.name
    );
    cell::ensure_one_arm(&cell, "HIL-SERL's contract")?;
    let mut devices = Cell::start(&cell, &task, serve.seed)?;
    let own = devices.arms.pop().context("a cell has an arm")?;
    let arm = SharedArm::new(own.gate);
    let settings = Settings {
        listen,
        arm: arm.clone(),
        clock: devices.clock.clone(),
        lease: Duration::from_millis(cell.limits.lease_ms),
    };
    let served = Served {
        clock: devices.clock,
        paced: serve.paced,
        commanded: true,
        gate: Box::new(arm),
        cameras: devices.cameras,
        teleop: own.teleop,
        fixture: devices.fixture,
        success: devices.success,
    };
    // Dropped behind the devices' end: until then the arm is served.
    let mut server = None;
    device::serve(&serve.socket, served, || {
        let started = SerlServer::start(settings)?;
        println!("{} is served at http://{}", cell.name, started.address());
        server = Some(started);
        Ok(())
    })
}
