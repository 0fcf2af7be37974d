//! Device nodes of V4L2 cameras.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Where udev keeps names that outlive a replug.
pub const NAMES: &str = "/dev/v4l";

/// The node behind a path, or behind a name below `by-id` or `by-path` of `names`.
pub fn find(given: &Path, names: &Path) -> anyhow::Result<PathBuf> {
    let places =
        [given.to_owned(), names.join("by-id").join(given), names.join("by-path").join(given)];
    let tried = if given.components().count() == 1 { &places[..] } else { &places[..1] };
    let Some(found) = tried.iter().find(|place| place.exists()) else {
        bail!(
            "there is no such device, here or under {}: is it plugged in? `reins probe` lists what is",
            names.display()
        );
    };
    found.canonicalize().with_context(|| format!("following {}", found.display()))
}

/// OpenCV only says that it could not open a device; this says why.
pub fn check(node: &Path) -> anyhow::Result<()> {
    let Err(error) = File::options().read(true).write(true).open(node) else { return Ok(()) };
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => ": add yourself to the group `video` and log in again",
        ErrorKind::ResourceBusy => ": another program has it",
        _ => "",
    };
    bail!("opening {}: {error}{remedy}", node.display());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn a_camera_is_found_by_path_by_id_and_by_plug() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (node, names) = (root.join("video2"), root.join("v4l"));
        fs::write(&node, "").unwrap();
        for (kind, name) in [("by-id", "usb-Maker_Eye-index0"), ("by-path", "pci-0000:00-usb-0:2")]
        {
            fs::create_dir_all(names.join(kind)).unwrap();
            symlink("../../video2", names.join(kind).join(name)).unwrap();
        }
        let by_id = names.join("by-id/usb-Maker_Eye-index0");
        for given in
            [&*node, Path::new("usb-Maker_Eye-index0"), Path::new("pci-0000:00-usb-0:2"), &by_id]
        {
            assert_eq!(find(given, &names).unwrap(), node, "{}", given.display());
        }
        let error = find(Path::new("usb-Maker_Other"), &names).unwrap_err().to_string();
        assert!(error.contains("plugged in"), "{error}");
    }
}
