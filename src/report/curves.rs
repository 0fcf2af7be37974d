//! Running rates over episodes, computed once for the figures and for `summary.json`.

use serde::{Deserialize, Serialize};
use wire::{EpisodeKind, Outcome};

/// Episodes over which the running rates are taken.
pub const WINDOW: usize = 20;

/// What the report needs of one episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeFigures {
    pub index: u32,
    pub kind: EpisodeKind,
    pub steps: u32,
    pub human_steps: u32,
    pub interventions: u32,
    pub outcome: Outcome,
    /// Training steps of the run when the episode ended.
    pub env_step: u64,
    /// From the start of training to the end of the episode.
    pub minutes: f64,
    /// What the cell's own sensor saw, where another decided on the outcome.
    #[serde(default)]
    pub truth: Option<bool>,
}

impl EpisodeFigures {
    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Success
    }

    pub fn help(&self) -> Help {
        if self.human_steps > 0 { Help::Assisted } else { Help::Autonomous }
    }
}

/// Whether a person drove any step of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    Autonomous,
    Assisted,
}

/// One training episode on the curves. Rates are over the last [`WINDOW`] training episodes, this
/// one included, and over all there are while they are fewer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    pub episode: u32,
    pub env_step: u64,
    pub minutes: f64,
    pub steps: u32,
    pub success: bool,
    pub human_steps: u32,
    /// Share of the episodes that succeeded without a person's hand.
    pub success_autonomous: f64,
    /// Share of the episodes that succeeded with a person's help.
    pub success_assisted: f64,
    /// Share of the steps that a person drove.
    pub intervention_rate: f64,
    /// Mean steps of the episodes that succeeded without help; `None` if there is none.
    pub cycle_time_steps: Option<f64>,
}

/// The curves: one point per training episode, in the order in which they happened.
pub fn training_curve(episodes: &[EpisodeFigures]) -> Vec<CurvePoint> {
    let training: Vec<_> = episodes.iter().filter(|e| e.kind == EpisodeKind::Training).collect();
    let point = |(i, episode): (usize, &&EpisodeFigures)| {
        let window = &training[(i + 1).saturating_sub(WINDOW)..=i];
        let share = |help| {
            let of_kind = window.iter().filter(|e| e.succeeded() && e.help() == help);
            of_kind.count() as f64 / window.len() as f64
        };
        CurvePoint {
            episode: episode.index,
            env_step: episode.env_step,
            minutes: episode.minutes,
            steps: episode.steps,
            success: episode.succeeded(),
            human_steps: episode.human_steps,
            success_autonomous: share(Help::Autonomous),
            success_assisted: share(Help::Assisted),
            intervention_rate: intervention_rate(window),
            cycle_time_steps: cycle_time(
                window.iter().filter(|e| e.help() == Help::Autonomous).copied(),
            ),
        }
    };
    training.iter().enumerate().map(point).collect()
}

fn intervention_rate(window: &[&EpisodeFigures]) -> f64 {
    let steps: u64 = window.iter().map(|e| u64::from(e.steps)).sum();
    let human: u64 = window.iter().map(|e| u64::from(e.human_steps)).sum();
    human as f64 / steps.max(1) as f64
}

/// Mean steps of the successful ones; `None` if there is none.
pub fn cycle_time<'a>(episodes: impl Iterator<Item = &'a EpisodeFigures>) -> Option<f64> {
    let (mut count, mut steps) = (0_u32, 0_u64);
    for episode in episodes.filter(|e| e.succeeded()) {
        count += 1;
        steps += u64::from(episode.steps);
    }
    (count > 0).then(|| steps as f64 / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `S`: success alone, `h`: success of 10 steps with 5 by a person, `.`: failure,
    /// `d`: demonstration.
    fn episodes(text: &str) -> Vec<EpisodeFigures> {
        let one = |(i, c): (usize, char)| EpisodeFigures {
            index: i as u32,
            kind: if c == 'd' { EpisodeKind::Demonstration } else { EpisodeKind::Training },
            steps: 10,
            human_steps: match c {
                'h' => 5,
                'd' => 10,
                _ => 0,
            },
            interventions: u32::from(c == 'h'),
            outcome: if c == '.' { Outcome::Failure } else { Outcome::Success },
            env_step: 10 * (i as u64 + 1),
            minutes: i as f64,
            truth: None,
        };
        text.chars().enumerate().map(one).collect()
    }

    fn check_last(text: &str, autonomous: f64, assisted: f64, intervention: f64) {
        let last = training_curve(&episodes(text)).pop().unwrap();
        let rates = (last.success_autonomous, last.success_assisted, last.intervention_rate);
        assert_eq!(rates, (autonomous, assisted, intervention), "{text}");
    }

    #[test]
    fn autonomous_and_assisted_success_are_counted_apart() {
        check_last("SSh.", 0.5, 0.25, 0.125);
    }

    #[test]
    fn demonstrations_count_for_nothing() {
        check_last("ddddS.", 0.5, 0.0, 0.0);
    }

    #[test]
    fn only_the_last_twenty_count() {
        check_last("hhhhhSSSSSSSSSSSSSSSSSSSS", 1.0, 0.0, 0.0);
        check_last("hhhhhSSSSSSSSSSSSSSSSSSS", 0.95, 0.05, 0.025);
    }

    #[test]
    fn cycle_time_is_of_successes_alone() {
        let mut all = episodes("S.S");
        all[0].steps = 20;
        all[1].steps = 1000;
        all[2].steps = 40;
        assert_eq!(cycle_time(all.iter()), Some(30.0));
        assert_eq!(cycle_time(episodes("..").iter()), None);
    }
}
