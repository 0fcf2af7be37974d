//! What is plugged into this machine, one section for each kind of device; and what the devices of a
//! cell do when they are watched. Commands nothing.

use std::{fmt, time::Duration};

use tasks::CellConfig;

mod arms;
mod cameras;
mod hands;
mod samples;

/// What there is of one kind.
pub struct Section {
    title: &'static str,
    /// Of each device a line, and what to do about it where something is wrong.
    lines: Vec<String>,
    /// Said where there is none.
    none: String,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.title)?;
        if self.lines.is_empty() {
            return write!(f, "\n  {}", self.none);
        }
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

pub fn listed() -> Vec<Section> {
    vec![hands::spacemice(), hands::gamepads(), cameras::cameras()]
}

/// Opens the devices of a cell one after the other, each for `time`.
pub fn watch(cell: &CellConfig, time: Duration) -> anyhow::Result<()> {
    let names: &[&str] = if cell.arms() > 1 { &["First arm:", "Second arm:"] } else { &[""] };
    for (side, name) in cell.arm_cells().into_iter().zip(names) {
        if !name.is_empty() {
            println!("{name}");
        }
        arms::watch(&side, time)?;
        hands::watch(&side.teleop, time)?;
    }
    cameras::watch(cell, time)
}

/// Says which SpaceMouse is touched.
pub fn touch(time: Duration) -> anyhow::Result<()> {
    hands::touch(time)
}
