//! `reins device`: the arm and its gate in a process of their own.

use std::{sync::atomic::Ordering, thread, time::Duration};

use anyhow::{Context, bail};
use drivers::{
    Gate, StopKind,
    remote::{DeviceServer, Watcher},
};
use sim::{ClockMode, SimCell, SimConfig};
use tasks::{CellConfig, cell::ArmDriver};

use crate::{cli::Device, parts::cell::gate_limits, shutdown};

const POLL: Duration = Duration::from_millis(50);

pub fn run(device: &Device) -> anyhow::Result<()> {
    let cell = CellConfig::load(&device.cell)?;
    let sim = match cell.arm.driver {
        ArmDriver::Sim => start_sim(&cell)?,
    };
    let shutdown = shutdown::on_signal()?;
    let server = DeviceServer::bind(&device.socket)?;
    let gate = Gate::new(sim.arm, gate_limits(&cell));
    let clock = sim.clock;
    let serving = thread::Builder::new()
        .name("device".into())
        .spawn(move || server.serve(gate, clock))
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

/// The simulated cell without cameras and person, along the wall clock.
fn start_sim(cell: &CellConfig) -> anyhow::Result<SimCell> {
    let config: SimConfig = toml::Value::Table(cell.sim.clone())
        .try_into()
        .with_context(|| format!("reading the [sim] table of cell {}", cell.name))?;
    let config = SimConfig { clock: ClockMode::Real, cameras: Vec::new(), ..config };
    SimCell::start(config).context("starting the simulated cell")
}
