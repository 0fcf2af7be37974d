//! One seed, the same bytes.

use crate::support::{Workplace, run_file};

/// Journal, parameters and checkpoints of a lockstep run of `seed`.
fn lockstep(seed: &str) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    // The endpoint is part of the configuration, and so of a checkpoint; nobody listens there.
    let workplace = Workplace::with_run(&run_file(80, "tcp/127.0.0.1:7447"));
    let mut train = workplace.reins_on_run(&["train", "--lockstep"], "same");
    train.args(["--seed", seed]);
    workplace.must(train);
    let run = workplace.run("same");
    let concatenated = |folder: &str| {
        let files = run.bytes(folder);
        assert!(!files.is_empty(), "{folder} is empty");
        files.into_iter().flat_map(|(name, bytes)| [name.into_bytes(), bytes].concat()).collect()
    };
    let policy = std::fs::read(run.file("policy.bin")).unwrap();
    (concatenated("journal"), policy, concatenated("checkpoints"))
}

#[test]
fn two_lockstep_runs_of_one_seed_leave_the_same_bytes() {
    let (first, second, other) = (lockstep("1"), lockstep("1"), lockstep("2"));
    assert!(first.0 == second.0, "the journals differ");
    assert!(first.1 == second.1, "the parameters differ");
    assert!(first.2 == second.2, "the checkpoints differ");
    assert!(first.0 != other.0 && first.1 != other.1, "the seed makes no difference");
}
