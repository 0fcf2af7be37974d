//! Two arms in real time, each with two cameras, act for one learner.

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Stdio, thread, time::Duration};

use tasks::TaskConfig;
use wire::{ActorId, EpisodeKind};

use crate::{
    ground_truth::{self, Times, Verdict},
    support::{
        DEMONSTRATIONS, ENV_STEPS, Ledger, Process, Workplace, free_endpoint, real_time,
        watched::{WatchedActor, memory_mib},
    },
};

const RATE_HZ: u32 = 20;

const CELL: &str = include_str!("../configs/cells/sim-ram-two-cameras.toml");
const TASK: &str = include_str!("../configs/tasks/ram-insert-two-cameras.toml");

fn workplace(env_steps: u64, demonstrations: u32) -> Workplace {
    let run = real_time::run(env_steps, &free_endpoint());
    let few = format!("demo_episodes = {DEMONSTRATIONS}");
    let workplace =
        Workplace::with_run(&run.replace(&few, &format!("demo_episodes = {demonstrations}")));
    workplace.write("task.toml", &real_time::task(TASK, RATE_HZ));
    workplace
}

fn truth_log(workplace: &Workplace, actor: u16) -> PathBuf {
    workplace.path(&format!("truth-{actor}.jsonl"))
}

#[test]
fn two_actors_share_what_the_run_asks_for_and_keep_their_records_apart() {
    const DEMONSTRATIONS_WANTED: u32 = 3;
    let workplace = workplace(ENV_STEPS, DEMONSTRATIONS_WANTED);
    workplace.write("cell.toml", &real_time::cell(CELL, &truth_log(&workplace, 0)));
    let actor =
        |n: &str| WatchedActor::start(workplace.reins_on_run(&["actor", "--actor", n], "shared"));
    let actors = [actor("0"), actor("1")];
    let learner = Process::start(workplace.reins_on_run(&["learner"], "shared"));
    let ended = actors.map(WatchedActor::finish);
    learner.finish();

    let run = workplace.run("shared");
    let records = run.records();
    let each = [0, 1].map(|n| Ledger::of_actor(&records, ActorId(n)));
    let all = Ledger::of(&records);
    for ledger in &each {
        assert!(ledger.training_steps > 0, "both actors trained: {each:?}");
    }
    // An actor may be in the middle of a demonstration when there are enough.
    let given = DEMONSTRATIONS_WANTED..2 * DEMONSTRATIONS_WANTED;
    assert!(given.contains(&all.demonstrations), "{each:?}");
    assert!(all.training_steps >= ENV_STEPS, "{each:?}");
    for status in ended {
        assert_eq!(status.outbox_depth, 0, "{status:?}");
    }
    let names: BTreeSet<String> = fs::read_dir(&run.path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for expected in ["outbox", "outbox-1", "actor.rrd", "actor1.rrd"] {
        assert!(names.contains(expected), "no {expected} in {names:?}");
    }
}

/// Starts an actor as on a machine of its own: with its own cell file and run folder.
fn start_apart(workplace: &Workplace, actor: u16) -> WatchedActor {
    let cell = format!("cell-{actor}.toml");
    workplace.write(&cell, &real_time::cell(CELL, &truth_log(workplace, actor)));
    let (number, runs) = (actor.to_string(), format!("of-actor-{actor}"));
    let words = ["actor", "--run", "soak", "--actor", &number, "--runs", &runs];
    let files = ["--cell", &cell, "--task", "task.toml", "--config", "run.toml"];
    WatchedActor::start(workplace.reins(&[&words[..], &files].concat()))
}

/// Prints what it measured. `REINS_SOAK_MINUTES` says for how long.
#[test]
#[ignore = "takes minutes: cargo xtask torture --soak MINUTES"]
fn two_actors_lose_nothing_in_minutes() {
    const PATIENCE: Duration = Duration::from_secs(120);
    let minutes: u64 = env::var("REINS_SOAK_MINUTES").map_or(10, |text| text.parse().unwrap());
    let workplace = workplace(1_000_000, 1);
    workplace.write("cell.toml", CELL);
    let mut actors = [0, 1].map(|n| start_apart(&workplace, n));
    let mut learner = workplace.reins_on_run(&["learner"], "soak");
    let log = fs::File::create(workplace.path("learner.log")).unwrap();
    learner.stdout(Stdio::null()).stderr(log).env("RUST_LOG", "info,zenoh=info");
    let learner = Process(Some(learner.spawn().unwrap()));
    for actor in &mut actors {
        actor.wait_for("training", PATIENCE, |s| s.kind == Some(EpisodeKind::Training));
    }
    for minute in 1..=minutes {
        thread::sleep(Duration::from_secs(60));
        let [first, second] = actors.each_ref().map(WatchedActor::memory_mib);
        let depths = actors.each_ref().map(|actor| actor.status().outbox_depth);
        println!(
            "minute {minute}: memory of the actors {first} and {second} MiB, of the learner {} MiB; \
             records on the way {depths:?}",
            memory_mib(&learner)
        );
        for (n, actor) in actors.iter().enumerate() {
            println!("  actor {n}: {}", actor.status());
        }
    }
    let ended = actors.map(WatchedActor::end);
    learner.signal("TERM");
    learner.finish();
    println!("{}", fs::read_to_string(workplace.path("learner.log")).unwrap());

    let run = workplace.run("soak");
    let task = TaskConfig::load(workplace.path("task.toml")).unwrap();
    let mut verdict = Verdict::default();
    for (n, status) in (0..).zip(&ended) {
        let records = run.records_of(ActorId(n));
        let happenings = ground_truth::read(&truth_log(&workplace, n));
        verdict.add(ground_truth::compare(&happenings, &records, &task, Times::Real));
        let punctual = status.punctuality;
        println!(
            "actor {n}: {} steps, {} deadlines missed, jitter at most {:?}",
            punctual.steps, punctual.missed, punctual.jitter_max
        );
        println!("actor {n}: {:?}", status.faults);
        assert_eq!((status.outbox_depth, status.pace_waits), (0, 0), "{status:?}");
        // Both came before training began, so each has counted its own.
        let arrived = Ledger::of(&records).training_steps;
        assert_eq!(arrived, status.env_steps, "every step is there once");
    }
    println!("{} moments of the arms were to be kept", verdict.happened);
    println!("soak: {minutes} minutes, {verdict}");
    assert!(verdict.is_clean() && verdict.happened > 0, "{:#?}", verdict.complaints);
}
