//! Networks over libtorch: frozen backbones, and the agent's heads, policy, critics and
//! temperature; how their weights are read and how parameters travel.
//!
//! Never samples data, never decides when to train, never executes what a weight file says.

pub mod agent;
pub mod architecture;
pub mod augment;
pub mod backbone;
pub mod critic;
pub mod device;
pub mod grasp;
pub mod head;
pub mod init;
pub mod mlp;
pub mod params;
pub mod pca;
pub mod policy;
pub mod projection;
pub mod reward_classifier;
pub mod runtime;
pub mod snapshot;
pub mod temperature;
pub mod weights;

#[cfg(test)]
mod golden;
