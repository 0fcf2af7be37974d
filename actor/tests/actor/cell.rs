//! A cell whose every moment is written in a script: one string per episode, one letter per step.
//!
//! `.` the hand rests · `H` it moves the arm along +x · `x` the device is lost · `s` as `.`, and the
//! task succeeds · `S` as `H`, and the task succeeds · `Q` as `.`, and the actor is told to end · `R` as `.`, and the arm stops by itself ·
//! `F` as `.`, and something presses hard against the tool · `E` as `.`, and the robot's own stop is
//! pressed · `c` as `.`, and the classifier is sure · `?` as `.`, and the classifier fails · `+` as `.`,
//! and the person says success · `-` as `c`, and the person says failure ·
//! `w` as `.`, and the operator gives the word that he was given · `A` as `.`, and the arm is away for a second · `C` the hand presses the button that closes
//! the gripper · `!` the process dies. The last string
//! holds for all further episodes, its last letter for all
//! further steps.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use actor::{Judge, OperatorCommand, policy::PolicyError};
use crossbeam_channel::Sender;
use drivers::{
    Arm, ArmError, ArmMode, ArmState, Camera, CameraError, CameraInfo, EpisodeBrief, Fixture,
    FixtureError, Gripper, GripperError, GripperState, SafeGrip, SafeTarget, Stamped, StopKind,
    SuccessSensor, Teleop, TeleopError, TeleopSample,
};
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use tasks::reward::ClassifierRule;
use wire::{
    Clock, Features, Frame, GripperCommand, ManualClock, Mark, Timestamp,
    geometry::{Pose, Twist, Wrench},
};

pub const DOWN: [f64; 3] = [std::f64::consts::PI, 0.0, 0.0];

pub struct World {
    clock: Arc<ManualClock>,
    shutdown: Arc<AtomicBool>,
    scripts: Vec<String>,
    briefs: Vec<EpisodeBrief>,
    prepared: Vec<EpisodeBrief>,
    step: usize,
    letter: char,
    pose: Pose,
    mode: ArmMode,
    away_until: Timestamp,
    stops: Vec<StopKind>,
    /// How far the gripper is open; it goes at once where it is told, unless it is stuck.
    opening: f64,
    stuck: bool,
    /// Share of the way to its target that the arm makes in one command.
    stiffness: f64,
    /// Where the arm was when it was sent where.
    commands: Vec<[Pose; 2]>,
    /// When it moved from where to where.
    moves: Vec<(Timestamp, [Pose; 2])>,
    word: Option<(Sender<OperatorCommand>, OperatorCommand)>,
}

#[derive(Clone)]
pub struct Cell(Arc<Mutex<World>>);

impl Cell {
    pub fn new(clock: Arc<ManualClock>, shutdown: Arc<AtomicBool>, scripts: &[&str]) -> Self {
        let [roll, pitch, yaw] = DOWN;
        let rotation = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
        Self(Arc::new(Mutex::new(World {
            clock,
            shutdown,
            scripts: scripts.iter().map(ToString::to_string).collect(),
            briefs: vec![],
            prepared: vec![],
            step: 0,
            letter: '.',
            pose: Pose::from_parts(Translation3::new(0.5, 0.1, 0.1), rotation),
            mode: ArmMode::Idle,
            away_until: Timestamp(0),
            stops: vec![],
            opening: 0.0,
            stuck: false,
            stiffness: 1.0,
            commands: vec![],
            moves: vec![],
            word: None,
        })))
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What the operator says on the letter `w`.
    pub fn give_word(&self, say: Sender<OperatorCommand>, word: OperatorCommand) {
        self.world().word = Some((say, word));
    }

    pub fn briefs(&self) -> Vec<EpisodeBrief> {
        self.world().briefs.clone()
    }

    pub fn prepared(&self) -> Vec<EpisodeBrief> {
        self.world().prepared.clone()
    }

    /// The arm follows its targets softly from now on.
    pub fn soften(&self, stiffness: f64) {
        self.world().stiffness = stiffness;
    }

    /// The gripper stays as it is from now on.
    pub fn block_gripper(&self) {
        self.world().stuck = true;
    }

    pub fn opening(&self) -> f64 {
        self.world().opening
    }

    pub fn commands(&self) -> Vec<[Pose; 2]> {
        self.world().commands.clone()
    }

    pub fn moves(&self) -> Vec<(Timestamp, [Pose; 2])> {
        self.world().moves.clone()
    }

    pub fn stops(&self) -> Vec<StopKind> {
        self.world().stops.clone()
    }

    pub fn last_stop(&self) -> Option<StopKind> {
        self.world().stops.last().copied()
    }
}

impl World {
    fn stamped<T>(&self, value: T) -> Stamped<T> {
        Stamped { at: self.clock.now(), value }
    }

    fn next_letter(&mut self) -> char {
        let episode = self.briefs.len().saturating_sub(1).min(self.scripts.len() - 1);
        let letters: Vec<char> = self.scripts[episode].chars().collect();
        self.letter = letters[self.step.min(letters.len() - 1)];
        self.step += 1;
        self.letter
    }
}

impl Arm for Cell {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let world = self.world();
        Ok(world.stamped(ArmState {
            mode: if world.clock.now() < world.away_until {
                ArmMode::Disconnected
            } else {
                world.mode
            },
            tcp_pose: world.pose,
            twist: Twist { linear: Vector3::zeros(), angular: Vector3::zeros() },
            joints: vec![],
            joint_velocities: vec![],
            wrench: Some(Wrench {
                force: Vector3::z() * if world.letter == 'F' { 40.0 } else { 0.0 },
                torque: Vector3::zeros(),
            }),
            gripper: None,
        }))
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        let mut world = self.world();
        if matches!(world.mode, ArmMode::Stopped | ArmMode::Reflex | ArmMode::EmergencyStop) {
            return Err(ArmError::NeedsOperator("stopped".into()));
        }
        world.mode = ArmMode::Running;
        let before = world.pose;
        world.pose = before.lerp_slerp(target.pose(), world.stiffness);
        world.commands.push([before, *target.pose()]);
        let move_made = (world.clock.now(), [before, world.pose]);
        world.moves.push(move_made);
        Ok(())
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        let mut world = self.world();
        world.stops.push(how);
        if how == StopKind::Controlled {
            world.mode = ArmMode::Stopped;
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        self.world().mode = ArmMode::Idle;
        Ok(())
    }
}

impl Gripper for Cell {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        let world = self.world();
        Ok(world.stamped(GripperState { opening: world.opening }))
    }

    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        let mut world = self.world();
        if !world.stuck {
            world.opening = if grip.opens() { 1.0 } else { 0.0 };
        }
        Ok(())
    }
}

impl Teleop for Cell {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        let mut world = self.world();
        let letter = world.next_letter();
        let moves = matches!(letter, 'H' | 'S');
        let mut twist = [0.0; 6];
        twist[0] = if moves { 0.5 } else { 0.0 };
        let (gripper, engaged) = match letter {
            'C' => (GripperCommand::Close, true),
            _ => (GripperCommand::Stay, moves),
        };
        match letter {
            '!' => panic!("the process dies"),
            'x' => return Err(TeleopError::Gone("pulled".into())),
            'Q' => world.shutdown.store(true, Ordering::SeqCst),
            'w' => {
                let (say, word) = world.word.as_ref().expect("it was given one");
                say.send(*word).expect("somebody listens");
            }
            'R' => world.mode = ArmMode::Reflex,
            'E' => world.mode = ArmMode::EmergencyStop,
            'A' => world.away_until = world.clock.now() + std::time::Duration::from_secs(1),
            _ => {}
        }
        Ok(world.stamped(TeleopSample { twist, gripper, engaged }))
    }

    fn mark(&mut self) -> Option<Mark> {
        match self.world().letter {
            '+' => Some(Mark::Success),
            '-' => Some(Mark::Failure),
            _ => None,
        }
    }

    fn announce(&mut self, brief: &EpisodeBrief) {
        let mut world = self.world();
        world.briefs.push(*brief);
        world.step = 0;
        world.letter = '.';
    }
}

impl Fixture for Cell {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError> {
        let mut world = self.world();
        world.letter = '.';
        world.prepared.push(*brief);
        Ok(())
    }
}

impl SuccessSensor for Cell {
    fn succeeded(&mut self) -> bool {
        matches!(self.world().letter, 's' | 'S')
    }
}

impl Judge for Cell {
    fn rule(&self) -> ClassifierRule {
        ClassifierRule { thresholds: vec![0.5], success: 0, staged: false }
    }

    fn judge(&mut self, features: &[Features]) -> Result<Vec<f32>, PolicyError> {
        assert_eq!(features.len(), 1, "it is given what the policy is given");
        match self.world().letter {
            '?' => Err("out of order".into()),
            'c' | '-' => Ok(vec![0.75]),
            _ => Ok(vec![0.25]),
        }
    }
}

/// A camera whose picture tells the time; stale in the steps that its script marks with `-`, the
/// same as before in those marked with `=`, though it says that it is new.
pub struct ScriptedCamera {
    info: CameraInfo,
    clock: Arc<ManualClock>,
    script: String,
    looks: usize,
    shade: u8,
}

impl ScriptedCamera {
    pub fn new(clock: Arc<ManualClock>, script: &str) -> Self {
        let info = CameraInfo { name: "wrist".into(), width: 8, height: 8, noiseless: false };
        Self { info, clock, script: script.into(), looks: 0, shade: 0 }
    }
}

impl Camera for ScriptedCamera {
    fn info(&self) -> &CameraInfo {
        &self.info
    }

    fn latest(&mut self, max_age: std::time::Duration) -> Result<Stamped<Frame>, CameraError> {
        let letter = self.script.chars().nth(self.looks);
        let stale = letter == Some('-');
        self.looks += 1;
        let camera = self.info.name.clone();
        if stale {
            return Err(CameraError::Stale { camera, age: max_age * 2 });
        }
        let at = self.clock.now();
        if letter != Some('=') {
            self.shade = (at.0 / 100_000_000 % 256) as u8;
        }
        let frame = Frame::new(8, 8, vec![self.shade; 8 * 8 * 3]).expect("8 x 8 x 3 bytes");
        Ok(Stamped { at, value: frame })
    }
}
