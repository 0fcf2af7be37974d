//! Two arms in real time, each with two cameras, act for one learner.

use std::{collections::BTreeSet, env, fs, thread, time::Duration};

use wire::{ActorId, EpisodeKind};

use crate::support::{
    DEMONSTRATIONS, ENV_STEPS, Ledger, Process, Workplace, free_endpoint, run_file,
    watched::{WatchedActor, memory_mib},
};

const RATE_HZ: u32 = 20;

/// Files for an arm on the wall clock with two cameras, and a learner that never makes it wait.
pub fn real_time_workplace(env_steps: u64) -> Workplace {
    let run = run_file(env_steps, &free_endpoint());
    let workplace =
        Workplace::with_run(&format!("{run}[coupling]\nmode = \"free\"\nutd_cap = 0.5\n"));
    let cell = include_str!("../configs/cells/sim-ram-two-cameras.toml");
    let cell = cell.replace("\"simulated\"", "\"real\"");
    let small = "[[camera]]\nwidth = 64\nheight = 64";
    workplace.write("cell.toml", &cell.replace("[[camera]]", small));
    let task = include_str!("../configs/tasks/ram-insert-two-cameras.toml");
    let size = "[observation]\nimage_width = 64\nimage_height = 64\n";
    workplace.write("task.toml", &format!("step_rate_hz = {RATE_HZ}.0\n{task}{size}"));
    workplace
}

#[test]
fn two_actors_share_what_the_run_asks_for_and_keep_their_records_apart() {
    let workplace = real_time_workplace(ENV_STEPS);
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
    // The other actor may be in the middle of a demonstration when there are enough.
    assert!((DEMONSTRATIONS..=DEMONSTRATIONS + 1).contains(&all.demonstrations), "{each:?}");
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

/// Prints what it measured. `REINS_SOAK_MINUTES` says for how long.
#[test]
#[ignore = "takes minutes: cargo xtask torture --soak MINUTES"]
fn two_actors_lose_nothing_in_minutes() {
    const PATIENCE: Duration = Duration::from_secs(120);
    let minutes: u64 = env::var("REINS_SOAK_MINUTES").map_or(10, |text| text.parse().unwrap());
    let workplace = real_time_workplace(100_000);
    let actor =
        |n: &str| WatchedActor::start(workplace.reins_on_run(&["actor", "--actor", n], "soak"));
    let mut actors = [actor("0"), actor("1")];
    let learner = Process::start(workplace.reins_on_run(&["learner"], "soak"));
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
    }
    let ended = actors.map(WatchedActor::end);
    learner.signal("TERM");
    learner.finish();

    let records = workplace.run("soak").records();
    for (n, status) in (0..).zip(&ended) {
        let arrived = Ledger::of_actor(&records, ActorId(n)).training_steps;
        let punctual = status.punctuality;
        println!(
            "actor {n}: {} steps, {} deadlines missed, jitter at most {:?}",
            punctual.steps, punctual.missed, punctual.jitter_max
        );
        assert_eq!((status.outbox_depth, status.pace_waits), (0, 0), "{status:?}");
        assert!(arrived > 0, "actor {n} did not train");
    }
    // Both came before training began, so each has counted its own.
    let counted: u64 = ended.iter().map(|status| status.env_steps).sum();
    assert_eq!(Ledger::of(&records).training_steps, counted, "every step is there once");
}
