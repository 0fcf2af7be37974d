//! The V4L2 cameras of this machine and what they can do.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use drivers::camera::{Listed, ListedFormat};
use v4l::{
    Device, capability::Flags, context, frameinterval::FrameIntervalEnum, framesize::FrameSizeEnum,
    video::Capture,
};

use crate::node;

pub fn cameras() -> Vec<Listed> {
    let links = links(Path::new(node::NAMES));
    let mut paths: Vec<PathBuf> =
        context::enum_devices().iter().map(|node| node.path().to_owned()).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| listed(&path, &links)).collect()
}

/// None for nodes that give no pictures, such as those for a camera's metadata.
fn listed(path: &Path, links: &BTreeMap<PathBuf, Vec<PathBuf>>) -> Option<Listed> {
    let mut listed = Listed {
        path: path.to_owned(),
        links: links.get(path).cloned().unwrap_or_default(),
        name: String::new(),
        bus: String::new(),
        formats: Vec::new(),
        trouble: None,
    };
    let asked = node::check(path).and_then(|()| {
        let device = Device::with_path(path)?;
        let caps = device.query_caps()?;
        let pictures = Flags::VIDEO_CAPTURE | Flags::VIDEO_CAPTURE_MPLANE;
        (listed.name, listed.bus) = (caps.card, caps.bus);
        listed.formats = formats(&device)?;
        Ok(caps.capabilities.intersects(pictures))
    });
    match asked {
        Ok(true) if listed.formats.is_empty() => None,
        Ok(gives_pictures) => gives_pictures.then_some(listed),
        Err(error) => {
            listed.trouble = Some(format!("{error:#}"));
            Some(listed)
        }
    }
}

fn formats(device: &Device) -> std::io::Result<Vec<ListedFormat>> {
    let mut found = Vec::new();
    // A node without pictures has no formats to ask for.
    for format in device.enum_formats().unwrap_or_default() {
        for size in device.enum_framesizes(format.fourcc)? {
            let (width, height) = match size.size {
                FrameSizeEnum::Discrete(size) => (size.width, size.height),
                FrameSizeEnum::Stepwise(sizes) => (sizes.max_width, sizes.max_height),
            };
            let rates = device.enum_frameintervals(format.fourcc, width, height);
            let fps = rates.unwrap_or_default().into_iter().map(|rate| match rate.interval {
                FrameIntervalEnum::Discrete(time) => (time.numerator, time.denominator),
                FrameIntervalEnum::Stepwise(times) => (times.min.numerator, times.min.denominator),
            });
            found.push(ListedFormat {
                pixel_format: format.fourcc.to_string(),
                width,
                height,
                fps: fps.map(|(time, parts)| f64::from(parts) / f64::from(time.max(1))).collect(),
            });
        }
    }
    Ok(found)
}

/// Names of each node that stay the same when it is plugged in again.
fn links(names: &Path) -> BTreeMap<PathBuf, Vec<PathBuf>> {
    let mut found: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for kind in ["by-id", "by-path"] {
        let entries = fs::read_dir(names.join(kind)).into_iter().flatten().flatten();
        for link in entries.map(|entry| entry.path()) {
            if let Ok(node) = link.canonicalize() {
                found.entry(node).or_default().push(link);
            }
        }
    }
    found.values_mut().for_each(|links| links.sort());
    found
}
