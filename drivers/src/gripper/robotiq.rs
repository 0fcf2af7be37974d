//! Robotiq's two-finger grippers: by the URCap's socket on a UR controller, by Modbus RTU on a serial
//! line, or by Modbus TCP.
//!
//! One thread talks to the gripper, so no call waits for the wire. Activation moves the jaws through
//! their whole way; it is done when the driver is started and never by itself later.

mod modbus;
mod registers;
#[cfg(test)]
mod tests;
mod urcap;

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use thiserror::Error;
use wire::{Clock, Timestamp};

pub use self::registers::RobotiqModel;
use self::{
    modbus::Modbus,
    registers::{MAJOR_FAULT, Order, Said, fault_name},
    urcap::Urcap,
};
use super::{Gripper, GripperError, GripperState};
use crate::{Stamped, gate::SafeGrip};

/// Between two looks at the gripper.
const PERIOD: Duration = Duration::from_millis(20);
/// Between two attempts to connect again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A state older than this is none.
const STATE_AGE_MAX: Duration = Duration::from_secs(1);

/// How the gripper is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RobotiqLink {
    /// The URCap on a UR controller; its port is 63352.
    Socket { host: String, port: u16 },
    /// Address of the first register of orders and of the first of the status: 0 and 0 on Robotiq's
    /// own controller, 0x3E8 and 0x7D0 on a gateway to the gripper's serial line.
    ModbusTcp { host: String, port: u16, slave: u8, registers: [u16; 2] },
    /// A serial device; the gripper is slave 9 unless it was changed.
    ModbusRtu { device: PathBuf, slave: u8 },
}

impl fmt::Display for RobotiqLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { host, port } => write!(f, "the URCap at {host}:{port}"),
            Self::ModbusTcp { host, port, slave, .. } => {
                write!(f, "Modbus TCP slave {slave} at {host}:{port}")
            }
            Self::ModbusRtu { device, slave } => {
                write!(f, "Modbus slave {slave} on {}", device.display())
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct RobotiqConfig {
    pub link: RobotiqLink,
    pub model: RobotiqModel,
    /// How long its activation may take.
    pub activation: Duration,
}

#[derive(Debug, Error)]
pub enum RobotiqError {
    #[error(
        "the Robotiq gripper does not answer ({link}): is it powered, is the cable in, is the address \
         right, and may this user open it?"
    )]
    Reach { link: RobotiqLink, source: io::Error },
    #[error(
        "the Robotiq gripper ({link}) was not active after {after:?} (status {status}, fault {fault}: \
         {name})"
    )]
    NotActive { link: RobotiqLink, after: Duration, status: u8, fault: u8, name: &'static str },
    #[error("a thread for the Robotiq gripper could not be started")]
    Thread(#[source] io::Error),
}

/// What the gripper feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It moves, so it cannot be known.
    Moving,
    /// It came where it was told without meeting anything.
    Nothing,
    /// It stopped on something before that.
    Object,
}

enum Port {
    Urcap(Urcap),
    Modbus(Modbus),
}

impl Port {
    fn open(link: &RobotiqLink) -> io::Result<Self> {
        Ok(match link {
            RobotiqLink::Socket { host, port } => {
                Self::Urcap(Urcap::connect(resolve(host, *port)?)?)
            }
            RobotiqLink::ModbusTcp { host, port, slave, registers } => {
                Self::Modbus(Modbus::tcp(resolve(host, *port)?, *slave, *registers)?)
            }
            RobotiqLink::ModbusRtu { device, slave } => {
                Self::Modbus(Modbus::rtu(device, *slave, [0x03E8, 0x07D0])?)
            }
        })
    }

    fn tell(&mut self, order: &Order) -> io::Result<()> {
        match self {
            Self::Urcap(urcap) => urcap.tell(order),
            Self::Modbus(modbus) => modbus.tell(order),
        }
    }

    fn read(&mut self) -> io::Result<Said> {
        match self {
            Self::Urcap(urcap) => urcap.read(),
            Self::Modbus(modbus) => modbus.read(),
        }
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut addresses = (host, port).to_socket_addrs()?;
    addresses.next().ok_or_else(|| io::Error::other(format!("{host} leads to no address")))
}

#[derive(Default)]
struct Desk {
    said: Option<Stamped<Said>>,
    /// Why there is no gripper to talk to.
    gone: Option<String>,
    /// What is to be told; the newest wins.
    order: Option<Order>,
    /// What the gripper was told last.
    told: Option<Order>,
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
}

pub struct Robotiq {
    model: RobotiqModel,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Robotiq {
    /// Connects, and activates a gripper that is not active: its jaws then open and close once.
    pub fn connect(config: RobotiqConfig, clock: Arc<dyn Clock>) -> Result<Self, RobotiqError> {
        let RobotiqConfig { link, model, activation } = config;
        let reach = |source| RobotiqError::Reach { link: link.clone(), source };
        let mut port = Port::open(&link).map_err(reach)?;
        let said = activate(&mut port, &*clock, activation).map_err(reach)?;
        if !said.is_active() {
            let (status, fault) = (said.status, said.fault);
            let name = fault_name(fault);
            return Err(RobotiqError::NotActive { link, after: activation, status, fault, name });
        }
        let desk = Desk { said: Some(Stamped { at: clock.now(), value: said }), ..Desk::default() };
        let shared = Arc::new(Shared { desk: desk.into(), wake: Condvar::new(), clock });
        let run = {
            let shared = shared.clone();
            move || talk(&shared, port, &link)
        };
        let thread = thread::Builder::new().name("robotiq".into()).spawn(run);
        Ok(Self { model, shared, thread: Some(thread.map_err(RobotiqError::Thread)?) })
    }

    fn said(&self) -> Result<Stamped<Said>, GripperError> {
        let desk = self.shared.lock();
        if let Some(why) = &desk.gone {
            return Err(GripperError::Gone(why.clone()));
        }
        let said = desk.said.clone().filter(|said| self.age(said.at) <= STATE_AGE_MAX);
        said.ok_or_else(|| GripperError::Gone("it has said nothing for a second".into()))
    }

    fn age(&self, at: Timestamp) -> Duration {
        self.shared.clock.now().since(at)
    }

    /// Whether there is something between its jaws.
    pub fn touch(&self) -> Result<Stamped<Touch>, GripperError> {
        let said = self.said()?;
        let desk = self.shared.lock();
        let told = desk.order.or(desk.told).map(|order| order.position);
        let value = match said.value {
            said if said.moves(told) => Touch::Moving,
            said if said.holds() => Touch::Object,
            _ => Touch::Nothing,
        };
        Ok(Stamped { at: said.at, value })
    }
}

impl Gripper for Robotiq {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        let said = self.said()?;
        let opening = self.model.opening(said.value.position);
        Ok(Stamped { at: said.at, value: GripperState { opening } })
    }

    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        let order = self.model.order(grip.opens(), grip.force_n(), grip.speed_mps());
        let mut desk = self.shared.lock();
        if let Some(why) = &desk.gone {
            return Err(GripperError::Gone(why.clone()));
        }
        if desk.order.or(desk.told) != Some(order) {
            desk.order = Some(order);
            self.shared.wake.notify_one();
        }
        Ok(())
    }
}

/// The gripper keeps its grip.
impl Drop for Robotiq {
    fn drop(&mut self) {
        self.shared.lock().quits = true;
        self.shared.wake.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the Robotiq gripper panicked");
        }
    }
}

/// Activates a gripper that is not. Gives what it said last.
fn activate(port: &mut Port, clock: &dyn Clock, patience: Duration) -> io::Result<Said> {
    let said = port.read()?;
    if said.is_active() && said.fault < MAJOR_FAULT {
        return Ok(said);
    }
    tracing::info!("activating the Robotiq gripper: its jaws move");
    port.tell(&Order::RESET)?;
    port.tell(&Order::ACTIVATE)?;
    let until = clock.now() + patience;
    loop {
        let said = port.read()?;
        if said.is_active() || clock.now() >= until {
            return Ok(said);
        }
        clock.sleep_until(clock.now() + PERIOD);
    }
}

/// Until the driver is dropped: tells what is to be told, looks, and connects again.
fn talk(shared: &Shared, port: Port, link: &RobotiqLink) {
    let mut port = Some(port);
    loop {
        let wait = if port.is_some() { PERIOD } else { RETRY_AFTER };
        let order = {
            let idle = |desk: &mut Desk| !desk.quits && desk.order.is_none();
            let (desk, _) = shared
                .wake
                .wait_timeout_while(shared.lock(), wait, idle)
                .unwrap_or_else(PoisonError::into_inner);
            if desk.quits {
                return;
            }
            desk.order
        };
        let exchanged = match &mut port {
            Some(port) => exchange(shared, port, order),
            None => Port::open(link).and_then(|mut opened| {
                exchange(shared, &mut opened, None)?;
                port = Some(opened);
                Ok(())
            }),
        };
        if let Err(error) = exchanged {
            if port.take().is_some() {
                tracing::warn!("the Robotiq gripper ({link}) does not answer: {error}");
            }
            let mut desk = shared.lock();
            desk.gone = Some(format!("{link} does not answer: {error}"));
            (desk.order, desk.told) = (None, None);
        }
    }
}

fn exchange(shared: &Shared, port: &mut Port, order: Option<Order>) -> io::Result<()> {
    if let Some(order) = order {
        port.tell(&order)?;
        let mut desk = shared.lock();
        desk.told = Some(order);
        if desk.order == Some(order) {
            desk.order = None;
        }
    }
    let value = port.read()?;
    let at = shared.clock.now();
    let mut desk = shared.lock();
    desk.gone = unusable(&value);
    desk.said = Some(Stamped { at, value });
    Ok(())
}

/// Why a gripper that answers would not follow.
fn unusable(said: &Said) -> Option<String> {
    if said.fault >= MAJOR_FAULT {
        let name = fault_name(said.fault);
        return Some(format!("fault {}: {name}; start the cell again to activate it", said.fault));
    }
    (!said.is_active())
        .then(|| "it is not active any more: start the cell again to activate it".into())
}
