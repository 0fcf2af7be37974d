//! `reins probe`: what is plugged in, and what the devices of a cell do.

use std::time::Duration;

use tasks::CellConfig;

use crate::{cli::Probe, probe};

pub fn run(arguments: &Probe) -> anyhow::Result<()> {
    let time = Duration::from_secs(arguments.seconds);
    match &arguments.cell {
        _ if arguments.touch => probe::touch(time),
        None => {
            probe::listed().iter().for_each(|section| println!("{section}"));
            Ok(())
        }
        Some(file) => probe::watch(&CellConfig::load(file)?, time),
    }
}
