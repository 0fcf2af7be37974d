//! The physical state of the cell: MuJoCo's model and data, the controller at 500 Hz, the target
//! and its lease. Knows no thread and reads no clock: whoever holds it says how far time has come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drivers::{ArmError, ArmMode, ArmState, Compliance, SafeGrip, SafeTarget, Stamped};
use mujoco_rs::prelude::{MjData, MjModel, MjtObjBase};
use nalgebra::{Matrix3, Quaternion, Rotation3, Translation3, UnitQuaternion, Vector3};
use wire::{
    EpisodeId, Timestamp,
    geometry::{Pose, Twist, Wrench},
};

use crate::{
    error::SimError,
    home,
    impedance::{self, ArmMotion, ImpedanceConfig, JOINTS, Jacobian, Joints},
    jaws::{self, Jaws},
    scene::{self, Preset, TICK_NS, pick_cube, usb},
    truth_log::{Happening, TruthLog},
};

/// The measured wrench follows the contact forces with this time constant (s), as a real sensor's
/// filter does.
const WRENCH_FILTER_S: f64 = 0.02;
/// Physics that fell behind further than this is dropped, not caught up.
const LAG_MAX_NS: u64 = 100_000_000;
const GRAVITY: f64 = 9.81;
/// The socket moves only while the tip is at least this far above its top (m).
const CLEAR_HEIGHT_M: f64 = 0.003;

/// The world as its users share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn downgrade(&self) -> std::sync::Weak<Mutex<World>> {
        Arc::downgrade(&self.0)
    }

    pub fn upgrade(weak: &std::sync::Weak<Mutex<World>>) -> Option<Self> {
        weak.upgrade().map(Self)
    }
}

/// What a picture is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenery {
    /// Of everything that has joints: the arm, and a gripper and a loose piece where there are.
    pub positions: Vec<f64>,
    /// Of what the fixture moves.
    pub blocks: Vec<Pose>,
}

/// In the state of a scene with a gripper, behind the arm's joints: two jaws, then the loose piece.
const JAWS: [usize; 2] = [JOINTS, JOINTS + 1];
const PIECE: usize = JOINTS + 2;

/// Where things are put for an episode.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// What the fixture moves, in the order of the scene.
    pub blocks: Vec<Pose>,
    pub piece: Option<Pose>,
}

/// What the controller follows.
#[derive(Clone, Copy, Debug)]
struct Goal {
    pose: Pose,
    /// None while the arm holds by itself.
    lease_until: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct World {
    data: MjData<Arc<MjModel>>,
    preset: Preset,
    controller: ImpedanceConfig,
    home: Joints,
    tcp_site: usize,
    sensor_site: usize,
    hand_body: usize,
    /// None where the tool is a peg.
    jaws: Option<Jaws>,
    ticks: u64,
    /// Physics time that was dropped because the machine was too slow for the wall clock.
    dropped_ns: u64,
    now: Timestamp,
    mode: ArmMode,
    goal: Goal,
    /// The goal after the target filter.
    followed: Pose,
    motion: ArmMotion,
    wrench: Wrench,
    /// Where the socket is to go as soon as the tool is out of it.
    pending_socket: Option<Pose>,
    /// Height at which the loose piece was when the episode began.
    piece_start_z: f64,
    episode: Option<EpisodeId>,
    /// The last episode in which the peg was seen seated.
    succeeded_in: Option<EpisodeId>,
    pub truth_log: Option<TruthLog>,
}

impl World {
    pub fn new(
        model: Arc<MjModel>,
        preset: Preset,
        controller: ImpedanceConfig,
    ) -> Result<Self, SimError> {
        let find = |kind, name: &str| {
            model
                .name_to_id(kind, name)
                .ok_or_else(|| SimError::Scene(format!("nothing there is called {name}")))
        };
        let tcp_site = find(MjtObjBase::mjOBJ_SITE, "tcp")?;
        let sensor_site = find(MjtObjBase::mjOBJ_SITE, "tool_sensor")?;
        let hand_body = find(MjtObjBase::mjOBJ_BODY, "hand")?;
        let freedom = if preset.grips() { PIECE + 6 } else { JOINTS };
        if model.nv() as usize != freedom || model.nsensordata() != 6 {
            return Err(SimError::Scene("the arm must have seven joints and one wrench".into()));
        }
        let jaws = preset.grips().then(Jaws::open);

        let mut data =
            MjData::try_new(model).map_err(|e| SimError::Scene(format!("no memory: {e}")))?;
        let home = home::solve(&mut data, tcp_site, &preset.home());
        data.qpos_mut()[..JOINTS].copy_from_slice(home.as_slice());
        if jaws.is_some() {
            JAWS.iter().for_each(|&jaw| data.qpos_mut()[jaw] = pick_cube::STROKE_M);
        }
        data.step1();
        let motion = measure(&data, tcp_site);
        let start = motion.tcp_pose;
        Ok(Self {
            data,
            preset,
            controller,
            home,
            tcp_site,
            sensor_site,
            hand_body,
            jaws,
            ticks: 0,
            dropped_ns: 0,
            now: Timestamp(0),
            mode: ArmMode::Idle,
            goal: Goal { pose: start, lease_until: None },
            followed: start,
            motion,
            wrench: Wrench::default(),
            pending_socket: None,
            piece_start_z: 0.0,
            episode: None,
            succeeded_in: None,
            truth_log: None,
        })
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Steps the physics up to `deadline`; nothing when that has passed.
    pub fn advance_to(&mut self, deadline: Timestamp) {
        while self.physics_ns() + TICK_NS <= deadline.0 {
            self.tick();
        }
        self.now = self.now.max(deadline);
    }

    /// As `advance_to`, but time that lies too far back is dropped; true when that happened.
    pub fn catch_up_to(&mut self, deadline: Timestamp) -> bool {
        let lag = deadline.0.saturating_sub(self.physics_ns());
        let late = lag > LAG_MAX_NS;
        if late {
            self.dropped_ns += lag;
        }
        self.advance_to(deadline);
        late
    }

    fn physics_ns(&self) -> u64 {
        self.ticks * TICK_NS + self.dropped_ns
    }

    /// 2 ms: lease, socket, controller, physics.
    fn tick(&mut self) {
        let at = Timestamp(self.physics_ns());
        if self.goal.lease_until.is_some_and(|until| at >= until) {
            self.hold(ArmMode::Holding);
        }
        self.place_pending_socket();

        self.followed =
            impedance::filtered(&self.followed, &self.goal.pose, self.controller.target_filter);
        let tau = impedance::torques(&self.controller, &self.home, &self.motion, &self.followed);
        let bias = Joints::from_column_slice(&self.data.qfrc_bias()[..JOINTS]);
        let tau = impedance::limited(&(tau + bias));
        self.data.qfrc_applied_mut()[..JOINTS].copy_from_slice(tau.as_slice());
        if let Some(jaws) = &mut self.jaws {
            let forces = jaws.forces(JAWS.map(|jaw| self.data.qpos()[jaw]));
            for (jaw, force) in JAWS.into_iter().zip(forces) {
                self.data.qfrc_applied_mut()[jaw] = force;
            }
        }

        // After `step2` the positions are new but nothing is derived from them; `step1` does that,
        // so that between two ticks everything that is read belongs together.
        self.data.step2();
        self.sense_wrench();
        self.data.step1();
        self.motion = measure(&self.data, self.tcp_site);
        self.ticks += 1;
        if self.succeeded() && self.succeeded_in != self.episode {
            self.succeeded_in = self.episode;
            if let Some(episode) = self.episode {
                let at = Timestamp(self.physics_ns());
                self.log(|| Happening::Seated { at, episode });
            }
        }
    }

    /// The sensor's reading as what the environment does to the tool, at the TCP, base frame. The
    /// tool's weight is taken out; its inertia is not.
    fn sense_wrench(&mut self) {
        let reading = self.data.sensordata();
        let rotation = matrix(&self.data.site_xmat()[self.sensor_site]);
        let sensor = Vector3::from(self.data.site_xpos()[self.sensor_site]);
        let tcp = Vector3::from(self.data.site_xpos()[self.tcp_site]);
        let weight = Vector3::new(0.0, 0.0, -self.preset.tool_mass_kg() * GRAVITY);
        let centre = (sensor + tcp) / 2.0;

        let held = rotation * Vector3::new(reading[0], reading[1], reading[2]);
        let held_torque = rotation * Vector3::new(reading[3], reading[4], reading[5]);
        let force = -held - weight;
        let torque_at_sensor = -held_torque - (centre - sensor).cross(&weight);
        let torque = torque_at_sensor + (sensor - tcp).cross(&force);

        let share = TICK_NS as f64 * 1e-9 / WRENCH_FILTER_S;
        self.wrench.force += (force - self.wrench.force) * share;
        self.wrench.torque += (torque - self.wrench.torque) * share;
    }

    /// The arm keeps the pose it has.
    pub fn hold(&mut self, mode: ArmMode) {
        let here = self.motion.tcp_pose;
        self.goal = Goal { pose: here, lease_until: None };
        self.followed = here;
        self.mode = mode;
    }

    pub fn command(&mut self, target: &SafeTarget) -> Result<(), ArmError> {
        if self.is_stopped() {
            return Err(ArmError::NeedsOperator("it was stopped".into()));
        }
        let at = self.now;
        self.log(|| Happening::Commanded { at, target: *target.pose() });
        self.goal = Goal { pose: *target.pose(), lease_until: Some(target.valid_until()) };
        self.mode = ArmMode::Running;
        Ok(())
    }

    pub fn is_stopped(&self) -> bool {
        self.mode == ArmMode::Stopped
    }

    pub fn recover(&mut self) {
        if self.is_stopped() {
            self.hold(ArmMode::Idle);
        }
    }

    /// One clip serves all axes: the tightest.
    pub fn set_compliance(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        let set: Vec<_> = compliance.iter().filter(|(name, _)| name.ends_with("_Ki")).collect();
        if let Some((name, _)) = set.into_iter().find(|(_, value)| *value != 0.0) {
            return Err(ArmError::Unsupported(format!("its controller has no {name}")));
        }
        let clip = |kind: &str| {
            let clips = compliance.iter().filter(|(name, _)| name.starts_with(kind));
            clips.map(|(_, value)| value).reduce(f64::min)
        };
        let controller = &mut self.controller;
        for (value, wanted) in [
            (&mut controller.stiffness_linear, compliance.get("translational_stiffness")),
            (&mut controller.damping_linear, compliance.get("translational_damping")),
            (&mut controller.stiffness_angular, compliance.get("rotational_stiffness")),
            (&mut controller.damping_angular, compliance.get("rotational_damping")),
            (&mut controller.nullspace_stiffness, compliance.get("nullspace_stiffness")),
            (&mut controller.clip_linear, clip("translational_clip")),
            (&mut controller.clip_angular, clip("rotational_clip")),
        ] {
            *value = wanted.unwrap_or(*value);
        }
        Ok(())
    }

    pub fn arm_state(&self) -> Result<Stamped<ArmState>, ArmError> {
        // MuJoCo resets a state that is not finite, its time included.
        if (self.data.time() - self.ticks as f64 * TICK_NS as f64 * 1e-9).abs() > 1e-3 {
            return Err(ArmError::Gone(
                "the simulated physics diverged: start the cell again".into(),
            ));
        }
        let twist = self.motion.jacobian * self.motion.joint_velocities;
        let state = Stamped {
            at: self.now,
            value: ArmState {
                mode: self.mode,
                tcp_pose: self.motion.tcp_pose,
                twist: Twist {
                    linear: twist.fixed_rows::<3>(0).into(),
                    angular: twist.fixed_rows::<3>(3).into(),
                },
                joints: self.motion.joints.iter().copied().collect(),
                joint_velocities: self.motion.joint_velocities.iter().copied().collect(),
                wrench: Some(self.wrench),
                gripper: None,
            },
        };
        if let Some(truth) = &self.truth_log {
            truth.measured(state.at, &state.value);
        }
        Ok(state)
    }

    pub fn log(&self, happening: impl FnOnce() -> Happening) {
        if let Some(truth) = &self.truth_log {
            truth.write(&happening());
        }
    }

    /// At the TCP, where the arm is now.
    pub fn jacobian(&self) -> &Jacobian {
        &self.motion.jacobian
    }

    /// Origins of base, joints, hand and TCP (m, base frame).
    pub fn skeleton(&self) -> Vec<[f64; 3]> {
        let joints = self.data.xanchor().iter().copied();
        let ends = [self.data.xpos()[self.hand_body], self.data.site_xpos()[self.tcp_site]];
        std::iter::once([0.0; 3]).chain(joints).chain(ends).collect()
    }

    pub fn tcp_pose(&self) -> Pose {
        self.motion.tcp_pose
    }

    pub fn wrench(&self) -> Wrench {
        self.wrench
    }

    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// How far the gripper is open, if there is one.
    pub fn opening(&self) -> Option<f64> {
        self.jaws.map(|_| jaws::opening(JAWS.map(|jaw| self.data.qpos()[jaw])))
    }

    pub fn grip(&mut self, grip: &SafeGrip) {
        let (at, opens) = (self.now, grip.opens());
        self.log(|| Happening::Gripped { at, opens });
        if let Some(jaws) = &mut self.jaws {
            jaws.command(grip);
        }
    }

    /// The middle of the cube, or of the end of the stick's plug; `None` in a scene without either.
    pub fn piece_pose(&self) -> Option<Pose> {
        let [x, y, z, w, i, j, k] = *self.data.qpos().get(PIECE..)?.first_chunk()?;
        let rotation = UnitQuaternion::from_quaternion(Quaternion::new(w, i, j, k));
        Some(Pose::from_parts(Translation3::new(x, y, z), rotation))
    }

    /// The middle of the socket's top, z up, base frame. Only in a scene with a socket.
    pub fn socket_pose(&self) -> Pose {
        self.block_pose(0)
    }

    fn block_pose(&self, block: usize) -> Pose {
        let [w, x, y, z] = self.data.mocap_quat()[block];
        let rotation = UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z));
        Pose::from_parts(Translation3::from(Vector3::from(self.data.mocap_pos()[block])), rotation)
    }

    /// What is to be inserted, in the socket frame: the TCP, or the stick.
    pub fn relative_pose(&self) -> Pose {
        self.socket_pose().inv_mul(&self.piece_pose().unwrap_or(self.motion.tcp_pose))
    }

    /// Whether the task is done: the peg is seated, the cube lifted, or the stick seated and let go.
    pub fn succeeded(&self) -> bool {
        match (self.preset, self.piece_pose()) {
            (Preset::PickCube, Some(cube)) => {
                cube.translation.z - self.piece_start_z > pick_cube::LIFT_M
            }
            (_, Some(_)) => self.is_seated() && self.opening() > Some(usb::RELEASED),
            (_, None) => self.is_seated(),
        }
    }

    /// Whether the task cannot be done any more in this episode.
    pub fn lost(&self) -> bool {
        match (self.preset, self.piece_pose()) {
            (Preset::PickCube, Some(cube)) => !pick_cube::is_within_reach(&cube),
            (_, Some(stick)) => !usb::can_be_grasped(&stick),
            (_, None) => false,
        }
    }

    /// Whether the peg is in its socket.
    pub fn is_seated(&self) -> bool {
        self.preset.is_seated(&self.relative_pose())
    }

    pub fn succeeded_in(&self) -> Option<EpisodeId> {
        self.succeeded_in
    }

    /// Depth of the deepest contact (m); 0 without one.
    pub fn penetration_m(&self) -> f64 {
        self.data.contact().iter().map(|contact| -contact.dist).fold(0.0, f64::max)
    }

    pub fn scenery(&self) -> (Timestamp, Scenery) {
        let blocks = (0..self.data.mocap_pos().len()).map(|block| self.block_pose(block)).collect();
        (self.now, Scenery { positions: self.data.qpos().to_vec(), blocks })
    }

    /// Begins an episode with everything in its place. While a tool that cannot let go is still in or
    /// near the old place, its socket waits for it to leave.
    pub fn prepare(&mut self, episode: EpisodeId, places: &Places) {
        self.log(|| Happening::Prepared { episode });
        self.episode = Some(episode);
        match (&places.piece, &places.blocks[..]) {
            (None, [socket]) => {
                self.pending_socket = Some(*socket);
                if self.place_pending_socket() {
                    self.data.step1();
                }
            }
            (None, _) => {}
            (Some(piece), blocks) => {
                for (block, place) in blocks.iter().enumerate() {
                    put_block(&mut self.data, block, place);
                }
                self.put_piece(piece);
            }
        }
    }

    /// Whatever holds the loose piece, it is at rest in its place now.
    fn put_piece(&mut self, place: &Pose) {
        let (at, q) = (place.translation.vector, place.rotation);
        self.data.qpos_mut()[PIECE..].copy_from_slice(&[at.x, at.y, at.z, q.w, q.i, q.j, q.k]);
        self.data.qvel_mut()[PIECE..].fill(0.0);
        self.piece_start_z = at.z;
        self.data.step1();
        self.motion = measure(&self.data, self.tcp_site);
    }

    fn place_pending_socket(&mut self) -> bool {
        if self.jaws.is_some() || self.relative_pose().translation.z < CLEAR_HEIGHT_M {
            return false;
        }
        let Some(socket) = self.pending_socket.take() else {
            return false;
        };
        put_block(&mut self.data, 0, &socket);
        true
    }
}

pub(crate) fn load(preset: Preset, frame_size: (u16, u16)) -> Result<Arc<MjModel>, SimError> {
    MjModel::from_xml_string(&scene::mjcf(preset, frame_size))
        .map(Arc::new)
        .map_err(|e| SimError::Scene(e.to_string()))
}

/// Moves a block of a state; what follows from that is computed by the next step.
pub(crate) fn put_block(data: &mut MjData<Arc<MjModel>>, block: usize, place: &Pose) {
    let q = place.rotation;
    data.mocap_pos_mut()[block] = place.translation.vector.into();
    data.mocap_quat_mut()[block] = [q.w, q.i, q.j, q.k];
}

/// Positions, velocities and the Jacobian at the TCP, as the last `step1` left them.
pub(crate) fn measure(data: &MjData<Arc<MjModel>>, tcp_site: usize) -> ArmMotion {
    let (linear, angular) = data.jac_site(true, true, tcp_site);
    let freedom = data.qvel().len();
    let rows = linear.chunks_exact(freedom).chain(angular.chunks_exact(freedom));
    let mut jacobian = Jacobian::zeros();
    for (mut row, values) in jacobian.row_iter_mut().zip(rows) {
        row.copy_from_slice(&values[..JOINTS]);
    }
    let rotation = Rotation3::from_matrix_unchecked(matrix(&data.site_xmat()[tcp_site]));
    ArmMotion {
        joints: Joints::from_column_slice(&data.qpos()[..JOINTS]),
        joint_velocities: Joints::from_column_slice(&data.qvel()[..JOINTS]),
        jacobian,
        tcp_pose: Pose::from_parts(
            Translation3::from(Vector3::from(data.site_xpos()[tcp_site])),
            UnitQuaternion::from_rotation_matrix(&rotation),
        ),
    }
}

fn matrix(rows: &[f64; 9]) -> Matrix3<f64> {
    Matrix3::from_row_slice(rows)
}
