//! A made-up run, so that the figures can be looked at. `REINS_KEEP_REPORT=folder` keeps them.

use learner::metrics::Metrics;
use wire::{EpisodeKind, Outcome};

use super::*;

fn episode(index: u32, kind: EpisodeKind, steps: u32, outcome: Outcome) -> EpisodeFigures {
    let (human_steps, interventions, env_step, minutes) = (0, 0, 0, 0.0);
    let truth = None;
    EpisodeFigures {
        index,
        kind,
        steps,
        human_steps,
        interventions,
        outcome,
        env_step,
        minutes,
        truth,
    }
}

/// A plain congruential generator: the numbers need only look uneven.
fn uneven(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f64 / (1_u64 << 24) as f64
}

fn made_up_run() -> ReportData {
    let mut state = 7;
    let mut episodes = Vec::new();
    for index in 0..20 {
        let steps = 55 + (20.0 * uneven(&mut state)) as u32;
        let demonstration = episode(index, EpisodeKind::Demonstration, steps, Outcome::Success);
        episodes.push(EpisodeFigures { human_steps: steps, ..demonstration });
    }
    let mut env_step = 0;
    for index in 20..240 {
        let skill = f64::from(index - 20) / 220.0;
        let success = uneven(&mut state) < 0.35 + 0.75 * skill;
        let helped = uneven(&mut state) < 0.9 - 1.3 * skill;
        let steps = if success { 100.0 - 65.0 * skill + 20.0 * uneven(&mut state) } else { 120.0 };
        let human_steps =
            if helped { steps * (0.7 - 0.6 * skill) * uneven(&mut state) } else { 0.0 };
        let outcome = if success { Outcome::Success } else { Outcome::Failure };
        env_step += steps as u64;
        episodes.push(EpisodeFigures {
            human_steps: human_steps as u32,
            interventions: u32::from(helped),
            env_step,
            minutes: env_step as f64 / 600.0 + f64::from(index) * 0.03,
            ..episode(index, EpisodeKind::Training, steps as u32, outcome)
        });
    }
    let metrics = (1..=800).map(|i| {
        let age = f64::from(i) / 800.0;
        let noise = uneven(&mut state) as f32;
        MetricsLine {
            learner_step: 50 * i as u64,
            metrics: Metrics {
                critic_loss: (0.3 * (-4.0 * age).exp()) as f32 * (0.5 + noise) + 0.002,
                mean_q: (0.8 * age) as f32 + 0.03 * noise,
                target_q: (0.78 * age) as f32 + 0.05 * noise,
                actor_loss: Some((-0.7 * age) as f32 + 0.05 * noise),
                temperature: Some((0.01 * (-3.0 * age).exp()) as f32),
                entropy: Some((-1.0 - 2.0 * age) as f32 + 0.1 * noise),
                ..Metrics::default()
            },
        }
    });
    let evaluated = |n: u32, successes: u32, steps: u32| {
        let outcome = |i| if i < successes { Outcome::Success } else { Outcome::Failure };
        Some((0..n).map(|i| episode(i, EpisodeKind::Evaluation, steps, outcome(i))).collect())
    };
    ReportData {
        run: "made-up <run>".into(),
        task: "peg in hole".into(),
        seed: 7,
        train_minutes: 31.26,
        env_steps: env_step,
        learner_steps: 40_000,
        step_period_s: 0.1,
        episodes,
        metrics: metrics.collect(),
        evaluations: Evaluations {
            sampled: evaluated(30, 29, 38),
            mean: evaluated(30, 30, 35),
            behaviour_cloning: evaluated(30, 11, 61),
        },
        machine: BTreeMap::from([
            ("processor".into(), "an invented one".into()),
            ("cores".into(), "2".into()),
        ]),
    }
}

fn nothing_yet() -> ReportData {
    ReportData {
        run: "empty".into(),
        task: "none".into(),
        seed: 0,
        train_minutes: 0.0,
        env_steps: 0,
        learner_steps: 0,
        step_period_s: 0.1,
        episodes: Vec::new(),
        metrics: Vec::new(),
        evaluations: Evaluations::default(),
        machine: BTreeMap::new(),
    }
}

/// Writes the report and returns the summary as read back, and the page.
fn written(data: &ReportData) -> (serde_json::Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let run_dir = std::env::var_os("REINS_KEEP_REPORT")
        .map_or(folder.path().to_owned(), |kept| Path::new(&kept).join(&data.run));
    write(&run_dir, data).unwrap();
    for name in ["success.png", "intervention_rate.png", "cycle_time.png", "losses.png"] {
        let file = fs::File::open(run_dir.join("report").join(name)).unwrap();
        let reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
        assert_eq!(reader.info().width, 1000, "{name}");
    }
    let text = fs::read_to_string(run_dir.join("report/summary.json")).unwrap();
    let summary = serde_json::from_str(&text).unwrap();
    (summary, fs::read_to_string(run_dir.join("report/index.html")).unwrap())
}

#[test]
fn the_summary_has_the_documented_keys() {
    let (summary, _) = written(&made_up_run());
    assert_eq!(summary["seed"], 7);
    assert_eq!(summary["train_minutes"], 31.26);
    assert_eq!(summary["learner_steps"], 40_000);
    assert!(summary["env_steps"].as_u64().unwrap() > 10_000);
    assert!(summary["intervention_rate_last20"].as_f64().unwrap() < 0.2);
    assert_eq!(summary["eval"]["successes"], 29);
    assert_eq!(summary["eval"]["episodes"], 30);
    assert_eq!(summary["eval"]["cycle_time_steps"], 38.0);
    assert_eq!(summary["eval_bc"]["successes"], 11);
    assert_eq!(summary["curves"]["training"].as_array().unwrap().len(), 220);
    assert_eq!(summary["demonstrations"]["episodes"], 20);
}

#[test]
fn every_key_of_the_summary_is_documented() {
    let (summary, _) = written(&made_up_run());
    let document = include_str!("../../docs/summary-json.md");
    let mut keys = Vec::new();
    collect_keys(&summary, &mut keys);
    keys.retain(|key| key != "processor" && key != "cores");
    for key in keys {
        assert!(document.contains(&format!("`{key}`")), "{key} is not in docs/summary-json.md");
    }
}

fn collect_keys(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                keys.push(key.clone());
                collect_keys(value, keys);
            }
        }
        serde_json::Value::Array(values) => {
            values.iter().for_each(|value| collect_keys(value, keys));
        }
        _ => {}
    }
}

#[test]
fn the_page_needs_nothing_from_outside_and_escapes_names() {
    let (_, page) = written(&made_up_run());
    assert_eq!(page.matches("data:image/png;base64,").count(), 4);
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"));
    assert!(page.contains("made-up &lt;run&gt;"));
}

#[test]
fn a_run_without_anything_still_has_a_report() {
    let (summary, page) = written(&nothing_yet());
    assert!(summary["eval"].is_null() && summary["intervention_rate_last20"].is_null());
    assert!(page.contains("This run has not been evaluated."));
}
