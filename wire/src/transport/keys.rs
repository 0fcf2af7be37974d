//! The names under which a run's messages travel.

/// Requests of actors to the learner of `run`.
pub fn requests(run: &str) -> String {
    format!("reins/{run}/request")
}

/// The newest parameters of `run`.
pub fn policy(run: &str) -> String {
    format!("reins/{run}/policy")
}

/// The newest pace of `run`.
pub fn pace(run: &str) -> String {
    format!("reins/{run}/pace")
}
