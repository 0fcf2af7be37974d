//! Puts cell, learner and actor together, and reads back what was recorded.

use std::{
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use actor::{
    ActorConfig, ActorError, ActorParts, ArmParts, Coupling, Encoder, Judge, Policy, Program,
    StatusSlot, Summary, TrainingBudget, ViewEvent, arbiter::ArbiterConfig, policy::PolicyError,
};
use crossbeam_channel::Receiver;
use drivers::{
    Arm, Camera, Gate, GateLimits, GripperLimits, WorkspaceBox,
    gate::{ForceLimits, MotionLimits, pair},
};
use nalgebra::{UnitQuaternion, Vector3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use replay::{DiskStorage, storage::Storage};
use tasks::TaskConfig;
use wire::{
    Action, ActionSource, Clock, EpisodeKind, Features, Frame, LearnerStep, ManualClock,
    Observation, Outcome, PolicySnapshot, PolicyVersion, Record, RecordBody, TruncationCause,
    WeightsHash,
};

use crate::{
    cell::{Cell, DOWN, ScriptedCamera},
    learner::{Learner, State},
};

/// Where the workspace ends.
const X_MIN: f64 = 0.47;
pub const STEPS_MAX: u32 = 5;

/// One run of the actor after another in the same folder, with the same learner.
pub struct Rig {
    pub learner: Learner,
    pub config: ActorConfig,
    pub status: StatusSlot,
    pub clock: Arc<ManualClock>,
    pub shutdown: Arc<AtomicBool>,
    pub camera: Option<String>,
    /// The time limit of an episode, in steps.
    pub steps_max: u32,
    /// Further lines of the task file.
    pub reward: &'static str,
    pub views: Option<crossbeam_channel::Sender<ViewEvent>>,
    pub operator: Option<Receiver<actor::OperatorCommand>>,
    pub storage: Arc<dyn Storage>,
    /// The policy moves the arm along -x by so much of a step.
    pub policy_x: f32,
    /// There is a gripper, its commands are part of the task, the policy always opens it, and so long
    /// it takes between two changes.
    pub gripper: Option<Duration>,
    /// The second arm of a pair; the policy moves it half as far as the first.
    pub second: Option<Cell>,
    _folder: tempfile::TempDir,
}

pub fn demonstrate(demonstrations: u32) -> Program {
    Program { demonstrations, ..Program::default() }
}

pub fn label(labelling: u32) -> Program {
    Program { labelling, ..Program::default() }
}

pub fn train(env_steps_max: u64) -> Program {
    let training = Some(TrainingBudget { env_steps_max: Some(env_steps_max) });
    Program { training, ..Program::default() }
}

pub fn evaluate(evaluations: u32) -> Program {
    Program { evaluations, ..Program::default() }
}

impl Rig {
    pub fn new(program: Program) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = ActorConfig::new("test", folder.path().join("outbox"), 0);
        config.program = program;
        config.coupling = Coupling::Lockstep;
        config.arbiter =
            ArbiterConfig { engage_samples: 1, release_hold: Duration::from_millis(100) };
        config.drain_timeout = Duration::from_secs(5);
        config.uplink.backoff.first = Duration::from_millis(1);
        config.uplink.backoff.most = Duration::from_millis(5);
        let learner = Learner::new();
        learner.state().version = 1;
        Self {
            learner,
            config,
            status: StatusSlot::default(),
            clock: Arc::default(),
            shutdown: Arc::default(),
            camera: None,
            steps_max: STEPS_MAX,
            reward: "",
            views: None,
            operator: None,
            storage: Arc::new(DiskStorage),
            policy_x: -0.1,
            gripper: None,
            second: None,
            _folder: folder,
        }
    }

    pub fn task(&self) -> TaskConfig {
        let cameras = if self.camera.is_some() { "[\"wrist\"]" } else { "[]" };
        let gripper = match self.gripper {
            None => "",
            Some(_) => "proprio = [\"position\", \"gripper\"]\n[action]\ngripper = \"discrete\"\n",
        };
        let second = match self.second {
            None => "",
            Some(_) => {
                "[second.reset]\nposition_m = [0.52, 0.0, 0.1]\nrandom_m = [0.01, 0.01, 0.0]\n\
                 travel_z_m = 0.2\n"
            }
        };
        let text = format!(
            "name = \"test\"\ncameras = {cameras}\nepisode_steps = {}\n\
             [observation]\nimage_width = 8\nimage_height = 8\n{gripper}\
             [reset]\nposition_m = [0.5, 0.0, 0.1]\nrandom_m = [0.01, 0.01, 0.0]\n\
             travel_z_m = 0.2\n{second}{}\n",
            self.steps_max, self.reward
        );
        TaskConfig::from_toml(&text, "test.toml").expect("a valid task")
    }

    /// Runs the actor in a cell with these scripts until it ends.
    pub fn run(&mut self, scripts: &[&str]) -> (Cell, Result<Summary, ActorError>) {
        let cell = Cell::new(self.clock.clone(), self.shutdown.clone(), scripts);
        let outcome = self.run_in(&cell);
        (cell, outcome)
    }

    pub fn run_in(&mut self, cell: &Cell) -> Result<Summary, ActorError> {
        let (config, parts) = self.parts(cell);
        actor::run(config, parts, self.shutdown.clone())
    }

    /// Runs the actor in a cell whose script has the process die.
    pub fn crash(&mut self, scripts: &[&str]) {
        let run = AssertUnwindSafe(|| self.run(scripts).1);
        assert!(catch_unwind(run).is_err(), "the actor did not die");
    }

    pub fn parts(&self, cell: &Cell) -> (ActorConfig, ActorParts) {
        let camera = |script: &String| {
            Box::new(ScriptedCamera::new(self.clock.clone(), script)) as Box<dyn Camera>
        };
        let cameras: Vec<_> = self.camera.iter().map(camera).collect();
        let mut config = self.config.clone();
        self.learner.state().demonstrations_wanted = config.program.demonstrations;
        config.camera_age_max = vec![Duration::from_millis(200); cameras.len()];
        let push = Push {
            version: PolicyVersion(0),
            learner_step: LearnerStep(0),
            x: self.policy_x,
            grips: self.gripper.is_some(),
            arms: 1 + usize::from(self.second.is_some()),
        };
        let cells: Vec<&Cell> = iter::once(cell).chain(&self.second).collect();
        let gates: Vec<_> = cells.iter().map(|cell| self.gate(cell)).collect();
        if let [first, second] = gates.as_slice() {
            pair(first, second);
        }
        let mut clock: Arc<dyn Clock> = self.clock.clone();
        let mut arms = Vec::new();
        for (gate, cell) in gates.into_iter().zip(cells) {
            clock = gate.ticked(clock);
            arms.push(ArmParts::new(Box::new(gate), Some(Box::new(cell.clone()))));
        }
        let parts = ActorParts {
            clock,
            host_clock: match config.coupling {
                Coupling::Lockstep => self.clock.clone(),
                Coupling::Threads => Arc::new(wire::SystemClock::new()),
            },
            arms,
            encoder: self.camera.as_ref().map(|_| Box::new(Brightness) as Box<dyn Encoder>),
            cameras,
            fixture: Box::new(cell.clone()),
            success: Box::new(cell.clone()),
            link: self.learner.link(),
            storage: self.storage.clone(),
            load_policy: Box::new(move |snapshot| Ok(Box::new(push.of(snapshot)))),
            judge: (!self.reward.is_empty()).then(|| Box::new(cell.clone()) as Box<dyn Judge>),
            task: self.task(),
            views: self.views.clone(),
            operator: self.operator.clone(),
            status: self.status.clone(),
        };
        (config, parts)
    }

    fn gate(&self, cell: &Cell) -> Gate<Box<dyn Arm>> {
        let gate = Gate::new(Box::new(cell.clone()) as Box<dyn Arm>, limits());
        match self.gripper {
            None => gate,
            Some(change_min) => {
                let limits = GripperLimits { force_n: 20.0, speed_mps: 0.1, change_min };
                gate.with_gripper(Box::new(cell.clone()), limits)
            }
        }
    }

    /// What the learner has, one word per episode.
    ///
    /// Kind `D`, `T`, `E` or `L`, a colon; per step who drove: `p` the policy, `H` the person, `h` the
    /// person holding the arm still; then the end: `+` success, `L` time limit, `O` operator,
    /// `F` fault, `I` interrupted, `-` failure by a person's word, nothing while it goes on; then second
    /// thoughts: `x` taken back, `k` kept after all.
    pub fn recorded(&self) -> String {
        words(&self.learner.state())
    }

    #[track_caller]
    pub fn check(&mut self, scripts: &[&str], recorded: &str) -> Cell {
        let (cell, outcome) = self.run(scripts);
        outcome.expect("a run");
        assert_eq!(self.recorded(), recorded);
        self.check_successors();
        cell
    }

    /// Every observation was taken after the one before, and after the action it follows.
    pub fn check_successors(&self) {
        let state = self.learner.state();
        let mut last = None;
        for record in state.records.values() {
            if let RecordBody::Step(step) = &record.body {
                assert_eq!(Some(step.started_at), last, "{}", record.position);
            }
            if let Some(observation) = record.observation() {
                assert!(Some(observation.captured_at) > last, "{}", record.position);
                last = Some(observation.captured_at);
            }
        }
    }
}

fn words(state: &State) -> String {
    let mut words = String::new();
    for Record { body, .. } in state.records.values() {
        match body {
            RecordBody::EpisodeStart(start) => {
                words += match start.kind {
                    EpisodeKind::Demonstration => " D:",
                    EpisodeKind::Training => " T:",
                    EpisodeKind::Evaluation => " E:",
                    EpisodeKind::Labelling => " L:",
                };
            }
            RecordBody::Step(step) => {
                let still = step.commanded_action.as_slice().iter().all(|x| *x == 0.0);
                words += match (step.source, still) {
                    (ActionSource::Policy, _) => "p",
                    (ActionSource::Human, false) => "H",
                    (ActionSource::Human, true) => "h",
                };
            }
            RecordBody::EpisodeEnd(end) => {
                words += match (end.outcome, end.truncation) {
                    (Outcome::Success, None) => "+",
                    (Outcome::Failure, None) => "-",
                    (_, Some(TruncationCause::TimeLimit)) => "L",
                    (_, Some(TruncationCause::Operator)) => "O",
                    (_, Some(TruncationCause::Fault)) => "F",
                    (_, Some(TruncationCause::Interrupted)) => "I",
                    other => panic!("an episode ended with {other:?}"),
                };
            }
            RecordBody::Revision(revision) => {
                words += if revision.outcome == Outcome::Success { "k" } else { "x" };
            }
        }
    }
    words.trim().into()
}

fn limits() -> GateLimits {
    let [roll, pitch, yaw] = DOWN;
    GateLimits {
        linear: MotionLimits { speed_max: 0.5, acceleration_max: 13.0, jerk_max: 6500.0 },
        angular: MotionLimits { speed_max: 2.0, acceleration_max: 25.0, jerk_max: 12_500.0 },
        force: ForceLimits { back_off_m: 0.0, ..ForceLimits::default() },
        ..GateLimits::new(WorkspaceBox {
            min: Vector3::new(X_MIN, -0.2, 0.05),
            max: Vector3::new(0.6, 0.2, 0.3),
            orientation: UnitQuaternion::from_euler_angles(roll, pitch, yaw),
            tilt_max_rad: 0.5,
            yaw_max_rad: std::f64::consts::PI,
        })
    }
}

/// Pushes along -x of the base; with noise also a little along y. Opens the gripper if it has one. A second
/// arm goes half as far.
#[derive(Clone, Copy)]
struct Push {
    version: PolicyVersion,
    learner_step: LearnerStep,
    x: f32,
    grips: bool,
    arms: usize,
}

impl Push {
    fn of(self, snapshot: &PolicySnapshot) -> Self {
        Self { version: snapshot.version, learner_step: snapshot.learner_step, ..self }
    }
}

impl Policy for Push {
    fn version(&self) -> PolicyVersion {
        self.version
    }

    fn learner_step(&self) -> LearnerStep {
        self.learner_step
    }

    fn act(
        &mut self,
        _: &Observation,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Action, PolicyError> {
        let y = noise.map_or(0.0, |rng| rng.random_range(-0.1..0.1));
        let width = if self.grips { 7 } else { 6 };
        let part = |share: f32| {
            [share * self.x, share * y, 0.0, 0.0, 0.0, 0.0, 1.0].into_iter().take(width)
        };
        Ok(Action([1.0, 0.5].into_iter().take(self.arms).flat_map(part).collect()))
    }
}

struct Brightness;

impl Encoder for Brightness {
    fn hash(&self) -> WeightsHash {
        WeightsHash([7; 32])
    }

    fn encode(&mut self, frames: &[&Frame]) -> Result<Vec<Features>, PolicyError> {
        let features = |frame: &&Frame| Features {
            backbone: self.hash(),
            values: vec![u16::from(frame.pixels[0])].into(),
        };
        Ok(frames.iter().map(features).collect())
    }
}
