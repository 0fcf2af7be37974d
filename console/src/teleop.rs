//! The page's hand as the actor knows it: a teleop device like any other. Where the cell has one of
//! its own as well, that one counts while no page is in charge.

use std::{sync::Arc, time::Duration};

use drivers::{EpisodeBrief, Stamped, Teleop, TeleopError, TeleopSample};
use wire::Clock;

use crate::hand::{DEAD_MAN, Says, SharedHand};

pub struct PageTeleop {
    hand: SharedHand,
    /// Of the messages' arrival.
    host: Arc<dyn Clock>,
    /// Of the cell, in which samples are stamped.
    clock: Arc<dyn Clock>,
    other: Option<Box<dyn Teleop>>,
    /// The newest sample is the page's.
    by_page: bool,
}

impl PageTeleop {
    /// `other` is the cell's own device, if it has one; `host` the clock that the server uses.
    pub fn new(
        hand: SharedHand,
        host: Arc<dyn Clock>,
        clock: Arc<dyn Clock>,
        other: Option<Box<dyn Teleop>>,
    ) -> Self {
        Self { hand, host, clock, other, by_page: false }
    }
}

impl Teleop for PageTeleop {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        let (now, at) = (self.host.now(), self.clock.now());
        let rest = Stamped { at, value: TeleopSample::default() };
        // Asked in any case: a device may count on being asked in every step.
        let other = self.other.as_mut().map(|other| other.sample());
        let says = self.hand.lock().says(now);
        self.by_page = says != Says::Nothing;
        match says {
            Says::Nothing => other.unwrap_or(Ok(rest)),
            Says::Rest => Ok(rest),
            Says::Push { push, gripper, age } => {
                let value = TeleopSample { twist: push, gripper, engaged: true };
                Ok(Stamped { at: at.before(age), value })
            }
            Says::Lost(loss) => Err(TeleopError::Gone(loss.to_string())),
        }
    }

    fn announce(&mut self, brief: &EpisodeBrief) {
        self.hand.lock().forget_loss(self.host.now());
        if let Some(other) = &mut self.other {
            other.announce(brief);
        }
    }

    fn dead_man(&self) -> Option<Duration> {
        match &self.other {
            Some(other) if !self.by_page => other.dead_man(),
            _ => Some(DEAD_MAN),
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{GripperCommand, ManualClock, Timestamp};

    use super::*;
    use crate::hand::{Does, Loss, PageId};

    /// The cell's own device: always pushes downwards.
    struct Stubborn;

    impl Teleop for Stubborn {
        fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
            let twist = [0.0, 0.0, -1.0, 0.0, 0.0, 0.0];
            let value = TeleopSample { twist, engaged: true, ..TeleopSample::default() };
            Ok(Stamped { at: Timestamp(0), value })
        }
    }

    const PUSH: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    const PUSHES: Does = Does { push: Some(PUSH), gripper: GripperCommand::Open };

    fn teleop(other: Option<Box<dyn Teleop>>) -> (PageTeleop, SharedHand, Arc<ManualClock>) {
        let (hand, host) = (SharedHand::new(Duration::from_secs(1)), Arc::<ManualClock>::default());
        // The cell's clock began earlier.
        let clock = Arc::<ManualClock>::default();
        clock.sleep_until(Timestamp(5_000_000_000));
        (PageTeleop::new(hand.clone(), host.clone(), clock, other), hand, host)
    }

    #[test]
    fn without_a_page_the_cells_own_device_counts() {
        let (mut teleop, ..) = teleop(Some(Box::new(Stubborn)));
        assert_eq!(teleop.sample().unwrap().value.twist[2], -1.0);
        assert_eq!(teleop.dead_man(), None);
    }

    #[test]
    fn without_any_device_the_hand_rests() {
        let (mut teleop, ..) = teleop(None);
        assert!(!teleop.sample().unwrap().value.engaged);
    }

    #[test]
    fn a_push_of_the_page_comes_first_and_has_its_age_on_the_cells_clock() {
        let (mut teleop, hand, host) = teleop(Some(Box::new(Stubborn)));
        hand.lock().hear(host.now(), PageId(1), PUSHES).unwrap();
        host.sleep_until(Timestamp(40_000_000));
        let sample = teleop.sample().unwrap();
        let expected = TeleopSample { twist: PUSH, gripper: GripperCommand::Open, engaged: true };
        assert_eq!(sample.value, expected);
        assert_eq!(sample.at, Timestamp(4_960_000_000));
        assert_eq!(teleop.dead_man(), Some(DEAD_MAN));
    }

    #[test]
    fn a_lost_page_is_a_lost_device_until_an_episode_begins() {
        let (mut teleop, hand, host) = teleop(Some(Box::new(Stubborn)));
        hand.lock().hear(host.now(), PageId(1), PUSHES).unwrap();
        hand.lock().lose(PageId(1), Loss::Hidden);
        let gone = teleop.sample().unwrap_err().to_string();
        assert!(gone.contains("the page is hidden"), "{gone}");
        let brief = EpisodeBrief {
            episode: wire::EpisodeId(1),
            kind: wire::EpisodeKind::Training,
            seed: 0,
        };
        teleop.announce(&brief);
        assert_eq!(teleop.sample().unwrap().value.twist[2], -1.0);
    }
}
