//! What the coloured spans below the cameras say: who drives, what the gate does, how episodes end.

use rerun::{Color, StateConfiguration};
use wire::{ActionSource, EpisodeEnd, EpisodeKind, GateEvents, Outcome};

// M. Okabe, K. Ito, Color Universal Design (2008).
pub const BLUE: Color = rgb(0, 114, 178);
pub const ORANGE: Color = rgb(230, 159, 0);
pub const GREEN: Color = rgb(0, 158, 115);
pub const SKY: Color = rgb(86, 180, 233);
pub const VERMILION: Color = rgb(213, 94, 0);
pub const PURPLE: Color = rgb(204, 121, 167);
pub const GREY: Color = rgb(140, 146, 153);

const fn rgb(r: u8, g: u8, b: u8) -> Color {
    Color(rerun::Rgba32::from_rgb(r, g, b))
}

pub fn driver(source: ActionSource) -> &'static str {
    match source {
        ActionSource::Policy => "policy",
        ActionSource::Human => "person",
    }
}

pub fn driver_colors() -> StateConfiguration {
    StateConfiguration::new().with_values(["policy", "person"]).with_colors([BLUE, ORANGE])
}

/// How an episode went, as the name of its span.
pub fn outcome(kind: EpisodeKind, end: &EpisodeEnd) -> &'static str {
    match (end.outcome, kind, end.human_steps > 0) {
        (_, EpisodeKind::Labelling, _) => "labels",
        (Outcome::Failure, ..) => "failure",
        (Outcome::Unknown, ..) => "no outcome",
        (Outcome::Success, EpisodeKind::Demonstration, _) => "demonstration",
        (Outcome::Success, _, true) => "success with help",
        (Outcome::Success, _, false) => "success alone",
    }
}

pub fn outcome_colors() -> StateConfiguration {
    StateConfiguration::new()
        .with_values([
            "success alone",
            "success with help",
            "demonstration",
            "failure",
            "no outcome",
            "labels",
        ])
        .with_colors([GREEN, ORANGE, SKY, VERMILION, GREY, PURPLE])
}

/// What the gate changed; empty when it let the command through.
pub fn gate(events: GateEvents) -> String {
    events.names().collect::<Vec<_>>().join(", ")
}

pub fn kind(kind: EpisodeKind) -> &'static str {
    match kind {
        EpisodeKind::Demonstration => "demonstration",
        EpisodeKind::Training => "training",
        EpisodeKind::Evaluation => "evaluation",
        EpisodeKind::Labelling => "labelling",
    }
}
