//! `reins classifier collect | train | eval | amend`. Each says at its end what comes next.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use nets::reward_classifier::Classes;
use serde_json::json;

use crate::{
    classifier::{
        amend, collect,
        measure::{self, Instrument, Measurement},
        train::{self, Wanted},
    },
    cli::{Amend, ClassifierCommand, Collect, EvalClassifier, TrainClassifier},
    run_dir::RunDir,
    shutdown,
};

pub fn run(command: &ClassifierCommand) -> anyhow::Result<()> {
    match command {
        ClassifierCommand::Collect(arguments) => collect(arguments),
        ClassifierCommand::Train(arguments) => train(arguments),
        ClassifierCommand::Eval(arguments) => eval(arguments),
        ClassifierCommand::Amend(arguments) => amend(arguments),
    }
}

fn collect(arguments: &Collect) -> anyhow::Result<()> {
    let (run_dir, configuration) = RunDir::open_for_labels(&arguments.choice)?;
    let shutdown = shutdown::on_signal()?;
    let console = arguments.page.console;
    let summary = collect::run(&run_dir, &configuration, arguments.episodes, console, shutdown)?;
    let holdings = collect::holdings(&run_dir)?;
    let folder = run_dir.path().display();
    if arguments.json {
        let collect::Holdings { episodes, positives, negatives } = holdings;
        let done = !summary.interrupted;
        let said = json!({
            "folder": run_dir.path(), "episodes": episodes, "positives": positives,
            "negatives": negatives, "complete": done,
        });
        println!("{said:#}");
        return Ok(());
    }
    println!(
        "{folder}: {} episodes with {} frames that show success and {} that do not",
        holdings.episodes, holdings.positives, holdings.negatives
    );
    if summary.interrupted {
        println!("next: the same command goes on to {} episodes", arguments.episodes);
    } else if holdings.positives == 0 {
        println!(
            "next: no frame was marked: hold the success button while the scene shows success, and collect \
             more (--episodes {})",
            2 * arguments.episodes
        );
    } else {
        println!("next: reins classifier train {folder}");
    }
    Ok(())
}

fn train(arguments: &TrainClassifier) -> anyhow::Result<()> {
    for (name, share) in
        [("held-out", arguments.held_out), ("false-positive-rate", arguments.false_positive_rate)]
    {
        ensure!((0.0..1.0).contains(&share), "--{name} {share}: give a share from 0 up to 1");
    }
    let run_dir = RunDir::find(&arguments.labels)?;
    let configuration = run_dir.configuration()?;
    for camera in &arguments.camera {
        ensure!(
            configuration.task.cameras.contains(camera),
            "--camera {camera}: the task has {}",
            configuration.task.cameras.join(", ")
        );
    }
    let wanted = Wanted {
        classes: classes(arguments)?,
        cameras: arguments.camera.clone(),
        seed: arguments.seed,
        updates: arguments.updates,
        held_out: arguments.held_out,
        false_positive_rate: arguments.false_positive_rate,
        margin: arguments.margin as usize,
    };
    let summary = train::run(&run_dir, &configuration, &wanted)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
        return Ok(());
    }
    println!("{}", summary.in_words());
    println!("report: {}", run_dir.classifier_report().join("index.html").display());
    println!(
        "next: look at the misjudged frames in the report; then let a task judge by it:\n\
         [reward]\nkind = \"classifier\"\n[reward.classifier]\nfile = \"{}\"",
        run_dir.classifier().display()
    );
    Ok(())
}

fn classes(arguments: &TrainClassifier) -> anyhow::Result<Classes> {
    Ok(match (arguments.classes, arguments.stages) {
        (Some(classes), _) => {
            let success = arguments.success.unwrap_or(classes - 1);
            ensure!(success < classes, "--success {success}: the classes are 0 to {}", classes - 1);
            Classes::NWay { classes, success }
        }
        (None, Some(stages)) => Classes::Stages { stages },
        (None, None) => Classes::Binary,
    })
}

fn eval(arguments: &EvalClassifier) -> anyhow::Result<()> {
    let mut measurements = Vec::new();
    for run in &arguments.runs {
        let run_dir = RunDir::find(run)?;
        let configuration = run_dir.configuration()?;
        let own = run_dir.classifier();
        let file = arguments.classifier.as_deref().unwrap_or(&own);
        let instrument = Instrument::load(file, &configuration)?;
        measurements.push(measure::run(&run_dir, &instrument)?);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&measurements)?);
        return Ok(());
    }
    measurements.iter().for_each(|measurement| println!("{}", in_words(measurement)));
    if measurements.iter().any(|m| m.frames.false_positives + m.frames.false_negatives > 0) {
        println!("next: reins classifier amend RUN --into LABELS, then train again");
    } else {
        println!("next: nothing; no frame is misjudged");
    }
    Ok(())
}

fn in_words(measurement: &Measurement) -> String {
    let Measurement { run, frames, successes, false_successes, missed_successes, .. } = measurement;
    let percent = |share: Option<f64>| {
        share.map_or("unknown".into(), |share| format!("{:.2} %", 100.0 * share))
    };
    format!(
        "{run}: of {} frames that are known, {} show success; precision {}, recall {}, false \
         positives {}; {successes} episodes counted as successes, {false_successes} of them false, \
         {missed_successes} missed",
        frames.frames(),
        frames.positives(),
        percent(measurement.precision),
        percent(measurement.recall),
        percent(measurement.false_positive_rate),
    )
}

fn amend(arguments: &Amend) -> anyhow::Result<()> {
    let run = RunDir::find(&arguments.run)?;
    let labels = RunDir::find(&arguments.into)?;
    let instrument = instrument(&labels, &run)?;
    let wrong = arguments.wrong.iter().copied().collect();
    let amended = amend::run(&labels, &run, &instrument, &wrong, arguments.all)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&amended)?);
        return Ok(());
    }
    println!(
        "took {} episodes of {} with {} labelled frames, of which {} were misjudged",
        amended.episodes,
        run.name(),
        amended.frames,
        amended.misjudged
    );
    match amended.episodes {
        0 => println!("next: nothing; name episodes that were ended by mistake with --wrong"),
        _ => println!("next: reins classifier train {}", labels.path().display()),
    }
    Ok(())
}

/// The classifier that is to be mended: the labels' own, as it is now.
fn instrument(labels: &RunDir, run: &RunDir) -> anyhow::Result<Instrument> {
    let file = labels.classifier();
    if !Path::new(&file).is_file() {
        bail!(
            "{} has no classifier yet: train it with `reins classifier train {}`",
            labels.path().display(),
            labels.path().display()
        );
    }
    Instrument::load(&file, &run.configuration()?).context("making the classifier ready")
}
