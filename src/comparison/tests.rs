use std::collections::BTreeMap;

use wire::{EpisodeKind, Outcome};

use super::{table::Acting, *};
use crate::report::{EpisodeFigures, Evaluations, ReportData, Summary};

const PERIOD_S: f64 = 0.1;

/// A run whose episodes take a minute each; `alone` is the share that shall be shown after each.
pub fn run(name: &str, alone: &[f64]) -> Member {
    let mut member = member(name, "kind", 0, None);
    let mut curve = Vec::new();
    for (index, share) in alone.iter().enumerate() {
        let made_up = [training(index as u32, 10, 0)];
        let mut point = crate::report::training_curve(&made_up).remove(0);
        point.success_autonomous = *share;
        point.minutes = index as f64 + 1.0;
        curve.push(point);
    }
    member.summary.curves.training = curve;
    member
}

pub fn group(runs: Vec<Member>) -> Group {
    let mut groups = group::grouped(runs);
    assert_eq!(groups.len(), 1);
    groups.remove(0)
}

fn training(index: u32, steps: u32, human_steps: u32) -> EpisodeFigures {
    EpisodeFigures {
        index,
        kind: EpisodeKind::Training,
        steps,
        human_steps,
        interventions: u32::from(human_steps > 0),
        outcome: Outcome::Success,
        env_step: u64::from(index + 1) * u64::from(steps),
        minutes: f64::from(index + 1),
        truth: None,
    }
}

/// A run with one demonstration of a minute and `helped` minutes of help in a training episode.
/// `evaluated`: successes of ten episodes of 20 steps.
fn member(name: &str, kind: &str, helped: u32, evaluated: Option<u32>) -> Member {
    let demonstration =
        EpisodeFigures { kind: EpisodeKind::Demonstration, ..training(0, 600, 600) };
    let evaluation = |successes: u32| -> Vec<EpisodeFigures> {
        let outcome = |i| if i < successes { Outcome::Success } else { Outcome::Failure };
        let one = |i| EpisodeFigures { outcome: outcome(i), ..training(i, 20, 0) };
        (0..10).map(one).collect()
    };
    let data = ReportData {
        run: name.into(),
        task: "insert".into(),
        seed: 0,
        train_minutes: 5.0,
        env_steps: 0,
        learner_steps: 0,
        step_period_s: PERIOD_S,
        episodes: vec![demonstration, training(1, 1000, 600 * helped)],
        metrics: Vec::new(),
        evaluations: Evaluations {
            sampled: evaluated.map(evaluation),
            mean: None,
            behaviour_cloning: evaluated.map(|_| evaluation(2)),
        },
        machine: BTreeMap::new(),
    };
    Member { summary: Summary::of(&data), step_period_s: PERIOD_S, kind: kind.into() }
}

#[test]
fn seeds_are_pooled_and_the_persons_time_is_counted() {
    let runs = vec![
        member("rl-0", "rl", 1, Some(10)),
        member("rl-1", "rl", 0, Some(6)),
        member("other", "other", 0, None),
    ];
    let comparison = Comparison::of(runs);
    assert_eq!(comparison.groups.len(), 2);
    let [trained, cloned] = &comparison.rows[..] else {
        panic!("two rows, not {:?}", comparison.rows)
    };
    assert_eq!((trained.group.as_str(), trained.acting, trained.runs), ("rl", Acting::Sampled, 2));
    assert_eq!((trained.successes, trained.episodes), (16, 20));
    assert_eq!(trained.success_range, [0.6, 1.0]);
    assert_eq!(trained.cycle_time_s, Some(2.0));
    assert_eq!((trained.demonstration_minutes, trained.intervention_minutes), (1.0, 0.5));
    // 90 seconds of the person's hand for 80 % of success.
    assert_eq!(trained.human_seconds_per_percent(), Some(1.125));
    assert_eq!(cloned.acting, Acting::Cloned);
    assert_eq!((cloned.intervention_minutes, cloned.train_minutes), (0.0, None));
}

#[test]
fn without_success_no_price_is_named() {
    let comparison = Comparison::of(vec![member("rl-0", "rl", 1, Some(0))]);
    assert_eq!(comparison.rows[0].human_seconds_per_percent(), None);
    assert_eq!(comparison.rows[0].cycle_time_s, None);
}

/// `REINS_KEEP_REPORT=folder` keeps it, so that it can be looked at.
#[test]
fn a_comparison_is_written_as_figures_page_table_and_data() {
    let kept = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("REINS_KEEP_REPORT")
        .map_or(kept.path().to_owned(), |kept| Path::new(&kept).join("comparison"));
    let with_curve = |name: &str, kind: &str, curve: &[f64], successes| {
        let mut member = member(name, kind, 1, Some(successes));
        member.summary.curves.training = run(name, curve).summary.curves.training;
        member
    };
    let comparison = Comparison::of(vec![
        with_curve("with-<help>-0", "a", &[0.0, 0.3, 0.6, 0.9, 1.0, 1.0], 10),
        with_curve("with-<help>-1", "a", &[0.0, 0.1, 0.5, 0.7, 0.9, 1.0], 9),
        with_curve("alone-0", "b", &[0.0, 0.0, 0.1, 0.2, 0.2], 3),
    ]);
    write(&folder, &comparison).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let page = read("index.html");
    assert_eq!(page.matches("data:image/png;base64,").count(), 4);
    assert!(page.contains("with-&lt;help&gt;") && !page.contains("with-<help>"));
    assert!(read("table.md").contains("| 19 of 20"), "{}", read("table.md"));
    let rows: serde_json::Value = serde_json::from_str(&read("comparison.json")).unwrap();
    assert_eq!(rows[0]["group"], "with-<help>");
    assert_eq!(rows[0]["acting"], "sampled");
    for name in ["success_alone.png", "success_with_help.png", "interventions.png"] {
        assert!(std::fs::metadata(folder.join(name)).unwrap().len() > 1000, "{name}");
    }
}
