//! System tests: the real executable, real processes, real zenoh on loopback. Small runs: what is
//! learned does not matter here, that everything arrives and is written does.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bad_input;
mod determinism;
mod end_to_end;
mod lockstep_resume;
mod process_faults;
mod recording;
mod support;
