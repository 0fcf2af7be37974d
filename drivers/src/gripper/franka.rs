//! The Franka hand, by the protocol of its own on port 1338.
//!
//! One thread gives it orders and waits for each to end; the other reads its state, and stops an order
//! that another one has overtaken. No call waits for the wire or for the jaws.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use franka::{FrankaError as Said, Gripper as Hand, GripperState as HandState};
use thiserror::Error;
use wire::Clock;

use super::{Gripper, GripperError, GripperState};
use crate::{Stamped, gate::SafeGrip};

/// A hand that says nothing for so long is gone.
const STATE_AGE_MAX: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// For the threads to end; one that waits for a hand that is gone is left behind.
const END_WITHIN: Duration = Duration::from_secs(3);
/// Whatever stops the jaws before they are closed is grasped.
const ANY_WIDTH_M: f64 = 0.1;

#[derive(Clone, Debug, PartialEq)]
pub struct FrankaHandConfig {
    /// Name or address of the robot's control box.
    pub host: String,
    /// Measure its fingers when it is connected: its jaws close and open once.
    pub homing: bool,
    /// Between open jaws (m), until it has measured that itself.
    pub width_m: f64,
}

impl FrankaHandConfig {
    pub fn at(host: impl Into<String>) -> Self {
        Self { host: host.into(), homing: true, width_m: 0.08 }
    }
}

#[derive(Debug, Error)]
pub enum FrankaHandError {
    #[error(
        "the Franka hand at {host} does not answer: is it mounted and switched on in Desk, and does no \
         other client hold it?"
    )]
    Reach { host: String, source: Box<Said> },
    #[error("the Franka hand could not measure its fingers: is something between them?")]
    Homing(#[source] Option<Box<Said>>),
    #[error("a thread for the Franka hand could not be started")]
    Thread(#[source] io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Open { speed_mps: f64 },
    Close { speed_mps: f64, force_n: f64 },
}

#[derive(Default)]
struct Desk {
    hand: Option<Arc<Hand>>,
    said: Option<Stamped<HandState>>,
    /// Why there is no hand to give orders to.
    gone: Option<String>,
    /// What is to be told; the newest wins.
    order: Option<Order>,
    /// What it was told last, and whether it is still at it.
    told: Option<Order>,
    busy: bool,
    quits: bool,
}

struct Shared {
    desk: Mutex<Desk>,
    wake: Condvar,
    clock: Arc<dyn Clock>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, error: &Said) {
        let mut desk = self.lock();
        if desk.hand.take().is_some() {
            tracing::warn!("the Franka hand does not answer: {error}");
        }
        desk.gone = Some(format!("it does not answer: {error}"));
        (desk.order, desk.told) = (None, None);
        self.wake.notify_all();
    }
}

/// Keeps its grip when it is dropped.
pub struct FrankaHand {
    width_m: f64,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl FrankaHand {
    /// Connects, and measures the fingers where that is wanted: some seconds.
    pub fn connect(
        config: FrankaHandConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, FrankaHandError> {
        let FrankaHandConfig { host, homing, width_m } = config;
        let reach =
            |source| FrankaHandError::Reach { host: host.clone(), source: Box::new(source) };
        let hand = Arc::new(Hand::new(&host).map_err(reach)?);
        if homing {
            tracing::info!("the Franka hand measures its fingers: its jaws move");
            match hand.homing() {
                Ok(true) => {}
                Ok(false) => return Err(FrankaHandError::Homing(None)),
                Err(error) => return Err(FrankaHandError::Homing(Some(Box::new(error)))),
            }
        }
        let value = hand.read_once().map_err(reach)?;
        let said = Some(Stamped { at: clock.now(), value });
        let desk = Desk { hand: Some(hand), said, ..Desk::default() };
        let shared = Arc::new(Shared { desk: desk.into(), wake: Condvar::new(), clock });
        let mut hand = Self { width_m, shared: shared.clone(), threads: Vec::new() };
        let orders = shared.clone();
        hand.spawn("franka-hand", move || give_orders(&orders, width_m))?;
        hand.spawn("franka-hand-state", move || read(&shared, &host))?;
        Ok(hand)
    }

    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), FrankaHandError> {
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        self.threads.push(thread.map_err(FrankaHandError::Thread)?);
        Ok(())
    }

    fn said(&self) -> Result<Stamped<HandState>, GripperError> {
        let desk = self.shared.lock();
        if let Some(why) = &desk.gone {
            return Err(GripperError::Gone(why.clone()));
        }
        let now = self.shared.clock.now();
        let fresh = |said: &Stamped<HandState>| now.since(said.at) <= STATE_AGE_MAX;
        let said = desk.said.clone().filter(fresh);
        said.ok_or_else(|| GripperError::Gone("it has said nothing for a second".into()))
    }

    /// Whether it holds something.
    pub fn grasps(&self) -> Result<Stamped<bool>, GripperError> {
        let said = self.said()?;
        Ok(Stamped { at: said.at, value: said.value.is_grasped })
    }
}

impl Gripper for FrankaHand {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        let said = self.said()?;
        let opening = (said.value.width / open_width(&said.value, self.width_m)).clamp(0.0, 1.0);
        Ok(Stamped { at: said.at, value: GripperState { opening } })
    }

    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        let speed_mps = grip.speed_mps();
        let order = if grip.opens() {
            Order::Open { speed_mps }
        } else {
            Order::Close { speed_mps, force_n: grip.force_n() }
        };
        self.said()?;
        let mut desk = self.shared.lock();
        if desk.order.or(desk.told) != Some(order) {
            desk.order = Some(order);
            self.shared.wake.notify_all();
        }
        Ok(())
    }
}

impl Drop for FrankaHand {
    fn drop(&mut self) {
        self.shared.lock().quits = true;
        self.shared.wake.notify_all();
        let clock = &self.shared.clock;
        let until = clock.now() + END_WITHIN;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && clock.now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if !thread.is_finished() {
                tracing::error!("{name} waits for the hand and is left behind");
            } else if thread.join().is_err() {
                tracing::error!("{name} panicked");
            }
        }
    }
}

/// Between open jaws (m). It knows that itself once it has measured its fingers.
fn open_width(said: &HandState, otherwise: f64) -> f64 {
    if said.max_width > 0.0 { said.max_width } else { otherwise }
}

/// Until the driver is dropped: one order after the other.
fn give_orders(shared: &Shared, width_m: f64) {
    loop {
        let (hand, order, open_m) = {
            let waits =
                |desk: &mut Desk| !desk.quits && (desk.order.is_none() || desk.hand.is_none());
            let waited = shared.wake.wait_while(shared.lock(), waits);
            let mut desk = waited.unwrap_or_else(PoisonError::into_inner);
            if desk.quits {
                return;
            }
            let (Some(hand), Some(order)) = (desk.hand.clone(), desk.order.take()) else {
                continue;
            };
            (desk.told, desk.busy) = (Some(order), true);
            let open_m =
                desk.said.as_ref().map_or(width_m, |said| open_width(&said.value, width_m));
            (hand, order, open_m)
        };
        let ended = match order {
            Order::Open { speed_mps } => hand.move_gripper(open_m, speed_mps),
            Order::Close { speed_mps, force_n } => {
                hand.grasp(0.0, speed_mps, force_n, 0.0, ANY_WIDTH_M)
            }
        };
        let overtaken = {
            let mut desk = shared.lock();
            desk.busy = false;
            desk.order.is_some() || desk.quits
        };
        match ended {
            // Closed jaws with nothing between them are no failure.
            Ok(_) => {}
            Err(error @ Said::Network(_)) => shared.lose(&error),
            Err(_) if overtaken => {}
            Err(error) => tracing::warn!("the Franka hand did not do as it was told: {error}"),
        }
    }
}

/// Until the driver is dropped: its states; and a stop for an order that is not wanted any more.
fn read(shared: &Shared, host: &str) {
    // Only one stop for each order.
    let mut stopped = None;
    loop {
        let (hand, told, overtaken) = {
            let desk = shared.lock();
            if desk.quits {
                return;
            }
            let overtaken = desk.busy && desk.order.is_some();
            (desk.hand.clone(), desk.told, overtaken)
        };
        let Some(hand) = hand else {
            match Hand::new(host) {
                Ok(hand) => {
                    let mut desk = shared.lock();
                    (desk.hand, desk.gone) = (Some(Arc::new(hand)), None);
                }
                Err(error) => {
                    tracing::debug!("no link to the Franka hand: {error}");
                    let quits = |desk: &mut Desk| !desk.quits;
                    // A poisoned lock is met again, and healed, at the next look.
                    _ = shared.wake.wait_timeout_while(shared.lock(), RETRY_AFTER, quits);
                }
            }
            continue;
        };
        if !overtaken {
            stopped = None;
        } else if stopped != told {
            stopped = told;
            if let Err(error) = hand.stop() {
                tracing::debug!("the Franka hand did not stop: {error}");
            }
        }
        match hand.read_once() {
            Ok(value) => {
                let at = shared.clock.now();
                shared.lock().said = Some(Stamped { at, value });
            }
            Err(error) => shared.lose(&error),
        }
    }
}
