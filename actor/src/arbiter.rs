//! Who drives: the policy, or the person whose hand is on the device.
//!
//! Holds no device and reads no clock. A person takes over at once or after a few samples, keeps
//! control through short pauses of the hand, and keeps it, standing still, when the device is lost:
//! the policy never gets the arm back because a cable was pulled.

use std::time::Duration;

use wire::{Action, ActionSource, Timestamp};

/// When control changes hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArbiterConfig {
    /// Samples in a row in which the hand must be engaged before it drives; at least 1.
    pub engage_samples: u32,
    /// How long the hand must rest before the policy drives again.
    pub release_hold: Duration,
}

impl Default for ArbiterConfig {
    /// One sample, as the driver's dead zone keeps noise away; 400 ms of rest.
    fn default() -> Self {
        Self { engage_samples: 1, release_hold: Duration::from_millis(400) }
    }
}

/// What the person's device says in one step.
#[derive(Clone, Debug, PartialEq)]
pub enum Hand {
    /// On the device, and this is what it wants.
    Engaged(Action),
    Resting,
    /// The device is gone or silent.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// The person took over in this step: one intervention.
    Takeover,
    /// The policy drives again from this step on.
    Release,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub action: Action,
    pub source: ActionSource,
    pub handover: Option<Handover>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    Policy,
    /// Since when the hand rests; `None` while it moves or is lost.
    Human {
        resting_since: Option<Timestamp>,
    },
}

#[derive(Clone, Debug)]
pub struct Arbiter {
    config: ArbiterConfig,
    driver: Driver,
    engaged_in_a_row: u32,
}

impl Arbiter {
    /// The policy drives until a hand takes over.
    pub fn new(config: ArbiterConfig) -> Self {
        Self { config, driver: Driver::Policy, engaged_in_a_row: 0 }
    }

    pub fn driver(&self) -> ActionSource {
        match self.driver {
            Driver::Policy => ActionSource::Policy,
            Driver::Human { .. } => ActionSource::Human,
        }
    }

    /// An operator's explicit word, or a new episode: the policy drives again.
    pub fn release(&mut self) {
        self.driver = Driver::Policy;
        self.engaged_in_a_row = 0;
    }

    /// The action of this step and whose it is. Standing still is the zero action.
    pub fn choose(&mut self, now: Timestamp, policy: Action, hand: &Hand) -> Choice {
        let still = Action::zeros(policy.dim());
        let before = self.driver();
        self.engaged_in_a_row = match hand {
            Hand::Engaged(_) => self.engaged_in_a_row.saturating_add(1),
            Hand::Resting | Hand::Lost => 0,
        };
        self.driver = self.next_driver(now, hand);
        let action = match (self.driver, hand) {
            (Driver::Policy, _) => policy,
            (Driver::Human { .. }, Hand::Engaged(action)) => action.clone(),
            (Driver::Human { .. }, Hand::Resting | Hand::Lost) => still,
        };
        let handover = match (before, self.driver()) {
            (ActionSource::Policy, ActionSource::Human) => Some(Handover::Takeover),
            (ActionSource::Human, ActionSource::Policy) => Some(Handover::Release),
            _ => None,
        };
        Choice { action, source: self.driver(), handover }
    }

    fn next_driver(&self, now: Timestamp, hand: &Hand) -> Driver {
        const HOLDS: Driver = Driver::Human { resting_since: None };
        match (self.driver, hand) {
            (Driver::Policy, Hand::Engaged(_)) => {
                if self.engaged_in_a_row >= self.config.engage_samples {
                    HOLDS
                } else {
                    Driver::Policy
                }
            }
            (Driver::Policy, Hand::Resting | Hand::Lost) => Driver::Policy,
            (Driver::Human { .. }, Hand::Engaged(_) | Hand::Lost) => HOLDS,
            (Driver::Human { resting_since }, Hand::Resting) => {
                let since = resting_since.unwrap_or(now);
                if now.since(since) >= self.config.release_hold {
                    Driver::Policy
                } else {
                    Driver::Human { resting_since: Some(since) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(100);

    fn hand(letter: char) -> Hand {
        match letter {
            'H' => Hand::Engaged(Action::from_slice(&[0.5])),
            'x' => Hand::Lost,
            _ => Hand::Resting,
        }
    }

    /// One letter per step. Hand: `H` moves, `.` rests, `x` is lost. Driver: `p` policy, `H` the
    /// person moves the arm, `h` the person holds it still.
    #[track_caller]
    fn check(config: &ArbiterConfig, hands: &str, drivers: &str, takeovers: usize) {
        let mut arbiter = Arbiter::new(config.clone());
        let mut now = Timestamp(0);
        let mut seen = 0;
        let got: String = hands
            .chars()
            .map(|letter| {
                let choice = arbiter.choose(now, Action::from_slice(&[-1.0]), &hand(letter));
                now = now + PERIOD;
                seen += usize::from(choice.handover == Some(Handover::Takeover));
                match (choice.source, choice.action.as_slice()) {
                    (ActionSource::Policy, [-1.0]) => 'p',
                    (ActionSource::Human, [0.5]) => 'H',
                    (ActionSource::Human, [0.0]) => 'h',
                    other => panic!("unexpected {other:?}"),
                }
            })
            .collect();
        assert_eq!(got, drivers);
        assert_eq!(seen, takeovers, "takeovers");
    }

    fn quick() -> ArbiterConfig {
        ArbiterConfig { engage_samples: 1, release_hold: PERIOD }
    }

    fn careful() -> ArbiterConfig {
        ArbiterConfig { engage_samples: 2, ..quick() }
    }

    #[test]
    fn without_a_hand_the_policy_drives() {
        check(&quick(), "....", "pppp", 0);
    }

    #[test]
    fn a_short_pause_of_the_hand_does_not_hand_back_control() {
        check(&quick(), "..HH.H....", "ppHHhHhppp", 1);
    }

    #[test]
    fn two_pauses_with_a_release_between_are_two_interventions() {
        check(&quick(), "H...HH..", "HhppHHhp", 2);
    }

    #[test]
    fn a_twitch_is_no_takeover_when_two_samples_are_asked_for() {
        check(&careful(), ".H.HH..", "ppppHhp", 1);
    }

    #[test]
    fn a_lost_device_holds_the_arm_still() {
        check(&quick(), ".Hxxxxxx", "pHhhhhhh", 1);
    }

    #[test]
    fn after_a_loss_the_device_must_be_back_and_rest_before_the_policy_drives() {
        check(&quick(), "Hxxx..", "Hhhhhp", 1);
    }

    #[test]
    fn a_hand_that_comes_back_after_a_loss_goes_on_with_the_same_intervention() {
        check(&quick(), "HxxH..", "HhhHhp", 1);
    }

    #[test]
    fn a_device_lost_while_the_policy_drives_changes_nothing() {
        check(&quick(), "..xx..", "pppppp", 0);
    }

    #[test]
    fn a_loss_between_two_engaged_samples_counts_them_anew() {
        check(&careful(), "HxHH", "pppH", 1);
    }

    #[test]
    fn an_explicit_release_hands_back_at_once() {
        let mut arbiter = Arbiter::new(quick());
        arbiter.choose(Timestamp(0), Action::zeros(1), &hand('H'));
        arbiter.choose(Timestamp(1), Action::zeros(1), &Hand::Lost);
        arbiter.release();
        let choice = arbiter.choose(Timestamp(2), Action::zeros(1), &Hand::Lost);
        assert_eq!(choice.source, ActionSource::Policy);
    }
}
