//! Talks to our program on the controller: sends it where to go, starts it, and starts it again when
//! somebody asks for recovery.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::PoisonError,
    thread,
    time::Duration,
};

use wire::Timestamp;

use super::{
    Shared,
    dashboard::{Control, Dashboard},
    program::{Message, ended_because, said},
    status::{Fault, Hurdle, Status, hurdle},
};
use crate::arm::{ArmError, shared::Recovery};

/// Longest time between two messages to the program.
const PERIOD: Duration = Duration::from_millis(8);
/// How long the program may take to dial back.
const DIAL_WAIT: Duration = Duration::from_secs(3);
/// How long the controller may take to release a protective stop.
const UNLOCK_WAIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);
const TIMEOUT: Duration = Duration::from_millis(500);

pub(super) struct Servo {
    /// Where the program dials.
    listener: TcpListener,
    scripts: SocketAddr,
    dashboard: SocketAddr,
    program: String,
    stream: Option<TcpStream>,
}

/// What is to be done next.
enum Next {
    Quit,
    Recover,
    /// The program must not go on.
    End,
    Send(Message),
}

impl Servo {
    pub fn new(
        listener: TcpListener,
        scripts: SocketAddr,
        dashboard: SocketAddr,
        program: String,
    ) -> Self {
        Self { listener, scripts, dashboard, program, stream: None }
    }

    /// Runs until the driver is dropped.
    pub fn run(mut self, shared: &Shared) {
        loop {
            match next(shared) {
                Next::Quit => {
                    self.end_program();
                    return;
                }
                Next::Recover => self.recover(shared),
                Next::End => {
                    self.end_program();
                    shared.lock().program_runs = false;
                }
                Next::Send(message) => {
                    if let Some(stream) = &mut self.stream
                        && let Err(error) = send(stream, &message)
                    {
                        tracing::warn!("the program on the UR controller is gone: {error}");
                        self.stream = None;
                        shared.lock().program_gone();
                    }
                }
            }
        }
    }

    fn end_program(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // Where it is not heard the closed connection or the time limit ends the program.
            _ = send(&mut stream, &Message::End);
        }
    }

    fn recover(&mut self, shared: &Shared) {
        self.end_program();
        let outcome = self.start_program(shared);
        let mut status = shared.lock();
        if let Err(error) = &outcome {
            tracing::warn!("recovering the UR arm failed: {error}");
            if status.fault != Some(Fault::EmergencyStop) {
                status.fault = Some(Fault::NotRecovered(match error {
                    ArmError::NeedsOperator(why) => why.clone(),
                    other => other.to_string(),
                }));
            }
        }
        status.recovery = Recovery::Done(outcome);
        shared.news.notify_all();
    }

    /// Clears what may be cleared from here, uploads the program and waits for it to dial back.
    pub fn start_program(&mut self, shared: &Shared) -> Result<(), ArmError> {
        let mut dashboard = Dashboard::connect(self.dashboard).map_err(|error| {
            ArmError::NeedsOperator(format!(
                "its dashboard server does not answer on {} ({error}): switch the service on in the \
                 controller's security settings",
                self.dashboard
            ))
        })?;
        let lost = |error: io::Error| {
            ArmError::Gone(format!("its dashboard server stopped answering: {error}"))
        };
        if dashboard.control().map_err(lost)? == Control::Local {
            return Err(ArmError::NeedsOperator(
                "the controller is in local control and takes no program: choose Remote Control at \
                 the top right of the pendant"
                    .into(),
            ));
        }
        let hurdle = shared.lock().snapshot.as_ref().and_then(|seen| hurdle(&seen.value));
        match hurdle {
            None => {}
            Some(Hurdle::Person(why)) => return Err(ArmError::NeedsOperator(why)),
            Some(Hurdle::ProtectiveStop) => unlock(&mut dashboard, shared)?,
        }
        // A program that is paused, or somebody else's, would stand in the way.
        let ended = dashboard.ask("stop").map_err(lost)?;
        tracing::debug!("the UR controller was told to stop its program: {ended}");
        while self.listener.accept().is_ok() {} // Nobody that dialled before.
        self.upload()?;
        self.stream = Some(self.wait_for_program(shared)?);
        shared.lock().program_started();
        Ok(())
    }

    fn upload(&self) -> Result<(), ArmError> {
        let sent = TcpStream::connect_timeout(&self.scripts, TIMEOUT).and_then(|mut stream| {
            stream.set_write_timeout(Some(TIMEOUT))?;
            stream.write_all(self.program.as_bytes())
        });
        sent.map_err(|error| {
            ArmError::NeedsOperator(format!(
                "its secondary interface takes no program on {} ({error}): switch the service on in \
                 the controller's security settings",
                self.scripts
            ))
        })
    }

    fn wait_for_program(&self, shared: &Shared) -> Result<TcpStream, ArmError> {
        let until = shared.clock.now() + DIAL_WAIT;
        while shared.clock.now() < until && !shared.lock().quits {
            match self.listener.accept() {
                Ok((stream, from)) => {
                    tracing::debug!("the arm's program dials in from {from}");
                    let ready =
                        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
                    ready.map_err(|error| ArmError::Gone(error.to_string()))?;
                    return Ok(stream);
                }
                Err(_) => thread::sleep(POLL),
            }
        }
        Err(ArmError::NeedsOperator(ended_because(said::NO_CONNECTION).into()))
    }
}

/// Waits for something to do, one period at most.
fn next(shared: &Shared) -> Next {
    let idle = |status: &mut Status| {
        let asked = matches!(status.recovery, Recovery::Asked);
        let must_end = status.fault.is_some() && status.program_runs;
        !(status.quits || asked || must_end || status.target_is_new)
    };
    let (mut status, _) = shared
        .wake
        .wait_timeout_while(shared.lock(), PERIOD, idle)
        .unwrap_or_else(PoisonError::into_inner);
    status.target_is_new = false;
    if status.quits {
        return Next::Quit;
    }
    if matches!(status.recovery, Recovery::Asked) {
        status.recovery = Recovery::UnderWay;
        return Next::Recover;
    }
    if status.fault.is_some() && status.program_runs {
        return Next::End;
    }
    Next::Send(message(&status, shared.clock.now()))
}

fn message(status: &Status, now: Timestamp) -> Message {
    match status.leased(now) {
        Some((pose, _)) if !status.stopped => Message::Pose(pose),
        _ => Message::Idle,
    }
}

/// All of it or nothing: a program that does not take 32 bytes does not read.
fn send(stream: &mut TcpStream, message: &Message) -> io::Result<()> {
    match stream.peek(&mut [0]) {
        Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
        _ => {}
    }
    let bytes = message.encode();
    match stream.write(&bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

fn unlock(dashboard: &mut Dashboard, shared: &Shared) -> Result<(), ArmError> {
    let lost = |error: io::Error| {
        ArmError::Gone(format!("its dashboard server stopped answering: {error}"))
    };
    dashboard.ask("close safety popup").map_err(lost)?;
    let answer = dashboard.ask("unlock protective stop").map_err(lost)?;
    if !answer.to_ascii_lowercase().contains("releasing") {
        return Err(ArmError::NeedsOperator(format!(
            "its protective stop was not released ({answer}): see what it touched, wait 5 s, and \
             recover it again"
        )));
    }
    let locked = |status: &mut Status| {
        let seen = status.snapshot.as_ref();
        !status.quits && seen.is_some_and(|seen| hurdle(&seen.value).is_some())
    };
    let (status, waited) = shared
        .news
        .wait_timeout_while(shared.lock(), UNLOCK_WAIT, locked)
        .unwrap_or_else(PoisonError::into_inner);
    drop(status);
    if waited.timed_out() {
        return Err(ArmError::NeedsOperator(
            "its protective stop was released and it stays stopped: read the pendant".into(),
        ));
    }
    Ok(())
}
