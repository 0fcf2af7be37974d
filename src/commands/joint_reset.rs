//! `reins joint-reset`: a robot's own motion, on request alone.

use tasks::CellConfig;

use crate::{cli::JointReset, parts::cell};

pub fn run(reset: &JointReset) -> anyhow::Result<()> {
    let cell = CellConfig::load(&reset.cell)?;
    println!("resetting the joints of {}; this may take a minute", cell.name);
    cell::reset_joints(&cell)?;
    println!("done");
    Ok(())
}
