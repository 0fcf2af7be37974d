//! The reward classifier from the first labelled frame to a run that it judges, on the simulated cell.
//! The backbone is drawn at random: how well it does with the real one is measured elsewhere.

use std::{fs, thread, time::Duration};

use serde_json::Value;
use wire::{EpisodeKind, Mark, Outcome, Record, RecordBody, RewardSource, Step};

use crate::support::{DEMONSTRATIONS, Ledger, Process, Workplace};

const TASK: &str = include_str!("../configs/tasks/ram-insert.toml");

/// Deeper than 15 mm below the socket's top, somewhere about the middle of the table.
const REWARD: &str = "
[reward]
kind = \"classifier\"
[reward.classifier]
file = \"runs/labels/classifier.bin\"
debounce_frames = 2
[reward.gate]
position_m = [0.5, 0.0, 0.005]
tolerance_m = [0.05, 0.05, 0.005]
";

fn steps(records: &[Record]) -> impl Iterator<Item = &Step> {
    records.iter().filter_map(|record| match &record.body {
        RecordBody::Step(step) => Some(step),
        _ => None,
    })
}

fn collect(workplace: &Workplace, episodes: &str) -> Value {
    let mut collect = workplace.reins_on_run(&["classifier", "collect", "--json"], "labels");
    collect.args(["--episodes", episodes]);
    serde_json::from_str(&workplace.must(collect)).unwrap()
}

fn said(workplace: &Workplace, words: &[&str]) -> Value {
    serde_json::from_str(&workplace.must(workplace.reins(words))).unwrap()
}

#[test]
fn labels_are_collected_trained_on_and_then_decide_on_the_reward() {
    let workplace = Workplace::new();

    // Some now, more later: the same folder goes on.
    assert_eq!(collect(&workplace, "2")["episodes"], 2);
    let held = collect(&workplace, "14");
    assert_eq!((&held["episodes"], &held["complete"]), (&Value::from(14), &Value::from(true)));
    let records = workplace.run("labels").records();
    let marked = steps(&records).filter(|s| s.judgement.mark == Some(Mark::Success)).count();
    assert_eq!(held["positives"].as_u64().unwrap(), marked as u64);
    assert!(marked > 100, "{held}");
    for step in steps(&records) {
        let marked = step.judgement.mark == Some(Mark::Success);
        assert_eq!(step.judgement.sensed, Some(marked), "the scripted person marks what is so");
    }

    let trained = said(&workplace, &["classifier", "train", "runs/labels", "--json"]);
    let figures = &trained["outputs"][0];
    let count = |name: &str| figures[name].as_f64().unwrap();
    let recall = count("true_positives") / (count("true_positives") + count("false_negatives"));
    assert!(recall > 0.8, "{trained}");
    let negatives = count("true_negatives") + count("false_positives");
    assert!(negatives > 100.0 && count("false_positives") / negatives <= 0.01, "{trained}");
    assert!(trained["train_seconds"].as_f64().unwrap() < 60.0, "{trained}");
    let report = workplace.run("labels").file("classifier");
    let page = fs::read_to_string(report.join("index.html")).unwrap();
    assert!(page.contains("</html>"));
    assert!(report.join("misjudged.png").is_file() && report.join("calibration.png").is_file());

    // The same labels and seed make the same file.
    let file = workplace.run("labels").file("classifier.bin");
    let before = fs::read(&file).unwrap();
    workplace.must(workplace.reins(&["classifier", "train", "runs/labels"]));
    assert!(fs::read(&file).unwrap() == before, "training is not deterministic");

    // A run that it judges: nothing else ends an episode well.
    workplace.write("task.toml", &format!("{TASK}{REWARD}"));
    let train = workplace.reins_on_run(&["train", "--lockstep", "--json"], "judged");
    workplace.must(train);
    let records = workplace.run("judged").records();
    assert!(Ledger::of(&records).demonstrations >= DEMONSTRATIONS);
    let mut successes = 0;
    for step in steps(&records) {
        assert_eq!(step.judgement.source, RewardSource::Classifier);
        assert!(step.judgement.probability.is_some() && step.judgement.sensed.is_some());
        assert_eq!(step.reward > 0.0, step.terminated);
        if step.terminated {
            successes += 1;
            assert_eq!(step.judgement.sensed, Some(true), "a success that was none");
        }
    }
    assert!(successes >= DEMONSTRATIONS, "{successes}");

    // What was counted beside what was true.
    let measured = said(&workplace, &["classifier", "eval", "runs/judged", "--json"]);
    assert_eq!(measured[0]["successes"], successes);
    assert_eq!(measured[0]["false_successes"], 0);
    let eval = ["eval", "runs/judged", "--episodes", "2", "--json"];
    let evaluated = said(&workplace, &eval);
    assert!(evaluated["truth"]["successes"].is_number(), "{evaluated}");
    assert_eq!(evaluated["truth"]["false_positives"], 0, "{evaluated}");

    // The run keeps its classifier, whatever becomes of the one that it was begun with.
    fs::remove_file(&file).unwrap();
    assert_eq!(said(&workplace, &eval)["episodes"], 2);
    let copy = workplace.run("judged").file("classifier.bin");
    let mut other = before.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&copy, other).unwrap();
    let refused = workplace.reins(&eval).output().unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && why.contains("SHA-256"), "{why}");

    // Later episodes become labels.
    fs::write(&file, &before).unwrap();
    fs::write(&copy, &before).unwrap();
    let words = ["classifier", "amend", "judged", "--into", "labels", "--all", "--json"];
    let amended = said(&workplace, &words);
    let episodes = records.iter().filter(|r| matches!(r.body, RecordBody::EpisodeEnd(_))).count();
    assert_eq!(amended["episodes"].as_u64().unwrap(), episodes as u64);
    let frames = trained["frames"].as_u64().unwrap();
    let again = said(&workplace, &["classifier", "train", "runs/labels", "--json"]);
    let added = amended["frames"].as_u64().unwrap();
    assert_eq!(again["frames"].as_u64().unwrap(), frames + added);
    assert_eq!(said(&workplace, &words)["episodes"], amended["episodes"], "once, not twice");
}

#[test]
fn a_killed_collection_goes_on_and_loses_nothing() {
    let workplace = Workplace::new();
    let mut command = workplace.reins_on_run(&["classifier", "collect"], "labels");
    command.args(["--episodes", "2"]);
    let mut process = Process::start(command);
    let labels = workplace.run("labels");
    let kept = || labels.try_records().map_or(0, |records| records.len());
    while kept() < 130 {
        assert!(process.is_running(), "it ended before it was killed");
        thread::sleep(Duration::from_millis(20));
    }
    process.kill();
    let before = labels.records();

    assert_eq!(collect(&workplace, "2")["complete"], true);
    let after = labels.records();
    assert_eq!(after[..before.len()], before, "what was kept stays");
    Ledger::of(&after);
    let whole = after.iter().filter(|record| {
        matches!(&record.body, RecordBody::EpisodeEnd(end) if end.outcome != Outcome::Unknown)
    });
    assert_eq!(whole.count(), 2);
    let mut starts = after.iter().filter_map(|record| match &record.body {
        RecordBody::EpisodeStart(start) => Some(start.kind),
        _ => None,
    });
    assert!(starts.all(|kind| kind == EpisodeKind::Labelling));
}

#[test]
fn what_is_missing_is_named_with_the_remedy() {
    let workplace = Workplace::new();
    let refused = |words: &[&str]| {
        let output = workplace.reins(words).output().unwrap();
        assert!(!output.status.success(), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["classifier", "train", "nothing"]).contains("there is no run nothing"));
    workplace.write("task.toml", &format!("{TASK}{REWARD}"));
    let train = workplace.reins_on_run(&["train"], "judged").output().unwrap();
    let why = String::from_utf8_lossy(&train.stderr);
    assert!(
        why.contains("runs/labels/classifier.bin") && why.contains("classifier train"),
        "{why}"
    );
    // Collecting needs no classifier, whatever the task says.
    assert_eq!(collect(&workplace, "1")["episodes"], 1);
    let why = refused(&["classifier", "train", "runs/labels"]);
    assert!(why.contains("at least two are needed"), "{why}");
    let why = refused(&["classifier", "amend", "labels", "--into", "labels"]);
    assert!(why.contains("has no classifier yet"), "{why}");
}
