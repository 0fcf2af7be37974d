//! `reins record`: demonstrations before training, by the scripted operator and with a person's word on
//! each.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
    thread,
    time::Duration,
};

use serde_json::Value;
use wire::{Outcome, Record, RecordBody, TruncationCause};

use crate::support::{
    ENV_STEPS, Ledger, Process, Workplace,
    page::{self, Page},
    small_run,
};

const RUN: &str = "taught";

fn record(workplace: &Workplace, episodes: &str) -> Value {
    let mut record = workplace.reins_on_run(&["record", "--json"], RUN);
    record.args(["--episodes", episodes]);
    serde_json::from_str(&workplace.must(record)).unwrap()
}

#[test]
fn a_killed_recording_goes_on_and_training_asks_for_what_is_missing() {
    let workplace =
        Workplace::with_run(&small_run().replace("demo_episodes = 2", "demo_episodes = 4"));
    let mut command = workplace.reins_on_run(&["record"], RUN);
    command.args(["--episodes", "3"]);
    let mut process = Process::start(command);
    let run = workplace.run(RUN);
    let so_far = || run.try_records().unwrap_or_default();
    let is_within = |records: &[Record]| {
        let ledger = Ledger::of(records);
        let goes_on = records.last().is_some_and(|last| matches!(last.body, RecordBody::Step(_)));
        ledger.demonstrations == 1 && goes_on
    };
    while !is_within(&so_far()) {
        assert!(process.is_running(), "it ended before it was killed");
        thread::sleep(Duration::from_millis(5));
    }
    process.kill();
    let before = run.records();

    let said = record(&workplace, "3");
    assert_eq!((&said["demonstrations"], &said["complete"]), (&3.into(), &true.into()), "{said}");
    let after = run.records();
    assert_eq!(after[..before.len()], before, "what was kept stays");
    assert_eq!(Ledger::of(&after).demonstrations, 3);
    let interrupted = after.iter().filter(|record| {
        matches!(&record.body, RecordBody::EpisodeEnd(end)
            if end.truncation == Some(TruncationCause::Interrupted))
    });
    assert!(interrupted.count() <= 1, "the second was cut short, unless it had just ended");
    // There are enough: nothing is driven.
    record(&workplace, "3");
    assert_eq!(run.records(), after);

    let said = workplace.must(workplace.reins_on_run(&["train"], RUN));
    assert!(said.contains("next: reins eval runs/taught"), "{said}");
    let records = run.records();
    assert_eq!(records[..after.len()], after);
    let ledger = Ledger::of(&records);
    assert_eq!(ledger.demonstrations, 4, "one was missing");
    assert!(ledger.training_steps >= ENV_STEPS, "{ledger:?}");
}

/// What was said of each demonstration behind its end, in order.
fn words(records: &[Record]) -> Vec<(u32, Outcome)> {
    let revision = |record: &Record| match record.body {
        RecordBody::Revision(revision) => Some((record.position.episode.0, revision.outcome)),
        _ => None,
    };
    records.iter().filter_map(revision).collect()
}

#[test]
fn a_person_at_the_terminal_discards_undoes_and_keeps() {
    let workplace = Workplace::new();
    let mut command = workplace.reins_on_run(&["record", "--review", "--episodes", "2"], RUN);
    command.env("RUST_LOG", "error").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut say = child.stdin.take().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let process = Process(Some(child));
    for (told_of, stands, word) in [
        ("demonstration 0,", ": kept", "discard"),
        ("demonstration 1,", ": kept", "undo"),
        ("demonstration 1,", ": not kept", "keep"),
        ("demonstration 2,", ": kept", "undo"),
        ("demonstration 2,", ": not kept", "start"),
        ("demonstration 3,", ": kept", "start"),
    ] {
        let line = told.find(|line| line.contains(told_of) && line.contains(stands));
        assert!(line.is_some(), "nothing of {told_of} {stands}");
        writeln!(say, "{word}").unwrap();
    }
    told.for_each(drop);
    process.finish();
    let records = workplace.run(RUN).records();
    let expected = [
        (0, Outcome::Unknown),
        (1, Outcome::Unknown),
        (1, Outcome::Success),
        (2, Outcome::Unknown),
    ];
    assert_eq!(words(&records), expected);
    assert_eq!(Ledger::of(&records).demonstrations, 2);
    let said = record(&workplace, "2");
    assert_eq!((&said["demonstrations"], &said["not_kept"]), (&2.into(), &2.into()), "{said}");
}

#[test]
fn a_person_at_the_page_discards_one_and_keeps_the_next() {
    let workplace = Workplace::new();
    let words_on_run = &["record", "--console", "0", "--episodes", "1"];
    let (process, address) = page::serve(workplace.reins_on_run(words_on_run, RUN));
    let mut page = Page::open(&address);
    let waits = |number: u32| {
        move |scene: &Value| scene["episode"]["number"] == number && scene["kept"] == true
    };
    page.wait_for("the first", waits(0));
    page.say("discard");
    page.wait_for("the second", waits(1));
    assert_eq!(page.scene["demonstrations_wanted"], 1);
    page.say("undo");
    page.wait_for("the undo", |scene| scene["kept"] == false);
    page.say("keep");
    // The page goes with the process.
    process.finish();
    let records = workplace.run(RUN).records();
    let expected = [(0, Outcome::Unknown), (1, Outcome::Unknown), (1, Outcome::Success)];
    assert_eq!(words(&records), expected);
}

#[test]
fn a_run_in_lockstep_is_refused() {
    let lockstep = format!("{}[coupling]\nmode = \"lockstep\"\n", small_run());
    let workplace = Workplace::with_run(&lockstep);
    let output = workplace.reins_on_run(&["record"], RUN).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && why.contains("begin another run"), "{why}");
}
