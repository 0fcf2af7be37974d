//! What a loop of 1 ms needs of the machine, taken where it is permitted, and in words where it is not.

use rustix::mm::{MlockAllFlags, mlockall};

/// Prepares the calling thread. Gives what is missing, each with its remedy.
pub(super) fn prepare() -> Vec<String> {
    let mut missing = Vec::new();
    if !franka::realtime::has_realtime_kernel() {
        missing.push("the kernel is not a real-time one: install a PREEMPT_RT kernel".into());
    }
    if let Err(why) = franka::realtime::set_current_thread_to_highest_scheduler_priority() {
        missing.push(format!("no real-time priority ({why}): allow `rtprio` in limits.conf"));
    }
    // Pages are locked when they are touched: much of a large process never is.
    let pages = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(why) = mlockall(pages) {
        missing.push(format!("memory may be swapped ({why}): allow `memlock` in limits.conf"));
    }
    missing
}
