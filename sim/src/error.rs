//! What can go wrong when a simulated cell is started.

use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum SimError {
    #[error("MuJoCo does not accept the scene: {0}")]
    Scene(String),
    #[error(
        "no picture can be drawn: {0}. Rendering needs EGL: \
         apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
    )]
    Render(String),
    #[error("the simulated cell has no camera {name:?}; it has {}", cameras.join(", "))]
    UnknownCamera { name: String, cameras: &'static [&'static str] },
    #[error("camera {name:?} is {width}x{height} pixels; each side must be 1 to 1024")]
    FrameSize { name: String, width: u16, height: u16 },
    #[error("[sim] {key} = {value} is out of range: {remedy}")]
    Config { key: &'static str, value: f64, remedy: &'static str },
    #[error("[sim] truth_log: opening {} failed: its folder must exist", path.display())]
    TruthLog { path: PathBuf, source: std::io::Error },
    #[error("the thread {name} did not start")]
    Thread { name: &'static str, source: std::io::Error },
}
