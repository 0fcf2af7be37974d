//! The operator's page: one page on loopback that shows what the actor does and lets a person drive.
//!
//! It runs on a thread of its own and is never waited for. What it shows it takes from a [`Board`],
//! on which the newest wins; what the person does reaches the actor as a teleop device like any
//! other ([`PageTeleop`]), through the same arbiter and the same gate, and as [`OperatorEvent`]s.
//! It knows the actor only through what the command line puts on the board.

mod board;
mod event;
mod hand;
mod lateness;
mod picture;
mod protocol;
mod scene;
mod server;
mod session;
mod teleop;
mod visitor;

pub use board::Board;
pub use event::OperatorEvent;
pub use hand::{DEAD_MAN, Loss, SharedHand};
pub use scene::{
    ArmScene, Curves, Driver, EpisodeScene, GateNote, Health, Rates, Scene, Series, Subject,
};
pub use server::{Console, ConsoleError, EventTaker, Settings};
pub use teleop::PageTeleop;
