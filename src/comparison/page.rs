//! The comparison as one HTML page that needs nothing from outside.

use maud::html;

use super::{Comparison, table::HEADINGS};
use crate::report::{Figure, pictures, sheet};

pub fn page(comparison: &Comparison, figures: &[Figure]) -> String {
    let body = html! {
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
        (pictures(figures))
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
    };
    sheet("reins: comparison", &body)
}
