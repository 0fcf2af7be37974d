//! Puts the socket where an episode begins, and tells whether the peg is seated.

use drivers::{EpisodeBrief, Fixture, FixtureError, SuccessSensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    scene::{self, Preset},
    world::SharedWorld,
};

/// Moves and turns the socket as the episode's seed says. A peg that still sits in it is not torn
/// out: the socket moves when the tool has left.
#[derive(Debug)]
pub struct SimFixture {
    pub(crate) world: SharedWorld,
    pub(crate) preset: Preset,
}

impl Fixture for SimFixture {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError> {
        let mut rng = ChaCha8Rng::seed_from_u64(brief.seed);
        let offset = std::array::from_fn(|_| rng.random_range(-1.0..=1.0));
        self.world.lock().prepare(brief.episode, scene::socket_pose(self.preset, offset));
        Ok(())
    }
}

/// The simulator's own knowledge: the tip at least 15 mm below the socket's top, inside the slot.
#[derive(Debug)]
pub struct SimSuccess {
    pub(crate) world: SharedWorld,
}

impl SuccessSensor for SimSuccess {
    fn succeeded(&mut self) -> bool {
        self.world.lock().is_seated()
    }
}
