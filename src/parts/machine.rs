//! What a cell asks of the machine that it runs on: a disk that keeps up with the pictures, a short way to
//! the robot, a clock that agrees with those of other machines, and the rights to a loop of 1 ms.

use std::{
    fs,
    io::{self, Write},
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    process::Command,
    time::Duration,
};

use rustix::process::{Resource, geteuid, getrlimit};
use tasks::{CellConfig, Finding, RunConfig, Severity, TaskConfig, cell::ArmDriver};
use wire::{Clock, SystemClock};

/// What is written to learn how fast the disk is.
const TRIAL: usize = 16 << 20;
/// The disk does more than this.
const ROOM: f64 = 4.0;
/// A robot on a cable of its own answers sooner.
const WAY_MAX: Duration = Duration::from_millis(5);
const WAY_TRIALS: u32 = 10;
const WAY_TIMEOUT: Duration = Duration::from_secs(1);
/// Where a real-time kernel says that it is one.
const RT_KERNEL: &str = "/sys/kernel/realtime";
/// Less memory than this cannot be kept from the disk (bytes).
const MEMORY_LOCKED: u64 = 1 << 30;

pub fn examine(cell: &CellConfig, task: &TaskConfig, run: &RunConfig) -> Vec<Finding> {
    let needed = bytes_a_second(cell, task);
    let mut findings = match disk_speed(Path::new(".")) {
        Ok(speed) => Vec::from_iter(slow_disk(speed, needed)),
        Err(error) => vec![Finding::new(
            Severity::Error,
            format!("nothing can be written here: {error}"),
            "Make room, or work in a folder that is yours",
        )],
    };
    let arms = cell.arm_cells();
    for (host, port) in arms.iter().filter_map(robot) {
        if let Some(longest) = way_to(&host, port) {
            findings.extend(long_way(&host, longest));
        }
    }
    let frankas: Vec<_> = arms.iter().filter(|one| one.arm.driver == ArmDriver::Franka).collect();
    if !frankas.is_empty() {
        let asked_for = frankas.iter().any(|one| asks_for_real_time(one));
        findings.extend(real_time(&RealTime::of_this_machine(), asked_for));
    }
    let has_others = run.link.insecure || run.link.certificates.is_some();
    if has_others && is_clock_adrift() {
        findings.push(Finding::new(
            Severity::Warning,
            "this machine's clock is not synchronised, and actor and learner may be on two machines",
            "Switch it on: `sudo timedatectl set-ntp true`",
        ));
    }
    findings
}

/// Of pictures, as they come from the cameras.
fn bytes_a_second(cell: &CellConfig, task: &TaskConfig) -> f64 {
    let cameras = task.cameras.iter().filter_map(|name| cell.camera(name));
    let bytes: f64 =
        cameras.map(|camera| 3.0 * f64::from(camera.width) * f64::from(camera.height)).sum();
    bytes / task.period().as_secs_f64()
}

/// Bytes a second, on the disk and not only on the way there.
fn disk_speed(folder: &Path) -> io::Result<f64> {
    let clock = SystemClock::new();
    let mut file = tempfile::tempfile_in(folder)?;
    let begun = clock.now();
    let block = vec![0xa5; 1 << 20];
    for _ in 0..TRIAL / block.len() {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    Ok(TRIAL as f64 / clock.now().since(begun).as_secs_f64().max(1e-9))
}

fn slow_disk(speed: f64, needed: f64) -> Option<Finding> {
    let mb = |bytes: f64| bytes / 1e6;
    (speed < ROOM * needed).then(|| {
        Finding::new(
            Severity::Warning,
            format!(
                "the disk here takes {:.1} MB/s, and the cameras give {:.1}",
                mb(speed),
                mb(needed)
            ),
            "Work in a folder on a faster disk, or give the policy smaller pictures",
        )
    })
}

/// A port that may be knocked at; a Franka's takes one visitor alone.
fn robot(cell: &CellConfig) -> Option<(String, u16)> {
    match cell.arm.driver {
        ArmDriver::Ur => cell.ur.as_ref().map(|ur| (ur.host.clone(), ur.dashboard_port)),
        ArmDriver::Xarm => cell.xarm.as_ref().map(|xarm| (xarm.host.clone(), xarm.report_port)),
        ArmDriver::Sim | ArmDriver::SerlHttp | ArmDriver::Franka | ArmDriver::So101 => None,
    }
}

/// The longest of some connections; none where one fails, which the driver says better.
fn way_to(host: &str, port: u16) -> Option<Duration> {
    let clock = SystemClock::new();
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let mut longest = Duration::ZERO;
    for _ in 0..WAY_TRIALS {
        let begun = clock.now();
        TcpStream::connect_timeout(&address, WAY_TIMEOUT).ok()?;
        longest = longest.max(clock.now().since(begun));
    }
    Some(longest)
}

fn long_way(host: &str, longest: Duration) -> Option<Finding> {
    (longest > WAY_MAX).then(|| {
        Finding::new(
            Severity::Warning,
            format!("the way to the robot at {host} takes up to {longest:.1?}"),
            "Give the robot a cable of its own, without Wi-Fi and without other traffic",
        )
    })
}

/// False where nobody can say.
fn is_clock_adrift() -> bool {
    let mut ask = Command::new("timedatectl");
    let output = ask.args(["show", "-p", "NTPSynchronized", "--value"]).output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"no")
}

/// What a loop of 1 ms needs of the kernel and of this user.
struct RealTime {
    kernel: bool,
    may_be_first: bool,
    may_lock_memory: bool,
}

impl RealTime {
    fn of_this_machine() -> Self {
        let kernel = fs::read_to_string(RT_KERNEL).is_ok_and(|says| says.trim() == "1");
        let is_root = geteuid().is_root();
        // No limit is said as `None`.
        let allows = |resource| is_root || getrlimit(resource).current.is_none_or(|most| most > 0);
        let memory = getrlimit(Resource::Memlock).current;
        Self {
            kernel,
            may_be_first: allows(Resource::Rtprio),
            may_lock_memory: is_root || memory.is_none_or(|most| most >= MEMORY_LOCKED),
        }
    }
}

fn asks_for_real_time(cell: &CellConfig) -> bool {
    cell.franka.as_ref().is_some_and(|franka| franka.real_time)
}

/// An error where the driver will refuse, which it does not without `franka.real_time`.
fn real_time(machine: &RealTime, asked_for: bool) -> Vec<Finding> {
    let severity = if asked_for { Severity::Error } else { Severity::Warning };
    [
        (
            machine.kernel,
            "the kernel is not a real-time one, and a Franka wants an answer every millisecond",
            "Install a PREEMPT_RT kernel (Ubuntu: `pro enable realtime-kernel`)",
        ),
        (
            machine.may_be_first,
            "this user may not give the arm's loop real-time priority",
            "Put `@realtime - rtprio 99` into /etc/security/limits.conf, join the group, log in anew",
        ),
        (
            machine.may_lock_memory,
            "this user may not lock memory, so that the arm's loop may wait for the disk",
            "Put `@realtime - memlock unlimited` into /etc/security/limits.conf, log in anew",
        ),
    ]
    .into_iter()
    .filter(|(there, ..)| !there)
    .map(|(_, what, remedy)| Finding::new(severity, what, remedy))
    .collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_disk_that_is_no_faster_than_the_cameras_is_told() {
        assert!(slow_disk(39e6, 10e6).unwrap().what.contains("39.0 MB/s"));
        assert!(slow_disk(41e6, 10e6).is_none());
        let folder = tempfile::tempdir().unwrap();
        assert!(disk_speed(folder.path()).unwrap() > 0.0);
        assert!(disk_speed(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_long_way_to_the_robot_is_told_and_none_is_not() {
        assert!(long_way("ur", Duration::from_millis(12)).unwrap().what.contains("12.0ms"));
        assert!(long_way("ur", Duration::from_millis(1)).is_none());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(way_to("127.0.0.1", port).is_some());
        drop(listener);
        assert!(way_to("127.0.0.1", port).is_none());
    }

    #[test]
    fn what_a_loop_of_a_millisecond_lacks_is_an_error_only_where_the_driver_insists() {
        let bare = RealTime { kernel: false, may_be_first: true, may_lock_memory: false };
        let said = |asked_for| real_time(&bare, asked_for);
        assert!(said(true)[0].what.contains("kernel"));
        assert!(said(true)[1].remedy.contains("memlock"));
        assert_eq!(said(true).len(), 2);
        assert!(said(true).iter().all(|finding| finding.severity == Severity::Error));
        assert!(said(false).iter().all(|finding| finding.severity == Severity::Warning));
        let fit = RealTime { kernel: true, may_be_first: true, may_lock_memory: true };
        assert!(real_time(&fit, true).is_empty());
    }
}
