//! A scripted person at the teleop device, who sees the exact pose of tool and work-piece.
//!
//! Demonstrates whole episodes, in training watches and helps, and shows a reward classifier what
//! success looks like and what only looks like it. Decides once per policy step
//! (it must be sampled at the policy's rate); reads no clock but the cell's.

use std::{fmt, time::Duration};

use drivers::{EpisodeBrief, Stamped, Teleop, TeleopError, TeleopSample};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wire::{EpisodeId, EpisodeKind, Mark};

use crate::{
    config::{ActionScale, OperatorConfig},
    scene::Preset,
    world::{SharedWorld, World},
};

mod insertion;
mod pick;
mod stroke;
mod supervisor;
mod tour;
mod usb;

use insertion::Insertion;
use pick::Pick;
use stroke::Stroke;
use supervisor::Supervisor;
use tour::Tour;
use usb::GraspAndInsert;

/// A sample that comes sooner after the last one repeats it.
const STEP_MIN: Duration = Duration::from_millis(50);

/// How a task is done by hand.
trait Skill: fmt::Debug + Send {
    /// The hand takes the device: it starts from rest and aims first.
    fn take(&mut self);

    /// What the hand does in this step.
    fn drive(&mut self, world: &World) -> TeleopSample;

    /// What somebody who watches would worry about.
    fn concern(&self, world: &World) -> Concern;
}

/// How a task is going, as a watching person sees it.
#[derive(Clone, Copy, Debug)]
struct Concern {
    /// What is left of the way.
    distance_m: f64,
    /// The tool presses where nothing gives way.
    presses: bool,
}

/// What the operator does in the present episode.
#[derive(Debug)]
enum Role {
    Rest,
    Demonstrate(Box<dyn Skill>),
    Label(Box<Tour>),
    Supervise { hand: Box<dyn Skill>, supervisor: Box<Supervisor>, drove: bool },
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
            let done = self.episode.is_some() && self.world.lock().succeeded_in() == self.episode;
            let success = if done && !drove { 1.0 } else { 0.0 };
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
        let stroke = Stroke::new(&self.config, self.scale, rng(0));
        let preset = self.world.lock().preset();
        let hand = |stroke| -> Box<dyn Skill> {
            match preset {
                Preset::Easy | Preset::Default | Preset::Hard => {
                    Box::new(Insertion::new(&self.config, stroke))
                }
                Preset::PickCube => Box::new(Pick::new(&self.config, stroke)),
                Preset::UsbInsertion => Box::new(GraspAndInsert::new(&self.config, stroke)),
            }
        };
        self.role = match brief.kind {
            EpisodeKind::Demonstration => Role::Demonstrate(hand(stroke)),
            EpisodeKind::Training => {
                let supervisor = Box::new(Supervisor::new(&self.config, self.trust, rng(1)));
                Role::Supervise { hand: hand(stroke), supervisor, drove: false }
            }
            EpisodeKind::Labelling => match preset {
                Preset::Easy | Preset::Default | Preset::Hard => {
                    let hand = Insertion::new(&self.config, stroke);
                    Role::Label(Box::new(Tour::new(hand, rng(1))))
                }
                // He knows the near misses of an insertion alone.
                Preset::PickCube | Preset::UsbInsertion => Role::Rest,
            },
            EpisodeKind::Evaluation => Role::Rest,
        };
        self.episode = Some(brief.episode);
        self.last = None;
    }

    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        let world = self.world.lock();
        let now = world.now();
        if let Some(last) = &self.last
            && now.since(last.at) < STEP_MIN
        {
            return Ok(last.clone());
        }
        let value = match &mut self.role {
            Role::Rest => TeleopSample::default(),
            _ if self.config.lets_go && world.succeeded() => TeleopSample::default(),
            Role::Demonstrate(hand) => hand.drive(&world),
            Role::Label(tour) => tour.drive(&world),
            Role::Supervise { hand, supervisor, drove } => {
                let was_driving = supervisor.drives();
                if supervisor.watch(hand.concern(&world)) {
                    if !was_driving {
                        hand.take();
                    }
                    *drove = true;
                    hand.drive(&world)
                } else {
                    TeleopSample::default()
                }
            }
        };
        drop(world);
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
