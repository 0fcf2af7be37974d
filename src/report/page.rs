//! The report as one HTML page that needs nothing from outside: style and pictures are inside.

use maud::{Markup, html};

use super::{
    chart::{short, thousands},
    figures::Figure,
    sheet::{pictures, sheet, tile},
    summary::{EvaluationSummary, Summary},
};

pub fn page(summary: &Summary, figures: &[Figure]) -> String {
    let body = html! {
        h1 { (summary.run) }
        p.sub { "task " (summary.task) ", seed " (summary.seed) }
        div.tiles {
            @if let Some(eval) = &summary.eval {
                (tile(&format!("{} of {}", eval.successes, eval.episodes), "evaluation episodes succeeded"))
            }
            (tile(&format!("{} min", short(round1(summary.train_minutes))), "of training"))
            (tile(&percent(summary.intervention_rate_last20), "of the last 20 episodes' steps driven by a person"))
            @if let Some(steps) = summary.eval.as_ref().and_then(|eval| eval.cycle_time_steps) {
                (tile(&format!("{} steps", short(round1(steps))), &against_demonstrations(summary)))
            }
        }
        (pictures(figures))
        (evaluation_table(summary))
        (training_table(summary))
        (machine_table(summary))
        p.sub { "The same figures as data: " code { "summary.json" } ". Live recording: " code { "reins view" } "." }
    };
    sheet(&format!("reins: {}", summary.run), &body)
}

fn against_demonstrations(summary: &Summary) -> String {
    match summary.demonstrations.cycle_time_steps {
        Some(steps) => format!("to success; demonstrations took {}", short(round1(steps))),
        None => "to success".into(),
    }
}

fn evaluation_table(summary: &Summary) -> Markup {
    let demonstrations = &summary.demonstrations;
    let row = |name: &str, evaluation: &EvaluationSummary| {
        html! {
            tr {
                th { (name) }
                td.n { (evaluation.successes) " of " (evaluation.episodes) }
                td.n {
                    @if let Some([lower, upper]) = evaluation.success_interval_95 {
                        (percent(Some(lower))) " to " (percent(Some(upper)))
                    }
                }
                td.n { (cycle(evaluation.cycle_time_steps, evaluation.cycle_time_s)) }
            }
        }
    };
    html! {
        section {
            h2 { "Evaluation" }
            @if summary.evaluations().is_empty() { p { "This run has not been evaluated." } }
            table {
                tr { th { "who acts" } th { "successes" } th { "95 % interval" } th { "mean time to success" } }
                @for (name, evaluation) in [
                    ("trained policy, actions sampled", &summary.eval),
                    ("trained policy, mean action", &summary.eval_mean),
                    ("behaviour cloning of the demonstrations", &summary.eval_bc),
                ] {
                    @if let Some(evaluation) = evaluation { (row(name, evaluation)) }
                }
                tr {
                    th { "demonstrations" }
                    td.n { (demonstrations.episodes) " recorded" } td {}
                    td.n { (cycle(demonstrations.cycle_time_steps, demonstrations.cycle_time_s)) }
                }
            }
        }
    }
}

fn training_table(summary: &Summary) -> Markup {
    let rows = [
        ("minutes", short(round1(summary.train_minutes))),
        ("training steps of the robot", thousands(summary.env_steps)),
        ("critic updates", thousands(summary.learner_steps)),
        ("training episodes", summary.training_episodes.to_string()),
        ("times a person took over", summary.interventions.to_string()),
        ("steps driven by a person, last 20 episodes", percent(summary.intervention_rate_last20)),
        ("success alone, last 20 episodes", percent(summary.success_rate_last20_autonomous)),
        ("success with help, last 20 episodes", percent(summary.success_rate_last20_assisted)),
    ];
    table("Training", rows.iter().map(|(name, value)| (*name, value.as_str())))
}

fn machine_table(summary: &Summary) -> Markup {
    table("Machine", summary.machine.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn table<'a>(title: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    html! {
        section {
            h2 { (title) }
            table { @for (name, value) in rows { tr { th { (name) } td.n { (value) } } } }
        }
    }
}

fn cycle(steps: Option<f64>, seconds: Option<f64>) -> String {
    match (steps, seconds) {
        (Some(steps), Some(seconds)) => {
            format!("{} steps, {} s", short(round1(steps)), short(round1(seconds)))
        }
        _ => "never".into(),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("none yet".into(), |share| format!("{} %", short(round1(100.0 * share))))
}

fn round1(x: f64) -> f64 {
    (10.0 * x).round() / 10.0
}
