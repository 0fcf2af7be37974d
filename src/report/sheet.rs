//! What the pages have in common: one HTML file that needs nothing from outside, one look.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::Figure;

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; color: #212529; background: #f4f5f7; margin: 0; }
main { max-width: 1040px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 8px 0 0; } h2 { font-size: 19px; margin: 0 0 10px; }
.sub { color: #6c757d; margin: 0 0 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; margin-bottom: 12px; }
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

/// A whole page; style and pictures are inside.
pub fn sheet(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
    .into_string()
}

pub fn pictures(figures: &[Figure]) -> Markup {
    html! {
        @for figure in figures {
            figure {
                img alt=(figure.title) src={ "data:image/png;base64," (STANDARD.encode(&figure.png)) };
                figcaption { (figure.caption) }
            }
        }
    }
}

/// A number with its name.
pub fn tile(number: &str, name: &str) -> Markup {
    html! { div.tile { b { (number) } span { (name) } } }
}
