//! A run without demonstrations begins by itself.

use wire::{PolicyVersion, RecordBody, Step};

use crate::support::{CELL, Workplace, free_endpoint, run_file};

const RANDOM_STEPS: usize = 300;
const ENV_STEPS: u64 = 330;

#[test]
fn without_demonstrations_the_arm_moves_at_random_until_there_is_a_policy() {
    let run =
        run_file(ENV_STEPS, &free_endpoint()).replace("demo_episodes = 2", "demo_episodes = 0");
    let workplace = Workplace::with_run(&run);
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "alone"));
    let run = workplace.run("alone");
    let steps: Vec<Step> = run
        .records()
        .into_iter()
        .filter_map(|record| match record.body {
            RecordBody::Step(step) => Some(step),
            _ => None,
        })
        .collect();
    assert!(steps.len() as u64 >= ENV_STEPS, "{} steps", steps.len());
    let drawn = |step: &Step| step.policy_version == PolicyVersion(0);
    assert!(steps[..RANDOM_STEPS].iter().all(drawn));
    assert!(steps[RANDOM_STEPS + 1..].iter().all(|step| !drawn(step)), "then the policy drives");
    // Spread over the whole action space.
    let entries = || steps[..RANDOM_STEPS].iter().flat_map(|s| s.policy_action.as_ref());
    let far = entries().flat_map(|action| action.as_slice()).filter(|x| x.abs() > 0.5).count();
    let all = entries().flat_map(|action| action.as_slice()).count();
    assert!(all > 0 && (0.4..0.6).contains(&(far as f64 / all as f64)), "{far} of {all}");
    assert!(run.summary()["learner_steps"].as_u64().unwrap() > 0);
}

#[test]
fn a_person_who_helps_in_the_first_random_steps_does_not_keep_the_training_from_beginning() {
    // More components than frames in which the person drove, and fewer than frames.
    let run = run_file(ENV_STEPS, &free_endpoint())
        .replace("demo_episodes = 2", "demo_episodes = 0")
        .replace("pca_components = 16", "pca_components = 280");
    let workplace = Workplace::with_run(&run);
    let eager = "operator = { stall_steps = 4, reaction_steps = 1 }";
    workplace.write("cell.toml", &format!("{CELL}{eager}\n"));
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "helped"));
    let run = workplace.run("helped");
    let driven: Vec<bool> = run
        .records()
        .into_iter()
        .filter_map(|record| match record.body {
            RecordBody::Step(step) => Some(step.human_action.is_some()),
            _ => None,
        })
        .collect();
    let helped = driven[..RANDOM_STEPS].iter().filter(|human| **human).count();
    assert!((1..250).contains(&helped), "the person drove in {helped} steps");
    assert!(run.summary()["learner_steps"].as_u64().unwrap() > 0);
}
