//! A scripted person at the teleop device, who sees the exact pose of peg and socket.
//!
//! Demonstrates whole episodes, in training watches and helps, and shows a reward classifier what
//! success looks like and what only looks like it. Decides once per policy step
//! (it must be sampled at the policy's rate); reads no clock but the cell's.

use std::time::Duration;

use drivers::{EpisodeBrief, Stamped, Teleop, TeleopError, TeleopSample};
use nalgebra::{UnitQuaternion, Vector3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wire::{EpisodeId, EpisodeKind, Mark};

use crate::{
    config::{ActionScale, OperatorConfig},
    scene,
    world::SharedWorld,
};

mod hand;
mod supervisor;
mod tour;

use hand::Hand;
use supervisor::Supervisor;
use tour::Tour;

/// A sample that comes sooner after the last one repeats it.
const STEP_MIN: Duration = Duration::from_millis(50);

/// What the operator sees at one moment.
#[derive(Clone, Copy, Debug)]
struct Sight {
    /// The tip in the socket frame (m): x, y along the top, z up from it.
    tip: Vector3<f64>,
    /// The turn that would align the tool with the slot, as a rotation vector (rad, base frame).
    misalignment: Vector3<f64>,
    /// Socket frame → base frame.
    socket_rotation: UnitQuaternion<f64>,
    /// What the socket presses against the tool with (N).
    force_n: f64,
}

/// What the operator does in the present episode.
#[derive(Debug)]
enum Role {
    Rest,
    Demonstrate(Hand),
    Label(Box<Tour>),
    Supervise { hand: Hand, supervisor: Box<Supervisor>, drove: bool },
}

/// Implements `Teleop`. The twist is in units of the action scale, base frame.
#[derive(Debug)]
pub struct ScriptedOperator {
    world: SharedWorld,
    config: OperatorConfig,
    scale: ActionScale,
    seed: u64,
    role: Role,
    episode: Option<EpisodeId>,
    /// Moving average of whether the policy succeeded without help.
    trust: f64,
    last: Option<Stamped<TeleopSample>>,
}

impl ScriptedOperator {
    pub(crate) fn new(
        world: SharedWorld,
        config: OperatorConfig,
        scale: ActionScale,
        seed: u64,
    ) -> Self {
        let role = Role::Rest;
        Self { world, config, scale, seed, role, episode: None, trust: 0.0, last: None }
    }

    /// The operator's estimate of the policy's own success rate, 0 to 1.
    pub fn trust(&self) -> f64 {
        self.trust
    }

    /// Takes note of how the training episode that has just ended went: an episode in which he
    /// drove is no success of the policy's own.
    fn look_back(&mut self) {
        if let Role::Supervise { drove, .. } = &self.role {
            let seated = self.episode.is_some() && self.world.lock().succeeded_in() == self.episode;
            let success = if seated && !drove { 1.0 } else { 0.0 };
            self.trust = supervisor::updated_trust(self.trust, success);
        }
    }
}

impl Teleop for ScriptedOperator {
    fn announce(&mut self, brief: &EpisodeBrief) {
        self.look_back();
        // Two streams per episode: how he moves does not depend on when he helps.
        let rng = |purpose| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(2 * u64::from(brief.episode.0) + purpose);
            rng
        };
        let hand = Hand::new(&self.config, self.scale, rng(0));
        self.role = match brief.kind {
            EpisodeKind::Demonstration => Role::Demonstrate(hand),
            EpisodeKind::Training => {
                let supervisor = Box::new(Supervisor::new(&self.config, self.trust, rng(1)));
                Role::Supervise { hand, supervisor, drove: false }
            }
            EpisodeKind::Labelling => Role::Label(Box::new(Tour::new(hand, rng(1)))),
            EpisodeKind::Evaluation => Role::Rest,
        };
        self.episode = Some(brief.episode);
        self.last = None;
    }

    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        let (now, sight) = {
            let world = self.world.lock();
            let (relative, socket) = (world.relative_pose(), world.socket_pose());
            let misalignment =
                socket.rotation * scene::tool_down() * world.tcp_pose().rotation.inverse();
            let sight = Sight {
                tip: relative.translation.vector,
                misalignment: misalignment.scaled_axis(),
                socket_rotation: socket.rotation,
                force_n: world.wrench().force.norm(),
            };
            (world.now(), sight)
        };
        if let Some(last) = &self.last
            && now.since(last.at) < STEP_MIN
        {
            return Ok(last.clone());
        }
        let value = match &mut self.role {
            Role::Rest => TeleopSample::default(),
            Role::Demonstrate(hand) => TeleopSample { twist: hand.twist(&sight), engaged: true },
            Role::Label(tour) => TeleopSample { twist: tour.twist(&sight), engaged: true },
            Role::Supervise { hand, supervisor, drove } => {
                let was_driving = supervisor.drives();
                if supervisor.watch(&sight) {
                    if !was_driving {
                        hand.grasp();
                    }
                    *drove = true;
                    TeleopSample { twist: hand.twist(&sight), engaged: true }
                } else {
                    TeleopSample::default()
                }
            }
        };
        let sample = Stamped { at: now, value };
        self.last = Some(sample.clone());
        Ok(sample)
    }

    /// Holds the button down while the peg is seated, when frames are to be labelled.
    fn mark(&mut self) -> Option<Mark> {
        match self.role {
            Role::Label(_) => self.world.lock().is_seated().then_some(Mark::Success),
            Role::Rest | Role::Demonstrate(_) | Role::Supervise { .. } => None,
        }
    }
}
