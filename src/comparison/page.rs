//! The comparison as one HTML page that needs nothing from outside.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, PreEscaped, html};

use super::{Comparison, table::HEADINGS};
use crate::report::{Figure, STYLE};

pub fn page(comparison: &Comparison, figures: &[Figure]) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "reins: comparison" }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                h1 { "Comparison" }
                p.sub {
                    "Runs that differ in nothing but their seed stand together. Success and cycle \
                     time are those of evaluations after training, in which no person helped."
                }
                section {
                    table {
                        tr { @for heading in HEADINGS { th { (heading) } } }
                        @for row in &comparison.rows {
                            tr { @for cell in row.cells() { td.n { (cell) } } }
                        }
                    }
                    @if comparison.rows.is_empty() {
                        p { "None of these runs has been evaluated: " code { "reins eval RUN" } "." }
                    }
                }
                @for figure in figures {
                    figure {
                        img alt=(figure.title) src={ "data:image/png;base64," (STANDARD.encode(&figure.png)) };
                        figcaption { (figure.caption) }
                    }
                }
                section {
                    h2 { "Runs" }
                    table {
                        tr { th { "group" } th { "task" } th { "runs" } }
                        @for group in &comparison.groups {
                            tr {
                                td { (group.name) } td { (group.task) }
                                td {
                                    @for run in &group.runs {
                                        (run.summary.run) " (seed " (run.summary.seed) ") "
                                    }
                                }
                            }
                        }
                    }
                }
            } }
        }
    }
    .into_string()
}
