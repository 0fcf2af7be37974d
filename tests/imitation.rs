//! The baselines that only imitate: HG-DAgger as a run of its own.

use crate::support::{Workplace, small_run};

const PRETRAIN: u64 = 60;

/// The run file `run`, as HG-DAgger.
pub fn hg_dagger(run: &str) -> String {
    let imitating =
        format!("[learner]\nalgorithm = \"hg-dagger\"\npretrain_updates = {PRETRAIN}\n");
    run.replace("[learner]\n", &imitating)
}

#[test]
fn hg_dagger_fits_the_demonstrations_first_and_goes_on_with_what_the_person_does() {
    let workplace = Workplace::with_run(&hg_dagger(&small_run()));
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "hg"));
    let run = workplace.run("hg");
    let lines = learner::metrics::read(&run.file("metrics.jsonl")).unwrap();
    let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
    assert!(first.metrics.bc_loss.is_some() && first.metrics.critic_loss.is_nan(), "{first:?}");
    assert!(last.learner_step > PRETRAIN && last.metrics.bc_loss < first.metrics.bc_loss);
    // One update a step, beside those before the first step.
    let updates = run.summary()["learner_steps"].as_u64().unwrap() - PRETRAIN;
    let steps = run.env_steps_so_far();
    assert!(updates <= steps && updates + 40 >= steps, "{updates} updates in {steps} steps");
    let said = workplace.must(workplace.reins(&["eval", "hg", "--episodes", "1"]));
    assert!(said.contains("of 1 succeeded"), "{said}");
    assert!(run.file("eval/mean").is_dir(), "measured by the mean of its actions");
}
