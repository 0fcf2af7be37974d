//! What goes out of a run and comes into it: LeRobotDataset v3.0, HIL-SERL's pickles, TensorBoard,
//! MCAP. Everything is made from, or ends as, records of the journal.
//!
//! Never executes anything that a file says. Nothing half-written ever stands under its final name.

mod episode;
mod error;
pub mod hil_serl;
mod import;
pub mod lerobot;
pub mod mcap;
mod picture;
mod place;
pub mod tensorboard;
#[cfg(test)]
mod testing;

pub use episode::{Episode, finished};
pub use error::ExchangeError;
pub use import::{CameraNames, Imported, Importer, Role};
pub use picture::Fit;
pub use place::NewPlace;
