//! An arm and its gate, or a whole cell, in a process of its own, behind a Unix-domain socket.
//!
//! The gate and its device loop stay on the arm's side: a client that stalls, is paused or dies is
//! noticed there by the lease alone, and the arm holds and is then stopped. One client commands;
//! others may watch. Who may connect is decided by the rights of the socket's file.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod cell;
mod client;
mod clock;
mod frame;
mod line;
mod message;
mod server;

pub use cell::{RemoteCamera, RemoteFixture, RemoteSuccess, RemoteTeleop};
pub use client::{RemoteGate, Watcher};
pub use clock::RemoteClock;
pub use message::DeviceState;
pub use server::{DeviceServer, Served, ServerError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
