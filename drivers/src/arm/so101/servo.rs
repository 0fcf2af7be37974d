//! The thread that owns the line: looks at the servos each period, sends goals while a lease is valid, and
//! makes the arm ready when somebody asks for recovery.
//!
//! A servo keeps the last goal that it got, so the arm holds when this thread is paused, killed or cut
//! off. For the same reason no goal lies far ahead of where the joint is.

use std::{io, path::PathBuf, sync::PoisonError, time::Duration};

use wire::{Timestamp, geometry::Pose};

use super::{
    Body, Shared,
    calibration::{IDS, SERVOS},
    grip::Order,
    kinematics::{JOINTS, Joints, OutOfReach},
    ready::{self, alarms, position},
    status::{Fault, Status},
};
use crate::{
    Stamped,
    arm::{ArmError, shared::Recovery},
    feetech::{
        Alarms, Answer, Bus, is_silence,
        registers::{
            GOAL_POSITION, POSITION_SIGN, PRESENT, PRESENT_POSITION, TORQUE_ENABLE, TORQUE_LIMIT,
            with_sign,
        },
    },
};

/// Servos that say nothing for so long are gone.
const SILENCE_MAX: Duration = Duration::from_millis(300);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Between two looks whether the servos still hold.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After a pause no goal makes up for more than this.
const LATE_MAX: Duration = Duration::from_millis(40);
/// How far a goal may be ahead of its joint (rad).
const LEAD_MAX: f64 = 0.3;
/// A servo stands short of its goal under a load. What is told beyond the goal makes up for that within
/// about this time, and is this much at most (s, rad).
const SAG_TIME: f64 = 0.5;
pub(super) const SAG_MAX: f64 = 0.12;

pub(super) struct Servo {
    device: PathBuf,
    body: Body,
    bus: Option<Bus>,
    /// When the next period begins.
    due_at: Timestamp,
    heard_at: Timestamp,
    looked_at: Timestamp,
    /// What the joints were told last.
    told: Joints,
    /// While the arm follows a target: where its joints shall be, and since when.
    follows: Option<(Joints, Timestamp)>,
    /// What is told beyond that.
    sag: Joints,
    /// Somebody was told that a target is out of reach.
    said_out_of_reach: bool,
}

enum Next {
    Recover,
    Follow { target: Pose, measured: Joints },
    Hold,
}

impl Servo {
    pub fn new(device: PathBuf, body: Body, bus: Bus, told: Joints, now: Timestamp) -> Self {
        Self {
            device,
            body,
            bus: Some(bus),
            due_at: now,
            heard_at: now,
            looked_at: now,
            told,
            follows: None,
            sag: Joints::zeros(),
            said_out_of_reach: false,
        }
    }

    /// Runs until the driver is dropped.
    pub fn run(mut self, shared: &Shared) {
        loop {
            let quits = self.wait(shared);
            let Some(mut bus) = self.bus.take() else {
                if quits {
                    return;
                }
                self.connect_again(shared);
                continue;
            };
            let done =
                if quits { self.rest(shared, &mut bus) } else { self.turn(shared, &mut bus) };
            let silent_for = shared.clock.now().since(self.heard_at);
            match done {
                // Torque stays on: without it the arm would fall.
                _ if quits => return,
                Ok(()) => self.bus = Some(bus),
                Err(error) if is_silence(&error) && silent_for < SILENCE_MAX => {
                    tracing::debug!("on the line of the SO-101: {error}");
                    self.bus = Some(bus);
                }
                Err(error) => self.lose(shared, &error),
            }
        }
    }

    /// Waits for the next period, or for what must not wait. Whether the driver is dropped.
    fn wait(&mut self, shared: &Shared) -> bool {
        let now = shared.clock.now();
        self.due_at = (self.due_at + self.body.period).max(now);
        let (linked, follows) = (self.bus.is_some(), self.follows.is_some());
        let idle = |status: &mut Status| {
            let asked = matches!(status.recovery, Recovery::Asked);
            !(status.quits || linked && (asked || status.stopped && follows))
        };
        let limit = self.due_at.since(now);
        let waited = shared.wake.wait_timeout_while(shared.lock(), limit, idle);
        waited.unwrap_or_else(PoisonError::into_inner).0.quits
    }

    fn lose(&mut self, shared: &Shared, error: &io::Error) {
        tracing::warn!("the servos of the SO-101 do not answer: {error}");
        self.follows = None;
        let mut status = shared.lock();
        status.linked = false;
        status.fail(Fault::LinkLost);
        (status.jaws.order, status.jaws.told) = (None, None);
        if matches!(status.recovery, Recovery::Asked) {
            status.recovery = Recovery::Done(Err(ArmError::Gone(error.to_string())));
            shared.news.notify_all();
        }
    }

    fn connect_again(&mut self, shared: &Shared) {
        let opened = Bus::open(&self.device).and_then(|mut bus| {
            let present = bus.read_all::<PRESENT, SERVOS>(IDS, PRESENT_POSITION)?;
            Ok((bus, present))
        });
        match opened {
            Ok((bus, present)) => {
                tracing::info!("the servos of the SO-101 answer again");
                self.bus = Some(bus);
                self.see(shared, &present);
                shared.lock().linked = true;
            }
            Err(error) => {
                tracing::debug!("no link to the SO-101: {error}");
                let status = shared.lock();
                // A poisoned lock is met again, and healed, at the next look.
                _ = shared.wake.wait_timeout_while(status, RETRY_AFTER, |status| !status.quits);
            }
        }
    }

    /// One period.
    fn turn(&mut self, shared: &Shared, bus: &mut Bus) -> io::Result<()> {
        let present = bus.read_all::<PRESENT, SERVOS>(IDS, PRESENT_POSITION)?;
        self.see(shared, &present);
        if self.heard_at.since(self.looked_at) >= LOOK_EVERY {
            let joints = [IDS[0], IDS[1], IDS[2], IDS[3], IDS[4]];
            let holds = bus.read_all::<1, JOINTS>(joints, TORQUE_ENABLE)?;
            self.looked_at = self.heard_at;
            if let Some(joint) = holds.iter().position(|answer| answer.data == [0]) {
                shared.lock().fail(Fault::Slack { joint });
            }
        }
        match next(shared) {
            Next::Recover => self.recover(shared, bus),
            Next::Follow { target, measured } => self.follow(bus, &target, &measured)?,
            Next::Hold => self.rest(shared, bus)?,
        }
        let order = shared.lock().jaws.order;
        order.map_or(Ok(()), |order| self.grip(shared, bus, order))
    }

    fn see(&mut self, shared: &Shared, present: &[Answer<PRESENT>; SERVOS]) {
        let at = shared.clock.now();
        self.heard_at = at;
        let calibration = &self.body.calibration;
        let joints = Joints::from_fn(|i, _| calibration.radians(i, position(&present[i])));
        let tcp_pose = self.body.kinematics.forward(&joints);
        let alarms: [Alarms; SERVOS] = std::array::from_fn(|i| alarms(&present[i]));
        let mut status = shared.lock();
        let [shoulder_pan, shoulder_lift, elbow_flex, wrist_flex, wrist_roll, gripper] = alarms;
        let of_joints = [shoulder_pan, shoulder_lift, elbow_flex, wrist_flex, wrist_roll];
        status.see(at, joints, tcp_pose, of_joints);
        status.jaws.alarms = gripper;
        let opening = calibration.share(JOINTS, position(&present[JOINTS]));
        status.jaws.seen = Some(Stamped { at, value: opening });
        shared.news.notify_all();
    }

    fn follow(&mut self, bus: &mut Bus, target: &Pose, measured: &Joints) -> io::Result<()> {
        let now = self.heard_at;
        let within = |joints: Joints, most: f64| joints.map(|angle| angle.clamp(-most, most));
        let (goal, time) = match self.follows {
            Some((goal, since)) => (goal, now.since(since).min(LATE_MAX)),
            None => {
                // From where the arm is, and what it is told goes on from what it was told.
                self.sag = within(self.told - measured, SAG_MAX);
                (*measured, self.body.period)
            }
        };
        let time = time.as_secs_f64();
        let goal = match self.body.kinematics.solve(target, &goal, &self.body.ends) {
            Ok(wanted) => {
                let way = wanted - goal;
                let share = (self.body.speed_max * time / way.amax()).min(1.0);
                self.said_out_of_reach = false;
                measured + within(goal + way * share - measured, LEAD_MAX)
            }
            Err(OutOfReach(off)) => {
                if !self.said_out_of_reach {
                    let remedy = "make the workspace of the cell smaller";
                    tracing::warn!(
                        "the SO-101 holds: its target is {off:.3} m out of reach: {remedy}"
                    );
                    self.said_out_of_reach = true;
                }
                goal
            }
        };
        self.sag = within(self.sag + (goal - measured) * (time / SAG_TIME), SAG_MAX);
        self.follows = Some((goal, now));
        self.tell(bus, goal + self.sag)
    }

    /// Ends the motion where the arm is.
    fn rest(&mut self, shared: &Shared, bus: &mut Bus) -> io::Result<()> {
        let measured = shared.lock().seen.as_ref().map(|seen| seen.value.joints);
        if let (Some(measured), Some(_)) = (measured, self.follows) {
            self.tell(bus, measured + self.sag)?;
            self.follows = None;
        }
        Ok(())
    }

    fn tell(&mut self, bus: &mut Bus, joints: Joints) -> io::Result<()> {
        let each: [_; JOINTS] = std::array::from_fn(|i| {
            let ticks = self.body.calibration.ticks(i, joints[i]);
            (IDS[i], with_sign(ticks, POSITION_SIGN))
        });
        bus.write_all(GOAL_POSITION, &each)?;
        self.told = joints;
        Ok(())
    }

    fn grip(&mut self, shared: &Shared, bus: &mut Bus, order: Order) -> io::Result<()> {
        let servo = self.body.calibration.0[JOINTS];
        let goal = if order.opens { servo.range_max } else { servo.range_min };
        let [low, high] = with_sign(goal, POSITION_SIGN);
        let [slow, fast] = order.speed.to_le_bytes();
        bus.write(IDS[JOINTS], TORQUE_LIMIT, &order.torque.to_le_bytes())?;
        bus.write(IDS[JOINTS], GOAL_POSITION, &[low, high, 0, 0, slow, fast])?;
        let mut status = shared.lock();
        status.jaws.told = Some(order);
        if status.jaws.order == Some(order) {
            status.jaws.order = None;
        }
        Ok(())
    }

    fn recover(&mut self, shared: &Shared, bus: &mut Bus) {
        self.follows = None;
        let done = ready::set_up(bus, &self.body).and_then(|ready| match ready {
            Ok(()) => ready::hold(bus, &self.body, &*shared.clock),
            Err(error) => Ok(Err(error)),
        });
        let outcome = match done {
            Ok(Ok(told)) => {
                self.told = told;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(error) => Err(ArmError::NeedsOperator(error.to_string())),
        };
        let now = shared.clock.now();
        (self.heard_at, self.looked_at) = (now, now);
        let mut status = shared.lock();
        match &outcome {
            Ok(()) => status.made_ready(),
            Err(error) => {
                tracing::warn!("recovering the SO-101 failed: {error}");
                status.fault = Some(Fault::NotRecovered(match error {
                    ArmError::NeedsOperator(why) => why.clone(),
                    other => other.to_string(),
                }));
            }
        }
        status.recovery = Recovery::Done(outcome);
        shared.news.notify_all();
    }
}

fn next(shared: &Shared) -> Next {
    let mut status = shared.lock();
    if matches!(status.recovery, Recovery::Asked) {
        status.recovery = Recovery::UnderWay;
        return Next::Recover;
    }
    let measured = status.seen.as_ref().map(|seen| seen.value.joints);
    match (status.leased(shared.clock.now()), measured) {
        (Some(target), Some(measured)) if status.fault.is_none() && !status.stopped => {
            Next::Follow { target, measured }
        }
        _ => Next::Hold,
    }
}
