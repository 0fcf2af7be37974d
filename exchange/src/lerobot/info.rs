//! `meta/info.json`, and what `datasets` wants to know of the columns.

use serde_json::{Map, Value, json};
use tasks::TaskConfig;

use super::{STATE, VERSION, fields::FIELDS, image_key, video};

pub(super) const FILES_PER_CHUNK: u32 = 1000;
pub(super) const DATA_FILE_MB: u64 = 100;
pub(super) const VIDEO_FILE_MB: u64 = 200;

/// What every data set of this format has, in this order.
pub(super) const DEFAULTS: [(&str, &str); 5] = [
    ("timestamp", "float32"),
    ("frame_index", "int64"),
    ("episode_index", "int64"),
    ("index", "int64"),
    ("task_index", "int64"),
];

pub(super) struct Counts {
    pub episodes: u64,
    pub frames: u64,
}

/// How a data set keeps its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// As PNG, among the data.
    Png,
    /// As H.264, in files of their own.
    Video,
}

/// Every feature with its description, in the order of the columns: state, pictures, the others.
pub(super) fn features(task: &TaskConfig, storage: Storage) -> Vec<(String, Value)> {
    let spec = task.observation_spec();
    let fields = FIELDS.iter().filter(|field| field.width(task) > 0);
    let (state, others): (Vec<_>, Vec<_>) = fields.partition(|field| field.name == STATE);
    let described = |field: &&super::fields::Field| (field.name.to_owned(), field.described(task));
    let images = spec.cameras.iter().map(|camera| {
        let shape = [camera.height, camera.width, 3];
        let names = ["height", "width", "channels"];
        let mut about = json!({ "dtype": "image", "shape": shape, "names": names });
        if storage == Storage::Video {
            about["dtype"] = json!("video");
            about["info"] = json!({
                "video.height": camera.height,
                "video.width": camera.width,
                "video.channels": 3,
                "video.codec": "h264",
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": false,
                "video.fps": fps(task),
                "has_audio": false,
            });
        }
        (image_key(&camera.name), about)
    });
    let defaults = DEFAULTS.iter().map(|(name, dtype)| {
        ((*name).to_owned(), json!({ "dtype": dtype, "shape": [1], "names": null }))
    });
    let fields = state.iter().map(described).chain(images);
    fields.chain(others.iter().map(described)).chain(defaults).collect()
}

fn fps(task: &TaskConfig) -> Value {
    let hz = task.step_rate_hz;
    if hz.fract() == 0.0 { json!(hz as u64) } else { json!(hz) }
}

pub(super) fn info(task: &TaskConfig, robot: &str, storage: Storage, counts: &Counts) -> Value {
    let features: Map<String, Value> = features(task, storage).into_iter().collect();
    json!({
        "codebase_version": VERSION,
        "robot_type": robot,
        "total_episodes": counts.episodes,
        "total_frames": counts.frames,
        "total_tasks": 1,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": DATA_FILE_MB,
        "video_files_size_in_mb": VIDEO_FILE_MB,
        "fps": fps(task),
        "splits": { "train": format!("0:{}", counts.episodes) },
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": (storage == Storage::Video).then_some(video::PATH),
        "features": features,
    })
}

/// The value of the schema's key `huggingface`. Videos are no columns.
pub(super) fn for_datasets(task: &TaskConfig, storage: Storage) -> String {
    let value = |dtype: &Value| json!({ "dtype": dtype, "_type": "Value" });
    let column = |description: &Value| {
        let dtype = &description["dtype"];
        match description["shape"][0].as_u64() {
            _ if dtype == "image" => json!({ "_type": "Image" }),
            Some(1) => value(dtype),
            length => json!({ "feature": value(dtype), "length": length, "_type": "List" }),
        }
    };
    let features: Map<String, Value> = features(task, storage)
        .iter()
        .filter(|(_, about)| about["dtype"] != "video")
        .map(|(name, about)| (name.clone(), column(about)))
        .collect();
    json!({ "info": { "features": features } }).to_string()
}

/// The value of the schema's key `pandas` for the tasks: their names are the index.
pub(super) fn for_pandas() -> String {
    let column = |field: &str, kind: &str, numpy: &str| {
        json!({
            "name": field, "field_name": field, "pandas_type": kind, "numpy_type": numpy,
            "metadata": null,
        })
    };
    json!({
        "index_columns": ["task"],
        "column_indexes": [{
            "name": null, "field_name": null, "pandas_type": "unicode", "numpy_type": "object",
            "metadata": { "encoding": "UTF-8" },
        }],
        "columns": [
            column("task_index", "int64", "int64"),
            column("task", "unicode", "object"),
        ],
        "attributes": {},
        "creator": { "library": "reins", "version": env!("CARGO_PKG_VERSION") },
        "pandas_version": "2.0.0",
    })
    .to_string()
}
