//! Puts the work-piece where an episode begins, and tells whether the task is done.

use drivers::{EpisodeBrief, Fixture, FixtureError, SuccessSensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    scene::{
        self, Preset,
        pick_cube::{self, Spawn},
        usb,
    },
    world::{Places, SharedWorld},
};

/// Moves and turns the socket as the episode's seed says, puts the cube down, or the stick in its holder. A peg that still sits
/// in the socket is not torn out: the socket moves when the tool has left.
#[derive(Debug)]
pub struct SimFixture {
    pub(crate) world: SharedWorld,
    pub(crate) preset: Preset,
    pub(crate) spawn: Spawn,
}

impl Fixture for SimFixture {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError> {
        let mut rng = ChaCha8Rng::seed_from_u64(brief.seed);
        let offset: [f64; 5] = std::array::from_fn(|_| rng.random_range(-1.0..=1.0));
        let [x, y, yaw, ..] = offset;
        let places = match self.preset {
            Preset::Easy | Preset::Default | Preset::Hard => {
                let socket = scene::socket_pose(self.preset, [x, y, yaw]);
                Places { blocks: vec![socket], piece: None }
            }
            Preset::PickCube => {
                let cube = pick_cube::place(self.spawn, [x, y]);
                Places { blocks: Vec::new(), piece: Some(cube) }
            }
            Preset::UsbInsertion => {
                let usb::Places { port, holder, stick } = usb::places(offset);
                Places { blocks: vec![port, holder], piece: Some(stick) }
            }
        };
        self.world.lock().prepare(brief.episode, &places);
        Ok(())
    }
}

/// The simulator's own knowledge: the tip at least 15 mm below the socket's top, inside the slot; or the
/// cube lifted by more than 0.1 m; or the stick inserted and let go.
#[derive(Debug)]
pub struct SimSuccess {
    pub(crate) world: SharedWorld,
}

impl SuccessSensor for SimSuccess {
    fn succeeded(&mut self) -> bool {
        self.world.lock().succeeded()
    }

    fn lost(&mut self) -> bool {
        self.world.lock().lost()
    }
}
