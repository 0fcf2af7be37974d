//! The thread that speaks with the robot: reads its states, a thousand a second, and answers each with
//! torques while the robot is under control.
//!
//! In a cycle it allocates nothing and waits for nothing but the next state. What it shares with others
//! is behind a lock that it only tries: where somebody holds it, this cycle goes on with the orders of
//! the one before. A lease ends by the clock, not by an order.

use std::sync::{MutexGuard, TryLockError, mpsc::SyncSender};
use std::{sync::Arc, time::Duration};

use franka::{
    ActiveTorqueControl, Frame, FrankaError as Said, JointPositions, MoveControllerMode,
    RealtimeConfig, Robot, RobotMode, RobotState, Torques, motion_finished,
};
use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};
use wire::{
    Timestamp,
    geometry::{Pose, Twist, Wrench},
};

use super::{
    FrankaConfig, FrankaError, Shared,
    law::{JOINTS, Jacobian, Joints, Law, Motion},
    realtime,
    status::{FrankaFault, Orders, Seen, Session, Status},
    timing::Timing,
};
use crate::arm::{ArmError, shared::Recovery};

const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Before control is given back the arm comes to rest: so slow (rad/s), or for so long.
const REST_RADPS: f64 = 0.01;
const REST_WITHIN: Duration = Duration::from_millis(400);
/// Of the shortest joint reset.
const RESET_MIN_S: f64 = 1.0;

pub(super) struct Driver {
    pub config: FrankaConfig,
    pub shared: Arc<Shared>,
    pub timing: Arc<Timing>,
}

/// What comes next while no torques are sent.
enum Next {
    Quit,
    Start,
    Reset([f64; JOINTS]),
    Nothing,
}

impl Driver {
    /// Runs until the driver is dropped. Says whether the first connection is there.
    pub fn run(self, first: SyncSender<Result<(), FrankaError>>) {
        let mut first = Some(first);
        if let Err(error) = self.prepare() {
            _ = first.take().map(|first| first.send(Err(error)));
            return;
        }
        loop {
            match self.open() {
                Ok(session) => {
                    {
                        let mut status = self.shared.lock();
                        (status.linked, status.session) = (true, Some(session.clone()));
                    }
                    if self.watch(&session, &mut first) {
                        return;
                    }
                    self.lose_link();
                }
                Err(error) => {
                    if let Some(first) = first.take() {
                        _ = first.send(Err(error));
                        return;
                    }
                    tracing::debug!("no link to the Franka: {error}");
                }
            }
            let status = self.shared.lock();
            let quits = |status: &mut Status| !status.quits;
            if self.shared.wait_for_news(status, RETRY_AFTER, quits).quits {
                return;
            }
        }
    }

    fn prepare(&self) -> Result<(), FrankaError> {
        let missing = realtime::prepare();
        if self.config.real_time && !missing.is_empty() {
            return Err(FrankaError::RealTime(missing.join("; ")));
        }
        for missing in missing {
            tracing::warn!("the Franka's loop of 1 ms may be late: {missing} (docs/hardware.md)");
        }
        Ok(())
    }

    fn open(&self) -> Result<Session, FrankaError> {
        let host = &self.config.host;
        let reach = |source| FrankaError::Reach { host: host.clone(), source: Box::new(source) };
        // What it asks of the machine is asked for already.
        let robot = Robot::new_with_log_size(host, RealtimeConfig::Ignore, 0).map_err(reach)?;
        let model = robot.load_model().map_err(reach)?;
        let version = robot.server_version();
        tracing::info!("Franka at {host} speaks FCI version {version}");
        Ok(Session { robot: Arc::new(robot), model: Arc::new(model) })
    }

    fn lose_link(&self) {
        let mut status = self.shared.lock();
        (status.linked, status.session) = (false, None);
        status.fail(FrankaFault::LinkLost);
        status.give_up(&ArmError::Gone("the link to the robot was lost".into()));
        self.shared.news.notify_all();
    }

    /// Until the link is lost, or the driver is dropped: then true.
    fn watch(
        &self,
        session: &Session,
        first: &mut Option<SyncSender<Result<(), FrankaError>>>,
    ) -> bool {
        loop {
            let state = match session.robot.read_once() {
                Ok(state) => state,
                Err(error) => {
                    tracing::warn!("the Franka says nothing more: {error}");
                    return false;
                }
            };
            let next = self.see(session, &state, first.is_some());
            if let Some(first) = first.take() {
                _ = first.send(Ok(()));
            }
            let mut ended = Ok(());
            match next {
                Next::Quit => return true,
                Next::Nothing => {}
                Next::Start => ended = self.drive(session),
                Next::Reset(joints) => ended = self.reset(session, joints),
            }
            if let Err(error) = ended {
                self.ended(&error);
                if matches!(error, Said::Network(_)) {
                    return false;
                }
            }
        }
    }

    fn see(&self, session: &Session, state: &RobotState, is_first: bool) -> Next {
        let seen = seen(session, state);
        let mut status = self.shared.lock();
        status.see(self.shared.clock.now(), seen);
        self.shared.news.notify_all();
        if is_first {
            // Nobody commands it yet, so it may hold itself; one with a fault waits to be recovered.
            match seen.mode {
                RobotMode::Idle | RobotMode::Move => status.starts = true,
                RobotMode::Reflex | RobotMode::UserStopped => {}
                mode => {
                    let why = format!("it is in the mode \"{mode}\"");
                    status.fail(FrankaFault::NotReady(why));
                }
            }
        }
        match status.reset {
            _ if status.quits => Next::Quit,
            _ if status.stopped && !matches!(status.recovery, Recovery::UnderWay) => Next::Nothing,
            Some(joints) => Next::Reset(joints),
            None if status.starts => Next::Start,
            None => Next::Nothing,
        }
    }

    /// A motion ended by itself.
    fn ended(&self, error: &Said) {
        let fault = FrankaFault::of(error);
        tracing::warn!("the Franka's motion ended: {error}");
        let mut status = self.shared.lock();
        let recovering = matches!(status.recovery, Recovery::UnderWay);
        let why = fault.to_string();
        status.fail(fault);
        if recovering && status.fault != Some(FrankaFault::UserStop) {
            status.fault = Some(FrankaFault::NotRecovered(why.clone()));
        }
        status.give_up(&ArmError::NeedsOperator(why));
        self.shared.news.notify_all();
    }

    /// Sends torques until it is told to end, or the robot ends it.
    fn drive(&self, session: &Session) -> Result<(), Said> {
        let FrankaConfig { collision_force_n, collision_torque_nm, .. } = self.config;
        // Contact and collision at the same thresholds, in motion and at rest.
        session.robot.set_collision_behavior_simple(
            [collision_torque_nm; 7],
            [collision_torque_nm; 7],
            [collision_force_n; 6],
            [collision_force_n; 6],
        )?;
        let mut control = session.robot.start_torque_control()?;
        let (state, _) = control.read_once()?;
        let seen = seen(session, &state);
        let motion = motion(session, &state, &seen);
        let mut orders = {
            let mut status = self.shared.lock();
            status.under_control();
            self.shared.news.notify_all();
            status.orders()
        };
        let mut law = Law::new(orders.parameters, &motion);
        let torques = law.step(&motion);
        control.write_once(&Torques::new(torques.into()))?;
        let mut leash = Leash::default();
        while self.cycle(session, &mut control, &mut law, &mut orders, &mut leash)? {}
        Ok(())
    }

    /// One state and its answer. False when that was the last one.
    fn cycle(
        &self,
        session: &Session,
        control: &mut ActiveTorqueControl<'_>,
        law: &mut Law,
        orders: &mut Orders,
        leash: &mut Leash,
    ) -> Result<bool, Said> {
        let (state, since) = control.read_once()?;
        let began = self.shared.clock.now();
        let seen = seen(session, &state);
        if let Some(mut status) = self.try_lock() {
            status.see(began, seen);
            *orders = status.orders();
            drop(status);
            self.shared.news.notify_all();
        }
        law.parameters = orders.parameters;
        let ends = orders.quits || orders.stopped || orders.resets;
        match orders.target {
            Some((pose, until)) if !ends && began < until => {
                law.aim(&pose);
                leash.held = false;
            }
            _ if leash.held => {}
            _ => {
                law.hold(&seen.tcp_pose);
                leash.held = true;
            }
        }
        let torques = Torques::new(law.step(&motion(session, &state, &seen)).into());
        let last = ends && leash.rests(began, &seen);
        control.write_once(&if last { motion_finished(torques) } else { torques })?;
        let took = self.shared.clock.now().since(began);
        self.timing.count(took, since.as_millis().saturating_sub(1));
        Ok(!last)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Status>> {
        match self.shared.status.try_lock() {
            Ok(status) => Some(status),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Brings the joints to where they are wanted, and then holds the arm there.
    fn reset(&self, session: &Session, goal: [f64; JOINTS]) -> Result<(), Said> {
        let arrived = self.bring(session, goal)?;
        let mut status = self.shared.lock();
        // Unless somebody stopped it.
        if arrived && status.reset.take().is_some() {
            status.reset_outcome = Some(Ok(()));
            status.starts = true;
        }
        self.shared.news.notify_all();
        Ok(())
    }

    /// By the robot's own joint controller, along a profile of least jerk. False where it was stopped.
    fn bring(&self, session: &Session, goal: [f64; JOINTS]) -> Result<bool, Said> {
        let mut control =
            session.robot.start_joint_position_control(MoveControllerMode::JointImpedance)?;
        let (state, _) = control.read_once()?;
        let (from, goal) = (Joints::from(state.q_d), Joints::from(goal));
        let lasts = reset_lasts(&(goal - from), self.config.reset_speed_radps);
        control.write_once(&JointPositions::new(from.into()), None)?;
        let mut time = 0.0;
        loop {
            let (state, since) = control.read_once()?;
            time += since.as_secs_f64();
            if let Some(mut status) = self.try_lock() {
                status.see(self.shared.clock.now(), seen(session, &state));
                self.shared.news.notify_all();
                if status.quits || status.reset.is_none() {
                    // The robot brakes when the motion is cancelled.
                    return Ok(false);
                }
            }
            let at = JointPositions::new((from + (goal - from) * least_jerk(time / lasts)).into());
            if time >= lasts {
                control.write_once(&motion_finished(at), None)?;
                return Ok(true);
            }
            control.write_once(&at, None)?;
        }
    }
}

/// Whether the arm is held where it is, and since when it is to come to rest.
struct Leash {
    held: bool,
    ends: Option<Timestamp>,
}

impl Default for Leash {
    fn default() -> Self {
        Self { held: true, ends: None }
    }
}

impl Leash {
    fn rests(&mut self, now: Timestamp, seen: &Seen) -> bool {
        let ends = *self.ends.get_or_insert(now);
        let still = seen.joint_velocities.iter().all(|speed| speed.abs() < REST_RADPS);
        still || now.since(ends) >= REST_WITHIN
    }
}

/// Seconds, so that no joint goes faster than `speed_max`.
pub(super) fn reset_lasts(way: &Joints, speed_max: f64) -> f64 {
    // The profile's highest speed is 15/8 of its mean.
    (way.amax() * 1.875 / speed_max).max(RESET_MIN_S)
}

/// Share of a way at a share of its time: at rest without acceleration at both ends.
pub(super) fn least_jerk(share: f64) -> f64 {
    let t = share.clamp(0.0, 1.0);
    t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)
}

fn seen(session: &Session, state: &RobotState) -> Seen {
    let tcp_pose = pose(&session.model.pose(Frame::EndEffector, state));
    let jacobian =
        Jacobian::from_column_slice(&session.model.zero_jacobian(Frame::EndEffector, state));
    let twist = jacobian * Joints::from(state.dq);
    Seen {
        tcp_pose,
        twist: Twist {
            linear: twist.fixed_rows::<3>(0).into(),
            angular: twist.fixed_rows::<3>(3).into(),
        },
        joints: state.q,
        joint_velocities: state.dq,
        wrench: wrench(&state.O_F_ext_hat_K, &tcp_pose, &state.EE_T_K),
        jacobian,
        mode: state.robot_mode,
        errors: if state.current_errors.any() {
            state.current_errors
        } else {
            state.last_motion_errors
        },
        in_error: state.current_errors.any(),
    }
}

fn motion(session: &Session, state: &RobotState, seen: &Seen) -> Motion {
    Motion {
        joints: Joints::from(state.q),
        joint_velocities: Joints::from(state.dq),
        jacobian: seen.jacobian,
        tcp_pose: seen.tcp_pose,
        coriolis: Joints::from(session.model.coriolis(state)),
        commanded: Joints::from(state.tau_J_d),
    }
}

/// From libfranka's sixteen numbers, column by column.
pub(super) fn pose(columns: &[f64; 16]) -> Pose {
    let [xx, xy, xz, _, yx, yy, yz, _, zx, zy, zz, _, x, y, z, _] = *columns;
    let rotation = Matrix3::new(xx, yx, zx, xy, yy, zy, xz, yz, zz);
    let rotation = Rotation3::from_matrix_unchecked(rotation);
    Pose::from_parts(Vector3::new(x, y, z).into(), UnitQuaternion::from_rotation_matrix(&rotation))
}

/// What is exerted on the tool, at the TCP. The robot estimates what the tool exerts, in the axes of the
/// base, at its stiffness frame.
pub(super) fn wrench(of_tool: &[f64; 6], tcp: &Pose, tcp_to_stiffness: &[f64; 16]) -> Wrench {
    let [fx, fy, fz, mx, my, mz] = *of_tool;
    let force = -Vector3::new(fx, fy, fz);
    let [.., x, y, z, _] = *tcp_to_stiffness;
    let lever = tcp.rotation * Vector3::new(x, y, z);
    Wrench { force, torque: -Vector3::new(mx, my, mz) + lever.cross(&force) }
}
