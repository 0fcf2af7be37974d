//! Picks the device that torch computes on, at run time: one binary serves machines with and
//! without a GPU.
//!
//! The binary is linked against libtorch's CPU half. Its CUDA half registers itself when it is
//! loaded, which must happen before the first operation; so call [`prepare`] first.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
pub use tch::Device;
use thiserror::Error;

/// Folder of a libtorch with CUDA, for when it does not lie where it is looked for.
pub const LIBTORCH_DIR_VARIABLE: &str = "REINS_LIBTORCH_DIR";
/// The libtorch that this binary is built for; its CUDA half must be of the same version.
const LIBTORCH_VERSION: &str = "2.11.0";
const CUDA_LIBRARY: &str = "libtorch_cuda.so";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceRequest {
    /// CUDA when it works, else the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda,
}

impl FromStr for DeviceRequest {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            _ => Err(DeviceError::Unknown(text.to_owned())),
        }
    }
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeviceError {
    #[error("there is no device {0:?}: say auto, cpu or cuda")]
    Unknown(String),
    #[error(
        "cuda was asked for, but {0}; install the driver, point {LIBTORCH_DIR_VARIABLE} at the \
         library folder of a libtorch {LIBTORCH_VERSION} with CUDA (a PyTorch {LIBTORCH_VERSION}'s \
         torch/lib will do), or say cpu"
    )]
    NoCuda(String),
}

/// What came of looking for CUDA.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cuda {
    Works { devices: i64, library: Option<PathBuf> },
    Absent { reason: String },
}

/// The device to compute on, and a sentence that says which it is and why.
///
/// Call this before anything else of torch, and once per process.
pub fn prepare(request: DeviceRequest) -> Result<(Device, String), DeviceError> {
    choose(request, find_cuda)
}

/// How many threads torch may use inside one operation, from here on.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX).max(1));
}

fn choose(
    request: DeviceRequest,
    find_cuda: impl FnOnce() -> Cuda,
) -> Result<(Device, String), DeviceError> {
    if request == DeviceRequest::Cpu {
        return Ok((Device::Cpu, "using the CPU, as asked".into()));
    }
    match (find_cuda(), request) {
        (Cuda::Works { devices, library }, _) => {
            let from = library.map_or_else(String::new, |path| format!(" ({})", path.display()));
            Ok((Device::Cuda(0), format!("using CUDA device 0 of {devices}{from}")))
        }
        (Cuda::Absent { reason }, DeviceRequest::Cuda) => Err(DeviceError::NoCuda(reason)),
        (Cuda::Absent { reason }, _) => Ok((Device::Cpu, format!("using the CPU, as {reason}"))),
    }
}

fn find_cuda() -> Cuda {
    let folders = library_folders();
    let Some(library) =
        folders.iter().map(|dir| dir.join(CUDA_LIBRARY)).find(|path| path.is_file())
    else {
        let looked: Vec<_> = folders.iter().map(|dir| dir.display().to_string()).collect();
        return probe(None).unwrap_or_else(|| Cuda::Absent {
            reason: format!("there is no {CUDA_LIBRARY} in {}", looked.join(", ")),
        });
    };
    match load(&library) {
        Ok(()) => probe(Some(&library)).unwrap_or_else(|| Cuda::Absent {
            reason: format!("{} finds no GPU or no driver", library.display()),
        }),
        Err(e) => {
            Cuda::Absent { reason: format!("{} could not be loaded: {e}", library.display()) }
        }
    }
}

fn probe(library: Option<&Path>) -> Option<Cuda> {
    (tch::Cuda::is_available() && tch::Cuda::device_count() > 0).then(|| Cuda::Works {
        devices: tch::Cuda::device_count(),
        library: library.map(Path::to_owned),
    })
}

/// Where the CUDA half may lie: the folder named by the variable, the folder that libtorch was
/// loaded from, and `libtorch-cuda/lib` beside that libtorch.
fn library_folders() -> Vec<PathBuf> {
    let named = std::env::var_os(LIBTORCH_DIR_VARIABLE).map(PathBuf::from);
    let loaded = loaded_from("libtorch_cpu.so");
    let beside = loaded
        .as_deref()
        .and_then(|lib| lib.ancestors().nth(2))
        .map(|third_party| third_party.join("libtorch-cuda/lib"));
    named.into_iter().chain(loaded).chain(beside).collect()
}

/// The folder of a library that this process has loaded.
fn loaded_from(library: &str) -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    path.filter(|path| path.file_name().is_some_and(|name| name == library))
        .find_map(|path| path.parent().map(Path::to_owned))
}

/// Loads a library for good, its symbols open to all.
#[expect(
    unsafe_code,
    reason = "loading libtorch's CUDA half runs its initialisers; it is libtorch's \
    own, meant to be loaded so, and never unloaded"
)]
fn load(library: &Path) -> Result<(), libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    let loaded = unsafe { Library::open(Some(library), RTLD_NOW | RTLD_GLOBAL)? };
    std::mem::forget(loaded);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, works: bool, expected: Result<Device, &str>) {
        let found = || match works {
            true => Cuda::Works { devices: 2, library: None },
            false => Cuda::Absent { reason: "no GPU is there".into() },
        };
        match (choose(request.parse().unwrap(), found), expected) {
            (Ok((device, why)), Ok(wanted)) => {
                assert_eq!(device, wanted);
                assert!(why.starts_with("using "), "{why}");
            }
            (Err(e), Err(wanted)) => assert!(e.to_string().contains(wanted), "{e}"),
            (got, _) => panic!("{got:?}"),
        }
    }

    #[test]
    fn the_device_follows_the_request_and_the_machine() {
        check("cpu", true, Ok(Device::Cpu));
        check("auto", true, Ok(Device::Cuda(0)));
        check("auto", false, Ok(Device::Cpu));
        check("cuda", true, Ok(Device::Cuda(0)));
        check("cuda", false, Err("no GPU is there; install the driver"));
    }

    #[test]
    fn an_unknown_device_is_refused() {
        assert_eq!(
            "gpu".parse::<DeviceRequest>().unwrap_err().to_string(),
            "there is no device \"gpu\": say auto, cpu or cuda"
        );
    }

    #[test]
    fn this_process_has_loaded_libtorch_from_somewhere() {
        set_threads(1);
        assert_eq!(tch::get_num_threads(), 1);
        assert!(loaded_from("libtorch_cpu.so").unwrap().join("libc10.so").is_file());
        assert!(prepare(DeviceRequest::Auto).unwrap().1.starts_with("using "));
    }
}
