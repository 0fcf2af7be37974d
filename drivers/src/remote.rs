//! An arm and its gate in a process of their own, behind a Unix-domain socket.
//!
//! The gate and its device loop stay on the arm's side: a client that stalls, is paused or dies is
//! noticed there by the lease alone, and the arm holds and is then stopped. One client commands;
//! others may watch. Who may connect is decided by the rights of the socket's file.

mod client;
mod frame;
mod message;
mod server;

pub use client::{GateClient, Watcher};
pub use message::DeviceState;
pub use server::{DeviceServer, ServerError};

#[cfg(test)]
mod tests;
