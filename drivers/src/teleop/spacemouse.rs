//! SpaceMice: the six axes of a cap that the hand pushes and turns.
//!
//! Read from hidraw, where every report comes with its own bytes and a read never waits for the hand,
//! or from spacenavd. Touching the cap takes the arm over; a button may be asked for on top. A device
//! that is unplugged, or falls silent in a push, is an error until it is back, so that the arm is held
//! and not given to the policy.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use thiserror::Error;
use wire::{Clock, Mark};

use self::{
    cap::Cap,
    reader::{Device, Opener, Reader},
    report::Event,
};
use super::{
    Teleop, TeleopError, TeleopSample,
    buttons::ButtonRole,
    newest::{Newest, Shared, Watched},
};
use crate::{EpisodeBrief, Stamped};

mod axes;
mod cap;
mod list;
mod reader;
mod report;
mod source;
mod spacenav;

pub use self::{
    axes::AxisMap,
    cap::Feel,
    list::{Choice, Family, Found, Places, list},
    report::Counts,
    source::{FdSource, ReportSource},
};

/// What is said to somebody who may not read a device.
pub const PERMISSION_REMEDY: &str = "copy docs/udev/70-reins-spacemouse.rules to /etc/udev/rules.d, \
                                     run `sudo udevadm control --reload`, and plug it in anew";

#[derive(Debug, Error)]
pub enum SpaceMouseError {
    #[error("no SpaceMouse is plugged in: plug one in (`reins probe` lists what is there)")]
    None,
    #[error(
        "no SpaceMouse {wanted}: mend teleop.spacemouse.usb_path or serial; plugged in: {there}"
    )]
    NotThatOne { wanted: Choice, there: String },
    #[error(
        "which SpaceMouse is meant? Set teleop.spacemouse.usb_path or serial to one of: {there}"
    )]
    Several { there: String },
    #[error("the SpaceMouse {node} may not be read: {PERMISSION_REMEDY}")]
    Denied { node: PathBuf },
    #[error("opening the SpaceMouse {node}")]
    Open { node: PathBuf, source: io::Error },
    #[error(
        "spacenavd does not answer at {socket}: start it, or leave out teleop.spacemouse.spacenavd"
    )]
    Spacenavd { socket: PathBuf, source: io::Error },
    #[error("starting the thread of the SpaceMouse")]
    Thread(#[source] io::Error),
}

/// Who is listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Hidraw {
        places: Places,
        choice: Choice,
    },
    /// The daemon at this socket.
    Spacenavd(PathBuf),
}

#[derive(Clone, Debug, PartialEq)]
pub struct SpaceMouseConfig {
    pub origin: Origin,
    pub axes: AxisMap,
    pub feel: Feel,
    /// What each button does, the first first. Where one is `ButtonRole::Intervene` the cap moves the
    /// arm only while that is held.
    pub buttons: Vec<ButtonRole>,
    /// So long the newest sample moves the arm at most.
    pub dead_man: Duration,
}

/// A device that answers.
pub(crate) struct Opened {
    name: String,
    source: Box<dyn ReportSource>,
    decode: fn(&[u8]) -> Option<Event>,
}

pub struct SpaceMouse {
    name: String,
    watched: Watched,
}

impl SpaceMouse {
    /// The device must be there; when it goes away later it is looked for. `host` is the machine's
    /// clock, `clock` the cell's, in which samples are stamped.
    pub fn open(
        config: SpaceMouseConfig,
        host: Arc<dyn Clock>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SpaceMouseError> {
        let origin = config.origin.clone();
        Self::open_with(config, Box::new(move || open(&origin)), host, clock)
    }

    fn open_with(
        config: SpaceMouseConfig,
        opener: Opener,
        host: Arc<dyn Clock>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SpaceMouseError> {
        let dead_man = config.dead_man;
        let (reader, newest) = reader(config, opener, host.clone())?;
        let name = match &reader.device {
            Device::There(opened) => opened.name.clone(),
            Device::Gone { why, .. } => why.clone(),
        };
        let ending = Arc::<AtomicBool>::default();
        let end = ending.clone();
        let thread = thread::Builder::new()
            .name("spacemouse".into())
            .spawn(move || reader.run(&end))
            .map_err(SpaceMouseError::Thread)?;
        let watched = Watched::new(newest, [host, clock], dead_man, ending, Some(thread));
        Ok(Self { name, watched })
    }

    /// What was opened, and where.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Teleop for SpaceMouse {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        self.watched.sample()
    }

    fn mark(&mut self) -> Option<Mark> {
        self.watched.mark()
    }

    fn announce(&mut self, _: &EpisodeBrief) {
        self.watched.announce();
    }

    /// A push is as old as its report, and a cap that is stuck is noticed here: a full push may stay
    /// the same.
    fn dead_man(&self) -> Option<Duration> {
        Some(self.watched.dead_man)
    }
}

fn reader(
    config: SpaceMouseConfig,
    mut opener: Opener,
    host: Arc<dyn Clock>,
) -> Result<(Reader, Shared), SpaceMouseError> {
    let opened = opener()?;
    let now = host.now();
    let needs_button = config.buttons.contains(&ButtonRole::Intervene);
    let newest = Shared::new(Newest::at_rest(now, needs_button));
    let reader = Reader {
        opener,
        device: Device::There(opened),
        cap: Cap::new(config.feel, config.axes, now),
        roles: config.buttons,
        newest: newest.clone(),
        host,
        odd_reports: 0,
    };
    Ok((reader, newest))
}

fn open(origin: &Origin) -> Result<Opened, SpaceMouseError> {
    match origin {
        Origin::Hidraw { places, choice } => {
            let found = find(places, choice)?;
            let source = found.try_open().map_err(|source| refused(&found.node, source))?;
            let name = found.to_string();
            Ok(Opened { name, source: Box::new(source), decode: report::decode })
        }
        Origin::Spacenavd(socket) => {
            let source = spacenav::Spacenav::connect(socket)
                .map_err(|source| SpaceMouseError::Spacenavd { socket: socket.clone(), source })?;
            let name = format!("spacenavd at {}", socket.display());
            Ok(Opened { name, source: Box::new(source), decode: spacenav::decode })
        }
    }
}

/// The one that is meant.
fn find(places: &Places, choice: &Choice) -> Result<Found, SpaceMouseError> {
    let mut chosen = list::chosen(places, choice);
    match (chosen.pop(), chosen.is_empty()) {
        (Some(found), true) => Ok(found),
        (Some(last), false) => {
            chosen.push(last);
            Err(SpaceMouseError::Several { there: listed(&chosen) })
        }
        (None, _) => match list(places) {
            there if there.is_empty() => Err(SpaceMouseError::None),
            there => {
                Err(SpaceMouseError::NotThatOne { wanted: choice.clone(), there: listed(&there) })
            }
        },
    }
}

fn listed(found: &[Found]) -> String {
    found.iter().map(Found::to_string).collect::<Vec<_>>().join(", ")
}

fn refused(node: &Path, source: io::Error) -> SpaceMouseError {
    let node = node.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied => SpaceMouseError::Denied { node },
        _ => SpaceMouseError::Open { node, source },
    }
}

#[cfg(test)]
mod tests;
