//! Cameras.

use std::{sync::Arc, time::Duration};

use drivers::{
    Camera,
    camera::{Lens, Listed, ListedFormat, Survey, survey},
};
use tasks::{
    CellConfig,
    cell::{CameraConfig, CameraDriver},
};
use wire::{Clock, SystemClock};

use super::Section;
use crate::parts;

pub fn cameras() -> Section {
    let title = "Cameras";
    match Lens::find().and_then(|lens| lens.list()) {
        Ok(found) => {
            let none = "none is plugged in: this machine has no /dev/video*".into();
            Section { title, lines: found.iter().map(line_of).collect(), none }
        }
        Err(error) => Section { title, lines: Vec::new(), none: error.to_string() },
    }
}

/// The name to write into a cell file, and what can be asked for.
fn line_of(camera: &Listed) -> String {
    let name = |path: &std::path::Path| Some(path.file_name()?.to_string_lossy().into_owned());
    let source = camera.links.first().and_then(|link| name(link));
    let source = source.unwrap_or_else(|| camera.path.display().to_string());
    let node = camera.path.display();
    let what = match &camera.trouble {
        Some(trouble) => format!("not readable: {trouble}"),
        None => camera.formats.iter().map(format_of).collect::<Vec<_>>().join(", "),
    };
    format!("{} at {} ({node}), source = \"{source}\": {what}", camera.name, camera.bus)
}

fn format_of(format: &ListedFormat) -> String {
    let ListedFormat { pixel_format, width, height, fps } = format;
    let fastest = fps.iter().copied().fold(0.0, f64::max);
    format!("{pixel_format} {width}x{height} at {fastest:.0}/s")
}

/// Watches each device for `time`.
pub fn watch(cell: &CellConfig, time: Duration) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let names: Vec<String> = cell.cameras.iter().map(|camera| camera.name.clone()).collect();
    let mut watched: Vec<String> = Vec::new();
    for config in &cell.cameras {
        if watched.contains(&config.name) {
            continue;
        }
        if let Some(where_it_is) = elsewhere(config) {
            println!("Camera {}: {where_it_is}", config.name);
            continue;
        }
        let mut of_device = parts::cell::open_cameras(cell, &names, config, &clock)?;
        watched.extend(of_device.iter().map(|camera| camera.info().name.clone()));
        let Some(first) = of_device.first_mut() else { continue };
        let (source, format) = (first.device().settings().source.clone(), first.device().format());
        println!("Camera {}: {source} gives {format}", watched.join(" and "));
        lines(&survey(first, &*clock, time)).iter().for_each(|line| println!("  {line}"));
    }
    Ok(())
}

fn elsewhere(config: &CameraConfig) -> Option<&'static str> {
    match config.driver {
        CameraDriver::Sim => Some("the simulated cell draws it"),
        CameraDriver::Device => Some("it is at another process; probe it there"),
        _ => None,
    }
}

fn lines(seen: &Survey) -> Vec<String> {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mut lines = vec![
        format!("{} pictures, {:.1} a second", seen.pictures, seen.rate_hz),
        format!("age {:.0} ms on average, {:.0} ms at most", ms(seen.age_mean), ms(seen.age_max)),
        format!("jitter p99 {:.1} ms, at most {:.1} ms", ms(seen.jitter_p99), ms(seen.jitter_max)),
    ];
    lines.extend(seen.trouble.clone());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_shown_with_the_name_for_a_cell_file_and_what_it_can_do() {
        let format =
            |fps| ListedFormat { pixel_format: "MJPG".into(), width: 640, height: 480, fps };
        let mut camera = Listed {
            path: "/dev/video0".into(),
            links: vec!["/dev/v4l/by-id/usb-Maker_Eye-index0".into()],
            name: "Eye".into(),
            bus: "usb-1".into(),
            formats: vec![format(vec![15.0, 30.0])],
            trouble: None,
        };
        assert_eq!(
            line_of(&camera),
            "Eye at usb-1 (/dev/video0), source = \"usb-Maker_Eye-index0\": MJPG 640x480 at 30/s"
        );
        camera.links.clear();
        camera.trouble = Some("no right".into());
        let said = line_of(&camera);
        assert!(said.ends_with("source = \"/dev/video0\": not readable: no right"), "{said}");
    }
}
