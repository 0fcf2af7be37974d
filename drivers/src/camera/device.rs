//! A camera's device: a thread that takes pictures from a `reins-lens` and keeps the newest.
//!
//! A device that fails, falls silent or whose process dies is opened again, for as long as a camera
//! of it is held.

use std::{
    io::ErrorKind,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use wire::{Clock, Frame, Timestamp};

use super::{
    Camera, CameraError, CameraInfo, DeviceFormat, DeviceSettings, Lens, View,
    lens::Running,
    message::{self, Order, Picture, Report},
};
use crate::Stamped;

/// How long a device may take to give its first picture. Some need seconds to set the light.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// Between two attempts to open it, doubled after each that fails.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// An open device. Cameras share it.
pub struct Device {
    settings: DeviceSettings,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

/// A camera of a device: one of its views.
pub struct DeviceCamera {
    info: CameraInfo,
    view: usize,
    device: Arc<Device>,
    clock: Arc<dyn Clock>,
}

/// Where the thread leaves what the cameras read.
#[derive(Default)]
struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: Option<Arc<Taken>>,
    format: Option<DeviceFormat>,
    /// Why there is no picture, and none will come for now.
    trouble: Option<String>,
    openings: u64,
    pictures: u64,
    /// The socket of the lens at work, so that whoever closes the device need not wait for it.
    socket: Option<UnixStream>,
    closing: bool,
}

struct Taken {
    at: Timestamp,
    views: Vec<Frame>,
}

impl Device {
    /// Cameras of that device, each with its name and view. Returns when the first picture is there.
    pub fn open(
        lens: &Lens,
        settings: &DeviceSettings,
        views: &[(String, View)],
        clock: &Arc<dyn Clock>,
    ) -> Result<Vec<DeviceCamera>, CameraError> {
        let board = Arc::new(Board::default());
        let names: Vec<&str> = views.iter().map(|(name, _)| name.as_str()).collect();
        let failed = |reason: String| {
            let reason = format!("{}: {reason}", settings.source);
            CameraError::Device { camera: names.join(" and "), reason }
        };
        let keeper = Keeper {
            lens: lens.clone(),
            settings: settings.clone(),
            views: views.iter().map(|(_, view)| *view).collect(),
            clock: clock.clone(),
            board: board.clone(),
        };
        let thread = thread::Builder::new()
            .name(format!("camera-{}", names.first().unwrap_or(&"none")))
            .spawn(move || keeper.run())
            .map_err(|error| failed(format!("starting its thread: {error}")))?;
        let device = Self { settings: settings.clone(), board, thread: Some(thread) };
        device.wait_for_picture().map_err(failed)?;

        let device = Arc::new(device);
        let camera = |(view, (name, wanted)): (usize, &(String, View))| DeviceCamera {
            info: CameraInfo {
                name: name.clone(),
                width: wanted.width,
                height: wanted.height,
                noiseless: settings.source.is_recording(),
            },
            view,
            device: device.clone(),
            clock: clock.clone(),
        };
        Ok(views.iter().enumerate().map(camera).collect())
    }

    fn wait_for_picture(&self) -> Result<(), String> {
        let waits = |state: &mut State| state.newest.is_none() && state.trouble.is_none();
        let state = self.board.lock();
        let (state, _) = self
            .board
            .changed
            .wait_timeout_while(state, OPEN_MAX, waits)
            .unwrap_or_else(PoisonError::into_inner);
        match (&state.newest, &state.trouble) {
            (Some(_), _) => Ok(()),
            (None, Some(trouble)) => Err(trouble.clone()),
            (None, None) => Err(format!("it gave no picture within {OPEN_MAX:?}")),
        }
    }

    pub fn settings(&self) -> &DeviceSettings {
        &self.settings
    }

    /// What it said when it was opened last.
    pub fn format(&self) -> DeviceFormat {
        self.board.lock().format.clone().unwrap_or_default()
    }

    /// How often it has been opened, the first time included.
    pub fn openings(&self) -> u64 {
        self.board.lock().openings
    }

    /// How many pictures it has given.
    pub fn pictures(&self) -> u64 {
        self.board.lock().pictures
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        {
            let mut state = self.board.lock();
            state.closing = true;
            if let Some(socket) = &state.socket {
                socket.shutdown(Shutdown::Both).ok();
            }
        }
        self.board.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl DeviceCamera {
    pub fn device(&self) -> &Device {
        &self.device
    }
}

impl Camera for DeviceCamera {
    fn info(&self) -> &CameraInfo {
        &self.info
    }

    fn latest(&mut self, max_age: Duration) -> Result<Stamped<Frame>, CameraError> {
        let (newest, trouble) = {
            let state = self.device.board.lock();
            (state.newest.clone(), state.trouble.clone())
        };
        let camera = || self.info.name.clone();
        let age = newest.as_ref().map(|taken| self.clock.now().since(taken.at));
        match (newest, age, trouble) {
            (Some(taken), Some(age), _) if age <= max_age => {
                Ok(Stamped { at: taken.at, value: taken.views[self.view].clone() })
            }
            (_, _, Some(reason)) => Err(CameraError::Device { camera: camera(), reason }),
            (_, Some(age), None) => Err(CameraError::Stale { camera: camera(), age }),
            (_, None, None) => {
                let reason = "it has given no picture yet".into();
                Err(CameraError::Device { camera: camera(), reason })
            }
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the device's thread has.
struct Keeper {
    lens: Lens,
    settings: DeviceSettings,
    views: Vec<View>,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
}

/// How the life of a lens ended.
enum End {
    Closed,
    /// A recording is over.
    Over,
    /// It gave pictures before.
    Lost(String),
    NotOpened(String),
}

impl Keeper {
    fn run(self) {
        let source = self.settings.source.to_string();
        let mut pause = PAUSE_MIN;
        loop {
            match self.follow() {
                End::Closed => return,
                End::Over => {
                    self.trouble("its recording is over; `repeat = true` shows it again".into());
                    return;
                }
                End::Lost(reason) => {
                    tracing::warn!(source, reason, "a camera is lost; it is opened again");
                    pause = PAUSE_MIN;
                }
                End::NotOpened(reason) => {
                    self.trouble(reason);
                }
            }
            if self.closing_within(pause) {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One life of a lens.
    fn follow(&self) -> End {
        let order = Order::Open { settings: self.settings.clone(), views: self.views.clone() };
        let mut running = match self.lens.start(&order) {
            Ok(running) => running,
            Err(error) => return End::NotOpened(error.to_string()),
        };
        if let Err(error) = self.announce(&running) {
            return End::NotOpened(error.to_string());
        }
        let mut opened = false;
        let ended = loop {
            match message::receive(&mut running.socket) {
                Ok(Report::Opened(format)) => {
                    if let Err(error) =
                        running.socket.set_read_timeout(Some(self.settings.silent_max))
                    {
                        break Err(error.to_string());
                    }
                    self.opened(format);
                    opened = true;
                }
                Ok(Report::Picture(picture)) if opened => {
                    if let Err(reason) = self.keep(picture) {
                        break Err(reason);
                    }
                }
                Ok(Report::Ended) => break Ok(()),
                Ok(Report::Failed(reason)) => break Err(reason),
                Ok(other) => {
                    break Err(format!("its process says what does not belong: {other:?}"));
                }
                Err(error) => break Err(self.silence(&error, opened)),
            }
        };
        let words = running.end();
        let closing = {
            let mut state = self.board.lock();
            state.socket = None;
            state.closing
        };
        match ended {
            _ if closing => End::Closed,
            Ok(()) => End::Over,
            Err(reason) if opened => End::Lost(reason),
            Err(reason) => End::NotOpened(match words {
                Some(words) => format!("{reason} ({})", words.trim()),
                None => reason,
            }),
        }
    }

    /// Whoever closes the device closes this socket.
    fn announce(&self, running: &Running) -> std::io::Result<()> {
        running.socket.set_read_timeout(Some(OPEN_MAX))?;
        let socket = running.socket.try_clone()?;
        let mut state = self.board.lock();
        if state.closing {
            socket.shutdown(Shutdown::Both)?;
        }
        state.socket = Some(socket);
        Ok(())
    }

    fn silence(&self, error: &std::io::Error, opened: bool) -> String {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let limit = if opened { self.settings.silent_max } else { OPEN_MAX };
                format!("it gave no picture for {limit:?}")
            }
            _ => format!("its process ended: {error}"),
        }
    }

    fn opened(&self, format: DeviceFormat) {
        let source = self.settings.source.to_string();
        let size = self.settings.size.map(|[width, height]| format!("{width}x{height}"));
        let asked = size.unwrap_or_else(|| "any size".into());
        let fps = self.settings.fps;
        tracing::info!(source, asked, asked_fps = fps, got = %format, "a camera is open");
        if let (Some(asked), Some(got)) = (fps, format.fps)
            && (got - asked).abs() > 0.1 * asked
        {
            tracing::warn!(source, asked, got, "the camera has another frame rate than asked for");
        }
        let mut state = self.board.lock();
        state.openings += 1;
        state.format = Some(format);
    }

    fn keep(&self, Picture { grabbed_ns, views }: Picture) -> Result<(), String> {
        let fits = views.len() == self.views.len()
            && views
                .iter()
                .zip(&self.views)
                .all(|(frame, view)| (frame.width, frame.height) == (view.width, view.height));
        if !fits {
            return Err(format!("its process gives other views than asked for: {views:?}"));
        }
        let age = Duration::from_nanos(message::monotonic_ns().saturating_sub(grabbed_ns));
        let at = self.clock.now().before(age);
        let mut state = self.board.lock();
        state.newest = Some(Arc::new(Taken { at, views }));
        state.trouble = None;
        state.pictures += 1;
        drop(state);
        self.board.changed.notify_all();
        Ok(())
    }

    fn trouble(&self, reason: String) {
        let mut state = self.board.lock();
        if state.trouble.as_ref() != Some(&reason) && state.newest.is_some() {
            let source = self.settings.source.to_string();
            tracing::warn!(source, reason, "a camera cannot be opened");
        }
        state.trouble = Some(reason);
        drop(state);
        self.board.changed.notify_all();
    }

    /// Waits; says whether the device is to be closed.
    fn closing_within(&self, pause: Duration) -> bool {
        let goes_on = |state: &mut State| !state.closing;
        let state = self.board.lock();
        let (state, _) = self
            .board
            .changed
            .wait_timeout_while(state, pause, goes_on)
            .unwrap_or_else(PoisonError::into_inner);
        state.closing
    }
}
