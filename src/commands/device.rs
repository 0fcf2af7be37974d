//! `reins device`: a cell in a process of its own.

use std::{sync::atomic::Ordering, thread, time::Duration};

use anyhow::{Context, bail};
use drivers::{
    StopKind,
    remote::{DeviceServer, Served, Watcher},
};
use tasks::{CellConfig, TaskConfig};
use toml::Value;

use crate::{cli::Device, parts::cell::Cell, shutdown};

const POLL: Duration = Duration::from_millis(50);

pub fn run(device: &Device) -> anyhow::Result<()> {
    let mut cell = CellConfig::load(&device.cell)?;
    // Somebody else's clock cannot move this one's time.
    cell.sim.insert("clock".into(), Value::String("real".into()));
    let task = TaskConfig::load(&device.task)?;
    let served = served(Cell::start(&cell, &task, device.seed)?);
    let shutdown = shutdown::on_signal()?;
    let server = DeviceServer::bind(&device.socket)?;
    let serving = thread::Builder::new()
        .name("device".into())
        .spawn(move || server.serve(served))
        .context("starting the device's thread")?;
    tracing::info!(cell = cell.name, socket = %device.socket.display(), "the arm can be commanded");
    while !shutdown.load(Ordering::SeqCst) {
        if serving.is_finished() {
            return match serving.join() {
                Ok(outcome) => outcome.context("serving the device"),
                Err(_) => bail!("the device's thread panicked"),
            };
        }
        thread::sleep(POLL);
    }
    let stopped =
        Watcher::connect(&device.socket).and_then(|mut arm| arm.stop(StopKind::Controlled));
    stopped.context("stopping the arm at the end")?;
    // Its thread waits for clients until the process ends, and so does not take the name away.
    std::fs::remove_file(&device.socket).context("taking the socket away")
}

fn served(cell: Cell) -> Served {
    Served {
        clock: cell.clock,
        paced: false,
        commanded: false,
        gate: cell.gate,
        cameras: cell.cameras,
        teleop: cell.teleop,
        fixture: cell.fixture,
        success: cell.success,
    }
}
