//! System packages of Debian and its kin: what is needed, whether it is there, how to get it.

use crate::{args::SetupOptions, shell};
use anyhow::{Context, bail};
use std::io::{IsTerminal, stdin};
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Debug)]
pub struct Package {
    pub name: &'static str,
    pub purpose: &'static str,
    pub when: When,
    /// To download, with what it needs on a bare Debian 12; shown where apt-get cannot tell.
    pub about_bytes: u64,
    /// How to see that it is there, whoever installed it.
    probe: Probe,
}

#[derive(Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Only if an archive has to be downloaded.
    Downloading,
}

#[derive(Debug)]
enum Probe {
    InPath(&'static [&'static str]),
    Pip,
    AnyFile(&'static [&'static str]),
}

pub const PACKAGES: &[Package] = &[
    Package {
        name: "g++",
        purpose: "compiles the C++ side of tch",
        when: When::Always,
        about_bytes: 13_000_000,
        probe: Probe::InPath(&["c++", "g++"]),
    },
    Package {
        name: "libudev-dev",
        purpose: "finds gamepads as they are plugged in",
        when: When::Always,
        about_bytes: 100_000,
        probe: Probe::AnyFile(&[
            "/usr/lib/x86_64-linux-gnu/pkgconfig/libudev.pc",
            "/usr/lib64/pkgconfig/libudev.pc",
            "/usr/lib/pkgconfig/libudev.pc",
            "/usr/share/pkgconfig/libudev.pc",
        ]),
    },
    Package {
        name: "pkg-config",
        purpose: "tells the build where that is",
        when: When::Always,
        about_bytes: 100_000,
        probe: Probe::InPath(&["pkg-config", "pkgconf"]),
    },
    Package {
        name: "libegl1",
        purpose: "renders the simulated cameras without a display",
        when: When::Always,
        about_bytes: 1_000_000,
        probe: Probe::AnyFile(&[
            "/usr/lib/x86_64-linux-gnu/libEGL.so.1",
            "/usr/lib64/libEGL.so.1",
            "/usr/lib/libEGL.so.1",
        ]),
    },
    Package {
        name: "libegl-mesa0",
        purpose: "the same, on the CPU",
        when: When::Always,
        about_bytes: 3_000_000,
        probe: Probe::AnyFile(&[
            "/usr/share/glvnd/egl_vendor.d/50_mesa.json",
            "/usr/share/glvnd/egl_vendor.d/10_nvidia.json",
            "/etc/glvnd/egl_vendor.d/10_nvidia.json",
        ]),
    },
    Package {
        name: "libgl1-mesa-dri",
        purpose: "the same, on the CPU",
        when: When::Always,
        about_bytes: 42_000_000,
        probe: Probe::AnyFile(&[
            "/usr/lib/x86_64-linux-gnu/dri/swrast_dri.so",
            "/usr/lib64/dri/swrast_dri.so",
            "/usr/lib/dri/swrast_dri.so",
            "/usr/share/glvnd/egl_vendor.d/10_nvidia.json",
            "/etc/glvnd/egl_vendor.d/10_nvidia.json",
        ]),
    },
    Package {
        name: "clang",
        purpose: "reads OpenCV's headers for `lens`",
        when: When::Always,
        about_bytes: 30_000_000,
        probe: Probe::InPath(&["clang"]),
    },
    Package {
        name: "libopencv-videoio-dev",
        purpose: "opens cameras; brings the rest of OpenCV that is needed",
        when: When::Always,
        about_bytes: 45_000_000,
        probe: Probe::AnyFile(&[
            "/usr/include/opencv4/opencv2/videoio.hpp",
            "/usr/local/include/opencv4/opencv2/videoio.hpp",
        ]),
    },
    Package {
        name: "gstreamer1.0-plugins-base",
        purpose: "what a camera's GStreamer pipeline ends in",
        when: When::Always,
        about_bytes: 1_000_000,
        probe: Probe::AnyFile(&[
            "/usr/lib/x86_64-linux-gnu/gstreamer-1.0/libgstapp.so",
            "/usr/lib64/gstreamer-1.0/libgstapp.so",
            "/usr/lib/gstreamer-1.0/libgstapp.so",
        ]),
    },
    Package {
        name: "python3",
        purpose: "runs pip",
        when: When::Downloading,
        about_bytes: 10_000_000,
        probe: Probe::InPath(&["python3"]),
    },
    Package {
        name: "python3-pip",
        purpose: "downloads from PyPI or its mirror",
        when: When::Downloading,
        about_bytes: 3_000_000,
        probe: Probe::Pip,
    },
];

impl Package {
    pub fn is_installed(&self) -> bool {
        match self.probe {
            Probe::InPath(programs) => shell::found_in_path(programs),
            Probe::Pip => succeeds(Command::new("python3").args(["-m", "pip", "--version"])),
            Probe::AnyFile(files) => {
                files.iter().any(|file| Path::new(file).exists()) || dpkg_has(self.name)
            }
        }
    }
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn dpkg_has(name: &str) -> bool {
    let query = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", name]).output();
    query.is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

/// What apt-get would download, in bytes; none where it cannot tell, as before its first update.
pub fn download_bytes(packages: &[&Package]) -> Option<u64> {
    let mut query = Command::new("apt-get");
    query.args(["--print-uris", "-qq", "install", "--no-install-recommends"]);
    let output = query.args(packages.iter().map(|package| package.name)).output().ok()?;
    output.status.success().then(|| sum_of_uris(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines are `'address' file-name bytes hash`.
fn sum_of_uris(text: &str) -> u64 {
    let bytes = |line: &str| line.split_whitespace().nth(2)?.parse::<u64>().ok();
    text.lines().filter_map(bytes).sum()
}

/// How far we may go on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    /// sudo without a password.
    Sudo,
    /// sudo is there and asks for a password, or refuses.
    SudoByHand,
    None,
}

impl Rights {
    fn find() -> Rights {
        let user = Command::new("id").arg("-u").output();
        if user.is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
            Rights::Root
        } else if !shell::found_in_path(&["sudo"]) {
            Rights::None
        } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
            Rights::Sudo
        } else {
            Rights::SudoByHand
        }
    }
}

/// Installs the packages, or says what to type and fails.
pub fn install(packages: &[&Package], options: &SetupOptions) -> anyhow::Result<()> {
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    if !shell::found_in_path(&["apt-get"]) {
        bail!(
            "this system has no apt-get. Install what Debian calls {} with its own package \
             manager, then run this again (`--no-apt` leaves system packages alone)",
            names.join(", ")
        );
    }
    let rights = Rights::find();
    let by_hand = command_text(&names, rights);
    if matches!(rights, Rights::SudoByHand | Rights::None) {
        bail!("installing system packages needs root. Type\n\n    {by_hand}\n\nand run this again");
    }
    if !options.yes && stdin().is_terminal() && !agreed()? {
        bail!("nothing was installed. To do it yourself, type\n\n    {by_hand}");
    }
    for arguments in apt_commands(&names) {
        let mut words = match rights {
            Rights::Sudo => vec!["sudo", "-n"],
            _ => vec![],
        };
        words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        words.extend(arguments);
        let is_update = words.ends_with(&["update"]);
        if let Err(error) = shell::run(Command::new(words[0]).args(&words[1..])) {
            if is_update {
                // One source of many that does not answer need not matter.
                eprintln!("warning: {error:#}; trying to install all the same");
                continue;
            }
            bail!(
                "{error:#}\n\nWhen the network is there, type\n\n    {by_hand}\n\nand run this again"
            );
        }
    }
    Ok(())
}

fn apt_commands<'a>(names: &[&'a str]) -> [Vec<&'a str>; 2] {
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(names);
    [vec!["update"], install]
}

fn command_text(names: &[&str], rights: Rights) -> String {
    let prefix = if rights == Rights::Root { "" } else { "sudo " };
    let one = |arguments: Vec<&str>| format!("{prefix}apt-get {}", arguments.join(" "));
    let line = apt_commands(names).map(one).join(" && ");
    if rights == Rights::None { format!("su -c '{}'", line.replace("sudo ", "")) } else { line }
}

fn agreed() -> anyhow::Result<bool> {
    eprint!("Install the system packages now? [Y/n] ");
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("could not read the answer")?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_command_to_type_fits_the_rights() {
        let text = |rights| command_text(&["g++", "libegl1"], rights);
        let install = "apt-get install -y --no-install-recommends g++ libegl1";
        assert_eq!(text(Rights::Root), format!("apt-get update && {install}"));
        assert_eq!(text(Rights::SudoByHand), format!("sudo apt-get update && sudo {install}"));
        assert_eq!(text(Rights::None), format!("su -c 'apt-get update && {install}'"));
    }

    #[test]
    fn sizes_are_read_from_apt() {
        let text = "'http://deb/a_1.deb' a_1_amd64.deb 1200 MD5Sum:12\n\
                    'http://deb/b_1.deb' b_1_amd64.deb 34 MD5Sum:34\n";
        assert_eq!(sum_of_uris(text), 1234);
        assert_eq!(sum_of_uris(""), 0);
    }
}
