//! The far end of a serial line, for tests: a pseudo-terminal whose near end a driver opens by path.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

pub(crate) struct Pty {
    far: File,
    /// The near end.
    pub(crate) path: PathBuf,
}

impl Pty {
    pub(crate) fn open() -> Self {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&far).unwrap();
        unlockpt(&far).unwrap();
        let name = ptsname(&far, Vec::new()).unwrap();
        let path = OsStr::from_bytes(name.to_bytes()).into();
        Self { far: far.into(), path }
    }

    /// What has come within this time. Nothing while nobody has the near end open.
    pub(crate) fn read(&self, bytes: &mut [u8], wait: Duration) -> io::Result<usize> {
        let mut fds = [PollFd::new(&self.far, PollFlags::IN)];
        let limit = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        poll(&mut fds, Some(&limit))?;
        let seen = fds[0].revents();
        if seen.contains(PollFlags::IN) {
            return (&self.far).read(bytes);
        }
        if seen.contains(PollFlags::HUP) {
            thread::sleep(wait);
        }
        Ok(0)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.far).write_all(bytes)
    }
}
