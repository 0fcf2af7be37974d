//! `reins device`: a cell in a process of its own.

use std::{path::Path, sync::atomic::Ordering, thread, time::Duration};

use anyhow::{Context, bail};
use drivers::{
    StopKind,
    remote::{DeviceServer, Served, Watcher},
};
use tasks::{CellConfig, TaskConfig};

use crate::{
    cli::Device,
    parts::cell::{Cell, ensure_one_arm, in_real_time},
    shutdown,
};

const POLL: Duration = Duration::from_millis(50);

pub fn run(device: &Device) -> anyhow::Result<()> {
    // Somebody else's clock cannot move this one's time.
    let cell = in_real_time(&CellConfig::load(&device.cell)?);
    let task = TaskConfig::load(&device.task)?;
    ensure_one_arm(&cell, "`reins device`")?;
    let served = served(Cell::start(&cell, &task, device.seed)?)?;
    serve(&device.socket, served, || {
        let socket = device.socket.display();
        tracing::info!(cell = cell.name, %socket, "the arm can be commanded");
        Ok(())
    })
}

/// Serves devices on `socket` until the process is told to end, and then stops the arm. `begin` is
/// called when clients can come.
pub fn serve(
    socket: &Path,
    served: Served,
    begin: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal()?;
    let server = DeviceServer::bind(socket)?;
    let serving = thread::Builder::new()
        .name("device".into())
        .spawn(move || server.serve(served))
        .context("starting the device's thread")?;
    begin()?;
    while !shutdown.load(Ordering::SeqCst) {
        if serving.is_finished() {
            return match serving.join() {
                Ok(outcome) => outcome.context("serving the device"),
                Err(_) => bail!("the device's thread panicked"),
            };
        }
        thread::sleep(POLL);
    }
    let stopped = Watcher::connect(socket).and_then(|mut arm| arm.stop(StopKind::Controlled));
    stopped.context("stopping the arm at the end")?;
    // Its thread waits for clients until the process ends, and so does not take the name away.
    std::fs::remove_file(socket).context("taking the socket away")
}

fn served(mut cell: Cell) -> anyhow::Result<Served> {
    let arm = cell.arms.pop().context("a cell has an arm")?;
    Ok(Served {
        clock: cell.clock,
        paced: false,
        commanded: false,
        gate: arm.gate,
        cameras: cell.cameras,
        teleop: arm.teleop,
        fixture: cell.fixture,
        success: cell.success,
    })
}
