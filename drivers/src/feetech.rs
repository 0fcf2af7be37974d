//! Feetech's serial bus servos of the STS series, several of them on one half-duplex line at 1 Mbaud.
//!
//! Knows frames and registers, not what a servo moves.

mod bus;
mod frame;
#[cfg(test)]
pub(crate) mod mock;
pub(crate) mod registers;

pub(crate) use self::{
    bus::{Answer, Bus, is_silence},
    frame::Alarms,
};
