//! What the driver's threads share: the newest state, and what the server is to be told.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wire::{Clock, Timestamp, geometry::Pose};

use super::{
    GripperRoutes, Pace, SerlHttpConfig,
    call::{CallError, Caller},
    reply::{Answer, FlatOrder, Measured},
    routes,
    told::{Due, Told},
};

/// A joint reset takes up to 45 s.
const SLOW_TIMEOUT: Duration = Duration::from_secs(60);
/// A pose that was measured longer ago is not where the arm is.
const LATE: Duration = Duration::from_millis(100);
/// A thread that has nothing to do looks so often whether it should end.
const IDLE: Duration = Duration::from_millis(50);

/// The newest state.
#[derive(Debug, Default)]
pub struct Seen {
    pub measured: Option<(Timestamp, Measured)>,
    /// The last answer, and since when its joints have been the same.
    last: Option<(Answer, Timestamp)>,
    /// `/getstate` does not work, as without a gripper: the single routes are asked.
    singly: bool,
    order: FlatOrder,
    /// Why there is nothing newer.
    pub failure: Option<String>,
}

/// What the gripper is told: the wish, what it has, and what went wrong.
#[derive(Debug, Default)]
pub struct Grip {
    pub wanted: Option<bool>,
    told: Option<bool>,
    pub failure: Option<String>,
}

#[derive(Debug)]
pub struct Link {
    pub config: SerlHttpConfig,
    pub clock: TheClock,
    /// For the state.
    eye: Caller,
    /// For all that is told.
    pub hand: Caller,
    grip_hand: Caller,
    pub slow: Caller,
    pub seen: Mutex<Seen>,
    told: Mutex<Told>,
    pub grip: Mutex<Grip>,
    /// Held while a pose is on its way: none overtakes another.
    posting: Mutex<()>,
    pub bell: Condvar,
    pub grip_bell: Condvar,
    pub ended: AtomicBool,
}

/// A clock has nothing to show.
#[derive(Clone)]
pub struct TheClock(pub Arc<dyn Clock>);

impl std::fmt::Debug for TheClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a clock")
    }
}

impl Link {
    pub fn new(config: SerlHttpConfig, clock: Arc<dyn Clock>) -> Self {
        let caller = |timeout| Caller::new(&config.url, timeout);
        let (eye, hand, grip_hand) =
            (caller(config.timeout), caller(config.timeout), caller(config.timeout));
        Self {
            clock: TheClock(clock),
            eye,
            hand,
            grip_hand,
            slow: caller(SLOW_TIMEOUT),
            config,
            seen: Mutex::default(),
            told: Mutex::default(),
            grip: Mutex::default(),
            posting: Mutex::default(),
            bell: Condvar::new(),
            grip_bell: Condvar::new(),
            ended: AtomicBool::new(false),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.0.now()
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        lock(&self.told)
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.bell.notify_all();
        self.grip_bell.notify_all();
    }

    /// The server has given no new state for so long that it counts as gone.
    pub fn is_lost(&self, now: Timestamp) -> bool {
        let at = self.seen().measured.as_ref().map(|(at, _)| *at);
        at.is_none_or(|at| now.since(at) > self.config.timeout)
    }

    /// Why there is no new state.
    pub fn loss(&self) -> String {
        let failure = self.seen().failure.clone();
        let why = failure.unwrap_or_else(|| "its joints do not change in the least bit".into());
        format!("HIL-SERL's robot server at {} gives no new state: {why}", self.config.url)
    }

    /// Asks for the state once.
    pub fn poll(&self) -> Result<(), CallError> {
        // The state is not older than the question.
        let at = self.now();
        let singly = self.seen().singly;
        let asked = if singly { self.ask_singly() } else { self.ask() };
        let mut seen = self.seen();
        let outcome = asked.and_then(|(answer, singly)| {
            let mut order = seen.order;
            let measured = answer.measured(self.config.wrench, &mut order);
            let route = routes::GET_STATE;
            let measured = measured.map_err(|why| CallError::Strange { route, why })?;
            seen.order = order;
            seen.singly = singly;
            let since = match &seen.last {
                Some((last, since)) if last.is_same(&answer) => *since,
                _ => at,
            };
            seen.last = Some((answer, since));
            if self.config.stuck_after.is_none_or(|limit| at.since(since) < limit) {
                seen.measured = Some((at, measured));
            }
            Ok(())
        });
        seen.failure = outcome.as_ref().err().map(ToString::to_string);
        outcome
    }

    /// By `/getstate`, or by the single routes where that does not work and they do.
    fn ask(&self) -> Result<(Answer, bool), CallError> {
        match self.get(&self.eye, routes::GET_STATE) {
            Ok(answer) => Ok((answer, false)),
            Err(error) if error.is_lacking() => self.ask_singly().map_err(|_| error),
            Err(error) => Err(error),
        }
    }

    fn ask_singly(&self) -> Result<(Answer, bool), CallError> {
        let pose: Value = self.get(&self.eye, routes::GET_POS)?;
        let mut whole = json!({ "pose": pose["pose"] });
        for (route, key, optional) in [
            (routes::GET_VEL, "vel", true),
            (routes::GET_FORCE, "force", true),
            (routes::GET_TORQUE, "torque", true),
            (routes::GET_Q, "q", false),
            (routes::GET_DQ, "dq", true),
            (routes::GET_JACOBIAN, "jacobian", true),
        ] {
            match self.get::<Value>(&self.eye, route) {
                Ok(answer) => whole[key] = answer[key].clone(),
                // The others say nothing of their controller, this one does.
                Err(CallError::Status { status: 404 | 405, .. }) if optional => {}
                Err(error) => return Err(error),
            }
        }
        match self.get::<Value>(&self.eye, routes::GET_GRIPPER) {
            Ok(answer) => whole["gripper_pos"] = answer["gripper"].clone(),
            Err(error) if error.is_lacking() => {}
            Err(error) => return Err(error),
        }
        let strange = |e: serde_json::Error| CallError::Strange {
            route: routes::GET_POS,
            why: e.to_string(),
        };
        serde_json::from_value(whole).map(|answer| (answer, true)).map_err(strange)
    }

    fn get<T: DeserializeOwned>(
        &self,
        caller: &Caller,
        route: &'static str,
    ) -> Result<T, CallError> {
        let text = caller.post::<()>(route, None)?;
        serde_json::from_str(&text).map_err(|e| CallError::Strange { route, why: e.to_string() })
    }

    /// Tells the server what is due of the arm, if anything is.
    pub fn attend(&self) {
        let _posting = lock(&self.posting);
        let now = self.now();
        let lost = self.is_lost(now);
        let (due, number) = self.told().due(now, lost);
        let pose = match due {
            Due::Nothing => return,
            Due::Pose(pose) => pose,
            Due::Measured => match &self.seen().measured {
                Some((_, measured)) => measured.tcp_pose,
                None => return,
            },
        };
        let outcome = self.post_pose(&pose);
        // A hold that was long on its way tells the arm to go back: it is given again.
        let late = due == Due::Measured && self.now().since(now) > LATE;
        let mut told = self.told();
        match outcome {
            Ok(()) if late => told.failure = None,
            Ok(()) => told.posted(number),
            Err(error @ CallError::Status { .. }) => told.refuse(error.to_string()),
            Err(error) => told.failure = Some(error.to_string()),
        }
    }

    fn post_pose(&self, pose: &Pose) -> Result<(), CallError> {
        let (at, turn) = (pose.translation.vector, pose.rotation.coords);
        let arr = [at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w];
        self.hand.post(routes::POSE, Some(&json!({ "arr": arr }))).map(drop)
    }

    /// Before the error is cleared the arm is told to stay where it is: it must not jump to what it
    /// was told before.
    pub fn recover(&self) -> Result<(), CallError> {
        let _posting = lock(&self.posting);
        self.poll()?;
        let measured = self.seen().measured.as_ref().map(|(_, measured)| measured.tcp_pose);
        match measured.map(|pose| self.post_pose(&pose)) {
            // What does not follow takes no pose either.
            None | Some(Ok(()) | Err(CallError::Status { .. })) => {}
            Some(Err(error)) => return Err(error),
        }
        self.hand.post::<()>(routes::CLEAR_ERROR, None)?;
        self.told().recovered();
        Ok(())
    }

    /// Tells the gripper what it has not been told yet.
    pub fn attend_gripper(&self) {
        let (opens, first) = {
            let grip = lock(&self.grip);
            match grip.wanted {
                Some(opens) if grip.told != Some(opens) => (opens, grip.told.is_none()),
                _ => return,
            }
        };
        let outcome = self.post_grip(opens, first);
        let mut grip = lock(&self.grip);
        match outcome {
            Ok(()) => {
                grip.told = Some(opens);
                grip.failure = None;
            }
            Err(error) => grip.failure = Some(error.to_string()),
        }
    }

    fn post_grip(&self, opens: bool, first: bool) -> Result<(), CallError> {
        let meaning = &self.config.gripper;
        let move_to = |target: u8| {
            let body = json!({ "gripper_pos": target });
            self.grip_hand.post(routes::MOVE_GRIPPER, Some(&body)).map(drop)
        };
        match (meaning.by, opens) {
            (GripperRoutes::Move, true) => move_to(meaning.open_target),
            (GripperRoutes::Move, false) => move_to(meaning.close_target),
            (GripperRoutes::OpenClose, true) => {
                self.grip_hand.post::<()>(routes::OPEN_GRIPPER, None)?;
                // The server may believe that it has opened already.
                if meaning.latches && first { move_to(meaning.open_target) } else { Ok(()) }
            }
            (GripperRoutes::OpenClose, false) => {
                self.grip_hand.post::<()>(routes::CLOSE_GRIPPER, None).map(drop)
            }
        }
    }

    /// In step with the clock: what is due is told, and the state is that of now.
    pub fn catch_up(&self) {
        if self.config.pace == Pace::InStep {
            self.attend();
            let now = self.now();
            let is_old = self.seen().measured.as_ref().is_none_or(|(at, _)| *at < now);
            if is_old && let Err(error) = self.poll() {
                tracing::debug!("no state: {error}");
            }
        }
    }

    /// One round of the thread for the state.
    pub fn watch(&self) {
        let deadline = self.now() + self.config.state_period;
        if let Err(error) = self.poll() {
            tracing::debug!("no state: {error}");
        }
        self.clock.0.sleep_until(deadline);
    }

    /// One round of the thread for poses.
    pub fn send_poses(&self) {
        let (began, lost) = (self.now(), self.is_lost(self.now()));
        let mut told = self.told();
        if told.due(began, lost).0 == Due::Nothing {
            let until = told.lease_until().map_or(IDLE, |until| until.since(began).min(IDLE));
            // An order that came before the wait has been seen; a later one rings.
            drop(self.bell.wait_timeout(told, until));
            return;
        }
        drop(told);
        self.attend();
        self.clock.0.sleep_until(began + self.config.pose_period);
    }

    /// One round of the thread for the gripper.
    pub fn send_grips(&self) {
        let grip = lock(&self.grip);
        if grip.wanted.is_none() || grip.wanted == grip.told {
            drop(self.grip_bell.wait_timeout(grip, IDLE));
            return;
        }
        drop(grip);
        let began = self.now();
        self.attend_gripper();
        self.clock.0.sleep_until(began + self.config.pose_period);
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
