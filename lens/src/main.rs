//! `reins-lens`: opens one camera with OpenCV and gives the newest pictures to the process that
//! started it, over the socket that is its input; reads or writes one video file in the same way. It
//! ends when that socket closes.
//!
//! A process of its own, because OpenCV brings 240 libraries, waits for a device for as long as it
//! likes, and decodes what a stranger may have sent.

mod capture;
mod http;
mod list;
mod multipart;
mod node;
mod realsense;
mod source;
mod video;
mod view;

use std::{
    io::{self, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    process::{self, ExitCode},
    thread,
};

use anyhow::Context;
use drivers::camera::{
    DeviceSettings, View,
    message::{self, Order, Picture, Report},
};
use rustix::process::{Signal, getpid, kill_process};
use source::Next;

fn main() -> ExitCode {
    match talk() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reins-lens: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn talk() -> anyhow::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let order: Order = message::receive(&mut socket)
        .context("this program opens cameras for `reins`, which starts it; see `reins probe`")?;
    // Pictures to write come over the same socket, so whoever reads them meets its end.
    if !matches!(order, Order::WriteVideo { .. }) {
        end_with(socket.try_clone()?)?;
    }
    let done = match order {
        Order::List => Ok(Report::Listed(list::cameras())),
        Order::Open { settings, views } => follow(&mut socket, &settings, &views),
        Order::ReadVideo(path) => video::read(&mut socket, &path),
        Order::WriteVideo { path, fps, width, height } => {
            video::write(&mut socket, &path, fps, (width, height))
        }
    };
    let last = done.unwrap_or_else(|error| Report::Failed(format!("{error:#}")));
    // Nobody may be there any more.
    message::send(&mut socket, &last).ok();
    Ok(())
}

/// Ends this process when the other side is gone, whatever call the camera is waiting in. A plain
/// exit would run OpenCV's destructors under threads that are still in it, which crashes.
fn end_with(mut socket: UnixStream) -> io::Result<()> {
    let wait = move || {
        // Nothing more is ever said.
        let _ = socket.read(&mut [0]);
        if kill_process(getpid(), Signal::KILL).is_err() {
            process::abort();
        }
    };
    thread::Builder::new().name("end".into()).spawn(wait).map(drop)
}

/// Returns at the end of a recording.
fn follow(
    socket: &mut UnixStream,
    settings: &DeviceSettings,
    views: &[View],
) -> anyhow::Result<Report> {
    let mut source = source::open(settings)?;
    let mut opened = false;
    while let Next::Picture { image, grabbed_ns } = source.next()? {
        if !opened {
            view::check(&image, settings.size, views)?;
            message::send(socket, &Report::Opened(source.format(&image)?))?;
            opened = true;
        }
        let views = views.iter().map(|each| view::cut(&image, each)).collect::<Result<_, _>>()?;
        message::send(socket, &Report::Picture(Picture { grabbed_ns, views }))?;
    }
    Ok(Report::Ended)
}
