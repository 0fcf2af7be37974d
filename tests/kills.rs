//! Commands that make something of a run, killed in the middle and typed again: what they had made before stays
//! whole until there is something new, and the second attempt comes to what an undisturbed one comes to.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use serde_json::Value;
use wire::{ActorId, Clock, SystemClock};

use crate::support::{DEMONSTRATIONS, Ledger, Process, Workplace};

/// Of the time that a command takes when nobody disturbs it.
const SHARES: [f64; 5] = [0.3, 0.5, 0.7, 0.85, 0.95];
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Contents of the files below these folders and files.
fn contents(workplace: &Workplace, places: &[&str]) -> BTreeMap<PathBuf, Vec<u8>> {
    fn add(path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        if path.is_file() {
            found.insert(path.into(), fs::read(path).unwrap());
            return;
        }
        for entry in fs::read_dir(path).unwrap() {
            add(&entry.unwrap().path(), found);
        }
    }
    let mut found = BTreeMap::new();
    places.iter().for_each(|place| add(&workplace.path(place), &mut found));
    found
}

/// Kills the command at several moments; says how often it was still running.
fn killed(command: impl Fn(usize) -> Command, after: impl Fn(usize)) -> usize {
    let clock = SystemClock::new();
    let begun = clock.now();
    let mut undisturbed = command(SHARES.len());
    assert!(undisturbed.output().unwrap().status.success(), "{undisturbed:?}");
    let time = clock.now().since(begun);
    let mut hits = 0;
    for (trial, share) in SHARES.into_iter().enumerate() {
        let mut process = Process::start(command(trial));
        thread::sleep(time.mul_f64(share));
        hits += usize::from(process.is_running());
        process.kill();
        after(trial);
    }
    hits
}

/// A command that makes the same things each time: they are whole after each kill.
fn check_replaces(workplace: &Workplace, words: &[&str], makes: &[&str]) {
    workplace.must(workplace.reins(words));
    let expected = contents(workplace, makes);
    assert!(!expected.is_empty(), "{words:?} made nothing");
    let hits = killed(
        |_| workplace.reins(words),
        |_| {
            let left = contents(workplace, makes);
            for (path, bytes) in &expected {
                assert!(left.get(path) == Some(bytes), "{words:?} spoilt {}", path.display());
            }
        },
    );
    assert!(hits > 0, "{words:?} had ended before each kill");
    workplace.must(workplace.reins(words));
    let left = contents(workplace, makes);
    assert!(left.keys().eq(expected.keys()), "{words:?} left {:?}", left.keys());
    assert!(left == expected, "{words:?} came to something else");
}

fn trained() -> Workplace {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "first"));
    workplace
}

#[test]
fn what_is_made_of_a_run_is_replaced_whole() {
    let workplace = trained();
    let journal = contents(&workplace, &["runs/first/journal"]);
    workplace.must(workplace.reins(&["eval", "first", "--episodes", "1"]));
    check_replaces(&workplace, &["report", "first"], &["runs/first/report"]);
    check_replaces(&workplace, &["compare", "first"], &["comparison"]);
    let baseline = ["baseline", "first", "--updates", "100"];
    check_replaces(&workplace, &baseline, &["runs/first/baseline.bin"]);
    assert!(contents(&workplace, &["runs/first/journal"]) == journal, "the records changed");
}

#[test]
fn an_import_goes_on() {
    let workplace = trained();
    workplace.must(workplace.reins(&["export", "lerobot", "first", "data"]));
    let words = ["import", "lerobot", "data"];
    let name = |trial| format!("imported-{trial}");
    let import = |trial| workplace.reins_on_run(&words, &name(trial));
    let hits = killed(import, |trial| {
        workplace.must(import(trial));
        let records = |trial| workplace.run(&name(trial)).records_of(ActorId::IMPORTED);
        assert_eq!(Ledger::of(&records(trial)).demonstrations, DEMONSTRATIONS);
        assert!(records(trial) == records(SHARES.len()), "trial {trial} imported something else");
    });
    assert!(hits > 0, "it had ended before each kill");
}

#[test]
fn a_classifier_is_replaced_whole() {
    let workplace = Workplace::new();
    let collect = ["classifier", "collect", "--episodes", "4"];
    workplace.must(workplace.reins_on_run(&collect, "labels"));
    let labels = contents(&workplace, &["runs/labels/journal"]);
    // Its page says how long it took.
    let report = "runs/labels/classifier";
    let pictures = ["calibration.png", "misjudged.png"].map(|name| format!("{report}/{name}"));
    let makes = ["runs/labels/classifier.bin", &pictures[0], &pictures[1]];
    check_replaces(&workplace, &["classifier", "train", "labels"], &makes);
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "later"));
    let amend = ["classifier", "amend", "later", "--into", "labels", "--all"];
    check_replaces(&workplace, &amend, &["runs/labels/amended"]);
    assert!(contents(&workplace, &["runs/labels/journal"]) == labels, "the labels changed");
}

fn evaluation(workplace: &Workplace, file: &str) -> Option<Value> {
    let text = fs::read(workplace.run("first").file("eval").join(file)).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

/// Starts an evaluation and waits until some of its episodes are on the disk.
fn begin(workplace: &Workplace, words: &[&str], episodes: usize) -> (Process, Vec<Value>) {
    let mut process = Process::start(workplace.reins(words));
    loop {
        if let Some(so_far) = evaluation(workplace, "sampled.under-way/so-far.json") {
            let so_far = so_far["episodes"].as_array().unwrap();
            if so_far.len() >= episodes {
                return (process, so_far.clone());
            }
        }
        assert!(process.is_running(), "it ended too early");
        thread::sleep(LOOK_EVERY);
    }
}

#[test]
fn an_evaluation_goes_on_and_costs_the_last_one_nothing() {
    let workplace = trained();
    let eval =
        |words: &[&'static str]| [&["eval", "first", "--json", "--episodes"], words].concat();
    let counts = |said: &str| serde_json::from_str::<Value>(said).unwrap()["episodes"].clone();
    workplace.must(workplace.reins(&eval(&["2"])));
    let last = evaluation(&workplace, "sampled/episodes.json");

    let (process, mut so_far) = begin(&workplace, &eval(&["5"]), 2);
    process.kill();
    assert_eq!(evaluation(&workplace, "sampled/episodes.json"), last);

    // As a person ends it: it says how far it came.
    let (mut process, more) = begin(&workplace, &eval(&["5"]), so_far.len() + 1);
    assert_eq!(more[..so_far.len()], so_far);
    so_far = more;
    if so_far.len() < 5 {
        process.signal("INT");
        let output = process.0.take().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("of 5 episodes; the same command goes on"), "{said}");
        assert_eq!(evaluation(&workplace, "sampled/episodes.json"), last);
    }

    assert_eq!(counts(&workplace.must(workplace.reins(&eval(&["5"])))), 5);
    let whole = evaluation(&workplace, "sampled/episodes.json").unwrap();
    assert_eq!(whole["episodes"].as_array().unwrap()[..so_far.len()], so_far);
    assert!(!workplace.run("first").file("eval/sampled.under-way").exists());

    // Of another seed nothing is taken over, and that is said.
    let (process, _) = begin(&workplace, &eval(&["3", "--seed", "7"]), 1);
    process.kill();
    let output = workplace.reins(&eval(&["2", "--seed", "8"])).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("thrown away"), "{output:?}");
    assert_eq!(counts(&String::from_utf8(output.stdout).unwrap()), 2);
    assert_eq!(evaluation(&workplace, "sampled/episodes.json").unwrap()["seed"], 8);
}
