//! LeRobotDataset v3.0: export of a run's journal and import into one.
//!
//! A row is a step: what was seen before it, the action, and what came of it. The observation after
//! an episode's last step has no row in that format; it is kept, with what else the format has no
//! place for, in `reins/episodes.parquet` beside the data, which other readers pass over.

mod columns;
mod export;
mod fields;
mod import;
mod info;
mod kept;
mod stats;
mod video;

use std::path::{Path, PathBuf};

pub use export::{ExportOptions, Exported, Source, export};
pub use import::{ImportOptions, import};
pub use video::{Pictures, VideoCodec, VideoSink};

pub const VERSION: &str = "v3.0";

const STATE: &str = "observation.state";
const ACTION: &str = "action";
const IMAGES: &str = "observation.images.";

fn image_key(camera: &str) -> String {
    format!("{IMAGES}{camera}")
}

fn info_path(root: &Path) -> PathBuf {
    root.join("meta/info.json")
}

fn stats_path(root: &Path) -> PathBuf {
    root.join("meta/stats.json")
}

fn tasks_path(root: &Path) -> PathBuf {
    root.join("meta/tasks.parquet")
}

fn episodes_path(root: &Path) -> PathBuf {
    root.join("meta/episodes/chunk-000/file-000.parquet")
}

fn data_path(root: &Path, file: DataFile) -> PathBuf {
    root.join(format!("data/chunk-{:03}/file-{:03}.parquet", file.chunk, file.file))
}

fn kept_path(root: &Path) -> PathBuf {
    root.join("reins/episodes.parquet")
}

/// Where an episode's rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DataFile {
    chunk: u32,
    file: u32,
}

impl DataFile {
    fn next(self, files_per_chunk: u32) -> Self {
        if self.file + 1 >= files_per_chunk {
            Self { chunk: self.chunk + 1, file: 0 }
        } else {
            Self { file: self.file + 1, ..self }
        }
    }
}

#[cfg(test)]
mod tests;
