//! System tests: the real executable, real processes, real zenoh on loopback. Small runs: what is
//! learned does not matter here, that everything arrives and is written does.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bad_input;
mod classifier;
mod console;
mod console_browser;
mod determinism;
mod device;
mod end_to_end;
mod exchange;
mod exploration;
mod faults;
mod ground_truth;
mod ground_truth_spoilt;
mod imitation;
mod kills;
mod link;
mod link_cuts;
mod lockstep_resume;
mod probe;
mod process_faults;
mod record;
mod recording;
mod remote_actor;
mod serl_http;
mod several_actors;
mod support;
mod two_arms;
mod workspace;
