//! Sees what happens in a folder the moment it happens.

use std::{
    ffi::CStr,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
};

use crate::aim::Sight;

/// How often to look whether the folder is there.
const POLL: Duration = Duration::from_millis(5);

/// Waits until `sight` was seen in `folder` and then `let_pass` more times; false when `until` came
/// first or `give_up` says so.
#[expect(clippy::disallowed_methods, reason = "the limit of a wait for other processes")]
pub fn wait(
    folder: &Path,
    sight: Sight,
    let_pass: u32,
    until: Instant,
    mut give_up: impl FnMut() -> bool,
) -> bool {
    while !folder.is_dir() {
        if Instant::now() >= until || give_up() {
            return false;
        }
        std::thread::sleep(POLL);
    }
    let watched = match sight {
        Sight::NewFile => WatchFlags::CREATE,
        Sight::Growth => WatchFlags::MODIFY,
    };
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, folder, watched).unwrap();
    let mut left = let_pass + 1;
    while left > 0 {
        if Instant::now() >= until || give_up() {
            return false;
        }
        left = left.saturating_sub(seen(&watch));
    }
    true
}

/// How many events came within a moment.
fn seen(watch: &OwnedFd) -> u32 {
    let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    if poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&moment)).unwrap_or(0) == 0 {
        return 0;
    }
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(watch, &mut buffer);
    let mut count = 0;
    while let Ok(event) = reader.next() {
        let ours = event.file_name().is_some_and(is_data);
        count += u32::from(ours && !event.events().contains(ReadFlags::ISDIR));
        if reader.is_buffer_empty() {
            break;
        }
    }
    count
}

/// Records and checkpoints, not the lock and the progress beside them.
fn is_data(name: &CStr) -> bool {
    let name = name.to_bytes();
    [&b".journal"[..], b".ckpt", b".tmp"].iter().any(|end| name.ends_with(end))
}
