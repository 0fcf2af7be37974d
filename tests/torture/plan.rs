//! What a trial does: which kills, in which order. From seed and number alone.

use std::time::Duration;

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::aim::{Aim, Victim};

/// So many trials aim at every instant at least once.
pub const TRIALS_OF_EACH_KIND: u64 = 7;
/// Longest wait for a kill at any instant.
const INSTANT_MAX_MS: u64 = 3000;
/// Sights that a kill lets pass before it strikes.
const LET_PASS_MAX: u32 = 12;

#[derive(Clone, Copy, Debug)]
pub struct Strike {
    pub aim: Aim,
    pub victim: Victim,
    /// So many of what is aimed at go unharmed.
    pub let_pass: u32,
    /// Between the kill and the next start.
    pub pause: Duration,
}

/// How much a trial's run writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Common,
    /// Several segments.
    LargePictures,
    /// More than the outbox has room for, before there is a policy.
    SmallOutbox,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub strikes: Vec<Strike>,
    pub size: Size,
}

impl Plan {
    pub fn new(seed: u64, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let leading = match number % TRIALS_OF_EACH_KIND {
            0 => any_instant(&mut rng),
            1 => Aim::JournalWritten,
            2 => Aim::CheckpointMade,
            3 => Aim::JournalRolled,
            4 => Aim::OutboxWritten,
            5 => Aim::OutboxRolled,
            _ => Aim::OutboxFull,
        };
        let size = match leading {
            Aim::OutboxFull => Size::SmallOutbox,
            Aim::JournalRolled | Aim::OutboxRolled => Size::LargePictures,
            _ => Size::Common,
        };
        let mut strikes = vec![strike(leading, &mut rng)];
        for _ in 0..rng.random_range(1..=2) {
            let aims = [
                any_instant(&mut rng),
                Aim::JournalWritten,
                Aim::OutboxWritten,
                Aim::CheckpointMade,
            ];
            let aim = *aims.choose(&mut rng).expect("there are four");
            strikes.push(strike(aim, &mut rng));
        }
        Self { strikes, size }
    }
}

fn any_instant(rng: &mut ChaCha8Rng) -> Aim {
    Aim::AnyInstant(Duration::from_millis(rng.random_range(0..INSTANT_MAX_MS)))
}

fn strike(aim: Aim, rng: &mut ChaCha8Rng) -> Strike {
    let both = rng.random_bool(0.25);
    let victim = match aim {
        _ if both => Victim::Both,
        Aim::AnyInstant(_) | Aim::OutboxFull => {
            if rng.random_bool(0.5) {
                Victim::Actor
            } else {
                Victim::Learner
            }
        }
        Aim::JournalWritten | Aim::CheckpointMade | Aim::JournalRolled => Victim::Learner,
        Aim::OutboxWritten | Aim::OutboxRolled => Victim::Actor,
    };
    let let_pass = match aim {
        Aim::JournalWritten | Aim::OutboxWritten => rng.random_range(0..LET_PASS_MAX),
        Aim::CheckpointMade => rng.random_range(0..3),
        _ => 0,
    };
    Strike { aim, victim, let_pass, pause: Duration::from_millis(rng.random_range(0..300)) }
}
