//! How far collecting and learning may run ahead of each other. Pure decisions: counts in, counts
//! out; nobody is made to wait here.

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coupling {
    /// Both wait for each other, so that a result does not depend on the machine's speed.
    Coupled {
        /// Critic updates per env step collected.
        utd_ratio: f64,
        /// Env steps that actors may be ahead of the step that the next update needs.
        slack_steps: u64,
    },
    /// Actors never wait; the learner keeps below `utd_cap` critic updates per env step.
    Free { utd_cap: f64 },
}

impl Coupling {
    fn ratio(self) -> f64 {
        match self {
            Self::Coupled { utd_ratio, .. } => utd_ratio,
            Self::Free { utd_cap } => utd_cap,
        }
    }
}

/// When the run is over. `None`: that side has no end of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    pub env_steps: Option<u64>,
    pub updates: Option<u64>,
}

#[derive(Debug, Error, PartialEq)]
pub enum RateLimiterError {
    #[error("a UTD ratio of {0} is not possible: give a number in [0.001, 1000]")]
    Ratio(f64),
}

/// Env steps are training steps collected, over all actors; updates are critic updates made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimiter {
    coupling: Coupling,
    training_starts: u64,
    budget: Budget,
}

impl RateLimiter {
    /// No update is made before `training_starts` env steps are there.
    pub fn new(
        coupling: Coupling,
        training_starts: u64,
        budget: Budget,
    ) -> Result<Self, RateLimiterError> {
        let ratio = coupling.ratio();
        if !(1e-3..=1e3).contains(&ratio) {
            return Err(RateLimiterError::Ratio(ratio));
        }
        Ok(Self { coupling, training_starts, budget })
    }

    /// Updates that `env_steps` steps are good for.
    fn updates_due(&self, env_steps: u64) -> u64 {
        let learned_from = env_steps.saturating_sub(self.training_starts) as f64;
        // Ratios like 0.1 are not exact: ten steps are one update all the same.
        (learned_from * self.coupling.ratio() * (1.0 + 1e-12)).floor() as u64
    }

    /// The smallest number of env steps that `updates` updates need.
    fn env_steps_needed(&self, updates: u64) -> u64 {
        let guess = (updates as f64 / self.coupling.ratio()).floor() as u64;
        let mut steps = self.training_starts + guess.saturating_sub(1);
        while self.updates_due(steps) < updates {
            steps += 1;
        }
        steps
    }

    /// Env steps that may exist in all once `updates` updates are made; `None`: as many as the
    /// actors like.
    ///
    /// The step that the next update needs is always allowed. So one side can always go on:
    /// either that step is there, then the learner may update, or it is not, then actors may.
    pub fn env_step_limit(&self, updates: u64) -> Option<u64> {
        let Coupling::Coupled { slack_steps, .. } = self.coupling else {
            return self.budget.env_steps;
        };
        if self.budget.updates.is_some_and(|budget| updates >= budget) {
            return self.budget.env_steps;
        }
        let limit = self.env_steps_needed(updates + 1).saturating_add(slack_steps);
        Some(self.budget.env_steps.map_or(limit, |budget| limit.min(budget)))
    }

    /// Updates that the learner may make now, on top of the `updates` it has made.
    pub fn updates_allowed(&self, env_steps: u64, updates: u64) -> u64 {
        let left = self.budget.updates.map_or(u64::MAX, |budget| budget.saturating_sub(updates));
        let collected_all = self.budget.env_steps.is_some_and(|budget| env_steps >= budget);
        if collected_all && self.budget.updates.is_some() {
            // Nobody waits for the learner any more: it uses up its budget.
            return left;
        }
        self.updates_due(env_steps).saturating_sub(updates).min(left)
    }

    /// Neither side has anything left to do. Without any budget: never.
    pub fn is_finished(&self, env_steps: u64, updates: u64) -> bool {
        let Budget { env_steps: env_budget, updates: update_budget } = self.budget;
        let env_done = env_budget.is_none_or(|budget| env_steps >= budget);
        let updates_done = self.updates_allowed(env_steps, updates) == 0
            && update_budget.is_none_or(|budget| updates >= budget);
        (env_budget.is_some() || update_budget.is_some()) && env_done && updates_done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn coupled(utd_ratio: f64, slack_steps: u64, training_starts: u64) -> RateLimiter {
        let coupling = Coupling::Coupled { utd_ratio, slack_steps };
        RateLimiter::new(coupling, training_starts, Budget::default()).expect("a sound ratio")
    }

    #[track_caller]
    fn check_limit(limiter: RateLimiter, updates: u64, limit: u64) {
        assert_eq!(limiter.env_step_limit(updates), Some(limit));
    }

    #[test]
    fn actors_collect_alone_until_training_starts() {
        check_limit(coupled(1.0, 0, 100), 0, 101);
        assert_eq!(coupled(1.0, 0, 100).updates_allowed(100, 0), 0);
        assert_eq!(coupled(1.0, 0, 100).updates_allowed(101, 0), 1);
    }

    #[test]
    fn without_slack_they_take_turns() {
        check_limit(coupled(4.0, 0, 0), 3, 1);
        check_limit(coupled(4.0, 0, 0), 4, 2);
    }

    #[test]
    fn slack_lets_actors_run_ahead() {
        check_limit(coupled(4.0, 10, 0), 3, 11);
    }

    #[test]
    fn a_ratio_below_one_needs_several_steps_for_an_update() {
        check_limit(coupled(0.25, 0, 0), 0, 4);
        check_limit(coupled(0.1, 0, 0), 2, 30);
    }

    #[test]
    fn free_actors_never_wait_and_the_learner_keeps_to_the_cap() {
        let free =
            RateLimiter::new(Coupling::Free { utd_cap: 2.0 }, 5, Budget::default()).expect("sound");
        assert_eq!(free.env_step_limit(0), None);
        assert_eq!(free.updates_allowed(15, 12), 8);
        assert_eq!(free.updates_allowed(15, 20), 0);
    }

    #[test]
    fn the_last_side_uses_its_budget_up_alone() {
        let budget = Budget { env_steps: Some(10), updates: Some(100) };
        let coupling = Coupling::Coupled { utd_ratio: 1.0, slack_steps: 0 };
        let limiter = RateLimiter::new(coupling, 0, budget).expect("sound");
        assert_eq!(limiter.updates_allowed(10, 10), 90);
        assert_eq!(limiter.env_step_limit(100), Some(10));
        assert!(!limiter.is_finished(10, 99) && limiter.is_finished(10, 100));
    }

    #[test]
    fn absurd_ratios_are_refused() {
        for utd_ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let coupling = Coupling::Coupled { utd_ratio, slack_steps: 0 };
            assert!(RateLimiter::new(coupling, 0, Budget::default()).is_err(), "{utd_ratio}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// Whoever is asked first and in whatever portions: one side can go on until both budgets
        /// are used, and in the end the ratio is kept.
        #[test]
        fn it_never_deadlocks(
            utd_ratio in prop_oneof![Just(0.1), Just(1.0 / 3.0), 0.05f64..20.0],
            slack_steps in 0u64..20,
            training_starts in 0u64..50,
            free in any::<bool>(),
            env_budget in 0u64..200,
            update_budget in proptest::option::of(0u64..400),
            schedule in proptest::collection::vec((any::<bool>(), 1u64..7), 1..50),
        ) {
            let coupling = if free {
                Coupling::Free { utd_cap: utd_ratio }
            } else {
                Coupling::Coupled { utd_ratio, slack_steps }
            };
            let budget = Budget { env_steps: Some(env_budget), updates: update_budget };
            let limiter = RateLimiter::new(coupling, training_starts, budget).expect("sound");
            let (mut env_steps, mut updates) = (0, 0);
            let mut turns = schedule.iter().cycle();
            while !limiter.is_finished(env_steps, updates) {
                let env_room = limiter.env_step_limit(updates).expect("bounded") - env_steps;
                let update_room = limiter.updates_allowed(env_steps, updates);
                prop_assert!(env_room + update_room > 0, "stuck at {env_steps}, {updates}");
                let (actor, portion) = turns.next().expect("a cycle");
                if (*actor && env_room > 0) || update_room == 0 { env_steps += env_room.min(*portion) } else { updates += update_room.min(*portion) }
                let ahead = env_steps.saturating_sub(limiter.env_steps_needed(updates + 1));
                prop_assert!(free || update_budget.is_some() || ahead <= slack_steps);
            }
            prop_assert_eq!(env_steps, env_budget);
            prop_assert_eq!(updates, update_budget.unwrap_or_else(|| limiter.updates_due(env_budget)));
        }
    }
}
