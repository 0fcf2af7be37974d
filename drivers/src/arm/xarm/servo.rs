//! The thread that commands: sends setpoints while a lease is valid, looks for errors, and makes the
//! arm ready when somebody asks for recovery.
//!
//! The control box keeps the last setpoint that it got, so the arm holds when this thread is paused,
//! killed or cut off. For the same reason no setpoint lies far ahead of the one before.

use std::{io, net::SocketAddr, sync::PoisonError, time::Duration};

use wire::{Timestamp, geometry::Pose};

use super::{
    Shared,
    commands::Commands,
    status::{Fault, Status, step},
};
use crate::arm::{ArmError, shared::Recovery};

/// Between two setpoints.
const PERIOD: Duration = Duration::from_millis(10);
/// After a pause no setpoint makes up for more than this.
const LATE_MAX: Duration = Duration::from_millis(20);
/// Between two looks for errors while nothing is sent.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Between two heartbeats.
const BEAT_EVERY: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(500);

pub(super) struct Servo {
    address: SocketAddr,
    /// How fast setpoints may go (m/s, rad/s).
    speeds: [f64; 2],
    commands: Option<Commands>,
    /// The last setpoint, and when it was sent.
    setpoint: Option<(Pose, Timestamp)>,
    stop_told: bool,
    looked_at: Timestamp,
    beat_at: Timestamp,
}

enum Next {
    Quit,
    Recover,
    Stop,
    Follow { target: Pose, measured: Pose },
    Nothing,
}

impl Servo {
    pub fn new(address: SocketAddr, speeds: [f64; 2], commands: Commands) -> Self {
        Self {
            address,
            speeds,
            commands: Some(commands),
            setpoint: None,
            stop_told: false,
            looked_at: Timestamp(0),
            beat_at: Timestamp(0),
        }
    }

    /// Runs until the driver is dropped.
    pub fn run(mut self, shared: &Shared) {
        loop {
            let next = next(shared, self.stop_told, self.commands.is_some());
            let Some(mut commands) = self.commands.take() else {
                if matches!(next, Next::Quit) {
                    return;
                }
                self.connect_again(shared);
                continue;
            };
            if matches!(next, Next::Quit) {
                // Where it is not heard the arm keeps the last setpoint.
                _ = commands.stop();
                return;
            }
            match self.act(shared, &mut commands, next) {
                Ok(()) => self.commands = Some(commands),
                Err(error) => {
                    tracing::warn!("the xArm's control box does not answer: {error}");
                    self.setpoint = None;
                    let mut status = shared.lock();
                    status.commands_linked = false;
                    status.fail(Fault::LinkLost);
                    if matches!(status.recovery, Recovery::UnderWay | Recovery::Asked) {
                        status.recovery = Recovery::Done(Err(ArmError::Gone(error.to_string())));
                        shared.news.notify_all();
                    }
                }
            }
        }
    }

    fn connect_again(&mut self, shared: &Shared) {
        match Commands::connect(self.address) {
            Ok(commands) => {
                self.commands = Some(commands);
                self.stop_told = false;
                shared.lock().commands_linked = true;
            }
            Err(error) => {
                tracing::debug!("no link to the xArm's control box: {error}");
                let status = shared.lock();
                // A poisoned lock is met again, and healed, at the next look.
                _ = shared.wake.wait_timeout_while(status, RETRY_AFTER, |status| !status.quits);
            }
        }
    }

    fn act(&mut self, shared: &Shared, commands: &mut Commands, next: Next) -> io::Result<()> {
        let now = shared.clock.now();
        if !matches!(next, Next::Follow { .. }) {
            self.setpoint = None;
        }
        match next {
            Next::Quit => {}
            Next::Recover => self.recover(shared, commands)?,
            Next::Stop => {
                commands.stop()?;
                self.stop_told = true;
            }
            Next::Follow { target, measured } => {
                let (from, since) = self
                    .setpoint
                    .map_or((measured, PERIOD), |(pose, at)| (pose, now.since(at).min(LATE_MAX)));
                let setpoint = step(&from, &target, since, self.speeds);
                self.setpoint = Some((setpoint, now));
                let at = setpoint.translation.vector.into();
                if !commands.servo(at, setpoint.rotation.scaled_axis().into())? {
                    self.look(shared, commands)?;
                }
            }
            Next::Nothing => {}
        }
        if now.since(self.looked_at) >= LOOK_EVERY {
            self.look(shared, commands)?;
        }
        if now.since(self.beat_at) >= BEAT_EVERY {
            commands.beat()?;
            self.beat_at = now;
        }
        Ok(())
    }

    fn look(&mut self, shared: &Shared, commands: &mut Commands) -> io::Result<()> {
        let number = commands.error()?;
        self.looked_at = shared.clock.now();
        shared.lock().error(number);
        Ok(())
    }

    fn recover(&mut self, shared: &Shared, commands: &mut Commands) -> io::Result<()> {
        let outcome = commands.make_ready()?;
        self.stop_told = false;
        let mut status = shared.lock();
        match &outcome {
            Ok(()) => status.made_ready(),
            Err(error) => {
                tracing::warn!("recovering the xArm failed: {error}");
                if !matches!(status.fault, Some(Fault::EmergencyStop(_))) {
                    status.fault = Some(Fault::NotRecovered(match error {
                        ArmError::NeedsOperator(why) => why.clone(),
                        other => other.to_string(),
                    }));
                }
            }
        }
        status.recovery = Recovery::Done(outcome);
        shared.news.notify_all();
        Ok(())
    }
}

/// Waits for the next period, or for what must not wait.
fn next(shared: &Shared, stop_told: bool, linked: bool) -> Next {
    let urgent = |status: &Status| {
        status.quits
            || linked
                && (matches!(status.recovery, Recovery::Asked) || status.stopped && !stop_told)
    };
    let (mut status, _) = shared
        .wake
        .wait_timeout_while(shared.lock(), PERIOD, |status| !urgent(status))
        .unwrap_or_else(PoisonError::into_inner);
    if status.quits {
        return Next::Quit;
    }
    if !linked {
        return Next::Nothing;
    }
    if matches!(status.recovery, Recovery::Asked) {
        status.recovery = Recovery::UnderWay;
        return Next::Recover;
    }
    if status.stopped {
        return if stop_told { Next::Nothing } else { Next::Stop };
    }
    let measured = status.seen.as_ref().map(|seen| seen.value.report.tcp_pose);
    match (status.leased(shared.clock.now()), measured) {
        (Some(target), Some(measured)) if status.fault.is_none() && status.linked() => {
            Next::Follow { target, measured }
        }
        _ => Next::Nothing,
    }
}
