//! Turns the checked files into the parts that actor and learner are made of. The only place that
//! knows which driver stands behind a cell's devices.

pub mod actor;
pub mod cell;
pub mod learner;
pub mod link;
pub mod machine;
pub mod networks;
pub mod teleop;
