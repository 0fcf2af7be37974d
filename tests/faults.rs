//! Things go wrong as a script says, in the real executable: the records stay whole, the run ends
//! well, and the same script and seed give the same bytes.

use std::path::PathBuf;

use wire::{EpisodeEnd, Record, RecordBody, TruncationCause, UnixNanos};

use crate::support::{Ledger, Workplace, run_file};

const ENV_STEPS: u64 = 60;

/// The records of a lockstep run under this script; an empty one is none.
fn records(script: &str) -> Vec<Record> {
    let workplace = Workplace::with_run(&run_file(ENV_STEPS, "tcp/127.0.0.1:7720"));
    let mut train = workplace.reins_on_run(&["train", "--lockstep"], "rehearsal");
    if !script.is_empty() {
        workplace.write("faults.toml", script);
        train.args(["--faults", "faults.toml"]);
    }
    workplace.must(train);
    let records = workplace.run("rehearsal").records();
    let ledger = Ledger::of(&records);
    assert!(ledger.training_steps >= ENV_STEPS, "{ledger:?}");
    records
}

fn ends(records: &[Record]) -> impl Iterator<Item = &EpisodeEnd> {
    records.iter().filter_map(|record| match &record.body {
        RecordBody::EpisodeEnd(end) => Some(end),
        _ => None,
    })
}

fn cut_short(records: &[Record]) -> usize {
    ends(records).filter(|end| end.truncation == Some(TruncationCause::Fault)).count()
}

/// With this fault, begun in the middle of the run.
#[track_caller]
fn check(fault: &str, cut_short_at_least: usize) -> Vec<Record> {
    let records = records(&format!("[[fault]]\n{fault}"));
    let cut = cut_short(&records);
    assert!(cut >= cut_short_at_least, "{cut} episodes were cut short");
    assert!(cut <= 6, "{cut} episodes were cut short");
    records
}

#[test]
fn the_shipped_script_runs_twice_to_the_same_bytes() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("configs/faults/example.toml");
    let script = std::fs::read_to_string(example).unwrap();
    let first = records(&script);
    assert!(cut_short(&first) > 0, "nothing went wrong");
    assert!(first == records(&script), "the same script and seed give other records");
    assert!(first != records(""), "the script makes no difference");
}

#[test]
fn a_camera_that_freezes_and_an_arm_that_stops_and_goes_away_cut_episodes_short() {
    check("kind = \"frames_frozen\"\nat_step = 5\nfor_s = 3", 1);
    let stop = "kind = \"arm_reflex\"\nat_step = 20";
    check(&format!("kind = \"arm_lost\"\nat_step = 40\nfor_s = 4\n[[fault]]\n{stop}"), 2);
}

#[test]
fn a_full_disk_of_the_actor_cuts_an_episode_short() {
    check("kind = \"disk_full\"\nof = \"actor\"\nat_step = 20\nfor_s = 4", 1);
}

#[test]
fn a_link_or_a_learner_that_takes_nothing_is_waited_for() {
    let full = "kind = \"disk_full\"\nof = \"learner\"\nat_step = 60\nfor_s = 4";
    check(&format!("kind = \"link_lost\"\nat_step = 20\nfor_s = 4\n[[fault]]\n{full}"), 0);
}

#[test]
fn a_clock_that_jumps_changes_nothing_but_the_times_that_are_shown() {
    let without_dates = |mut records: Vec<Record>| {
        for record in &mut records {
            if let RecordBody::EpisodeStart(start) = &mut record.body {
                start.started_at = UnixNanos(0);
            }
        }
        records
    };
    let jumped = check("kind = \"clock_jump\"\nat_step = 20\nby_s = -3600", 0);
    let straight = records("");
    assert!(jumped != straight, "the clock did not jump");
    assert!(without_dates(jumped) == without_dates(straight), "more than dates changed");
}
