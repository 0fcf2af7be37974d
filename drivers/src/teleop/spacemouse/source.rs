//! Where reports come from: a file descriptor that gives one report per read, as hidraw does.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
    io::Errno,
};

/// The seam between the driver and the machine.
pub trait ReportSource: Send {
    /// The length of one report, or `None` when none came within `timeout`. An error is a device that
    /// is gone.
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<Option<usize>>;
}

/// A hidraw device, or a socket that keeps reports apart.
#[derive(Debug)]
pub struct FdSource(OwnedFd);

impl FdSource {
    pub fn open(node: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(Self(open(node, flags, Mode::empty())?))
    }
}

impl From<OwnedFd> for FdSource {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl ReportSource for FdSource {
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<Option<usize>> {
        if !is_readable(self.0.as_fd(), timeout)? {
            return Ok(None);
        }
        read(self.0.as_fd(), buffer)
    }
}

/// Whether something can be read within `timeout`; an error when nothing ever will.
pub(super) fn is_readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(0) | Err(Errno::INTR) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    if fds[0].revents().contains(PollFlags::IN) {
        return Ok(true);
    }
    Err(io::Error::new(io::ErrorKind::NotConnected, "it was unplugged"))
}

/// What is there, `None` when it was taken away before; an error at the end.
pub(super) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::io::read(fd, buffer) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was unplugged")),
        Ok(length) => Ok(Some(length)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
