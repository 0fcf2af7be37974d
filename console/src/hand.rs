//! Whose page has its hand on the arm, and whether that hand can still be trusted. Times come in by
//! argument, from the machine's monotonic clock.
//!
//! A push counts for [`DEAD_MAN`] and no longer. A page that falls silent, is hidden or goes away
//! while it is in charge has lost its hand: the arm holds until that page is back, until another
//! one pushes, or until somebody says that the policy may drive.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wire::{GripperCommand, Timestamp};

/// How long one push moves the arm at most. Pages speak fifty times a second while they push.
pub const DEAD_MAN: Duration = Duration::from_millis(150);

/// A press of a gripper's key counts once, if it is looked at within this time.
const PRESS_LASTS: Duration = Duration::from_millis(250);

/// A page that is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageId(pub u64);

/// Linear and angular, base frame, in [-1, 1].
pub type Push = [f64; 6];

/// What a page's hand does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Does {
    /// `None` at rest.
    pub push: Option<Push>,
    pub gripper: GripperCommand,
}

/// Why a hand is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing came for too long.
    Late,
    /// The page is not in sight of the person.
    Hidden,
    /// The connection was closed or cut.
    Closed,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "the page is late",
            Self::Hidden => "the page is hidden",
            Self::Closed => "the page is closed",
        })
    }
}

/// Another page has its hand on the arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// What the hand says at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Says {
    /// No page is in charge.
    Nothing,
    Push {
        push: Push,
        gripper: GripperCommand,
        age: Duration,
    },
    /// In charge, and at rest.
    Rest,
    Lost(Loss),
}

#[derive(Clone, Copy, Debug)]
struct Grip {
    page: PageId,
    heard_at: Timestamp,
    does: Does,
    pushed_at: Timestamp,
    /// What the gripper is told, and nobody has looked at yet.
    pressed: Option<(GripperCommand, Timestamp)>,
    gone: Option<Loss>,
}

impl Grip {
    fn loss(&self, now: Timestamp) -> Option<Loss> {
        self.gone.or((now.since(self.heard_at) > DEAD_MAN).then_some(Loss::Late))
    }
}

#[derive(Clone, Debug)]
pub struct Hand {
    grip: Option<Grip>,
    /// So long after its last push a page at rest stays in charge.
    rest_max: Duration,
}

impl Hand {
    /// `rest_max` must be longer than the arbiter waits before the policy drives again: a page that
    /// is lost before that must be told from one that has let go.
    pub fn new(rest_max: Duration) -> Self {
        Self { grip: None, rest_max }
    }

    /// A page says what its hand does.
    pub fn hear(&mut self, now: Timestamp, page: PageId, does: Does) -> Result<(), Busy> {
        let presses = does.gripper != GripperCommand::Stay;
        let pressed = presses.then_some((does.gripper, now));
        match (&mut self.grip, does.push) {
            (Some(grip), _) if grip.page == page => {
                grip.heard_at = now;
                grip.gone = None;
                grip.does = does;
                grip.pressed = pressed.or(grip.pressed);
                if does.push.is_some() {
                    grip.pushed_at = now;
                }
                if now.since(grip.pushed_at) > self.rest_max {
                    self.grip = None;
                }
            }
            (Some(grip), Some(_)) if grip.loss(now).is_none() => return Err(Busy),
            // Rest is what every page says when nobody touches it: it takes nothing over.
            (_, None) => {}
            (grip, Some(_)) => {
                let new = Grip { page, heard_at: now, does, pushed_at: now, pressed, gone: None };
                *grip = Some(new);
            }
        }
        Ok(())
    }

    /// A page is hidden or closed.
    pub fn lose(&mut self, page: PageId, loss: Loss) {
        if let Some(grip) = self.grip.as_mut().filter(|grip| grip.page == page) {
            grip.gone = Some(loss);
        }
    }

    /// No page is in charge any more.
    pub fn release(&mut self) {
        self.grip = None;
    }

    /// An episode begins: what was lost in the one before is over.
    pub fn forget_loss(&mut self, now: Timestamp) {
        if self.grip.is_some_and(|grip| grip.loss(now).is_some()) {
            self.grip = None;
        }
    }

    /// A key of the gripper that was pressed and let go of since the last look is told once.
    pub fn says(&mut self, now: Timestamp) -> Says {
        let Some(grip) = &mut self.grip else { return Says::Nothing };
        let pressed = grip.pressed.take().filter(|(_, at)| now.since(*at) <= PRESS_LASTS);
        let gripper = pressed.map_or(GripperCommand::Stay, |(command, _)| command);
        let push = grip.does.push.or(pressed.map(|_| Push::default()));
        match (grip.loss(now), push) {
            (Some(loss), _) => Says::Lost(loss),
            (None, Some(push)) => Says::Push { push, gripper, age: now.since(grip.heard_at) },
            (None, None) => Says::Rest,
        }
    }
}

/// The hand as the server and the actor share it. Every lock is held for a copy.
#[derive(Clone, Debug)]
pub struct SharedHand(Arc<Mutex<Hand>>);

impl SharedHand {
    /// A hand as `Hand::new` makes it.
    pub fn new(rest_max: Duration) -> Self {
        Self(Arc::new(Mutex::new(Hand::new(rest_max))))
    }

    /// The policy drives, by the operator's word.
    pub fn let_go(&self) {
        self.lock().release();
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Hand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds between two letters.
    const BEAT: u64 = 50;

    /// One letter per 50 ms for what the first page does: `P` pushes, `r` says that it rests, ` ` is
    /// silent, `v` is hidden, `c` is closed, `w` the second page pushes, `s` the second page says that
    /// it rests, `o` the operator lets the policy drive, `e` an episode begins; `m` and `t` are a push of the
    /// first page with the key that closes the gripper, and a tap on it. After each: `-`
    /// nobody, `P` push, `G` push that closes the gripper, `r` rest, `L` late, `V` hidden, `C` closed; `!`
    /// when somebody was refused.
    #[track_caller]
    fn check(pages: &str, expected: &str) {
        let mut hand = Hand::new(Duration::from_millis(200));
        let (one, two) = (PageId(1), PageId(2));
        let heard = pages.chars().enumerate().map(|(beat, letter)| {
            let now = Timestamp((beat as u64 + 1) * BEAT * 1_000_000);
            let rest = Does::default();
            let push = Does { push: Some([0.5; 6]), ..rest };
            let closes = Does { gripper: GripperCommand::Close, ..push };
            let taken = match letter {
                'P' => hand.hear(now, one, push),
                'r' => hand.hear(now, one, rest),
                'm' => hand.hear(now, one, closes),
                't' => hand.hear(now, one, closes).and_then(|()| hand.hear(now, one, rest)),
                'w' => hand.hear(now, two, push),
                's' => hand.hear(now, two, rest),
                _ => Ok(()),
            };
            match letter {
                'v' => hand.lose(one, Loss::Hidden),
                'c' => hand.lose(one, Loss::Closed),
                'o' => hand.release(),
                'e' => hand.forget_loss(now),
                _ => {}
            }
            match hand.says(now) {
                _ if taken == Err(Busy) => '!',
                Says::Nothing => '-',
                Says::Push { gripper: GripperCommand::Close, .. } => 'G',
                Says::Push { .. } => 'P',
                Says::Rest => 'r',
                Says::Lost(Loss::Late) => 'L',
                Says::Lost(Loss::Hidden) => 'V',
                Says::Lost(Loss::Closed) => 'C',
            }
        });
        assert_eq!(heard.collect::<String>(), expected);
    }

    #[test]
    fn a_page_that_rests_long_enough_is_in_charge_no_more() {
        check("rPPrrrrrr", "-PPrrrr--");
    }

    #[test]
    fn a_push_counts_for_a_hundred_and_fifty_milliseconds() {
        check("P      ", "PPPPLLL");
    }

    #[test]
    fn a_page_that_is_silent_at_rest_but_in_charge_is_lost_all_the_same() {
        check("Pr      ", "PrrrrLLL");
    }

    #[test]
    fn a_hidden_or_closed_page_is_lost_at_once() {
        check("PPv   ", "PPVVVV");
        check("PPc   ", "PPCCCC");
        check("rrv   ", "------");
    }

    #[test]
    fn a_page_that_comes_back_goes_on() {
        check("P     rrrr", "PPPPLL----");
        check("P    PPr", "PPPPLPPr");
        check("PvPr", "PVPr");
    }

    #[test]
    fn the_gripper_is_told_while_its_key_is_down_and_once_after_a_tap() {
        check("PmmPr", "PGGPr");
        check("trr", "Grr");
        check("Ptvs", "PGVV");
    }

    #[test]
    fn a_press_that_nobody_looks_at_is_forgotten() {
        let (mut hand, page) = (Hand::new(Duration::from_secs(9)), PageId(1));
        let closes = Does { push: Some([0.0; 6]), gripper: GripperCommand::Close };
        hand.hear(Timestamp(0), page, closes).unwrap();
        let later = Timestamp(300_000_000);
        hand.hear(later, page, Does::default()).unwrap();
        assert_eq!(hand.says(later), Says::Rest);
    }

    #[test]
    fn two_pages_do_not_drive_at_once() {
        check("PwPwP", "P!P!P");
    }

    #[test]
    fn a_lost_hand_is_taken_over_by_a_push_and_not_by_a_page_at_rest() {
        check("Pcssss", "PCCCCC");
        check("PcswP", "PCCP!");
    }

    #[test]
    fn the_operators_word_and_a_new_episode_end_a_loss() {
        check("Pcs o", "PCCC-");
        check("Pcs e", "PCCC-");
        check("PPPeP", "PPPPP");
    }
}
