//! Either process is killed in the middle of a run and started again: nothing is missing, nothing
//! is there twice, and training goes on where it was.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::support::{DEMONSTRATIONS, ENV_STEPS, Ledger, Process, Workplace};

const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until the learner has taken `env_steps` training steps.
#[expect(clippy::disallowed_methods, reason = "a limit on how long a test waits")]
fn await_env_steps(workplace: &Workplace, env_steps: u64, processes: &mut [&mut Process]) {
    let began = Instant::now();
    while workplace.run("killed").env_steps_so_far() < env_steps {
        assert!(began.elapsed() < PATIENCE, "no {env_steps} steps within {PATIENCE:?}");
        for process in processes.iter_mut() {
            assert!(process.is_running(), "a process ended by itself");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn check(victim: &str) {
    let workplace = Workplace::new();
    let start = |name: &str| Process::start(workplace.reins_on_run(&[name], "killed"));
    let (mut learner, mut actor) = (start("learner"), start("actor"));
    await_env_steps(&workplace, ENV_STEPS / 2, &mut [&mut learner, &mut actor]);
    let (learner, actor) = match victim {
        "learner" => {
            learner.kill();
            (start("learner"), actor)
        }
        _ => {
            actor.kill();
            (learner, start("actor"))
        }
    };
    actor.finish();
    learner.finish();
    let run = workplace.run("killed");
    let ledger = Ledger::of(&run.records());
    assert_eq!(ledger.demonstrations, DEMONSTRATIONS, "demonstrations are not given again");
    assert!(ledger.training_steps >= ENV_STEPS, "{ledger:?}");
    let metrics = crate::support::text(&run.file("metrics.jsonl"));
    assert!(!metrics.is_empty());
}

#[test]
fn a_learner_that_is_killed_goes_on_where_it_was() {
    check("learner");
}

#[test]
fn an_actor_that_is_killed_goes_on_where_it_was() {
    check("actor");
}
