//! The report as one HTML page that needs nothing from outside: style and pictures are inside.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    chart::{short, thousands},
    figures::Figure,
    summary::{EvaluationSummary, Summary},
};

pub(super) const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; color: #212529; background: #f4f5f7; margin: 0; }
main { max-width: 1040px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 8px 0 0; } h2 { font-size: 19px; margin: 0 0 10px; }
.sub { color: #6c757d; margin: 0 0 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; }
.tile, section, figure { background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; }
.tile { padding: 12px 16px; } .tile b { display: block; font-size: 26px; line-height: 1.25; }
.tile span { color: #6c757d; font-size: 14px; }
section { padding: 16px 20px; margin: 16px 0; overflow-x: auto; }
figure { margin: 16px 0; padding: 10px; } figure img { width: 100%; height: auto; display: block; }
figcaption { color: #6c757d; font-size: 14px; padding: 4px 10px 6px; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 6px 12px 6px 0;
border-bottom: 1px solid #e4e7eb; vertical-align: top; } th { font-weight: 600; }
tr:last-child td, tr:last-child th { border-bottom: 0; } td.n { font-variant-numeric: tabular-nums; }
";

pub fn page(summary: &Summary, figures: &[Figure]) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "reins: " (summary.run) }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
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
                @for figure in figures {
                    figure {
                        img alt=(figure.title) src={ "data:image/png;base64," (STANDARD.encode(&figure.png)) };
                        figcaption { (figure.caption) }
                    }
                }
                (evaluation_table(summary))
                (training_table(summary))
                (machine_table(summary))
                p.sub { "The same figures as data: " code { "summary.json" } ". Live recording: " code { "reins view" } "." }
            } }
        }
    }
    .into_string()
}

fn tile(figure: &str, name: &str) -> Markup {
    html! { div.tile { b { (figure) } span { (name) } } }
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
