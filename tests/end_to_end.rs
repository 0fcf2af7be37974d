//! A whole run: two processes, started by hand in either order or by one command.

use std::{fs, thread, time::Duration};

use crate::support::{DEMONSTRATIONS, ENV_STEPS, Ledger, Process, Workplace};

/// Long enough for the one that is started first to be up and waiting.
const HEAD_START: Duration = Duration::from_millis(1500);

fn check_by_hand(order: [&str; 2]) {
    let workplace = Workplace::new();
    let first = Process::start(workplace.reins_on_run(&[order[0]], "hand"));
    thread::sleep(HEAD_START);
    let second = Process::start(workplace.reins_on_run(&[order[1]], "hand"));
    first.finish();
    second.finish();
    let ledger = Ledger::of(&workplace.run("hand").records());
    assert_eq!(ledger.demonstrations, DEMONSTRATIONS);
    assert!(ledger.training_steps >= ENV_STEPS, "{ledger:?}");
}

#[test]
fn learner_and_actor_are_typed_by_hand_learner_first() {
    check_by_hand(["learner", "actor"]);
}

#[test]
fn learner_and_actor_are_typed_by_hand_actor_first() {
    check_by_hand(["actor", "learner"]);
}

#[test]
fn the_demo_trains_measures_compares_and_reports() {
    let workplace = Workplace::new();
    let mut demo = workplace.reins_on_run(&["demo", "--json"], "demo");
    demo.args(["--seed", "5", "--baseline"]);
    let printed: serde_json::Value = serde_json::from_str(&workplace.must(demo)).unwrap();
    let run = workplace.run("demo");
    assert_eq!(printed, run.summary());

    assert_eq!(printed["seed"], 5);
    assert_eq!(printed["demonstrations"]["episodes"], DEMONSTRATIONS);
    assert!(printed["env_steps"].as_u64().unwrap() >= ENV_STEPS);
    assert!(printed["train_minutes"].as_f64().unwrap() > 0.0);
    assert!(printed["learner_steps"].as_u64().unwrap() > 0);
    assert!(printed["intervention_rate_last20"].is_number());
    for evaluation in ["eval", "eval_mean", "eval_bc"] {
        assert_eq!(printed[evaluation]["episodes"], 2, "{evaluation}");
        assert!(printed[evaluation]["successes"].is_number(), "{evaluation}");
    }

    let page = fs::read_to_string(run.file("report/index.html")).unwrap();
    assert!(page.contains("</html>"));
    let pictures = run.bytes("report").into_keys().filter(|name| name.ends_with(".png")).count();
    assert!(pictures >= 4, "success, intervention rate, cycle time and losses");

    let eval = ["eval", "runs/demo", "--episodes", "1", "--seed", "9", "--json"];
    let measured = workplace.must(workplace.reins(&eval));
    let measured: serde_json::Value = serde_json::from_str(&measured).unwrap();
    assert_eq!(measured["episodes"], 1);
    let report = workplace.must(workplace.reins(&["report", "runs/demo", "--json"]));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["eval"]["episodes"], 1, "the report takes the newest evaluation");
}

/// What the reference does, with two cameras, its backbone (drawn at random) and learned heads.
#[test]
fn the_preset_of_the_reference_trains() {
    let run = "preset = \"hil-serl\"\n[budget]\nenv_steps = 40\ndemo_episodes = 1\n\
               [learner]\nbatch = 8\ntraining_starts = 2\npublish_every = 4\n[coupling]\nutd_cap = 3.0\n\
               [backbone]\nweights = \"random\"\n";
    let workplace = Workplace::with_run(run);
    workplace.write("cell.toml", include_str!("../configs/cells/sim-ram-two-cameras.toml"));
    workplace.write("task.toml", include_str!("../configs/tasks/ram-insert-two-cameras.toml"));
    let mut train = workplace.reins_on_run(&["train", "--lockstep", "--json"], "reference");
    train.args(["--seed", "1"]);
    let summary: serde_json::Value = serde_json::from_str(&workplace.must(train)).unwrap();
    assert!(summary["learner_steps"].as_u64().unwrap() > 0, "{summary}");
    assert!(Ledger::of(&workplace.run("reference").records()).training_steps >= 40);
}

#[test]
fn a_camera_may_be_cropped() {
    let workplace = Workplace::new();
    let cell = include_str!("../configs/cells/sim-ram.toml");
    let cropped = |left: u16| {
        let crop = format!("crop = {{ left = {left}, top = 64, width = 128, height = 128 }}");
        cell.replace("name = \"wrist\"", &format!("name = \"wrist\"\n{crop}"))
    };
    workplace.write("cell.toml", &cropped(64));
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "cropped"));
    workplace.write("cell.toml", &cropped(129));
    let refused = workplace.reins_on_run(&["train"], "beyond").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("256x256"), "{said}");
}

#[test]
fn doctor_finds_nothing_to_mend_in_the_default_cell() {
    let workplace = Workplace::new();
    let words = ["doctor", "--cell", "cell.toml", "--task", "task.toml", "--config", "run.toml"];
    let said = workplace.must(workplace.reins(&words));
    assert!(!said.contains("error"), "{said}");
    assert!(said.contains("CPU") || said.contains("CUDA"), "says the device: {said}");
}
