//! Ctrl-C and termination: the first asks everything to end in good order, a second ends at once.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;

/// Becomes true when the person or the system asks this process to end.
pub fn on_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    let flag = asked.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            process::exit(130);
        }
        eprintln!("ending in good order; once more to end at once");
    })
    .context("listening for Ctrl-C")?;
    Ok(asked)
}
