//! When the scripted person helps: by default a patient supervisor, who lets the policy struggle in
//! about every second episode. Decides; never moves anything.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Concern;
use crate::config::{HELP_LEAST, OperatorConfig};

/// Less than this much nearer does not count as progress (m).
const PROGRESS_M: f64 = 0.003;
/// So much worse than at the start calls for help (m).
const WORSE_M: f64 = 0.050;
/// Pressing where nothing gives way, so many steps long, calls for help.
const PRESS_STEPS: u32 = 6;
/// Length of a short help, steps.
const NUDGE_STEPS: std::ops::RangeInclusive<u32> = 5..=15;
/// Share of the old estimate in the new one.
const TRUST_MEMORY: f64 = 0.9;

/// `s <- 0.9 s + 0.1 [the policy succeeded on its own]`.
pub(super) fn updated_trust(trust: f64, success: f64) -> f64 {
    TRUST_MEMORY * trust + (1.0 - TRUST_MEMORY) * success
}

/// Chance that the person helps in an episode at all.
fn help_chance(config: &OperatorConfig, trust: f64) -> f64 {
    HELP_LEAST + (config.help_chance - HELP_LEAST) * (1.0 - trust)
}

/// Chance that a person who helps drives the rest of the episode.
fn finish_chance(trust: f64) -> f64 {
    0.2 + 0.8 * (1.0 - trust).powi(2)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Will not help in this episode, whatever happens.
    Trusting,
    Watching,
    Reacting {
        left: u32,
    },
    Driving {
        left: u32,
    },
}

#[derive(Debug)]
pub(super) struct Supervisor {
    state: State,
    stall_steps: u32,
    reaction_steps: u32,
    finish_chance: f64,
    rng: ChaCha8Rng,
    start: Option<f64>,
    nearest: f64,
    idle: u32,
    pressing: u32,
}

impl Supervisor {
    pub fn new(config: &OperatorConfig, trust: f64, mut rng: ChaCha8Rng) -> Self {
        let helps = rng.random_bool(help_chance(config, trust));
        Self {
            state: if helps { State::Watching } else { State::Trusting },
            stall_steps: config.stall_steps,
            reaction_steps: config.reaction_steps,
            finish_chance: finish_chance(trust),
            rng,
            start: None,
            nearest: f64::INFINITY,
            idle: 0,
            pressing: 0,
        }
    }

    pub fn drives(&self) -> bool {
        matches!(self.state, State::Driving { .. })
    }

    /// One step of watching; true when the person drives in it.
    pub fn watch(&mut self, seen: Concern) -> bool {
        let alarmed = self.alarm(seen);
        self.state = match self.state {
            State::Trusting => State::Trusting,
            State::Watching if alarmed && self.reaction_steps == 0 => self.driving(),
            State::Watching if alarmed => State::Reacting { left: self.reaction_steps },
            State::Watching => State::Watching,
            State::Reacting { left: 1 } => self.driving(),
            State::Reacting { left } => State::Reacting { left: left - 1 },
            State::Driving { left: 1 } => {
                self.forget();
                State::Watching
            }
            State::Driving { left } => State::Driving { left: left - 1 },
        };
        self.drives()
    }

    /// Takes over: for the rest of the episode, or for a nudge.
    fn driving(&mut self) -> State {
        let finishes = self.rng.random_bool(self.finish_chance);
        let nudge = self.rng.random_range(NUDGE_STEPS);
        State::Driving { left: if finishes { u32::MAX } else { nudge } }
    }

    /// After handing back, patience starts anew.
    fn forget(&mut self) {
        self.nearest = f64::INFINITY;
        self.idle = 0;
        self.pressing = 0;
    }

    /// Does this look as if the policy needed help?
    fn alarm(&mut self, seen: Concern) -> bool {
        let distance = seen.distance_m;
        let start = *self.start.get_or_insert(distance);
        if distance < self.nearest - PROGRESS_M {
            self.nearest = distance;
            self.idle = 0;
        } else {
            self.idle += 1;
        }
        self.pressing = if seen.presses { self.pressing + 1 } else { 0 };
        self.idle >= self.stall_steps || distance > start + WORSE_M || self.pressing >= PRESS_STEPS
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// A peg so high over an ideal socket, and pressed so hard.
    fn concern(height_mm: f64, force_n: f64) -> Concern {
        let presses = force_n > 8.0 && (-2.0..3.0).contains(&height_mm);
        Concern { distance_m: (height_mm + 18.0).abs() * 1e-3, presses }
    }

    /// Who drives in each step: `p` the policy, `H` the person. `scene` gives height (mm) and
    /// force (N) of each step; the person is one who helps, and with this chance to the end.
    fn check(finish_chance: f64, scene: impl Iterator<Item = (f64, f64)>, expected: &str) {
        let config = OperatorConfig { stall_steps: 5, ..OperatorConfig::default() };
        let mut supervisor = Supervisor::new(&config, 0.0, ChaCha8Rng::seed_from_u64(0));
        supervisor.state = State::Watching;
        supervisor.finish_chance = finish_chance;
        let drove: String =
            scene.map(|(mm, n)| if supervisor.watch(concern(mm, n)) { 'H' } else { 'p' }).collect();
        assert!(drove.starts_with(expected), "{drove}, not {expected}");
        let steps = drove.trim_start_matches('p').find('p').unwrap_or(0);
        assert!(finish_chance > 0.0 || steps == 0 || (5..=15).contains(&steps), "{drove}");
    }

    #[test]
    fn progress_is_left_alone() {
        check(1.0, (0..10).map(|i| (60.0 - 4.0 * f64::from(i), 0.0)), "pppppppppp");
    }

    #[test]
    fn a_stall_is_helped_after_a_reaction() {
        check(1.0, (0..30).map(|_| (30.0, 0.0)), "pppppppHHHHHHHHHHHHHHHHHHHHHHH");
    }

    #[test]
    fn a_nudge_is_handed_back() {
        check(0.0, (0..30).map(|_| (30.0, 0.0)), "pppppppHHHHH");
    }

    #[test]
    fn running_away_is_helped_at_once() {
        check(1.0, [(30.0, 0.0), (90.0, 0.0), (94.0, 0.0), (98.0, 0.0)].into_iter(), "pppH");
    }

    #[test]
    fn pressing_on_the_surface_is_helped_and_pressing_in_the_slot_is_not() {
        check(1.0, std::iter::repeat_n((0.0, 9.0), 8), "ppppp");
        let sinking =
            |from: f64, step: f64| (0..11).map(move |i| (from - step * f64::from(i), 9.0));
        check(1.0, sinking(1.0, 0.01).take(8), "pppppppH");
        check(1.0, sinking(-3.0, 3.5), "ppppppppppp");
    }

    fn check_share(help_chance: f64, trust: f64, expected: f64) {
        let config = OperatorConfig { help_chance, ..OperatorConfig::default() };
        let helped = (0..2000)
            .filter(|&seed| {
                let rng = ChaCha8Rng::seed_from_u64(seed);
                Supervisor::new(&config, trust, rng).state == State::Watching
            })
            .count();
        let share = helped as f64 / 2000.0;
        assert!((share - expected).abs() < 0.04, "helps in {share}, not {expected}");
    }

    #[test]
    fn the_better_the_policy_the_less_help() {
        check_share(0.55, 0.0, 0.55);
        check_share(0.55, 1.0, 0.05);
        check_share(0.95, 0.0, 0.95);
        check_share(0.95, 0.5, 0.5);
    }
}
