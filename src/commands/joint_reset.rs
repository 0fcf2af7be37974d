//! `reins joint-reset`: a robot's own motion, on request alone.

use tasks::CellConfig;

use crate::{cli::JointReset, parts::cell};

pub fn run(reset: &JointReset) -> anyhow::Result<()> {
    let cell = CellConfig::load(&reset.cell)?;
    for (side, which) in cell.arm_cells().iter().zip(["", ", second arm"]) {
        println!("resetting the joints of {}{which}; this may take a minute", cell.name);
        cell::reset_joints(side)?;
    }
    println!("done");
    Ok(())
}
