//! The actor as a whole, with devices and a learner that are made for the purpose. No test sleeps
//! on the wall clock: simulated time jumps, and what threads do is waited for.

#[path = "actor/cell.rs"]
mod cell;
#[path = "actor/learner.rs"]
mod learner;
#[path = "actor/rig.rs"]
mod rig;

#[path = "actor/episodes.rs"]
mod episodes;
#[path = "actor/faults.rs"]
mod faults;
#[path = "actor/gripper.rs"]
mod gripper;
#[path = "actor/judgement.rs"]
mod judgement;
#[path = "actor/link.rs"]
mod link;
#[path = "actor/operator.rs"]
mod operator;
#[path = "actor/policy.rs"]
mod policy;
#[path = "actor/troubles.rs"]
mod troubles;
#[path = "actor/two_arms.rs"]
mod two_arms;
